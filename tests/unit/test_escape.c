/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/utf8.h"

#define COLUMNS 60

static void check(const char *text, size_t columns, const char *expected)
{
	char buf[ESCAPE_SIZE(COLUMNS)];
	size_t used = escape_shorten(buf, text, columns);

	assert_string_equal(buf, expected);
	assert_true(used <= columns);
}

static void plain_text_stays(void **state)
{
	check("", COLUMNS, "");
	check("app::handle::{async fn}", COLUMNS, "app::handle::{async fn}");
	check("größe 漢字 — ≈", COLUMNS, "größe 漢字 — ≈");
}

static void controls_become_visible(void **state)
{
	check("\x1b]0;owned\x07", COLUMNS, "\\x1b]0;owned\\x07");
	check("a\nb\rc\td", COLUMNS, "a\\nb\\rc\\td");
	check("\x7f", COLUMNS, "\\x7f");
	check("\xc2\x9b"
	      "2J",
	      COLUMNS, "\\u{9b}2J");
	check("C:\\x1b", COLUMNS, "C:\\\\x1b");
}

static void hidden_and_reversing_characters_become_visible(void **state)
{
	check("a\xe2\x80\xae"
	      "b",
	      COLUMNS, "a\\u{202e}b");
	check("\xe2\x80\x8b", COLUMNS, "\\u{200b}");
	check("\xef\xbb\xbf", COLUMNS, "\\u{feff}");
	check("\xf3\xa0\x81\x81", COLUMNS, "\\u{e0041}");
}

static void broken_utf8_becomes_visible(void **state)
{
	check("a\xff"
	      "b",
	      COLUMNS, "a\\xffb");
	check("\xc0\xaf", COLUMNS, "\\xc0\\xaf"); /* overlong */
	check("\xed\xa0\x80", COLUMNS, "\\xed\\xa0\\x80"); /* surrogate */
	check("\xf4\x90\x80\x80", COLUMNS, "\\xf4\\x90\\x80\\x80");
	check("\xe2\x80", COLUMNS, "\\xe2\\x80"); /* cut off */
}

static void shortened_in_the_middle(void **state)
{
	check("0123456789", 10, "0123456789");
	check("0123456789", 9, "0123…6789");
	check("0123456789", 4, "01…9");
	check("0123456789", 2, "0…");
	check("0123456789", 1, "…");
	check("0123456789", 0, "");
	check("漢字漢字漢字", 7, "漢…字"); /* a wide character is never halved */
	check("\x1b\x1b\x1b\x1b", 9, "\\x1b…\\x1b"); /* nor an escape */
}

static void width_is_bounded_for_any_bytes(void **state)
{
	char text[300], buf[ESCAPE_SIZE(COLUMNS)];

	srand(1);
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)rand() % sizeof(text),
		       columns = (size_t)rand() % (COLUMNS + 1), used;

		for (size_t i = 0; i < len; i++)
			text[i] = (char)(rand() % 255 + 1);
		text[len ? len - 1 : 0] = '\0';
		used = escape_shorten(buf, text, columns);
		assert_true(used <= columns);
		assert_int_equal(used, escape_columns(buf));
		for (const char *c = buf; *c; c++)
			assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
	}
}

static void repaired(void **state)
{
	char *text = utf8_repair("a\xff\xe2\x80z\xe2\x80\xa6");

	assert_string_equal(text, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xe2\x80\xa6");
	free(text);
}

static void shortened_by_bytes(void **state)
{
	char buf[16], umlauts[41];

	utf8_shorten(buf, sizeof(buf), "fits in fifteen");
	assert_string_equal(buf, "fits in fifteen");
	utf8_shorten(buf, sizeof(buf), "does not fit in it");
	assert_string_equal(buf, "does n… in it");
	for (size_t i = 0; i < 20; i++)
		memcpy(umlauts + 2 * i, "ä", 3);
	utf8_shorten(buf, sizeof(buf), umlauts);
	assert_string_equal(buf, "äää…äää");
	memset(umlauts, 0x80, 40);
	utf8_shorten(buf, sizeof(buf), umlauts);
	assert_true(strlen(buf) < sizeof(buf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays),
		cmocka_unit_test(controls_become_visible),
		cmocka_unit_test(hidden_and_reversing_characters_become_visible),
		cmocka_unit_test(broken_utf8_becomes_visible),
		cmocka_unit_test(shortened_in_the_middle),
		cmocka_unit_test(width_is_bounded_for_any_bytes),
		cmocka_unit_test(repaired),
		cmocka_unit_test(shortened_by_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
