/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The call site of a block, as a string that is the same whenever the same code blocks: doc/SITES.md says what it is made of
 * and what changes it.
 */
#ifndef RS_MODEL_CALLSITE_H
#define RS_MODEL_CALLSITE_H

#include "model/block.h"

/* Whether the runtime polls the task in that frame: what lies outside of it is not the task's. */
bool callsite_is_root(const struct block_stack *s, size_t at);

/* The innermost frame of the user's own code, else of a dependency, in one stack of a task (is_task) or root future; -1: none. */
int callsite_culprit(const struct block_stack *s, bool is_task);

/* The frame that the site is named by; NULL: it is named by the task. */
const struct frame *callsite_frame(const struct block *b);

/* Sets site and site_frame of a block whose other fields are complete. */
void callsite_find(struct block *b);

#endif
