/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/tasks.h"

#include <errno.h>
#include <stdlib.h>

#define uthash_fatal(msg) return -ENOMEM
#include <uthash.h>

#define TASKS_MAX 65536
#define SCHEDULES_MAX 256

struct task_key {
	uint64_t id;
	uint64_t copy;
};

struct task_entry {
	struct task_key key;
	uint32_t vtable;
	uint64_t header;
	const struct spawn_place *spawn;
	UT_hash_handle hh;
};

struct schedule_entry {
	uint64_t schedule;
	enum scheduler_kind kind;
	UT_hash_handle hh;
};

struct tasks {
	struct task_entry *by_id;
	struct schedule_entry *schedules;
};

struct tasks *tasks_new(void)
{
	return calloc(1, sizeof(struct tasks));
}

struct tasks *tasks_free(struct tasks *t)
{
	struct task_entry *e, *next;
	struct schedule_entry *s, *next_schedule;

	if (!t)
		return NULL;
	HASH_ITER(hh, t->by_id, e, next) {
		HASH_DEL(t->by_id, e);
		free(e);
	}
	HASH_ITER(hh, t->schedules, s, next_schedule) {
		HASH_DEL(t->schedules, s);
		free(s);
	}
	free(t);
	return NULL;
}

static struct task_entry *find_entry(const struct tasks *t, uint8_t copy, uint64_t id)
{
	struct task_key key = { .id = id, .copy = copy };
	struct task_entry *e;

	HASH_FIND(hh, t->by_id, &key, sizeof(key), e);
	return e;
}

int tasks_learn(struct tasks *t, uint8_t copy, uint64_t id, uint32_t vtable, uint64_t header)
{
	struct task_entry *e = find_entry(t, copy, id);

	if (e) {
		e->vtable = vtable;
		e->header = header;
		return 0;
	}
	if (HASH_COUNT(t->by_id) >= TASKS_MAX) {
		e = t->by_id; /* uthash keeps the order of insertion: the head is the oldest */
		HASH_DEL(t->by_id, e);
	} else {
		e = malloc(sizeof(*e));
	}
	if (!e)
		return -ENOMEM;
	*e = (struct task_entry){
		.key = { .id = id, .copy = copy },
		.vtable = vtable,
		.header = header,
	};
	HASH_ADD(hh, t->by_id, key, sizeof(e->key), e);
	return 0;
}

bool tasks_find(const struct tasks *t, uint8_t copy, uint64_t id, struct task_type *ret)
{
	const struct task_entry *e = find_entry(t, copy, id);

	if (!e)
		return false;
	*ret = (struct task_type){ .copy = copy, .vtable = e->vtable };
	return true;
}

uint64_t tasks_header(const struct tasks *t, uint8_t copy, uint64_t id)
{
	const struct task_entry *e = find_entry(t, copy, id);

	return e ? e->header : 0;
}

void tasks_set_spawn(struct tasks *t, uint8_t copy, uint64_t id, const struct spawn_place *place)
{
	struct task_entry *e = find_entry(t, copy, id);

	if (e)
		e->spawn = place;
}

const struct spawn_place *tasks_spawn(const struct tasks *t, uint8_t copy, uint64_t id)
{
	const struct task_entry *e = find_entry(t, copy, id);

	return e ? e->spawn : NULL;
}

static struct schedule_entry *find_schedule(const struct tasks *t, uint64_t schedule)
{
	struct schedule_entry *s;

	HASH_FIND(hh, t->schedules, &schedule, sizeof(schedule), s);
	return s;
}

int tasks_learn_scheduler(struct tasks *t, uint64_t schedule, enum scheduler_kind kind)
{
	struct schedule_entry *s = find_schedule(t, schedule);

	if (s) {
		s->kind = kind;
		return 0;
	}
	if (HASH_COUNT(t->schedules) >= SCHEDULES_MAX)
		return 0;
	s = malloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct schedule_entry){ .schedule = schedule, .kind = kind };
	HASH_ADD(hh, t->schedules, schedule, sizeof(s->schedule), s);
	return 0;
}

enum scheduler_kind tasks_scheduler(const struct tasks *t, uint64_t schedule)
{
	const struct schedule_entry *s = find_schedule(t, schedule);

	return s ? s->kind : SCHEDULER_UNKNOWN;
}

/* A runtime's tasks hold its handle; a task that does not, but is polled, is a LocalSet's. */
void tasks_compare_scheduler(struct tasks *t, uint64_t schedule, uint64_t scheduler,
			     uint64_t handle)
{
	if (handle && scheduler && tasks_scheduler(t, schedule) == SCHEDULER_UNKNOWN)
		tasks_learn_scheduler(t, schedule,
				      scheduler == handle ? SCHEDULER_RUNTIME : SCHEDULER_LOCAL);
}

bool tasks_know_local(const struct tasks *t)
{
	const struct schedule_entry *s, *next;

	HASH_ITER(hh, t->schedules, s, next) {
		if (s->kind == SCHEDULER_LOCAL)
			return true;
	}
	return false;
}
