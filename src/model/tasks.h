/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What has been learned about tasks: which future type an id belongs to, and what kind of scheduler polls that type.
 * Ids are never reused by Tokio. Memory is bounded: the oldest ids are forgotten first. */
#ifndef RS_MODEL_TASKS_H
#define RS_MODEL_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tasks;

struct task_type {
	uint8_t copy; /* index of the copy of Tokio */
	uint32_t vtable; /* index in that copy's vtables */
};

struct tasks *tasks_new(void);
struct tasks *tasks_free(struct tasks *t);
/* `header`: where the target keeps the task, as long as it lives. 0 or -ENOMEM. */
int tasks_learn(struct tasks *t, uint8_t copy, uint64_t id, uint32_t vtable, uint64_t header);
/* False when that id has not been met. */
bool tasks_find(const struct tasks *t, uint8_t copy, uint64_t id, struct task_type *ret);
/* 0 when that id has not been met. */
uint64_t tasks_header(const struct tasks *t, uint8_t copy, uint64_t id);

/* Where it was spawned, if that is known; NULL otherwise. `place` must outlive the tasks. */
struct spawn_place;
void tasks_set_spawn(struct tasks *t, uint8_t copy, uint64_t id, const struct spawn_place *place);
const struct spawn_place *tasks_spawn(const struct tasks *t, uint8_t copy, uint64_t id);

/* All future types of one scheduler kind share their vtable's `schedule` pointer. */
enum scheduler_kind {
	SCHEDULER_UNKNOWN,
	SCHEDULER_RUNTIME,
	SCHEDULER_LOCAL, /* a LocalSet's */
};
int tasks_learn_scheduler(struct tasks *t, uint64_t schedule, enum scheduler_kind kind);
/* From a task of that type while it is polled: its scheduler word, and the handle of the runtime it is polled on. */
void tasks_compare_scheduler(struct tasks *t, uint64_t schedule, uint64_t scheduler,
			     uint64_t handle);
/* Whether any LocalSet's scheduler has been met. */
bool tasks_know_local(const struct tasks *t);
enum scheduler_kind tasks_scheduler(const struct tasks *t, uint64_t schedule);

#endif
