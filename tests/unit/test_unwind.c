/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel side's unwinder, compiled for the host, on this process's own stacks, against the unwinder of libgcc. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <cmocka.h>

#include "../unwind/host.h"

static uint64_t unreadable_from = UINT64_MAX, unreadable_below; /* words of the stack */

static int unwind_read(struct rs_memory m, __u64 addr, __u64 *ret)
{
	if (addr >= unreadable_from || addr < unreadable_below || addr % 8 || addr < 4096)
		return -1;
	memcpy(ret, (const void *)addr, sizeof(*ret));
	return 0;
}

static uint64_t trampoline, replaced; /* addresses of a return probe, and of what it has replaced */

static __u64 unwind_original(__u64 *returns, __u64 ip)
{
	return replaced;
}

static int setup(void **state)
{
	return host_open(getpid());
}

static int teardown(void **state)
{
	host_close();
	return 0;
}

static void unwind_from(const ucontext_t *uc, struct rs_unwind *u)
{
	const greg_t *regs = uc->uc_mcontext.gregs;

	host_unwind(regs[REG_RIP], regs[REG_RSP], regs[REG_RBP], u);
}

struct trace {
	uintptr_t ips[RS_FRAMES + 1];
	size_t n;
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
	struct trace *t = arg;
	uintptr_t ip = _Unwind_GetIP(context);

	if (ip && t->n <= RS_FRAMES)
		t->ips[t->n++] = ip;
	return _URC_NO_REASON;
}

static struct rs_unwind ours;
static struct trace theirs;

/* Both traces of the same instant: the innermost frames differ, they are this function's. */
static __attribute__((noinline)) void capture(void)
{
	ucontext_t uc;

	theirs.n = 0;
	_Unwind_Backtrace(note_frame, &theirs);
	getcontext(&uc);
	unwind_from(&uc, &ours);
}

static void assert_same(void)
{
	assert_int_equal(ours.end, RS_UNWIND_COMPLETE);
	assert_int_equal(ours.n, theirs.n);
	for (size_t i = 1; i < theirs.n; i++)
		assert_int_equal(ours.ips[i], theirs.ips[i]);
}

/* Frames of different shapes: with and without locals, of a size only known at run time. */
static __attribute__((noinline)) int deep(int depth)
{
	volatile char room[64 + 0 * depth];
	char *more;

	room[0] = depth;
	if (depth % 3 == 0) {
		more = alloca(depth * 16 + 16);
		memset(more, depth, depth * 16 + 16);
		room[1] = more[depth];
	}
	if (depth)
		return deep(depth - 1) + room[0] + room[1];
	capture();
	return room[0];
}

static void test_own_stack(void **state)
{
	capture();
	assert_same();
	deep(40);
	assert_true(ours.n > 40);
	assert_same();
}

static void on_signal(int number)
{
	capture();
}

static int compare_and_capture(const void *a, const void *b)
{
	static int calls;

	if (!calls++)
		capture();
	return *(const int *)a - *(const int *)b;
}

/* Through code of libc: the callback of qsort, a signal frame. */
static void test_through_libc(void **state)
{
	int numbers[] = { 3, 1, 2 };

	qsort(numbers, 3, sizeof(*numbers), compare_and_capture);
	assert_same();
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	assert_same();
}

static void *in_thread(void *arg)
{
	deep(10);
	return NULL;
}

/* A thread's stack ends in clone3, which has no caller. */
static void test_thread(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
	pthread_join(thread, NULL);
	assert_same();
}

static void test_too_deep(void **state)
{
	deep(200);
	assert_int_equal(ours.end, RS_UNWIND_DEEP);
	assert_int_equal(ours.n, RS_FRAMES);
}

static void on_profile(int number, siginfo_t *info, void *uc)
{
	static int count;

	if (count++ < 200) {
		unwind_from(uc, &ours);
		theirs.n += ours.end == RS_UNWIND_COMPLETE;
	}
}

/* Interrupted anywhere, the vDSO and prologues included: never a step into nowhere, and nearly always complete. */
static void test_interrupted(void **state)
{
	struct sigaction action = { .sa_sigaction = on_profile, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF };
	struct itimerspec each = { { 0, 500000 }, { 0, 500000 } };
	struct timespec now;
	timer_t timer;

	theirs.n = 0;
	sigaction(SIGPROF, &action, NULL);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	timer_settime(timer, 0, &each, NULL);
	for (int i = 0; i < 3000000 && theirs.n < 100; i++) {
		clock_gettime(CLOCK_REALTIME, &now);
		if (!(i & 1023))
			free(malloc(100000));
	}
	timer_delete(timer);
	assert_true(theirs.n >= 99);
}

