/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The ranking of call sites, built block by block. Memory is bounded: past SITES_MAX distinct sites the rest is one row. */
#ifndef RS_MODEL_SITES_H
#define RS_MODEL_SITES_H

#include "model/block.h"

#define SITES_MAX 512

struct sites;

struct sites *sites_new(void);
struct sites *sites_free(struct sites *s);
/* Counts an ended block. 0 or -ENOMEM. */
int sites_add(struct sites *s, const struct block *b);
/* Rows ranked by total_ns, in an array owned by s and valid until the next call. Returns the count.
 * p99 comes from a log-linear histogram: within 2 % above the true value. */
size_t sites_rank(struct sites *s, const struct site **ret);

#endif
