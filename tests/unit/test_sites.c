/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "model/sites.h"
#include "samples.h"

static void add(struct sites *s, const char *task, enum cause cause, const char *syscall,
		uint64_t ms)
{
	struct block b = sample_block();

	b.task.name = task;
	b.cause = cause;
	b.duration_ns = ms * SAMPLE_MS;
	b.severity = ms >= 100 ? SEVERITY_CRITICAL : ms >= 10 ? SEVERITY_SLOW : SEVERITY_NONE;
	b.n_syscalls = syscall ? 1 : 0;
	b.syscalls[0].name = syscall;
	assert_int_equal(sites_add(s, &b), 0);
}

static void check_row(const struct site *row, const char *task, uint64_t count, uint64_t total_ms,
		      uint64_t max_ms)
{
	assert_string_equal(row->task, task);
	assert_int_equal(row->count, count);
	assert_int_equal(row->total_ns, total_ms * SAMPLE_MS);
	assert_int_equal(row->max_ns, max_ms * SAMPLE_MS);
	assert_true(row->p99_ns <= row->max_ns);
}

static struct block block_at(const char *site, uint64_t ms)
{
	struct block b = sample_block_with_stacks();

	strcpy(b.site, site);
	b.duration_ns = ms * SAMPLE_MS;
	return b;
}

static void rows_are_call_sites(void **state)
{
	struct sites *s = sites_new();
	const struct site *rows;
	struct block b = block_at("app::f > lock", 10);

	assert_int_equal(sites_add(s, &b), 0);
	b.task.name = "app::other";
	b.duration_ns = 20 * SAMPLE_MS;
	b.cause = CAUSE_LOCK;
	assert_int_equal(sites_add(s, &b), 0);
	b.cause = CAUSE_STARVED; /* not the code's */
	b.duration_ns = 25 * SAMPLE_MS;
	assert_int_equal(sites_add(s, &b), 0);
	b = block_at("app::g > lock", 5);
	assert_int_equal(sites_add(s, &b), 0);
	assert_int_equal(sites_rank(s, &rows), 3);
	check_row(&rows[0], "app::other", 2, 30, 20);
	assert_string_equal(rows[0].site, "app::f > lock");
	assert_int_equal(rows[0].cause, CAUSE_LOCK);
	assert_string_equal(rows[0].function, "app::process_large_file");
	assert_string_equal(rows[0].file, "/home/me/app/src/api.rs");
	assert_int_equal(rows[0].line, 88);
	assert_ptr_equal(rows[0].advice, b.advice);
	assert_string_equal(rows[1].site, "app::f > lock");
	assert_int_equal(rows[1].cause, CAUSE_STARVED);
	assert_string_equal(rows[2].site, "app::g > lock");
	sites_free(s);
}

#define SECOND (1000 * SAMPLE_MS)

static bool add_and_tell(struct sites *s, const struct block *b, uint64_t now)
{
	assert_int_equal(sites_add(s, b), 0);
	return sites_tell(s, b, now);
}

static void a_site_that_blocks_again_and_again_is_told_a_few_times(void **state)
{
	struct sites *s = sites_new();
	struct repeats repeats[SITES_REPEATS];
	struct block b = block_at("app::f > lock", 10);
	uint64_t told = 0, lines = 0, repeated = 0, now = 1;

	/* A hundred a second for a minute. */
	for (int i = 0; i < 6000; i++, now += 10 * SAMPLE_MS) {
		told += add_and_tell(s, &b, now);
		if (i % 100)
			continue;
		for (size_t k = sites_repeats(s, now, repeats); k-- > 0; lines++) {
			assert_string_equal(repeats[k].site->site, "app::f > lock");
			assert_int_equal(repeats[k].max_ns, 10 * SAMPLE_MS);
			assert_int_equal(repeats[k].total_ns, repeats[k].count * 10 * SAMPLE_MS);
			repeated += repeats[k].count;
		}
	}
	assert_int_equal(told, 3);
	assert_in_range(lines, 4, 7);
	/* Nothing is lost: what comes last is told with the next line. */
	assert_int_equal(sites_repeats(s, now + 60 * SECOND, repeats), 1);
	assert_int_equal(told + repeated + repeats[0].count, 6000);
	assert_int_equal(sites_repeats(s, now + 120 * SECOND, repeats), 0);
	/* One that is much longer than all before is news. */
	b.duration_ns *= 3;
	assert_true(add_and_tell(s, &b, now + 121 * SECOND));
	sites_free(s);
}

static void many_sites_are_not_told_at_once(void **state)
{
	struct sites *s = sites_new();
	struct repeats repeats[SITES_REPEATS];
	char name[32];
	uint64_t now = 1, told = 0;

	for (int i = 0; i < 400; i++, now += 10 * SAMPLE_MS) {
		snprintf(name, sizeof(name), "app::f%d", i);
		struct block b = block_at(name, 10 + i);

		told += add_and_tell(s, &b, now);
	}
	assert_in_range(told, 30, 40); /* in four seconds */
	assert_int_equal(sites_repeats(s, now + SECOND, repeats), SITES_REPEATS);
	assert_string_equal(repeats[0].site->site, "app::f399"); /* the most time first */
	sites_free(s);
}

