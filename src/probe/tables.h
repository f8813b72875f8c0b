/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the kernel side needs to unwind the target's stacks. */
#ifndef RS_PROBE_TABLES_H
#define RS_PROBE_TABLES_H

#include "bpf/wire_unwind.h"
#include "probe/watch.h"

/* Gives the kernel a copy of a table, by that number (below RS_TABLES). 0 or negative errno. Waits for an RCU grace period
 * (maybe_wait_bpf_programs in the kernel): some ms. */
int tables_put(struct watch *w, uint32_t number, const union rs_unwind_part *parts, size_t n);
/* Makes these the mappings in use. From the first time on stacks are taken. */
int tables_set_mappings(struct watch *w, const struct rs_mappings *m);

#endif
