/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the model remembers: tasks and their types, marker intervals against blocks, scheduler ticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/markers.h"
#include "model/tasks.h"
#include "plan/calibrate.h"

#define MS 1000000ULL

static void the_oldest_ids_are_forgotten_first(void **state)
{
	struct tasks *t = tasks_new();
	struct task_type type;

	for (uint64_t id = 1; id <= 70000; id++)
		assert_int_equal(tasks_learn(t, 1, id, id % 100, 8 * id), 0);
	assert_false(tasks_find(t, 1, 1, &type));
	assert_false(tasks_find(t, 0, 70000, &type));
	assert_true(tasks_find(t, 1, 70000, &type));
	assert_int_equal(type.vtable, 0);
	assert_int_equal(type.copy, 1);
	tasks_free(t);
}

static void a_schedule_pointer_tells_the_scheduler(void **state)
{
	struct tasks *t = tasks_new();

	assert_int_equal(tasks_scheduler(t, 0x10), SCHEDULER_UNKNOWN);
	tasks_learn_scheduler(t, 0x10, SCHEDULER_LOCAL);
	tasks_learn_scheduler(t, 0x20, SCHEDULER_RUNTIME);
	assert_int_equal(tasks_scheduler(t, 0x10), SCHEDULER_LOCAL);
	assert_int_equal(tasks_scheduler(t, 0x20), SCHEDULER_RUNTIME);
	tasks_free(t);
}

static bool add_block(struct markers *m, int tid, uint64_t start, uint64_t duration)
{
	struct block b = { .tid = tid, .start_ns = start, .duration_ns = duration };

	return markers_add_block(m, &b);
}

static struct validation counted(const struct markers *m, uint64_t markers, uint64_t detected,
				 uint64_t matched, uint64_t missed, uint64_t extra)
{
	struct validation v = { 0 };

	markers_result(m, &v);
	assert_int_equal(v.markers, markers);
	assert_int_equal(v.detected, detected);
	assert_int_equal(v.matched, matched);
	assert_int_equal(v.missed, missed);
	assert_int_equal(v.extra, extra);
	return v;
}

static void markers_are_compared_with_blocks(void **state)
{
	struct markers *m = markers_new();
	struct validation v;

	markers_start(m, 1, 100 * MS);
	markers_end(m, 1, 150 * MS, 5 * MS);
	assert_true(add_block(m, 1, 99 * MS, 52 * MS)); /* matches, 2 ms longer */
	markers_start(m, 1, 200 * MS);
	markers_end(m, 1, 250 * MS, 5 * MS);
	assert_false(
		add_block(m, 2, 200 * MS, 50 * MS)); /* another thread's: that marker is missed */
	markers_start(m, 3, 300 * MS);
	markers_end(m, 3, 301 * MS, 5 * MS); /* shorter than the threshold: no marker to match */
	markers_end(m, 4, 400 * MS, 5 * MS); /* an end without a start */
	markers_check_id(m, 5, 5);
	markers_check_id(m, 5, 6);
	v = counted(m, 2, 2, 1, 1, 1);
	assert_true(v.diff_known);
	assert_int_equal(v.duration_diff_p50_ns, 2 * MS);
	assert_int_equal(v.task_ids_agree, 1);
	assert_int_equal(v.task_ids_differ, 1);
	markers_free(m);
}

static void mark(struct markers *m, int tid, uint64_t start, uint64_t duration)
{
	markers_start(m, tid, start);
	markers_end(m, tid, start + duration, 5 * MS);
}

/* A poll that calls two marked functions is one block: it cannot answer for both. */
static void a_block_matches_one_marker(void **state)
{
	struct markers *m = markers_new();
	struct validation v;

	mark(m, 1, 100 * MS, 10 * MS);
	mark(m, 1, 111 * MS, 38 * MS);
	add_block(m, 1, 100 * MS, 50 * MS); /* the longer one */
	add_block(m, 2, 100 * MS,
		  50 * MS); /* told before the marker's end came, as an inner poll is */
	add_block(m, 2, 90 * MS, 70 * MS);
	mark(m, 2, 100 * MS, 49 * MS);
	v = counted(m, 3, 3, 2, 1, 1);
	assert_in_range(v.duration_diff_p50_ns, MS, MS + MS / 64);
	assert_int_equal(v.duration_diff_p99_ns, 12 * MS);
	markers_free(m);
}

