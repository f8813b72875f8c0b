/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is known of the sleeps of a while, until the blocks they are in are told. Bounded: the oldest go first. */
#ifndef RS_MODEL_DETAILS_H
#define RS_MODEL_DETAILS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/wire.h"

struct details;

struct details *details_new(void); /* NULL: out of memory */
struct details *details_free(struct details *d);
/* What a call of that thread was about at an instant (ns of CLOCK_MONOTONIC). `object` is RS_OBJECT_FILE and which; else it
 * is true of the sleep at that instant alone. */
void details_add(struct details *d, uint32_t tid, int32_t nr, uint64_t object, uint64_t at_ns,
		 const char *text);
/* What most of the spell's sleeps were about, where it is one of a block since start_ns; NULL: not known. Valid until
 * the next details_add(). */
const char *details_find(const struct details *d, uint32_t tid, const struct rs_spell *s,
			 uint64_t start_ns);

#endif
