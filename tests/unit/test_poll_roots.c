/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Functions of this program stand for those by which a runtime polls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "cli/poll_roots.h"

__attribute__((noinline, used)) int polled(int x);
__attribute__((noinline, used)) int polled(int x)
{
	__asm__ volatile("" : "+r"(x));
	return 3 * x;
}

static __attribute__((noinline)) int other(int x)
{
	__asm__ volatile("" : "+r"(x));
	return 5 * x;
}

/* What an optimized build makes of a function that only calls another. */
__asm__(".pushsection .text\n"
	".type jumps, @function\n"
	"jumps: .cfi_startproc\n"
	".byte 0xe9\n"
	".long polled - . - 4\n"
	".cfi_endproc\n"
	".popsection\n");
extern const char jumps[];

static void functions_are_known_to_their_ends(void **state)
{
	struct process *p = NULL;
	struct rs_error err;
	struct task_vtable vtables[] = {
		{ .poll = (uint64_t)polled },
		{ .poll = (uint64_t)other + 1 }, /* no function starts there */
		{ .poll = 16 }, /* nor there */
	};
	struct tokio_copy copy = { .vtables = vtables, .n_vtables = 3 };
	struct poll_roots roots = {};

	assert_int_equal(process_open(getpid(), NULL, &p, &err), 0);
	copy.module = &p->modules[0];
	poll_roots_update(&roots, &copy, 1, getpid());
	assert_int_equal(roots.n, 1);
	assert_true(poll_roots_has(&roots, (uint64_t)polled));
	assert_true(poll_roots_has(&roots, roots.at[0].end - 1));
	assert_false(poll_roots_has(&roots, roots.at[0].end));
	assert_false(poll_roots_has(&roots, (uint64_t)polled - 1));
	assert_false(poll_roots_has(&roots, 0));
	assert_false(poll_roots_has(&roots, UINT64_MAX));

	copy.n_vtables = 1;
	vtables[0].poll = (uint64_t)other;
	poll_roots_update(&roots, &copy, 1, getpid());
	assert_true(poll_roots_has(&roots, (uint64_t)other));
	assert_false(poll_roots_has(&roots, (uint64_t)polled));
	assert_int_equal(polled(1) + other(1), 8);

	copy.n_vtables = 2;
	vtables[0].poll = (uint64_t)jumps;
	poll_roots_update(&roots, &copy, 1, getpid());
	assert_true(poll_roots_has(&roots, (uint64_t)polled));
	assert_false(poll_roots_has(&roots, (uint64_t)jumps));
	poll_roots_clear(&roots);
	process_free(p);
}

static void what_cannot_be_opened_has_none(void **state)
{
	struct module module = { .open_path = (char *)"/nowhere" };
	struct task_vtable vtable = { .poll = 4096 };
	struct tokio_copy copies[] = { { .module = &module, .vtables = &vtable, .n_vtables = 1 },
				       {} };
	struct poll_roots roots = {};

	poll_roots_update(&roots, copies, 2, getpid());
	assert_int_equal(roots.n, 0);
	assert_false(poll_roots_has(&roots, 4096));
	poll_roots_clear(&roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_are_known_to_their_ends),
		cmocka_unit_test(what_cannot_be_opened_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
