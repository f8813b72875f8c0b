/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Log-linear histogram: 64 steps per power of two, so a quantile is at most 1/64 (1.6 %) above the
 * true value, and exact below 64. Only the powers of two in use take memory (512 bytes each). */
#ifndef RS_BASE_HIST_H
#define RS_BASE_HIST_H

#include <stdint.h>

#define HIST_STEP_BITS 6
#define HIST_STEPS (1u << HIST_STEP_BITS)
#define HIST_OCTAVES (64 - HIST_STEP_BITS + 1)

struct hist {
	uint64_t count, max;
	uint64_t *octaves[HIST_OCTAVES]; /* HIST_STEPS counters each; NULL = none counted */
};

/* A zeroed struct is an empty histogram. Frees what it holds and makes it empty. */
void hist_clear(struct hist *h);
/* 0 or -ENOMEM; unchanged on failure. */
int hist_add(struct hist *h, uint64_t value);
/* Adds what from counted to h. 0 or -ENOMEM; no count changes on failure. */
int hist_merge(struct hist *h, const struct hist *from);
/* The smallest value that at least the share q (0 to 1) of the counted values does not exceed; 0
 * when empty. */
uint64_t hist_quantile(const struct hist *h, double q);

#endif
