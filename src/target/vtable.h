/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Task vtables of Tokio >= 1.23 in an ELF file, found by shape: no symbol is needed. */
#ifndef RS_TARGET_VTABLE_H
#define RS_TARGET_VTABLE_H

#include "target/image.h"

struct raw_vtable {
	uint64_t addr, poll, schedule, dealloc, drop_join_handle, shutdown;
	uint32_t trailer_off, scheduler_off, id_off;
	uint32_t spawn_off; /* 0: the task does not keep where it was spawned, as in all stable builds */
};

/* In address order; the array is the caller's. Returns the count or negative errno. */
int vtables_find(const struct image *img, struct raw_vtable **ret);

#endif
