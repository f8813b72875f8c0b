/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Task headers on a thread's stack: words that point to memory whose third word is a known task vtable. */
#ifndef RS_PLAN_HEADERS_H
#define RS_PLAN_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "target/target.h"

struct found_header {
	uint64_t addr;
	uint64_t state; /* task state word */
	uint64_t id;
	uint64_t scheduler; /* first word of the task's scheduler: an Arc for async tasks */
	size_t vtable; /* index in the copy's vtables */
};

/* The vtables of a copy, to be looked up by address. */
struct vtable_index;
int vtable_index_new(const struct tokio_copy *c, struct vtable_index **ret);
struct vtable_index *vtable_index_free(struct vtable_index *x);
/* Index in the copy's vtables, or -1. */
ssize_t vtable_index_find(const struct vtable_index *x, uint64_t addr);

/* Whether there is a header at that address. */
bool header_at(pid_t pid, uint64_t addr, const struct tokio_copy *c, const struct vtable_index *x,
	       struct found_header *ret);

#define STACK_SCAN \
	65536 /* bytes above the stack pointer that are searched, where nothing better is known */
struct stack_area {
	uint64_t sp;
	size_t len;
	bool is_outermost_first; /* which end the search begins at */
};

/* The header of the task with that id, referred to from the area. The thread should be asleep or in a long poll: memory is
 * read while the target runs. 1; 0: others only; -ENOENT: none; or negative errno. */
int header_of_task(pid_t pid, const struct stack_area *where, const struct tokio_copy *c,
		   const struct vtable_index *x, uint64_t id, struct found_header *ret);

#endif
