/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Whether a calibration is to be checked again. The header of a task that is polled lies on the stack of its thread;
 * where that is not found in one long poll after the other, the ids may not be ids.
 */
#ifndef RS_PLAN_DOUBT_H
#define RS_PLAN_DOUBT_H

#include <stdbool.h>

#define DOUBT_PATIENCE 8 /* polls in a row; stacks deeper than what is searched occur, too */
#define DOUBT_PATIENCE_MAX 512

struct doubt {
	unsigned int misses, patience;
};

/* True when it is time to check; then twice as many misses are needed before the next time. */
static inline bool doubt_note(struct doubt *d, bool is_found)
{
	unsigned int patience = d->patience ? d->patience : DOUBT_PATIENCE;

	d->misses = is_found ? 0 : d->misses + 1;
	if (d->misses < patience)
		return false;
	d->misses = 0;
	d->patience = patience < DOUBT_PATIENCE_MAX ? 2 * patience : patience;
	return true;
}

#endif
