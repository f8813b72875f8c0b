/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From what the kernel side counted to the block that is told: estimates, bounds, causes, hostile records. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "model/decode.h"
#include "model/syscalls.h"

#define MS 1000000ULL

static struct task_vtable vtables[] = {
	{ .schedule = 0x100, .name = "app::handler", .name_source = "v0" },
	{ .schedule = 0x200, .name = "closure", .name_source = "v0", .blocking = true },
};
static struct module module = { .path = "/nonexistent", .open_path = "/nonexistent" };
static struct process process;
static struct symbolizer *symbolizer;
static struct tokio_copy copies[RS_COPIES] = {
	{ .module = &module, .vtables = vtables, .n_vtables = 2 },
};

static int setup(void **state)
{
	static struct decoder d;

	symbolizer = symbolizer_new(&(struct symbolizer_options){ .process = &process });
	d = (struct decoder){
		.pid = 7,
		.copies = copies,
		.n_copies = 1,
		.tasks = tasks_new(),
		.places = places_new(copies, symbolizer),
		.slow_ns = 10 * MS,
		.critical_ns = 100 * MS,
	};
	*state = &d;
	return symbolizer && d.tasks && d.places ? 0 : -1;
}

static int teardown(void **state)
{
	struct decoder *d = *state;

	places_free(d->places);
	symbolizer_free(symbolizer);
	tasks_free(d->tasks);
	return 0;
}

/* 20 ms on a worker, found by looks up to 1 ms before and after its edges. */
static struct rs_event_block sample(void)
{
	struct rs_event_block e = {
		.head = { .kind = RS_EVENT_BLOCK, .tid = 11 },
		.end_lo = 120 * MS,
		.end_sure = 120 * MS,
		.end_hi = 121 * MS,
		.comm = "worker",
		.poll = {
			.id = 42,
			.sched = 0x7000,
			.handle = 0x9000,
			.role = RS_ROLE_WORKER,
			.worker = 3,
			.start_lo = 99 * MS,
			.start_hi = 100 * MS,
			.seen = 120 * MS,
		},
	};

	return e;
}

static void the_estimate_lies_in_the_middle_and_the_bound_covers_both_ends(void **state)
{
	struct rs_event_block e = sample();
	struct block b;

	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), 0);
	assert_int_equal(b.duration_ns, 21 * MS);
	assert_true(b.duration_ns - b.error_ns <= 20 * MS);
	assert_true(b.duration_ns + b.error_ns >= 22 * MS);
	assert_true(b.error_ns <= MS + 100000);
	assert_int_equal(b.task_id, 42);
	assert_int_equal(b.role, ROLE_WORKER);
	assert_int_equal(b.worker, 3);
	assert_int_equal(b.polls, 1);
	assert_int_equal(b.detection, DETECTION_SAMPLED);
	assert_int_equal(b.severity, SEVERITY_SLOW);
}

static void edges_seen_by_probes_are_exact(void **state)
{
	struct rs_event_block e = sample();
	struct block b;

	e.poll.flags = RS_POLL_EXACT_START | RS_POLL_EXACT_END;
	e.poll.start_lo = e.poll.start_hi = 100 * MS;
	e.end_sure = e.end_lo = e.end_hi = 130 * MS;
	e.poll.site = site_encode(0, 0, false);
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), 0);
	assert_int_equal(b.duration_ns, 30 * MS);
	assert_true(b.error_ns <= 200000);
	assert_int_equal(b.detection, DETECTION_EXACT);
	assert_string_equal(b.task.name, "app::handler");
}

static void a_wait_that_may_have_been_before_the_poll_is_not_told_alone(void **state)
{
	struct rs_event_block e = sample();
	struct decoder *d = *state;
	uint64_t vague = d->vague;
	struct block b;

	e.poll.flags = RS_POLL_EARLY;
	e.poll.start_hi = e.end_sure = 119 * MS +
				       950000; /* it had its CPU back, and was over at once */
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), 0); /* nor was that a wait for a CPU */
	e.poll.off_ns = e.poll.runq_ns = 19 * MS;
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), -ENODATA);
	assert_int_equal(d->vague, vague + 1);
	e.poll.start_hi = 112 * MS; /* worked for 8 ms after that */
	e.end_sure = 120 * MS;
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), 0);
	assert_int_equal(d->vague, vague + 1);
}

