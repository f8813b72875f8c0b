/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RS_PROBE_PRICE_H
#define RS_PROBE_PRICE_H

#include "probe/entry.h"
#include "probe/watch.h"

/* What one hit of a probe costs the target, in ns, on a function that begins so; measured on one of this tool: the trap with
 * the kernel side's filter. 0 with a sentence in err when it cannot be measured. */
uint64_t probe_price_ns(struct watch *w, enum entry_kind kind, struct rs_error *err);

/* ns of CPU time that one sampling interrupt takes from the thread it hits, measured on this one. Takes some 20 ms. 0 when
 * it cannot be measured. */
uint64_t tick_price_ns(void);

#endif
