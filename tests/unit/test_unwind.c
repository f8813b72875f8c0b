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

#include "base/cleanup.h"
#include "bpf/wire_unwind.h"
#include "target/elf_file.h"
#include "target/target.h"
#include "unwind/mappings.h"
#include "unwind/rows.h"
#include "unwind/table.h"

#define TABLES 64

static struct unwind_table tables[TABLES];
static struct rs_mappings mappings;
static uint64_t unreadable_from = UINT64_MAX; /* words of the stack from here on */

static int unwind_read(__u64 addr, __u64 *ret)
{
	if (addr >= unreadable_from || addr % 8 || addr < 4096)
		return -1;
	memcpy(ret, (const void *)addr, sizeof(*ret));
	return 0;
}

static uint64_t trampoline, replaced; /* addresses of a return probe, and of what it has replaced */

static __u64 unwind_original(__u64 *returns, __u64 ip)
{
	return replaced;
}

static const struct rs_mappings *unwind_mappings_now(void)
{
	return &mappings;
}

static const union rs_unwind_part *unwind_part(__u32 table, __u32 index)
{
	return table < TABLES && index < tables[table].n ? &tables[table].parts[index] : NULL;
}

#include "bpf/unwind.bpf.h"

static int add_table(struct unwind_rows *rows, size_t *n)
{
	if (*n == TABLES || unwind_table_build(rows, &tables[*n]) < 0) {
		unwind_rows_clear(rows);
		return UNWIND_NO_TABLE;
	}
	unwind_rows_clear(rows);
	return (*n)++;
}

/* Tables of all modules of this process. */
static int setup(void **state)
{
	uint32_t of_module[TABLES], vdso = UNWIND_NO_TABLE;
	struct process *p = NULL;
	struct unwind_rows rows;
	struct rs_error err;
	size_t n = 0, size;
	void *image;

	assert_int_equal(process_open(getpid(), NULL, &p, &err), 0);
	assert_true(p->n_modules <= TABLES);
	for (size_t i = 0; i < p->n_modules; i++) {
		struct elf_file *f = NULL;

		of_module[i] = UNWIND_NO_TABLE;
		if (elf_file_open(p->modules[i].open_path, &f, &err))
			continue;
		assert_int_equal(unwind_rows_read(f, &rows), 0);
		of_module[i] = add_table(&rows, &n);
		elf_file_close(f);
	}
	size = unwind_vdso(&image);
	if (size) {
		assert_int_equal(unwind_rows_of_image(image, size, &rows), 0);
		vdso = add_table(&rows, &n);
	}
	assert_int_equal(unwind_mappings(p, of_module, vdso, &mappings), 0);
	process_free(p);
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < TABLES; i++)
		unwind_table_clear(&tables[i]);
	return 0;
}

static void unwind_from(const ucontext_t *uc, struct rs_unwind *u)
{
	*u = (struct rs_unwind){
		.ip = uc->uc_mcontext.gregs[REG_RIP],
		.sp = uc->uc_mcontext.gregs[REG_RSP],
		.bp = uc->uc_mcontext.gregs[REG_RBP],
		.is_exact = 1,
	};
	while (!unwind_step(u))
		continue;
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

	uc.uc_mcontext.gregs[REG_RIP] = (greg_t)&mappings;
	unwind_from(&uc, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
	uc.uc_mcontext.gregs[REG_RIP] = -1;
	unwind_from(&uc, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
	uc.uc_mcontext.gregs[REG_RIP] = 0;
	unwind_from(&uc, &u);
	assert_int_equal(u.end, RS_UNWIND_NO_MAPPING);
}

static struct rs_unwind with_rule(struct rs_unwind_row rule, uint64_t *stack)
{
	struct rs_unwind_row rows[] = { { .pc = 0x1000 }, { .pc = 0x2000 } };
	struct rs_mappings saved = mappings;
	struct rs_unwind u = {
		.ip = 0x100001800, .sp = (uint64_t)stack, .bp = (uint64_t)(stack + 8), .is_exact = 1
	};
	size_t free_table = TABLES - 1;

	u.trampoline = trampoline;
	rule.pc = 0x1000;
	rows[0] = rule;
	assert_null(tables[free_table].parts);
	assert_int_equal(unwind_table_build(&(struct unwind_rows){ rows, 2 }, &tables[free_table]),
			 0);
	memset(&mappings, 0xff, sizeof(mappings));
	mappings.at[0] = (struct rs_mapping){ 0x100001000, 0x100003000, 0x100000000, free_table };
	unwind_step(&u);
	mappings = saved;
	unwind_table_clear(&tables[free_table]);
	return u;
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
	assert_int_equal(u.end, RS_UNWIND_NO_TABLE);
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
	struct rs_mapping m = { 0, UINT64_MAX, 0, TABLES - 1 };

	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		struct unwind_rows rows = { calloc(sizes[s], sizeof(*rows.rows)), sizes[s] };

		for (size_t i = 0; i < rows.n; i++)
			rows.rows[i] = (struct rs_unwind_row){ 100 + 10 * i, i % 30000, RS_CFA_SP };
		assert_int_equal(unwind_table_build(&rows, &tables[m.table]), 0);
		assert_null(row_of(&m, 99));
		for (size_t i = 0; i < rows.n; i++) {
			assert_int_equal(row_of(&m, 100 + 10 * i)->pc, rows.rows[i].pc);
			assert_int_equal(row_of(&m, 109 + 10 * i)->pc, rows.rows[i].pc);
		}
		assert_int_equal(row_of(&m, UINT32_MAX - 1)->pc, rows.rows[rows.n - 1].pc);
		assert_null(row_of(&m, 1ULL << 32));
		unwind_table_clear(&tables[m.table]);
		unwind_rows_clear(&rows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_stack),   cmocka_unit_test(test_through_libc),
		cmocka_unit_test(test_thread),	    cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_interrupted), cmocka_unit_test(test_broken_stacks),
		cmocka_unit_test(test_each_rule),   cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
