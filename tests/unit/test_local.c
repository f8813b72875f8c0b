/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where a LocalSet's thread-local and queues lie: found in this process itself, which plays the target. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "plan/local.h"

#define TLS_WORDS 40
#define CURRENT 24 /* offsets in the TLS block */
#define PROGRAMS_OWN 64
#define SHARED_WORDS 32
#define POP 9 /* words in Shared */
#define OTHER_POP 18

/* One thread, its LocalSet, and another set that the program keeps in a thread-local. */
static struct world {
	uint64_t tls[TLS_WORDS];
	uint64_t context[3]; /* Rc: two counts, Arc<Shared> */
	uint64_t shared[SHARED_WORDS];
	uint64_t buffer[2];
	struct tokio_layout row;
	struct calibration calibration;
	struct module module;
	struct tokio_copy copy;
	struct local_search search;
	struct rs_layout layout;
} w;

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void put_queue(uint64_t *words, size_t pop, uint64_t capacity, uint64_t head, uint64_t len)
{
	words[pop - 2] = capacity;
	words[pop - 1] = address(w.buffer);
	words[pop] = head;
	words[pop + 1] = len;
}

static int setup(void **state)
{
	(void)state;
	w = (struct world){
		.context = { 2, 1, address(w.shared) },
		.shared = { 3, 1, 1 },
		.row = { .rustc_from = 71,
			 .local_wake = 8,
			 .local_context_shared = 16,
			 .local_shared_queue_pop = POP * 8 },
		.calibration = { .row = &w.row },
		.copy = { .module = &w.module, .tls_memsz = sizeof(w.tls), .local_sym = -1 },
		.layout = { .local = RS_UNKNOWN, .local_pops = { RS_UNKNOWN, RS_UNKNOWN } },
	};
	put_queue(w.shared, POP, 64, 5, 0);
	put_queue(w.shared, OTHER_POP, 128, 0, 0);
	return 0;
}

static struct local_target target(void)
{
	return (struct local_target){
		.pid = getpid(),
		.copy = &w.copy,
		.calibration = &w.calibration,
		.block = address(w.tls),
	};
}

static void poll_a_task(void)
{
	struct local_target t = target();

	w.tls[CURRENT / 8] = address(w.context);
	local_search_feed(&w.search, &t, address(w.shared));
	local_search_publish(&w.search, &t, &w.layout);
}

static void rest(void)
{
	struct local_target t = target();

	w.tls[CURRENT / 8] = 0;
	local_search_rest(&w.search, &t);
	local_search_publish(&w.search, &t, &w.layout);
}

static void both_queues_are_found_by_their_shape(void **state)
{
	struct local_queues q;

	(void)state;
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, POP * 8, &q), 0);
	assert_int_equal(q.pops[0], POP * 8);
	assert_int_equal(q.pops[1], OTHER_POP * 8);
	assert_int_equal(q.capacity, -16);
}

static void what_cannot_be_a_queue_is_refused(void **state)
{
	struct local_queues q;

	(void)state;
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, (POP + 1) * 8, &q), -ENOENT);
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, -1, &q), -ENOENT);
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, 4, &q), -ENOENT);
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, SHARED_WORDS * 8, &q), -ENOENT);
	assert_int_equal(local_queues_find(w.shared, POP + 1, POP * 8, &q), -ENOENT);
	w.shared[POP] = 64; /* not below the capacity */
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, POP * 8, &q), -ENOENT);
	w.shared[POP] = 5;
	w.shared[POP - 2] = 65;
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, POP * 8, &q), -ENOENT);
}

static void a_queue_for_other_threads_must_be_there_and_alone(void **state)
{
	struct local_queues q;

	(void)state;
	put_queue(w.shared, OTHER_POP + 6, 64, 0, 0);
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, POP * 8, &q), -ENOENT);
	w.shared[OTHER_POP - 1] = w.shared[OTHER_POP + 5] = 0;
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, POP * 8, &q), -ENOENT);
}

static void a_queue_at_rest_proves_which_word_is_which(void **state)
{
	struct local_queues q;

	(void)state;
	assert_int_equal(local_queues_find(w.shared, SHARED_WORDS, POP * 8, &q), 0);
	assert_true(local_queues_prove(w.shared, SHARED_WORDS, &q, true));
	w.shared[POP] = 0; /* could be either */
	assert_false(local_queues_prove(w.shared, SHARED_WORDS, &q, true));
	w.shared[POP] = w.shared[POP + 1] = 7; /* a length, but two ends that meet */
	assert_false(local_queues_prove(w.shared, SHARED_WORDS, &q, true));
	assert_true(local_queues_prove(w.shared, SHARED_WORDS, &q, false));
}

static void a_symbol_needs_one_task_to_confirm_it(void **state)
{
	(void)state;
	w.copy.local_sym = CURRENT;
	rest();
	assert_int_equal(w.layout.local, RS_UNKNOWN);
	poll_a_task();
	assert_int_equal(w.layout.local, CURRENT);
	assert_int_equal(w.layout.local_shared, 16);
	assert_int_equal(w.layout.local_wake, 8);
}

static void a_wrong_symbol_is_not_believed(void **state)
{
	(void)state;
	w.copy.local_sym = CURRENT + 8;
	poll_a_task();
	assert_int_equal(w.layout.local, RS_UNKNOWN);
}

static void without_a_symbol_it_takes_two_tasks_and_a_rest(void **state)
{
	(void)state;
	poll_a_task();
	rest();
	assert_int_equal(w.layout.local, RS_UNKNOWN);
	poll_a_task();
	assert_int_equal(w.layout.local, CURRENT);
}

