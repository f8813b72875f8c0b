/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which future type a place in the code belongs to: the poll functions of one copy of Tokio. So a stack tells the type. */
#ifndef RS_TARGET_POLL_INDEX_H
#define RS_TARGET_POLL_INDEX_H

#include "target/code.h"

struct tokio_copy;

struct poll_range {
	uint64_t start, end; /* ELF virtual addresses */
	uint32_t vtable; /* index in the copy's vtables */
};

struct poll_index {
	struct poll_range *rows; /* in the order of their addresses */
	size_t n;
};

enum poll_place {
	POLL_NOWHERE,
	POLL_OF_TYPE,
	POLL_UNCLEAR, /* a poll function of several types, or a function that drops a task */
};

/* Poll functions, and those that they do nothing but jump to. 0 or -ENOMEM. */
int poll_index_build(const struct code_file *code, const struct tokio_copy *c,
		     struct poll_index *ret);
void poll_index_clear(struct poll_index *x);
/* *ret_vtable is set for POLL_OF_TYPE. */
enum poll_place poll_index_find(const struct poll_index *x, uint64_t vaddr, uint32_t *ret_vtable);

#endif
