/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/hist.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

/* Octave 0 holds 0–63 one by one; octave n > 0 holds 2^(n+5) to 2^(n+6)-1 in 64 steps of 2^(n-1).
 * */
static unsigned int octave_of(uint64_t value)
{
	if (value < HIST_STEPS)
		return 0;
	return (unsigned int)(63 - __builtin_clzll(value)) - HIST_STEP_BITS + 1;
}

static unsigned int step_of(uint64_t value, unsigned int octave)
{
	return octave ? (unsigned int)(value >> (octave - 1)) - HIST_STEPS : (unsigned int)value;
}

/* The greatest value of a step. */
static uint64_t upper_bound(unsigned int octave, unsigned int step)
{
	if (!octave)
		return step;
	return ((uint64_t)(HIST_STEPS + step) << (octave - 1)) +
	       ((UINT64_C(1) << (octave - 1)) - 1);
}

static int need_octave(struct hist *h, unsigned int octave)
{
	if (!h->octaves[octave])
		h->octaves[octave] = calloc(HIST_STEPS, sizeof(uint64_t));
	return h->octaves[octave] ? 0 : -ENOMEM;
}

void hist_clear(struct hist *h)
{
	for (unsigned int i = 0; i < HIST_OCTAVES; i++)
		free(h->octaves[i]);
	*h = (struct hist){ 0 };
}

int hist_add(struct hist *h, uint64_t value)
{
	unsigned int octave = octave_of(value);
	int r = need_octave(h, octave);

	if (r < 0)
		return r;
	h->octaves[octave][step_of(value, octave)]++;
	h->count++;
	if (value > h->max)
		h->max = value;
	return 0;
}

int hist_merge(struct hist *h, const struct hist *from)
{
	for (unsigned int i = 0; i < HIST_OCTAVES; i++) {
		int r = from->octaves[i] ? need_octave(h, i) : 0;

		if (r < 0)
			return r;
	}
	for (unsigned int i = 0; i < HIST_OCTAVES; i++)
		for (unsigned int j = 0; from->octaves[i] && j < HIST_STEPS; j++)
			h->octaves[i][j] += from->octaves[i][j];
	h->count += from->count;
	if (from->max > h->max)
		h->max = from->max;
	return 0;
}

/* The values not above the quantile, rounded up: 1 to count. */
static uint64_t rank_of(const struct hist *h, double q)
{
	double wanted = q * (double)h->count;
	uint64_t rank;

	if (!(wanted >= 1))
		return 1;
	if (wanted >= (double)h->count)
		return h->count;
	rank = (uint64_t)wanted;
	return (double)rank < wanted ? rank + 1 : rank;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t rank = rank_of(h, q), passed = 0;

	for (unsigned int i = 0; i < HIST_OCTAVES; i++) {
		for (unsigned int j = 0; h->octaves[i] && j < HIST_STEPS; j++) {
			passed += h->octaves[i][j];
			if (passed >= rank) {
				uint64_t bound = upper_bound(i, j);

				return bound < h->max ? bound : h->max;
			}
		}
	}
	return h->max;
}
