/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RS_TARGET_LOCATION_H
#define RS_TARGET_LOCATION_H

#include <sys/types.h>

#include "target/code.h"

#define FUTURE_PLACES 8
#define FUTURE_CALLS 16

/* Where a future is written. */
struct future_place {
	char file[512]; /* hostile text */
	uint32_t line;
	bool is_body; /* it is an async body of the user's own, not merely something in its code */
	bool is_vague; /* something in its code, or in that of what wraps it: good for where it lies, not for the place */
	bool is_one_of_many; /* bodies that are called side by side, so that none of them is the future alone */
	/* The instruction compiled from there, the call of its function, the call of that one's caller … up to the poll
	 * function; ELF virtual addresses. A stack that has been read instead of run. */
	uint64_t code[FUTURE_CALLS];
	size_t n_code;
};

/*
 * Where the future that `poll` polls is written: the panic location of its async body, read from the code, so it needs no
 * symbols. Costs milliseconds. Several bodies may have been compiled into one function: the future's own, and those it awaits;
 * they come in the order of their code. Without a place in the user's own source it is the async body of a dependency.
 * Returns how many, -ENOENT when there is none, or negative errno.
 */
ssize_t location_of_future(const struct code_file *c, uint64_t poll,
			   struct future_place ret[FUTURE_PLACES]);

/*
 * Whether `schedule` of a vtable is BlockingSchedule's: it does nothing but panic (a blocking task
 * is never scheduled twice), and the panic names runtime/blocking/schedule.rs. False when that
 * cannot be told.
 */
bool location_is_blocking_schedule(const struct image *img, const struct unwind_index *functions,
				   uint64_t schedule);

#endif
