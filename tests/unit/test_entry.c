/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How functions begin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probe/entry.h"

static void what_the_kernel_emulates(void **state)
{
	static const uint8_t simple[][ENTRY_BYTES] = {
		{ 0x55, 0x48, 0x89, 0xe5 }, /* push %rbp */
		{ 0x41, 0x57, 0x41, 0x56 }, /* push %r15 */
		{ 0xe9, 0x00, 0x00, 0x00 }, /* jmp */
		{ 0xe8, 0x00, 0x00, 0x00 }, /* call */
		{ 0x0f, 0x1f, 0x40, 0x00 }, /* nopl */
		{ 0x90, 0x90, 0x90, 0x90 },
	};

	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
		assert_int_equal(entry_kind(simple[i]), ENTRY_SIMPLE);
}

static void what_some_kernels_emulate(void **state)
{
	static const uint8_t small[] = { 0x48, 0x83, 0xec, 0x18 },
			     large[] = { 0x48, 0x81, 0xec, 0x88 };

	assert_int_equal(entry_kind(small), ENTRY_SUB);
	assert_int_equal(entry_kind(large), ENTRY_SUB);
}

static void what_is_stepped_over(void **state)
{
	static const uint8_t other[][ENTRY_BYTES] = {
		{ 0x48, 0x89, 0xfe, 0xc3 }, /* mov %rdi,%rsi */
		{ 0x48, 0x83, 0xc4, 0x18 }, /* add $0x18,%rsp */
		{ 0x41, 0x89, 0xff, 0x90 }, /* mov %edi,%r15d */
		{ 0xf3, 0x0f, 0x1e, 0xfa }, /* endbr64 */
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_int_equal(entry_kind(other[i]), ENTRY_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_kernel_emulates),
		cmocka_unit_test(what_some_kernels_emulate),
		cmocka_unit_test(what_is_stepped_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
