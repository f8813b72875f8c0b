/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/doubt.h"

static unsigned int misses_until_checked(struct doubt *d)
{
	unsigned int n = 1;

	while (!doubt_note(d, false))
		n++;
	return n;
}

static void only_misses_in_a_row_raise_doubt(void **state)
{
	struct doubt d = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(doubt_note(&d, i % DOUBT_PATIENCE == 0));
	assert_int_equal(misses_until_checked(&d), 1); /* the last of them were misses */
}

static void what_was_checked_in_vain_is_checked_more_rarely(void **state)
{
	struct doubt d = { 0 };

	(void)state;
	assert_int_equal(misses_until_checked(&d), DOUBT_PATIENCE);
	assert_int_equal(misses_until_checked(&d), 2 * DOUBT_PATIENCE);
	for (int i = 0; i < 20; i++)
		misses_until_checked(&d);
	assert_int_equal(misses_until_checked(&d), DOUBT_PATIENCE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_misses_in_a_row_raise_doubt),
		cmocka_unit_test(what_was_checked_in_vain_is_checked_more_rarely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
