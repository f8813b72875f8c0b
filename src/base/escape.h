/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Text of others (names, paths, thread names) made safe for a terminal: control characters, escape
 * sequences, broken UTF-8 and invisible or direction-changing characters become visible (\x1b, \n,
 * \xff, \u{202e}). A backslash becomes two, so that what is printed is unambiguous. */
#ifndef RS_BASE_ESCAPE_H
#define RS_BASE_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/* Room that text of so many columns needs, with the NUL. */
#define ESCAPE_SIZE(columns) (4 * (columns) + 1)

/* Writes text to buf (at least ESCAPE_SIZE(columns) bytes), escaped and no wider than columns; what
 * is wider loses its middle, marked by "…". Returns the width in columns. */
size_t escape_shorten(char *buf, const char *text, size_t columns);

/* Columns that printable text (our own, or escaped already) takes on a terminal. */
size_t escape_columns(const char *text);

#endif
