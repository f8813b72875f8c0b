/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Strings that many frames share, each kept once. */
#ifndef RS_SYMBOL_STRINGS_H
#define RS_SYMBOL_STRINGS_H

#include <stddef.h>

struct strings;

/* Holds at most max bytes. NULL: out of memory. */
struct strings *strings_new(size_t max);
struct strings *strings_free(struct strings *s);
/* The same pointer for the same text, valid until strings_free. NULL for NULL, and when there is no room any more. */
const char *strings_keep(struct strings *s, const char *text);

#endif