static void a_block_that_was_there_before_has_no_bound(void **state)
{
	struct rs_event_block e = sample();
	struct block b;

	e.poll.flags = RS_POLL_BEFORE;
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), 0);
	assert_true(b.error_ns == BLOCK_ERROR_UNKNOWN);
}

static void inner_blocks_are_not_the_outer_ones(void **state)
{
	struct rs_event_block e = sample();
	struct block b;

	e.poll.excluded_min = e.poll.excluded_max = 8 * MS;
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), 0);
	assert_int_equal(b.duration_ns, 13 * MS);
	e.poll.excluded_max = 12 * MS;
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), 0);
	assert_true(b.error_ns >= 2 * MS);
}

static enum cause cause_of(void *state, const struct rs_event_block *e)
{
	struct block b;

	assert_int_equal(decode_block(state, e, sizeof(*e), &b), 0);
	assert_int_equal(b.oncpu_ns + b.offcpu_ns + b.runq_ns, b.duration_ns);
	return b.cause;
}

static void the_largest_share_is_the_cause(void **state)
{
	struct rs_event_block e = sample();

	assert_int_equal(cause_of(*state, &e), CAUSE_CPU);
	e.poll.off_ns = 15 * MS;
	e.poll.runq_ns = 15 * MS;
	assert_int_equal(cause_of(*state, &e), CAUSE_STARVED);
	e.poll.throttled_ns = 14 * MS;
	assert_int_equal(cause_of(*state, &e), CAUSE_THROTTLED);
	e.poll.runq_ns = MS;
	e.poll.spells[0] = (struct rs_spell){ .nr = SYS_futex, .count = 2, .ns = 14 * MS };
	assert_int_equal(cause_of(*state, &e), CAUSE_LOCK);
	e.poll.spells[0] = (struct rs_spell){ .nr = -1, .count = 2, .ns = 14 * MS };
	assert_int_equal(cause_of(*state, &e), CAUSE_PAGE_FAULT);
}

static void time_on_the_cpu_inside_a_file_call_is_the_files(void **state)
{
	struct rs_event_block e = sample();

	e.poll.spells[0] =
		(struct rs_spell){ .nr = SYS_fdatasync, .mode = S_IFREG, .cpu_ns = 15 * MS };
	assert_int_equal(cause_of(*state, &e), CAUSE_FILE);
	e.poll.spells[0].nr = SYS_sched_yield;
	assert_int_equal(cause_of(*state, &e), CAUSE_CPU);
}

static void a_descriptor_says_what_a_read_waits_for(void **state)
{
	assert_int_equal(syscall_cause(SYS_read, S_IFIFO), CAUSE_PIPE);
	assert_int_equal(syscall_cause(SYS_read, S_IFSOCK), CAUSE_SOCKET);
	assert_int_equal(syscall_cause(SYS_read, S_IFREG), CAUSE_FILE);
	assert_int_equal(syscall_cause(SYS_read, 0), CAUSE_OTHER);
	assert_int_equal(syscall_cause(SYS_poll, 0), CAUSE_SLEEP);
	assert_int_equal(syscall_cause(SYS_wait4, 0), CAUSE_PROCESS);
	assert_int_equal(syscall_cause(-1, 0), CAUSE_PAGE_FAULT);
	assert_int_equal(syscall_cause(100000, 0), CAUSE_OTHER);
	assert_string_equal(syscall_name(SYS_futex), "futex");
	assert_string_equal(syscall_name(100000), "unknown");
}

static void a_workers_own_main_loop_is_no_block(void **state)
{
	struct decoder *d = *state;
	struct rs_event_block e = sample();
	struct block b;

	assert_int_equal(tasks_learn(d->tasks, 0, 42, 1, 0), 0);
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), -ENODATA);
	e.poll.sched = 0;
	e.poll.role = RS_ROLE_LOCAL_SET;
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), 0);
	assert_int_equal(b.task_id, 0); /* block_on inside a spawn_blocking closure: the root's */
	assert_int_equal(b.role, ROLE_BLOCK_ON);
}

