/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The second, independent detector: intervals between marker functions of the target, compared with the blocks. */
#ifndef RS_MODEL_MARKERS_H
#define RS_MODEL_MARKERS_H

#include "model/block.h"

struct markers;

struct markers *markers_new(void);
struct markers *markers_free(struct markers *m);
/* trace_blocking_start returned on this thread, trace_blocking_end was entered. Times: ns of CLOCK_MONOTONIC. */
void markers_start(struct markers *m, int32_t tid, uint64_t at_ns);
void markers_end(struct markers *m, int32_t tid, uint64_t at_ns, uint64_t threshold_ns);
/* set_current_task_id was called with `told` while the detector read `seen` (0 = no poll). */
void markers_check_id(struct markers *m, uint64_t seen, uint64_t told);
/* Whether it has found a marker interval: those end before the poll they are in does. */
bool markers_add_block(struct markers *m, const struct block *b);
/* Fills everything but at_ns and pid. A marker interval and a block match when they overlap on one thread by more
 * than half of the interval, each with one of the other kind at most. Blocks that no marker covers are extra: programs mark
 * only some of their blocks. */
void markers_result(const struct markers *m, struct validation *ret);

#endif
