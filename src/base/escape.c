/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define ELLIPSIS "\xe2\x80\xa6"

struct range {
	uint32_t first, last;
};

/* One piece of output that must not be cut: a character or an escape. */
struct unit {
	char text[12];
	size_t len; /* of text */
	size_t columns; /* on the terminal */
	size_t eaten; /* bytes of the input */
};

static bool in_ranges(uint32_t code_point, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (code_point >= ranges[i].first && code_point <= ranges[i].last)
			return true;
	return false;
}

/* Controls, and what can hide or reorder other text (Unicode TR 36: bidirectional and invisible
 * characters). */
static bool is_unsafe(uint32_t code_point)
{
	static const struct range unsafe[] = {
		{ 0x00, 0x1f },	    { 0x7f, 0x9f },	{ 0xad, 0xad },	      { 0x61c, 0x61c },
		{ 0x115f, 0x1160 }, { 0x180b, 0x180f }, { 0x200b, 0x200f },   { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
	};

	return in_ranges(code_point, unsafe, sizeof(unsafe) / sizeof(unsafe[0]));
}

/* East Asian wide characters and pictographs. wcwidth() would need a UTF-8 locale. Combining
 * characters count as one column, so that a pile of them is never taken for narrow text. */
static size_t columns_of(uint32_t code_point)
{
	static const struct range wide[] = {
		{ 0x1100, 0x115e },   { 0x231a, 0x231b },   { 0x2e80, 0x303e },
		{ 0x3041, 0xa4cf },   { 0xa960, 0xa97c },   { 0xac00, 0xd7a3 },
		{ 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff01, 0xff60 },
		{ 0xffe0, 0xffe6 },   { 0x16fe0, 0x18dff }, { 0x1b000, 0x1b2ff },
		{ 0x1f000, 0x1faff }, { 0x20000, 0x3fffd },
	};

	return in_ranges(code_point, wide, sizeof(wide) / sizeof(wide[0])) ? 2 : 1;
}

static void escape_control(struct unit *u, uint32_t code_point)
{
	static const char letters[] = { ['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r' };

	if (code_point < sizeof(letters) && letters[code_point])
		u->len = (size_t)snprintf(u->text, sizeof(u->text), "\\%c", letters[code_point]);
	else if (code_point < 0x80)
		u->len = (size_t)snprintf(u->text, sizeof(u->text), "\\x%02x", code_point);
	else
		u->len = (size_t)snprintf(u->text, sizeof(u->text), "\\u{%x}", code_point);
	u->columns = u->len;
}

static struct unit next_unit(const char *text, size_t len)
{
	struct unit u = { .eaten = 1 };
	uint32_t code_point;
	size_t n = utf8_decode(text, len, &code_point);

	if (!n) {
		u.len = u.columns = (size_t)snprintf(u.text, sizeof(u.text), "\\x%02x",
						     (unsigned char)text[0]);
		return u;
	}
	u.eaten = n;
	if (is_unsafe(code_point)) {
		escape_control(&u, code_point);
	} else if (code_point == '\\') {
		memcpy(u.text, "\\\\", 2);
		u.len = u.columns = 2;
	} else {
		memcpy(u.text, text, n);
		u.len = n;
		u.columns = columns_of(code_point);
	}
	return u;
}

static size_t width(const char *text, size_t len)
{
	size_t columns = 0;

	for (size_t at = 0; at < len;) {
		struct unit u = next_unit(text + at, len - at);

		columns += u.columns;
		at += u.eaten;
	}
	return columns;
}

size_t escape_shorten(char *buf, const char *text, size_t columns)
{
	size_t len = strlen(text), total = width(text, len), used = 0, passed = 0, to = 0;
	bool is_cut = total > columns, marked = false;
	size_t head = is_cut ? columns / 2 : columns;
	size_t tail = is_cut && columns ? columns - head - 1 : 0;

	for (size_t at = 0; at < len && columns;) {
		struct unit u = next_unit(text + at, len - at);
		bool in_head = !marked && used + u.columns <= head,
		     in_tail = total - passed <= tail;

		at += u.eaten;
		passed += u.columns;
		if (!in_head && !marked) {
			memcpy(buf + to, ELLIPSIS, sizeof(ELLIPSIS) - 1);
			to += sizeof(ELLIPSIS) - 1;
			used++;
			marked = true;
		}
		if (!in_head && !in_tail)
			continue;
		memcpy(buf + to, u.text, u.len);
		to += u.len;
		used += u.columns;
	}
	buf[to] = '\0';
	return used;
}

size_t escape_columns(const char *text)
{
	size_t len = strlen(text), columns = 0;

	for (size_t at = 0; at < len;) {
		uint32_t code_point = 0;
		size_t n = utf8_decode(text + at, len - at, &code_point);

		columns += columns_of(code_point);
		at += n ? n : 1;
	}
	return columns;
}
