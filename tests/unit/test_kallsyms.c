/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel's symbol table: which name an address gets, what is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbol/kallsyms.h"

static struct kallsyms *parsed(char *text)
{
	FILE *in = fmemopen(text, strlen(text), "r");
	struct kallsyms *k;

	assert_non_null(in);
	k = kallsyms_read(in);
	fclose(in);
	return k;
}

static void the_function_around_an_address(void **state)
{
	char text[] = "ffffffff81000100 t second\t[module]\n"
		      "ffffffff81000000 T first\n"
		      "ffffffff81000000 t also\n"
		      "ffffffff81000080 D data\n";
	struct kallsyms *k = parsed(text);

	assert_non_null(k);
	assert_null(kallsyms_name(k, 0xffffffff80ffffff));
	assert_string_equal(kallsyms_name(k, 0xffffffff81000000), "first");
	assert_string_equal(kallsyms_name(k, 0xffffffff810000ff), "first");
	assert_string_equal(kallsyms_name(k, 0xffffffff81000100), "second");
	kallsyms_free(k);
}

static void hidden_addresses_name_nothing(void **state)
{
	char text[] = "0000000000000000 T first\n0000000000000000 T second\n";

	assert_null(parsed(text));
}

static void a_name_of_megabytes_is_left_out(void **state)
{
	static const char head[] = "ffffffff81000100 T ", rest[] = "\nffffffff81000000 T first\n";
	size_t size = 3 << 20;
	char *text = malloc(size);
	struct kallsyms *k;

	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + size - sizeof(rest), rest, sizeof(rest));
	k = parsed(text);
	assert_non_null(k);
	assert_string_equal(kallsyms_name(k, 0xffffffff81000100), "first");
	kallsyms_free(k);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_function_around_an_address),
		cmocka_unit_test(hidden_addresses_name_nothing),
		cmocka_unit_test(a_name_of_megabytes_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
