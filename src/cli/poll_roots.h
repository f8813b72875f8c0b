/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The functions by which the runtime polls tasks: known by their vtables, without any symbol. */
#ifndef RS_CLI_POLL_ROOTS_H
#define RS_CLI_POLL_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/target.h"

/* Start with zeroes. */
struct poll_roots {
	struct poll_root {
		uint64_t start, end;
	} * at; /* sorted */
	size_t n, n_vtables;
};

/* Brings x up to what is known of the copies, in that process; where that is nothing new, at no cost. What does not fit in memory is left out. */
void poll_roots_update(struct poll_roots *x, const struct tokio_copy *copies, size_t n_copies,
		       pid_t pid);
/* Whether the instruction at addr is in one of them. */
bool poll_roots_has(const struct poll_roots *x, uint64_t addr);
void poll_roots_clear(struct poll_roots *x);

#endif
