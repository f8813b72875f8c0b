/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/utf8.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS "\xe2\x80\xa6"

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t utf8_decode(const char *s, size_t len, uint32_t *ret_code_point)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s[0];
	uint32_t code_point;
	size_t n;

	if (first < 0x80) {
		*ret_code_point = first;
		return 1;
	}
	n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
	if (!n || n > len || first > 0xf4)
		return 0;

	code_point = first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (!is_continuation(s[i]))
			return 0;
		code_point = code_point << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (code_point < smallest[n] || code_point > 0x10ffff ||
	    (code_point >= 0xd800 && code_point <= 0xdfff))
		return 0;
	*ret_code_point = code_point;
	return n;
}

char *utf8_repair(const char *text)
{
	size_t len = strlen(text), to = 0;
	char *repaired = malloc(len * (sizeof(REPLACEMENT) - 1) + 1);

	if (!repaired)
		return NULL;
	for (size_t from = 0; from < len;) {
		uint32_t code_point;
		size_t n = utf8_decode(text + from, len - from, &code_point);
		const char *source = n ? text + from : REPLACEMENT;
		size_t copied = n ? n : sizeof(REPLACEMENT) - 1;

		memcpy(repaired + to, source, copied);
		to += copied;
		from += n ? n : 1;
	}
	repaired[to] = '\0';
	return repaired;
}

void utf8_shorten(char *buf, size_t size, const char *text)
{
	size_t len = strlen(text), head, tail, kept;

	assert(size >= 16);
	if (len < size) {
		memcpy(buf, text, len + 1);
		return;
	}
	kept = size - sizeof(ELLIPSIS);
	head = kept / 2;
	tail = len - (kept - head);
	/* At most three steps each: broken text may be all continuation bytes. */
	for (int i = 0; i < 3 && is_continuation(text[head]); i++)
		head--;
	for (int i = 0; i < 3 && is_continuation(text[tail]); i++)
		tail++;
	memcpy(buf, text, head);
	memcpy(buf + head, ELLIPSIS, sizeof(ELLIPSIS) - 1);
	memcpy(buf + head + sizeof(ELLIPSIS) - 1, text + tail, len - tail + 1);
}