static void a_set_kept_by_the_program_is_not_taken_for_it(void **state)
{
	(void)state;
	w.tls[PROGRAMS_OWN / 8] = address(w.context);
	poll_a_task();
	poll_a_task();
	assert_int_equal(w.search.n_candidates, 2);
	assert_int_equal(w.layout.local, RS_UNKNOWN);
	rest();
	assert_int_equal(w.layout.local, CURRENT);
}

static void another_threads_rest_says_nothing(void **state)
{
	struct local_target t = target();
	uint64_t theirs[TLS_WORDS] = { 0 };

	(void)state;
	poll_a_task();
	poll_a_task();
	t.block = address(theirs);
	local_search_rest(&w.search, &t);
	local_search_publish(&w.search, &t, &w.layout);
	assert_int_equal(w.layout.local, RS_UNKNOWN);
}

static void queues_are_published_once_they_are_proven(void **state)
{
	(void)state;
	poll_a_task();
	poll_a_task();
	w.shared[POP] = 0;
	rest();
	assert_int_equal(w.layout.local, CURRENT);
	assert_int_equal(w.layout.local_pops[0], RS_UNKNOWN);
	w.shared[POP] = 6;
	rest();
	assert_int_equal(w.layout.local_pops[0], POP * 8);
	assert_int_equal(w.layout.local_pops[1], OTHER_POP * 8);
	assert_int_equal(w.layout.local_capacity, -16);
	assert_int_equal(w.layout.local_first, (POP - 2) * 8);
	assert_int_equal(w.layout.local_span, (OTHER_POP - POP + 3) * 8);
}

static void what_was_refuted_stays_so(void **state)
{
	(void)state;
	poll_a_task();
	poll_a_task();
	rest();
	assert_int_equal(w.layout.local, CURRENT);
	local_search_doubt(&w.search, &w.layout, false);
	assert_int_equal(w.layout.local, RS_UNKNOWN);
	poll_a_task();
	rest();
	assert_int_equal(w.layout.local, RS_UNKNOWN);
}

static void find_without_wake(void)
{
	w.row.local_wake = -1;
	poll_a_task();
	poll_a_task();
	rest();
	assert_int_equal(w.layout.local, CURRENT);
	assert_int_equal(w.layout.local_wake, RS_LOCAL_ENTERED);
}

static void sleep_outside(int times)
{
	while (times--) {
		assert_true(local_search_wants_asleep(&w.search, &w.layout));
		local_search_asleep(&w.search, &w.layout, false);
	}
}

static void many_sleepers_outside_show_that_sets_are_not_only_entered(void **state)
{
	(void)state;
	find_without_wake();
	sleep_outside(63);
	assert_int_equal(w.layout.local_wake, RS_LOCAL_ENTERED);
	sleep_outside(1);
	assert_int_equal(w.layout.local_wake, RS_LOCAL_POLLED);
	assert_false(local_search_wants_asleep(&w.search, &w.layout)); /* seldom, from now on */
	local_search_asleep(&w.search, &w.layout, true);
	assert_int_equal(w.layout.local_wake, RS_LOCAL_ENTERED);
	local_search_asleep(&w.search, &w.layout, false);
	assert_int_equal(w.layout.local_wake, RS_LOCAL_ENTERED);
}

static void where_tokio_says_it_no_sleeper_is_asked(void **state)
{
	(void)state;
	poll_a_task();
	poll_a_task();
	rest();
	assert_int_equal(w.layout.local_wake, 8);
	assert_false(local_search_wants_asleep(&w.search, &w.layout));
}

static void a_runtimes_task_inside_a_set_may_mean_that_it_is_only_entered(void **state)
{
	(void)state;
	find_without_wake();
	sleep_outside(64);
	local_search_doubt(&w.search, &w.layout, true);
	assert_int_equal(w.layout.local, CURRENT);
	assert_int_equal(w.layout.local_wake, RS_LOCAL_ENTERED);
	local_search_doubt(&w.search, &w.layout, false);
	assert_int_equal(w.layout.local, RS_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(both_queues_are_found_by_their_shape, setup),
		cmocka_unit_test_setup(what_cannot_be_a_queue_is_refused, setup),
		cmocka_unit_test_setup(a_queue_for_other_threads_must_be_there_and_alone, setup),
		cmocka_unit_test_setup(a_queue_at_rest_proves_which_word_is_which, setup),
		cmocka_unit_test_setup(a_symbol_needs_one_task_to_confirm_it, setup),
		cmocka_unit_test_setup(a_wrong_symbol_is_not_believed, setup),
		cmocka_unit_test_setup(without_a_symbol_it_takes_two_tasks_and_a_rest, setup),
		cmocka_unit_test_setup(a_set_kept_by_the_program_is_not_taken_for_it, setup),
		cmocka_unit_test_setup(another_threads_rest_says_nothing, setup),
		cmocka_unit_test_setup(queues_are_published_once_they_are_proven, setup),
		cmocka_unit_test_setup(what_was_refuted_stays_so, setup),
		cmocka_unit_test_setup(many_sleepers_outside_show_that_sets_are_not_only_entered,
				       setup),
		cmocka_unit_test_setup(where_tokio_says_it_no_sleeper_is_asked, setup),
		cmocka_unit_test_setup(
			a_runtimes_task_inside_a_set_may_mean_that_it_is_only_entered, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
