/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whose code a frame is. */
#ifndef RS_SYMBOL_KINDS_H
#define RS_SYMBOL_KINDS_H

#include "symbol/frame.h"

/* Lists of crates, separated by commas; NULL: none. */
struct crate_lists {
	const char *mine; /* are the user's wherever they lie */
	const char *fetched; /* are known to be dependencies */
};

/*
 * By the path of the source file, else by the crate in the function's name, else by the module it is in. `function` is
 * demangled; each may be NULL.
 */
enum frame_kind kind_of_frame(const char *function, const char *file, const char *module,
			      const struct crate_lists *crates);

/* Whether a file of that name belongs to the C library. */
bool is_libc_module(const char *module);

#endif
