/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whose code a frame is. */
#ifndef RS_SYMBOL_KINDS_H
#define RS_SYMBOL_KINDS_H

#include "symbol/frame.h"

/*
 * By the path of the source file, else by the crate in the function's name, else by the module it is in. `function` is
 * demangled; each may be NULL. `mine` (NULL: none) lists crates, separated by commas, that are the user's wherever they lie.
 */
enum frame_kind kind_of_frame(const char *function, const char *file, const char *module,
			      const char *mine);

#endif