static void ongoing_blocks_that_last_are_always_told(void **state)
{
	struct sites *s = sites_new();
	struct block b = block_at("app::f > lock", 60);
	int told = 0;

	b.is_ongoing = true;
	for (int i = 0; i < 100; i++)
		told += sites_tell(s, &b, 1);
	assert_int_equal(told, 20);
	b.duration_ns = 2 * SECOND;
	assert_true(sites_tell(s, &b, 1));
	sites_free(s);
}

static void ranked_by_total(void **state)
{
	struct sites *s = sites_new();
	const struct site *rows;

	assert_int_equal(sites_rank(s, &rows), 0);
	add(s, "a", CAUSE_CPU, NULL, 5);
	add(s, "b", CAUSE_FILE, "read", 200);
	add(s, "a", CAUSE_CPU, NULL, 50);
	add(s, "b", CAUSE_FILE, "write", 30);
	add(s, "b", CAUSE_SLEEP, "read", 20);
	assert_int_equal(sites_rank(s, &rows), 4);
	check_row(&rows[0], "b", 1, 200, 200);
	check_row(&rows[1], "a", 2, 55, 50);
	check_row(&rows[2], "b", 1, 30, 30);
	check_row(&rows[3], "b", 1, 20, 20);
	assert_string_equal(rows[0].syscall, "read");
	assert_int_equal(rows[0].severity, SEVERITY_CRITICAL);
	assert_int_equal(rows[1].severity, SEVERITY_SLOW);
	assert_int_equal(rows[1].p99_ns, 50 * SAMPLE_MS);
	assert_null(sites_free(s));
}

static void unnamed_tasks(void **state)
{
	struct sites *s = sites_new();
	const struct site *rows;
	struct block root = unknown_block();

	add(s, NULL, CAUSE_CPU, NULL, 50);
	assert_int_equal(sites_add(s, &root), 0);
	assert_int_equal(sites_rank(s, &rows), 2);
	assert_string_equal(rows[0].task, "");
	assert_string_equal(rows[1].task, "root");
	sites_free(s);
}

static void long_names_that_differ_in_the_middle_only(void **state)
{
	char one[400], two[400];
	struct sites *s = sites_new();
	const struct site *rows;

	memset(one, 'x', sizeof(one) - 1);
	one[sizeof(one) - 1] = '\0';
	memcpy(two, one, sizeof(two));
	two[200] = 'y';
	add(s, one, CAUSE_CPU, NULL, 10);
	add(s, two, CAUSE_CPU, NULL, 20);
	add(s, one, CAUSE_CPU, NULL, 30);
	assert_int_equal(sites_rank(s, &rows), 2);
	assert_int_equal(rows[0].count, 2);
	assert_int_equal(strlen(rows[0].task), sizeof(rows[0].task) - 1);
	assert_non_null(strstr(rows[0].task, "x…x"));
	sites_free(s);
}

static void past_the_maximum_the_rest_is_one_row(void **state)
{
	struct sites *s = sites_new();
	const struct site *rows;
	char name[32];

	for (int i = 0; i < SITES_MAX + 100; i++) {
		snprintf(name, sizeof(name), "task %d", i);
		add(s, name, CAUSE_CPU, NULL, 1);
	}
	add(s, "task 0", CAUSE_CPU, NULL, 8);
	add(s, "one more", CAUSE_LOCK, "futex", 150);
	assert_int_equal(sites_rank(s, &rows), SITES_MAX + 1);
	check_row(&rows[0], "(other sites)", 101, 250, 150);
	assert_int_equal(rows[0].cause, CAUSE_OTHER);
	assert_int_equal(rows[0].severity, SEVERITY_CRITICAL);
	check_row(&rows[1], "task 0", 2, 9, 8);
	check_row(&rows[2], "task 1", 1, 1, 1);
	sites_free(s);
}

static void names_of_values_out_of_range(void **state)
{
	assert_string_equal(cause_name(CAUSE_MAX), "other");
	assert_null(role_name((enum role)99));
	assert_null(severity_name((enum severity)99));
	for (int c = 0; c < CAUSE_MAX; c++)
		assert_non_null(cause_name((enum cause)c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranked_by_total),
		cmocka_unit_test(unnamed_tasks),
		cmocka_unit_test(rows_are_call_sites),
		cmocka_unit_test(a_site_that_blocks_again_and_again_is_told_a_few_times),
		cmocka_unit_test(many_sites_are_not_told_at_once),
		cmocka_unit_test(ongoing_blocks_that_last_are_always_told),
		cmocka_unit_test(long_names_that_differ_in_the_middle_only),
		cmocka_unit_test(past_the_maximum_the_rest_is_one_row),
		cmocka_unit_test(names_of_values_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
