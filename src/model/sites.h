/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The ranking of call sites, built block by block. Memory is bounded: past SITES_MAX distinct sites the rest is one row. */
#ifndef RS_MODEL_SITES_H
#define RS_MODEL_SITES_H

#include "model/block.h"

#define SITES_MAX 512
#define SITES_REPEATS 5 /* told at a time */

struct sites;

struct sites *sites_new(void);
struct sites *sites_free(struct sites *s);
/* Counts an ended block, whose site is known or "". 0 or -ENOMEM. */
int sites_add(struct sites *s, const struct block *b);
/*
 * For readers who cannot read a hundred blocks a second: whether this block, counted before if it has ended, is to be told whole.
 * That is so for the first few of a site, for those much longer than what was told of it, for ongoing ones that last, and not
 * for more than a few a second in all. Those that ended and are not told are counted for sites_repeats.
 */
bool sites_tell(struct sites *s, const struct block *b, uint64_t now);
/* What is due to be told of the others, the most time first; of one site ever more seldom. At most SITES_REPEATS rows, whose
 * sites are valid until the next block is counted. */
size_t sites_repeats(struct sites *s, uint64_t now, struct repeats ret[SITES_REPEATS]);
/* Rows ranked by total_ns, in an array owned by s and valid until the next call. Returns the count.
 * p99 comes from a log-linear histogram: within 2 % above the true value. */
size_t sites_rank(struct sites *s, const struct site **ret);

#endif