static struct block decoded(struct decoder *d, const struct rs_event_block *e)
{
	struct block b = { 0 };

	assert_int_equal(decode_block(d, e, sizeof(*e), &b), 0);
	return b;
}

static void a_task_of_unknown_type_is_local_while_a_set_is_polled(void **state)
{
	struct decoder *d = *state;
	struct rs_event_block e = sample();

	e.poll.role = RS_ROLE_CURRENT_THREAD;
	assert_int_equal(decoded(d, &e).role, ROLE_CURRENT_THREAD);
	e.poll.flags = RS_POLL_LOCAL;
	assert_int_equal(decoded(d, &e).role, ROLE_LOCAL_SET);
	e.poll.role = RS_ROLE_LOCAL_SET;
	assert_int_equal(decoded(d, &e).role, ROLE_LOCAL_SET);
	e.poll.id = 0; /* the root, around it */
	assert_int_equal(decoded(d, &e).role, ROLE_CURRENT_THREAD);
}

static void what_ended_uninspected_before_the_hello_is_not_told(void **state)
{
	struct decoder *d = *state;
	struct rs_event_block e = sample();
	struct block b;

	d->hello_ns = e.poll.start_lo + 1;
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), -ENODATA);
	assert_int_equal(tasks_learn(d->tasks, 0, 42, 0, 0), 0);
	assert_int_equal(decoded(d, &e).role, ROLE_WORKER);
	e.poll.id = 0; /* a root's has no type */
	e.poll.role = RS_ROLE_BLOCK_ON;
	assert_int_equal(decoded(d, &e).role, ROLE_BLOCK_ON);
}

static void both_edges_are_allowed_for_within_the_period(void **state)
{
	struct decoder *d = *state;
	struct rs_event_block e = sample();
	uint64_t once = decoded(d, &e).error_ns;

	d->period_ns = once;
	assert_int_equal(decoded(d, &e).error_ns, once);
	d->period_ns = once + 1;
	assert_int_equal(decoded(d, &e).error_ns, once + MS / 10);
}

static void preempted_at_an_edge_the_bound_holds_the_wait(void **state)
{
	struct decoder *d = *state;
	struct rs_event_block e = sample();
	struct block exact;

	e.poll.flags = RS_POLL_EXACT_START | RS_POLL_EXACT_END;
	e.poll.start_hi = e.poll.start_lo;
	e.end_sure = e.end_lo = e.end_hi;
	exact = decoded(d, &e);
	e.poll.flags |= RS_POLL_EARLY;
	e.poll.start_hi += MS;
	e.end_sure -= 2 * MS;
	assert_int_equal(decoded(d, &e).duration_ns, exact.duration_ns);
	assert_int_equal(decoded(d, &e).error_ns, exact.error_ns + 3 * MS);
}

static void the_scheduler_of_a_known_type_decides_its_role(void **state)
{
	struct decoder *d = *state;
	struct rs_event_block e = sample();

	e.poll.role = RS_ROLE_CURRENT_THREAD;
	e.poll.flags = RS_POLL_LOCAL; /* it runs a LocalSet of its own */
	assert_int_equal(tasks_learn(d->tasks, 0, 42, 0, 0), 0);
	tasks_learn_scheduler(d->tasks, vtables[0].schedule, SCHEDULER_RUNTIME);
	assert_int_equal(decoded(d, &e).role, ROLE_CURRENT_THREAD);
	e.poll.flags = 0;
	tasks_learn_scheduler(d->tasks, vtables[0].schedule, SCHEDULER_LOCAL);
	assert_int_equal(decoded(d, &e).role, ROLE_LOCAL_SET);
}

static void polls_of_a_local_task_are_counted_where_pops_tell_them_apart(void **state)
{
	struct decoder *d = *state;
	struct rs_event_block e = sample();

	e.poll.role = RS_ROLE_CURRENT_THREAD;
	e.poll.flags = RS_POLL_LOCAL;
	assert_int_equal(decoded(d, &e).polls, 0);
	e.poll.flags |= RS_POLL_POPS;
	assert_int_equal(decoded(d, &e).polls, 1);
	e.poll.flags |= RS_POLL_NO_TICK;
	assert_int_equal(decoded(d, &e).polls, 0);
}

