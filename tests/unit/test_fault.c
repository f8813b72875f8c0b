/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which memory an instruction reads and writes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/fault.h"

static const struct fault_registers registers = {
	.general = { 0x1000, 0x8, 0x2000, 0x3000, 0x7000, 0x6000, 0x4000, 0x5000, 0x80000,
		     0x90000 },
	.ip = 0x400000,
	.fs_base = 0x70000000,
};

static const struct {
	const char *code;
	size_t n;
	int found;
	uint64_t addrs[FAULT_OPERANDS];
} instructions[] = {
	{ "\x48\x8b\x00", 3, 1, { 0x1000 } }, /* mov rax, [rax] */
	{ "\x8b\x44\x8a\xfc", 4, 1, { 0x2000 + 4 * 8 - 4 } }, /* mov eax, [rdx + 4 * rcx - 4] */
	{ "\x49\x89\x40\x10", 4, 1, { 0x80010 } }, /* mov [r8 + 16], rax */
	{ "\x48\x8b\x05\x10\x00\x00\x00", 7, 1, { 0x400017 } }, /* mov rax, [rip + 16] */
	{ "\x64\x48\x8b\x04\x25\x10\x00\x00\x00", 9, 1, { 0x70000010 } }, /* mov rax, fs:[16] */
	{ "\xf3\xa4", 2, 2, { 0x5000, 0x4000 } }, /* rep movsb */
	{ "\x0f\x10\x07", 3, 1, { 0x5000 } }, /* movups xmm0, [rdi] */
	{ "\x65\x48\x8b\x00", 4, -ENODATA, { 0 } }, /* mov rax, gs:[rax] */
	{ "\x48\x8d\x00", 3, -ENODATA, { 0 } }, /* lea: touches nothing */
	{ "\xff\x30", 2, -ENODATA, { 0 } }, /* push [rax]: the stack, too */
	{ "\xc3", 1, -ENODATA, { 0 } }, /* ret */
	{ "\x48\x01\xd8", 3, -ENODATA, { 0 } }, /* add rax, rbx */
	{ "\x48\x8b", 2, -ENODATA, { 0 } }, /* cut */
	{ "\x06", 1, -ENODATA, { 0 } }, /* no instruction */
};

static void operands_in_memory(void **state)
{
	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
		uint64_t addrs[FAULT_OPERANDS] = { 0 };
		int n = fault_addresses(&registers, (const uint8_t *)instructions[i].code,
					instructions[i].n, addrs);

		assert_int_equal(n, instructions[i].found);
		for (int k = 0; k < n; k++)
			assert_int_equal(addrs[k], instructions[i].addrs[k]);
	}
}

/* Of this process: code at ip that reads where the test wants. */
static void the_mapping_is_named(void **state)
{
	static const uint8_t code[FAULT_CODE] = { 0x48, 0x8b, 0x00 }; /* mov rax, [rax] */
	struct fault_registers r = { .ip = (uint64_t)code };
	char name[512], exe[512];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int local = code[0];

	assert_true(n > 0 && local);
	exe[n] = 0;
	r.general[0] = (uint64_t)&local;
	assert_int_equal(fault_mapping(getpid(), &r, name, sizeof(name)), 0);
	assert_string_equal(name, "stack");
	r.general[0] = (uint64_t)code;
	assert_int_equal(fault_mapping(getpid(), &r, name, sizeof(name)), 0);
	assert_string_equal(name, exe);
	r.general[0] = 8; /* nothing is mapped there */
	assert_int_equal(fault_mapping(getpid(), &r, name, sizeof(name)), -ENODATA);
	r.ip = 8;
	assert_int_equal(fault_mapping(getpid(), &r, name, sizeof(name)), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operands_in_memory),
		cmocka_unit_test(the_mapping_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