/* What cannot be read, or is no code, ends a stack with a reason; the frames until then stay. */
static void test_broken_stacks(void **state)
{
	struct rs_unwind u;
	ucontext_t uc;

	getcontext(&uc);
	unreadable_from = uc.uc_mcontext.gregs[REG_RSP];
	unwind_from(&uc, &u);
	assert_int_equal(u.end, RS_UNWIND_MEMORY);
	assert_int_equal(u.n, 1);
	unreadable_from = UINT64_MAX;

	uc.uc_mcontext.gregs[REG_RBP] = 0;
	uc.uc_mcontext.gregs[REG_RIP] = (greg_t)&host_mappings;
	unwind_from(&uc, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
	uc.uc_mcontext.gregs[REG_RIP] = -1;
	unwind_from(&uc, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
	uc.uc_mcontext.gregs[REG_RIP] = 0;
	unwind_from(&uc, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
}

#define RULED 0x100001800 /* an address of a module of which one rule is all that is known */
static struct rs_mappings own_mappings;

static void set_rule(struct rs_unwind_row rule)
{
	struct rs_unwind_row rows[] = { rule, { .pc = 0x2000 } };
	size_t free_table = HOST_TABLES - 1;

	rows[0].pc = 0x1000;
	assert_null(host_tables[free_table].parts);
	assert_int_equal(
		unwind_table_build(&(struct unwind_rows){ rows, 2 }, &host_tables[free_table]), 0);
	own_mappings = host_mappings;
	memset(&host_mappings, 0xff, sizeof(host_mappings));
	host_mappings.at[0] = (struct rs_mapping){ 0x100001000, 0x100003000, 0x100000000,
						   free_table };
}

static void unset_rule(void)
{
	host_mappings = own_mappings;
	unwind_table_clear(&host_tables[HOST_TABLES - 1]);
}

static struct rs_unwind with_rule(struct rs_unwind_row rule, uint64_t *stack)
{
	struct rs_unwind u = { .ip = RULED,
			       .sp = (uint64_t)stack,
			       .bp = (uint64_t)(stack + 8),
			       .is_exact = 1,
			       .trampoline = trampoline };

	set_rule(rule);
	unwind_step(&u);
	unset_rule();
	return u;
}

/* Frame pointers lead through code without a table; they are believed if they lead to the start. */
static void test_frame_pointers(void **state)
{
	uint64_t stack[16] = { [4] = (uint64_t)(stack + 8), [5] = 0x6000, [9] = RULED };
	uint64_t sp = (uint64_t)stack, bp = (uint64_t)(stack + 4), hash;
	struct rs_unwind u;

	set_rule((struct rs_unwind_row){ .cfa = RS_CFA_END });
	host_unwind(0x5000, sp, bp, &u);
	assert_int_equal(u.end, RS_UNWIND_GUESSED);
	assert_int_equal(u.n, 3);
	assert_int_equal(u.ips[1], 0x6000);
	assert_int_equal(u.ips[2], RULED);
	hash = u.hash;
	host_unwind(0x5001, sp, bp, &u); /* a loop there is one stack */
	assert_int_equal(u.hash, hash);

	stack[9] = 0x7000; /* leads nowhere: none of it is shown */
	host_unwind(0x5000, sp, bp, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
	assert_int_equal(u.n, 1);
	hash = u.hash;
	stack[5] = 0x6001;
	host_unwind(0x5000, sp, bp, &u);
	assert_int_equal(u.hash, hash);
	host_unwind(0x100002800, sp, bp, &u);
	assert_int_equal(u.n, 1);
	stack[9] = RULED; /* no frame pointers */
	host_unwind(0x5000, bp + 8, bp, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
	host_unwind(0x5000, bp - RS_GUESS_MAX - 8, bp, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
	host_unwind(0x5000, sp, bp + 1, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
	unset_rule();
}

static void test_each_rule(void **state)
{
	uint64_t stack[16];
	struct rs_unwind u;

	for (size_t i = 0; i < 16; i++)
		stack[i] = (uint64_t)&stack[i] + 64;
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_SP, .offset = 3, .bp = 2 }, stack);
	assert_int_equal(u.sp, (uint64_t)(stack + 3));
	assert_int_equal(u.ip, stack[2]);
	assert_int_equal(u.bp, stack[1]);
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_BP, .offset = 2 }, stack);
	assert_int_equal(u.sp, (uint64_t)(stack + 10));
	assert_int_equal(u.bp, (uint64_t)(stack + 8));
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_AT_SP, .offset = 1 }, stack);
	assert_int_equal(u.sp, stack[1]);
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_AT_BP_8, .offset = -1 }, stack);
	assert_int_equal(u.sp, stack[7] + 8);
	u = with_rule(
		(struct rs_unwind_row){ .cfa = RS_CFA_AT_BP, .offset = -1, .bp = RS_BP_AT_BP },
		stack);
	assert_int_equal(u.bp, stack[8]);
	/* the caller's rbp cannot be read, or is said by one that is lost: its caller's frame is known all the same */
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_SP, .offset = 3, .bp = RS_BP_LOST },
		      stack);
	assert_int_equal(u.sp, (uint64_t)(stack + 3));
	assert_true(u.is_bp_lost);
	unreadable_below = (uint64_t)stack;
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_SP, .offset = 1, .bp = 2 }, stack);
	assert_int_equal(u.ip, stack[0]);
	assert_true(u.is_bp_lost && !u.end);
	unreadable_below = 0;
	/* 0x…800 is the first byte of a stub */
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_PLT, .offset = 11 }, stack);
	assert_int_equal(u.sp, (uint64_t)(stack + 1));
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_PLT, .offset = 0 }, stack);
	assert_int_equal(u.sp, (uint64_t)(stack + 2));
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_END }, stack);
	assert_int_equal(u.end, RS_UNWIND_COMPLETE);
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_UNSUPPORTED }, stack);
	assert_int_equal(u.end, RS_UNWIND_RULE);
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_GAP }, stack);
	assert_int_equal(u.guess, RS_UNWIND_NO_TABLE);
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_SP, .offset = -1 }, stack);
	assert_int_equal(u.end, RS_UNWIND_LOOP);
	/* a return address that is the trampoline's stands for the one that it has replaced */
	replaced = 0x1234;
	trampoline = stack[2];
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_SP, .offset = 3 }, stack);
	assert_int_equal(u.ip, 0x1234);
	trampoline = 0;
	stack[2] = 0;
	u = with_rule((struct rs_unwind_row){ .cfa = RS_CFA_SP, .offset = 3 }, stack);
	assert_int_equal(u.end, RS_UNWIND_COMPLETE);
}