/* Of a long run all is counted, although only the newest is remembered. */
static void markers_are_counted_without_end(void **state)
{
	struct markers *m = markers_new();
	struct validation v;

	for (uint64_t i = 0; i < 70000; i++) {
		mark(m, 1, i * 100 * MS, 10 * MS);
		add_block(m, 1, i * 100 * MS, 11 * MS);
		if (i % 100 == 0)
			add_block(m, 1, i * 100 * MS + 50 * MS, 10 * MS); /* not marked */
	}
	for (uint64_t i = 0; i < 10000; i++)
		mark(m, 2, i * 100 * MS, 10 * MS);
	for (int tid = 10; tid < 5000; tid++)
		markers_start(m, tid, 1); /* threads that end inside their interval */
	mark(m, 3, 5 * MS, 10 * MS);
	v = counted(m, 80001, 70700, 70000, 10001, 700);
	assert_int_equal(v.duration_diff_p50_ns, MS);
	markers_free(m);
}

/* A Core of this process: its tick counts, another candidate is a clock, a third stands still. */
static void the_tick_is_the_word_that_counts(void **state)
{
	static uint32_t core[64];
	struct tick_watch w = {
		.candidates = { { .tick = 0, .started = RS_UNKNOWN },
				{ .tick = 64, .started = RS_UNKNOWN },
				{ .tick = 128, .started = RS_UNKNOWN } },
		.n_candidates = 3,
	};
	int16_t prior[RS_TICKS];

	tick_watch_prior(&w, prior);
	assert_int_equal(prior[0], 0);
	assert_int_equal(prior[2], 128);
	assert_int_equal(prior[3], RS_UNKNOWN);
	assert_null(tick_watch_settled(&w));
	for (int i = 0; i < 4; i++) {
		tick_watch_feed(&w, getpid(), (uintptr_t)core);
		core[16] += 7;
		core[32] += 900000000;
		usleep(100);
	}
	assert_non_null(tick_watch_settled(&w));
	assert_int_equal(tick_watch_settled(&w)->tick, 64);
	tick_watch_prior(&w, prior);
	assert_int_equal(prior[0], 64);
	assert_int_equal(prior[1], 0);
	assert_int_equal(prior[2], RS_UNKNOWN);
}

/* Where another layout's tick would be lies a counter of parks: only the right layout has an Instant beside its tick. */
static void of_two_counters_the_one_with_a_clock_is_the_tick(void **state)
{
	static uint64_t core[32];
	struct tick_watch w = {
		.candidates = { { .tick = 0, .started = 16 }, { .tick = 64, .started = 128 } },
		.n_candidates = 2,
	};
	int16_t prior[RS_TICKS];
	struct timespec t;

	for (int i = 0; i < 4; i++) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		core[16] = t.tv_sec;
		core[17] = t.tv_nsec;
		tick_watch_feed(&w, getpid(), (uintptr_t)core);
		core[0] += 2;
		core[8] += 1;
		usleep(100);
	}
	assert_non_null(tick_watch_settled(&w));
	assert_int_equal(tick_watch_settled(&w)->tick, 64);
	tick_watch_prior(&w, prior);
	assert_int_equal(prior[0], 64);
	assert_int_equal(prior[1], RS_UNKNOWN);
	w.candidates[1].instants = 0; /* no clock, no tick: the right layout is another one */
	assert_null(tick_watch_settled(&w));
	tick_watch_prior(&w, prior); /* both */
	assert_int_equal(prior[0], 0);
	assert_int_equal(prior[1], 64);
	w.candidates[0].started = w.candidates[1].started = RS_UNKNOWN;
	assert_null(tick_watch_settled(&w)); /* two counters */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_ids_are_forgotten_first),
		cmocka_unit_test(a_schedule_pointer_tells_the_scheduler),
		cmocka_unit_test(markers_are_compared_with_blocks),
		cmocka_unit_test(a_block_matches_one_marker),
		cmocka_unit_test(markers_are_counted_without_end),
		cmocka_unit_test(the_tick_is_the_word_that_counts),
		cmocka_unit_test(of_two_counters_the_one_with_a_clock_is_the_tick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
