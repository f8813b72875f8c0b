/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any text, and any numbers, on their way to the terminal. */
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/fmt.h"
#include "base/utf8.h"
#include "fuzz.h"

static bool is_utf8(const char *text)
{
	for (size_t at = 0, len = strlen(text), n; at < len; at += n) {
		uint32_t code_point;

		n = utf8_decode(text + at, len - at, &code_point);
		if (!n)
			return false;
	}
	return true;
}

static void check_escape(const char *text, size_t columns)
{
	_cleanup_free_
	char *buf = malloc(ESCAPE_SIZE(columns));
	size_t used;

	FUZZ_CHECK(buf);
	used = escape_shorten(buf, text, columns);
	FUZZ_CHECK(used <= columns && escape_columns(buf) == used && is_utf8(buf));
	for (const char *c = buf; *c; c++)
		FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
}

static void check_utf8(const char *text, size_t size)
{
	_cleanup_free_
	char *buf = malloc(size), *repaired = utf8_repair(text);

	FUZZ_CHECK(buf && repaired && is_utf8(repaired));
	utf8_shorten(buf, size, text);
	FUZZ_CHECK(strlen(buf) < size);
	utf8_shorten(buf, size, repaired);
	FUZZ_CHECK(is_utf8(buf));
}

static void check_numbers(uint64_t n)
{
	char buf[FMT_SIZE];

	FUZZ_CHECK(escape_columns(fmt_duration_short(buf, n)) <= 8);
	FUZZ_CHECK(strlen(fmt_duration(buf, n)) < FMT_SIZE - 1);
	FUZZ_CHECK(strlen(fmt_count(buf, n)) < FMT_SIZE - 1);
	FUZZ_CHECK(strlen(fmt_bytes(buf, n)) < FMT_SIZE - 1);
	FUZZ_CHECK(strlen(fmt_quantiles(buf, n, ~n)) < FMT_SIZE - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	size_t columns = fuzz_take(&in, 1);
	uint64_t number = fuzz_take(&in, 8);
	_cleanup_free_
	char *text = fuzz_text(in.p, (size_t)(in.end - in.p));

	check_escape(text, columns);
	check_utf8(text, 16 + columns);
	check_numbers(number);
	return 0;
}
