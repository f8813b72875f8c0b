/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* UTF-8 that may be broken: names come from files and memory of others. */
#ifndef RS_BASE_UTF8_H
#define RS_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes (1–4) of the character at s, of which len > 0 bytes may be read, and its code point; 0 when
 * those bytes are not valid UTF-8 (overlong forms and surrogates included; ret_code_point is
 * untouched then). */
size_t utf8_decode(const char *s, size_t len, uint32_t *ret_code_point);

/* A copy that is valid UTF-8, each broken byte replaced by U+FFFD; the caller frees it. NULL = out
 * of memory. */
char *utf8_repair(const char *text);

/* Copies text to buf of size >= 16 bytes; what does not fit loses its middle, marked by "…". Valid
 * characters are never cut. */
void utf8_shorten(char *buf, size_t size, const char *text);

#endif
