/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The generated table of Tokio's layouts: its own consistency, and the choice of a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/layouts.h"

#define RUSTC_DEBIAN_12 63

static bool same_kind(const struct tokio_layout *a, const struct tokio_layout *b)
{
	return a->rustc_from == b->rustc_from && a->unstable == b->unstable && a->solo == b->solo;
}

/* Rows of one kind follow each other without a gap and without an overlap. */
static void ranges_are_gapless(void **state)
{
	size_t n;
	const struct tokio_layout *rows = tokio_layouts(&n);

	(void)state;
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		assert_true(rows[i].from <= rows[i].to);
		assert_true(rows[i].rustc_from <= rows[i].rustc_to);
		if (i + 1 < n && same_kind(&rows[i], &rows[i + 1]))
			assert_int_equal(rows[i].to, rows[i + 1].from - 1);
		else
			assert_int_equal(rows[i].to, UINT32_MAX);
	}
}

static void assert_within(int16_t offset, int16_t width, int16_t size)
{
	assert_true(offset >= 0 && offset + width <= size);
}

static void context_fields_lie_within(const struct tokio_layout *r)
{
	if (r->size < 0)
		return;
	assert_within(r->id, 8, r->size);
	if (r->solo)
		assert_int_equal(r->handle_tag, -1);
	else
		assert_within(r->handle_tag, 8, r->size);
	assert_within(r->handle, 8, r->size);
	assert_within(r->runtime, 1, r->size);
	assert_within(r->budget, 1, r->size);
	assert_within(r->budget_value, 1, r->size);
	if (r->scheduler >= 0)
		assert_within(r->scheduler, 8, r->size);
	if (r->id_tag >= 0)
		assert_int_equal(r->id, r->id_tag + 8);
}

static void fields_lie_within_their_structures(void **state)
{
	size_t n;
	const struct tokio_layout *rows = tokio_layouts(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct tokio_layout *r = &rows[i];

		context_fields_lie_within(r);
		assert_within(r->ctx_worker_or_handle, 8, r->ctx_size);
		assert_within(r->ctx_core, 8, r->ctx_size);
		assert_int_equal(r->ctx_core, r->ctx_core_borrow + 8);
		if (r->solo)
			assert_int_equal(r->ctx_tag, -1);
		else
			assert_within(r->core_tick_mt, 4, r->core_size_mt);
		if (r->core_started_mt >= 0)
			assert_within(r->core_started_mt, 12, r->core_size_mt);
		assert_true(r->ct[0].tick >= 0);
		for (size_t j = 0; j < TOKIO_LAYOUT_CT_VARIANTS && r->ct[j].tick >= 0; j++)
			assert_within(r->ct[j].tick, 4, r->ct[j].size);
	}
}

static void a_version_finds_its_row(void **state)
{
	(void)state;
	assert_null(tokio_layout_find(10, 0, 0, false));
	assert_int_equal(tokio_layout_find(20, 4, 0, false)->size, -1);
	assert_int_equal(tokio_layout_find(24, 2, 0, false)->id, 40);
	assert_int_equal(tokio_layout_find(39, 0, 0, false)->id_tag, 32);
	assert_int_equal(tokio_layout_find(40, 0, 0, false)->id_tag, -1);
	assert_int_equal(tokio_layout_find(44, 2, 0, false)->core_tick_mt, 64);
	assert_int_equal(tokio_layout_find(999, 0, 0, false)->core_tick_mt, 104);
}

/* 1.51.0, 1.51.1, 1.52.0 and 1.52.1 keep the LIFO slot in the shared queue. */
static void patch_releases_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(tokio_layout_find(51, 1, 0, false)->core_lifo_mt, -1);
	assert_int_equal(tokio_layout_find(51, 2, 0, false)->core_lifo_mt, 0);
	assert_int_equal(tokio_layout_find(52, 1, 0, false)->core_lifo_mt, -1);
	assert_int_equal(tokio_layout_find(52, 2, 0, false)->core_lifo_mt, 0);
}

static void the_compiler_matters(void **state)
{
	(void)state;
	assert_int_equal(tokio_layout_find(38, 0, RUSTC_DEBIAN_12, false)->id, 56);
	assert_int_equal(tokio_layout_find(38, 0, 70, false)->ctx_core, 48);
	assert_int_equal(tokio_layout_find(38, 0, 71, false)->ctx_core, 24);
	assert_true(tokio_layout_find(47, 0, 0, true)->core_poll_count_mt >= 0);
	assert_int_equal(tokio_layout_find(47, 0, 0, false)->core_poll_count_mt, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_gapless),
		cmocka_unit_test(fields_lie_within_their_structures),
		cmocka_unit_test(a_version_finds_its_row),
		cmocka_unit_test(patch_releases_are_told_apart),
		cmocka_unit_test(the_compiler_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
