/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/hist.h"

#define VALUES 4000

static int by_value(const void *left, const void *right)
{
	uint64_t l = *(const uint64_t *)left, r = *(const uint64_t *)right;

	return l < r ? -1 : l > r;
}

static uint64_t random_bits(unsigned int bits)
{
	uint64_t value = ((uint64_t)rand() << 42) ^ ((uint64_t)rand() << 21) ^ (uint64_t)rand();

	return bits >= 64 ? value ^ (uint64_t)rand() << 60 : value & ((UINT64_C(1) << bits) - 1);
}

/* The bound that sites.h promises: never below the true value, at most 2 % above. */
static void check_bound(const struct hist *h, const uint64_t *sorted, size_t n)
{
	static const double shares[] = { 0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		double wanted = shares[i] * (double)n;
		size_t rank = (size_t)wanted;
		uint64_t true_value, value = hist_quantile(h, shares[i]);

		rank += (double)rank < wanted;
		true_value = sorted[(rank ? rank : 1) - 1];
		assert_true(value >= true_value);
		assert_true((double)(value - true_value) <= 0.02 * (double)true_value);
	}
}

static void quantiles_within_two_percent(void **state)
{
	static uint64_t values[VALUES];

	srand(1);
	for (unsigned int bits = 1; bits <= 64; bits++) {
		struct hist h = { 0 };
		size_t n = (size_t)rand() % VALUES + 1;

		for (size_t i = 0; i < n; i++) {
			values[i] = random_bits(1 + (unsigned int)rand() % bits);
			assert_int_equal(hist_add(&h, values[i]), 0);
		}
		qsort(values, n, sizeof(values[0]), by_value);
		check_bound(&h, values, n);
		assert_int_equal(h.count, n);
		assert_true(h.max == values[n - 1]);
		hist_clear(&h);
	}
}

static void edges(void **state)
{
	struct hist h = { 0 };

	assert_int_equal(hist_quantile(&h, 0.5), 0);
	assert_int_equal(hist_add(&h, UINT64_MAX), 0);
	assert_true(hist_quantile(&h, 0) == UINT64_MAX);
	assert_int_equal(hist_add(&h, 0), 0);
	assert_int_equal(hist_quantile(&h, 0.5), 0);
	assert_true(hist_quantile(&h, 1) == UINT64_MAX);
	for (unsigned int bit = 0; bit < 64; bit++) {
		assert_int_equal(hist_add(&h, UINT64_C(1) << bit), 0);
		assert_int_equal(hist_add(&h, (UINT64_C(1) << bit) - 1), 0);
	}
	hist_clear(&h);
	assert_int_equal(h.count, 0);
}

static void merged_equals_added(void **state)
{
	struct hist all = { 0 }, even = { 0 }, odd = { 0 };

	srand(2);
	for (int i = 0; i < VALUES; i++) {
		uint64_t value = random_bits(1 + (unsigned int)rand() % 50);

		assert_int_equal(hist_add(&all, value), 0);
		assert_int_equal(hist_add(i % 2 ? &odd : &even, value), 0);
	}
	assert_int_equal(hist_merge(&even, &odd), 0);
	assert_int_equal(even.count, all.count);
	for (double q = 0; q <= 1; q += 0.01)
		assert_true(hist_quantile(&even, q) == hist_quantile(&all, q));
	hist_clear(&all);
	hist_clear(&even);
	hist_clear(&odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_within_two_percent),
		cmocka_unit_test(edges),
		cmocka_unit_test(merged_equals_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
