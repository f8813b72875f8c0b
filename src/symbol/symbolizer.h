/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names and lines of addresses, found by a thread of its own: reading debuginfo takes milliseconds, and whoever empties the
 * ring must not wait for it. Asked for when a stack is met, known when its block is told.
 */
#ifndef RS_SYMBOL_SYMBOLIZER_H
#define RS_SYMBOL_SYMBOLIZER_H

#include <sys/types.h>

#include "symbol/frame.h"
#include "symbol/futures.h"
#include "symbol/problems.h"

struct process;
struct symbolizer;

struct symbolizer_options {
	const struct process *process; /* stays where it is; modules may be added at its end */
	const char *debug_file; /* of the executable; or NULL */
	const char *my_crates; /* see kind_of_frame; or NULL */
	bool has_kernel; /* name its functions, too: reading all of them costs 100 ms, once */
};

/* The frames of one address, innermost first; at least one. */
struct symbol {
	size_t n;
	struct frame frames[];
};

/* NULL: out of memory. */
struct symbolizer *symbolizer_new(const struct symbolizer_options *options);
/* Looks for nothing more. What it is at ends soon, a download too: whoever waits in symbolizer_describe gets on. */
void symbolizer_end(struct symbolizer *s);
struct symbolizer *symbolizer_free(struct symbolizer *s);
/* Asks for an address of the target, or of the kernel. A return address is looked up before itself. Repeated requests cost
 * nothing. False when there is no room for more. */
bool symbolizer_want(struct symbolizer *s, uint64_t addr, bool is_return);
/* NULL while it is not known yet. Owned by s, valid until symbolizer_free. */
const struct symbol *symbolizer_find(struct symbolizer *s, uint64_t addr, bool is_return);
/* Describes a future (see future_describe) on the caller's own thread; takes as long as the addresses asked for meanwhile. */
void symbolizer_describe(struct symbolizer *s, const struct code_file *code,
			 const struct tokio_copy *c, size_t vtable, struct future *ret);
/* What cannot be read, and names are missing for it: sentences for people, each once. False: no news. */
bool symbolizer_take_problem(struct symbolizer *s, char ret[static PROBLEM_SIZE]);
/* Addresses asked for and not found yet. */
size_t symbolizer_pending(struct symbolizer *s);

#endif