static void hostile_records_are_refused(void **state)
{
	struct rs_event_block e = sample();
	struct block b;

	assert_int_equal(decode_block(*state, &e, sizeof(e) - 1, &b), -EBADMSG);
	e.poll.start_hi = 98 * MS;
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), -EBADMSG);
	e = sample();
	e.end_hi = 110 * MS;
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), -EBADMSG);
	e = sample();
	e.poll.excluded_min = e.poll.excluded_max = 100 * MS;
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), -EBADMSG);
	e = sample();
	e.poll.flags = RS_POLL_EXACT_START;
	e.poll.site = UINT64_MAX; /* no such copy, no such vtable */
	memset(e.comm, 'x', sizeof(e.comm));
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), 0);
	assert_null(b.task.name);
	assert_int_equal(strlen(b.thread), sizeof(b.thread) - 1);
}

static void a_detail_is_told_where_it_is_of_most_of_the_time(void **state)
{
	struct rs_event_block e = sample();
	struct decoder *d = *state;
	struct block b;

	d->details = details_new();
	details_add(d->details, 11, SYS_read, RS_OBJECT_FILE | 1, 110 * MS, "/a");
	e.poll.off_ns = 16 * MS;
	e.poll.spells[0] = (struct rs_spell){ .nr = SYS_read,
					      .mode = S_IFREG,
					      .count = 3,
					      .ns = 10 * MS,
					      .object = RS_OBJECT_FILE | 1,
					      .object_ns = 6 * MS };
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), 0);
	assert_string_equal(b.syscalls[0].detail, "/a");
	e.poll.spells[0].object_ns = 5 * MS;
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), 0);
	assert_string_equal(b.syscalls[0].detail, "");
	/* another kind of file: both are in the time of the call */
	e.poll.spells[0].object_ns = 6 * MS;
	e.poll.spells[1] = (struct rs_spell){
		.nr = SYS_read, .mode = S_IFIFO, .count = 1, .ns = 6 * MS, .object_ns = 6 * MS
	};
	assert_int_equal(decode_block(d, &e, sizeof(e), &b), 0);
	assert_string_equal(b.syscalls[0].detail, "");
	details_free(d->details);
	d->details = NULL;
}

static void the_waker_is_told(void **state)
{
	struct rs_event_block e = sample();
	struct block b;

	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), 0);
	assert_int_equal(b.woken_by.tid, 0);
	e.poll.waker = (struct rs_waker){ .tid = 12, .task_id = 43, .comm = "0123456789abcdef" };
	assert_int_equal(decode_block(*state, &e, sizeof(e), &b), 0);
	assert_int_equal(b.woken_by.tid, 12);
	assert_int_equal(b.woken_by.task_id, 43);
	assert_string_equal(b.woken_by.thread, "0123456789abcde");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_estimate_lies_in_the_middle_and_the_bound_covers_both_ends, setup,
			teardown),
		cmocka_unit_test_setup_teardown(edges_seen_by_probes_are_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_wait_that_may_have_been_before_the_poll_is_not_told_alone, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_block_that_was_there_before_has_no_bound, setup,
						teardown),
		cmocka_unit_test_setup_teardown(inner_blocks_are_not_the_outer_ones, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_largest_share_is_the_cause, setup, teardown),
		cmocka_unit_test_setup_teardown(time_on_the_cpu_inside_a_file_call_is_the_files,
						setup, teardown),
		cmocka_unit_test(a_descriptor_says_what_a_read_waits_for),
		cmocka_unit_test_setup_teardown(a_workers_own_main_loop_is_no_block, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_task_of_unknown_type_is_local_while_a_set_is_polled, setup, teardown),
		cmocka_unit_test_setup_teardown(what_ended_uninspected_before_the_hello_is_not_told,
						setup, teardown),
		cmocka_unit_test_setup_teardown(both_edges_are_allowed_for_within_the_period, setup,
						teardown),
		cmocka_unit_test_setup_teardown(preempted_at_an_edge_the_bound_holds_the_wait,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_scheduler_of_a_known_type_decides_its_role,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			polls_of_a_local_task_are_counted_where_pops_tell_them_apart, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_detail_is_told_where_it_is_of_most_of_the_time,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_waker_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_records_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
