/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fmt.h"

static void durations(void **state)
{
	assert_string_equal(FMT_DURATION(0), "0 ns");
	assert_string_equal(FMT_DURATION(999), "999 ns");
	assert_string_equal(FMT_DURATION(41300), "41.30 µs");
	assert_string_equal(FMT_DURATION(100000), "0.10 ms");
	assert_string_equal(FMT_DURATION(450120000), "450.12 ms");
	assert_string_equal(FMT_DURATION(9999990000), "9999.99 ms");
	assert_string_equal(FMT_DURATION(12345600000), "12.346 s");
	assert_string_equal(FMT_DURATION(125000000000), "2 min 05 s");
	assert_string_equal(FMT_DURATION(UINT64_C(12000000000000)), "3 h 20 min");
	assert_string_equal(FMT_DURATION(UINT64_MAX), "5124095 h 34 min");
}

static void short_durations(void **state)
{
	assert_string_equal(FMT_DURATION_SHORT(840), "840 ns");
	assert_string_equal(FMT_DURATION_SHORT(1000), "1.00 µs");
	assert_string_equal(FMT_DURATION_SHORT(5123456), "5.12 ms");
	assert_string_equal(FMT_DURATION_SHORT(9996000), "10.0 ms");
	assert_string_equal(FMT_DURATION_SHORT(99960000), "100 ms");
	assert_string_equal(FMT_DURATION_SHORT(999600000), "1.00 s");
	assert_string_equal(FMT_DURATION_SHORT(125000000000), "125 s");
	assert_string_equal(FMT_DURATION_SHORT(UINT64_MAX), "213503 d");
}

static void counts(void **state)
{
	assert_string_equal(FMT_COUNT(0), "0");
	assert_string_equal(FMT_COUNT(999), "999");
	assert_string_equal(FMT_COUNT(1000), "1,000");
	assert_string_equal(FMT_COUNT(1234567), "1,234,567");
	assert_string_equal(FMT_COUNT(UINT64_MAX), "18,446,744,073,709,551,615");
}

static void bytes(void **state)
{
	assert_string_equal(FMT_BYTES(1023), "1023 B");
	assert_string_equal(FMT_BYTES(1536), "1.5 KiB");
	assert_string_equal(FMT_BYTES(1048575), "1.0 MiB");
	assert_string_equal(FMT_BYTES(UINT64_MAX), "16.0 EiB");
}

static void quantiles(void **state)
{
	assert_string_equal(FMT_QUANTILES(1200, 34000), "p50 1.20 µs, p99 34.0 µs");
	assert_string_equal(FMT_QUANTILES(UINT64_MAX, UINT64_MAX), "p50 213503 d, p99 213503 d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations), cmocka_unit_test(short_durations),
		cmocka_unit_test(counts),    cmocka_unit_test(bytes),
		cmocka_unit_test(quantiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
