/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A format of the live report: one file and one row in sinks[] (sink.c). */
#ifndef RS_SINK_SINK_H
#define RS_SINK_SINK_H

#include <stdio.h>

#include "model/block.h"

struct sink_options {
	FILE *out;
	bool color;
	uint32_t stack_depth; /* text: most frames of a stack */
	bool enable_pids; /* text: say the pid with each block and total (several targets) */
};

/* Every callback writes one line or paragraph and flushes it; returns 0 or negative errno (-EPIPE, -ENOSPC …).
 * A callback may be NULL where the format has nothing to say. */
struct sink {
	const char *name;
	bool shows_kernel; /* frames of the kernel, by name */
	int (*hello)(const struct sink_options *o, const struct hello *h);
	int (*block)(const struct sink_options *o, const struct block *b); /* ended and ongoing */
	/* Where it is for people; then not every block is given to it. */
	int (*repeats)(const struct sink_options *o, const struct repeats *r);
	int (*stats)(const struct sink_options *o, const struct stats *s);
	int (*validation)(const struct sink_options *o, const struct validation *v);
	int (*bye)(const struct sink_options *o, const struct bye *b);
};

const struct sink *sink_find(const char *name); /* "text", "ndjson"; NULL = no such format */
extern const char *const sink_names; /* "text|ndjson", for --help */

#endif
