/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which word of a scheduler's Core counts its turns: candidates, and the choice by watching. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "plan/calibrate.h"

#define CORE_WORDS 80

static struct tick_watch watch_of(unsigned int minor, const char *version)
{
	struct calibration c = { .row = tokio_layout_find(minor, 0, 95, false) };
	struct tick_watch w;

	tick_watch_init(&w, &c, version, false);
	return w;
}

static bool has_candidate(const struct tick_watch *w, int16_t tick)
{
	for (size_t i = 0; i < w->n_candidates; i++)
		if (w->candidates[i].tick == tick)
			return true;
	return false;
}

/* Offsets seen in release builds with "net" (tests/truth, Tokio 1.23.1 to 1.54.1). */
static void release_builds_with_io_have_their_candidates(void **state)
{
	struct tick_watch w;

	(void)state;
	w = watch_of(23, "1.23.1");
	assert_true(has_candidate(&w, 528));
	w = watch_of(28, "1.28.2");
	assert_true(has_candidate(&w, 528));
	w = watch_of(38, "1.38.2");
	assert_true(has_candidate(&w, 72));
	w = watch_of(44, "1.44.2");
	assert_true(has_candidate(&w, 72));
	assert_true(has_candidate(&w, 96)); /* with debug assertions */
	w = watch_of(47, "1.47.1");
	assert_true(has_candidate(&w, 112));
	w = watch_of(54, "1.54.1");
	assert_true(has_candidate(&w, 136));
}

static void the_word_that_counts_is_chosen(void **state)
{
	static uint64_t core[CORE_WORDS];
	struct tick_watch w = watch_of(44, "1.44.2");
	const struct tick_candidate *found;

	(void)state;
	core[96 / 8] = UINT32_MAX; /* falls */
	for (int i = 0; i < 4; i++) {
		tick_watch_feed(&w, getpid(), (uint64_t)(uintptr_t)core);
		core[72 / 8] += 7;
		core[96 / 8] -= 5;
		usleep(100);
	}
	found = tick_watch_settled(&w);
	assert_non_null(found);
	assert_int_equal(found->tick, 72);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(release_builds_with_io_have_their_candidates),
		cmocka_unit_test(the_word_that_counts_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
