/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel side's unwinder, compiled for the host, over any tables, mappings and memory. The input: number of mappings
 * and of rows, registers, these mappings and rows, then the words of the stack.
 */
#include <stdbool.h>
#include <string.h>

#include <linux/types.h>

#include "bpf/wire_unwind.h"
#include "fuzz.h"

#define WORDS 1024
#define STACK_ADDR 0x7ffe00000000ULL
#define TABLES 4 /* all with the same contents */

static struct rs_mappings mappings;
static union rs_unwind_part parts[3]; /* a directory, two chunks */
static uint64_t stack[WORDS];
static bool has_mappings;

struct rs_memory {
};

static int unwind_read(struct rs_memory m, __u64 addr, __u64 *ret)
{
	if (addr < STACK_ADDR || addr - STACK_ADDR > sizeof(stack) - sizeof(*ret))
		return -1;
	memcpy(ret, (const char *)stack + (addr - STACK_ADDR), sizeof(*ret));
	return 0;
}

static __u64 unwind_original(__u64 *returns, __u64 ip)
{
	return (*returns)++ < 4 ? STACK_ADDR : ip;
}

static const struct rs_mappings *unwind_mappings_now(void)
{
	return has_mappings ? &mappings : NULL;
}

static const union rs_unwind_part *unwind_part(__u32 table, __u32 index)
{
	return table < TABLES && index < sizeof(parts) / sizeof(*parts) ? &parts[index] : NULL;
}

#include "bpf/unwind.bpf.h"

/* As they come: unsorted and overlapping, too. */
static void fill_tables(struct fuzz_input *in)
{
	size_t n_mappings = fuzz_take(in, 1), n_rows = fuzz_take(in, 2) % (2 * RS_CHUNK_ROWS);

	has_mappings = n_mappings != 255;
	memset(&mappings, 0xff, sizeof(mappings));
	memset(parts, 0xff, sizeof(parts));
	for (size_t i = 0; i < n_mappings && has_mappings; i++) {
		mappings.at[i].start = fuzz_take(in, 4);
		mappings.at[i].end = mappings.at[i].start + fuzz_take(in, 4);
		mappings.at[i].bias = fuzz_take(in, 4);
		mappings.at[i].table = (__u32)fuzz_take(in, 1);
	}
	for (size_t i = 0; i < n_rows && in->p < in->end; i++)
		fuzz_fill(in, &parts[1 + i / RS_CHUNK_ROWS].rows[i % RS_CHUNK_ROWS],
			  sizeof(struct rs_unwind_row));
	parts[0].firsts[0] = parts[1].rows[0].pc;
	parts[0].firsts[1] = parts[2].rows[0].pc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct rs_unwind u = { .is_exact = fuzz_take(&in, 1) & 1 };
	size_t steps = 0;

	u.ip = fuzz_take(&in, 8);
	u.sp = STACK_ADDR + 8 * (fuzz_take(&in, 2) % WORDS);
	u.bp = fuzz_take(&in, 8);
	u.trampoline = fuzz_take(&in, 4);
	fill_tables(&in);
	fuzz_fill(&in, stack, sizeof(stack));
	while (!unwind_frame(&u, (struct rs_memory){}))
		FUZZ_CHECK(++steps <= RS_FRAMES);
	FUZZ_CHECK(u.n && u.n <= RS_FRAMES && u.end <= RS_UNWIND_GUESSED);
	return 0;
}