/* Each row is found from its first byte to the one before the next, in tables of any size. */
static void test_search(void **state)
{
	size_t sizes[] = { 1, 2, RS_CHUNK_ROWS - 1, RS_CHUNK_ROWS, RS_CHUNK_ROWS + 1, 50000 };
	struct rs_mapping m = { 0, UINT64_MAX, 0, HOST_TABLES - 1 };

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		struct unwind_rows rows = { calloc(sizes[s], sizeof(*rows.rows)), sizes[s] };

		for (size_t i = 0; i < rows.n; i++)
			rows.rows[i] = (struct rs_unwind_row){ 100 + 10 * i, i % 30000, RS_CFA_SP };
		assert_int_equal(unwind_table_build(&rows, &host_tables[m.table]), 0);
		assert_null(row_of(&m, 99));
		for (size_t i = 0; i < rows.n; i++) {
			assert_int_equal(row_of(&m, 100 + 10 * i)->pc, rows.rows[i].pc);
			assert_int_equal(row_of(&m, 109 + 10 * i)->pc, rows.rows[i].pc);
		}
		assert_int_equal(row_of(&m, UINT32_MAX - 1)->pc, rows.rows[rows.n - 1].pc);
		assert_null(row_of(&m, 1ULL << 32));
		unwind_table_clear(&host_tables[m.table]);
		unwind_rows_clear(&rows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_stack),      cmocka_unit_test(test_through_libc),
		cmocka_unit_test(test_thread),	       cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_interrupted),    cmocka_unit_test(test_broken_stacks),
		cmocka_unit_test(test_each_rule),      cmocka_unit_test(test_search),
		cmocka_unit_test(test_frame_pointers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
