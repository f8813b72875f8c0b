/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From what the kernel side counted about a poll to the block a reader sees. */
#ifndef RS_MODEL_DECODE_H
#define RS_MODEL_DECODE_H

#include "bpf/wire.h"
#include "model/block.h"
#include "model/details.h"
#include "model/places.h"
#include "model/tasks.h"
#include "target/target.h"

#define RUNTIMES_MAX 64

/* What decoding needs to know of the process. */
struct decoder {
	int32_t pid;
	const struct tokio_copy *copies;
	size_t n_copies;
	struct tasks *tasks;
	struct places *places;
	struct details *details; /* NULL = nothing is known */
	uint64_t slow_ns, critical_ns;
	uint64_t period_ns; /* of sampling; 0 = not known */
	uint64_t vague; /* not told: polls that perhaps only waited for a CPU before or after their work */
	uint64_t hello_ns; /* from then on long polls are inspected while they last */
	uint64_t runtimes[RUNTIMES_MAX]; /* handle addresses, in order of appearance */
	int n_runtimes;
};

/* Cookie of a poll function's probe: which vtable of which copy. */
uint32_t site_encode(uint8_t copy, uint32_t vtable, bool is_drop);
struct task_type site_decode(uint32_t site);

/* An ended block. 0; -EBADMSG for a record that cannot be; -ENODATA for one that is no poll after all. */
int decode_block(struct decoder *d, const struct rs_event_block *e, size_t size, struct block *ret);
/* Whether all is known of its future that will be; asks for it otherwise. */
bool decode_is_named(const struct decoder *d, const struct rs_poll *p);
/* The poll at the top of a thread's row, as it stands at now_ns. */
void decode_ongoing(struct decoder *d, const struct rs_thread *t, const struct rs_poll *p,
		    const char comm[16], uint64_t now_ns, struct block *ret);

#endif
