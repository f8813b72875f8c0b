/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/poll_roots.h"

#include <stdlib.h>

#include "target/eh_frame.h"

static int by_start(const void *a, const void *b)
{
	const struct poll_root *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

#define JUMP 0xe9 /* with 32 bits of distance from its end */

/* Optimized builds make it one jump to Harness::poll, which then stands on the stack. */
static uint64_t follow_jump(pid_t pid, uint64_t addr)
{
	struct {
		uint8_t opcode;
		int32_t distance;
	} __attribute__((packed)) jump;

	if (process_read(pid, addr, &jump, sizeof(jump)) < 0 || jump.opcode != JUMP)
		return addr;
	return addr + sizeof(jump) + (uint64_t)(int64_t)jump.distance;
}

/* Where they end, .eh_frame_hdr knows, which stripped files have, too. */
static void add_copy(struct poll_roots *x, const struct tokio_copy *c, pid_t pid)
{
	struct unwind_index functions = {};
	struct elf_file *file = NULL;
	uint64_t start, end;

	if (!c->module || !c->module->open_path ||
	    elf_file_open(c->module->open_path, &file, NULL) < 0)
		return;
	unwind_index_load(file, &functions);
	for (size_t i = 0; i < c->n_vtables; i++) {
		uint64_t bias = c->module->bias, poll = follow_jump(pid, c->vtables[i].poll) - bias;

		if (!unwind_index_function(&functions, poll, &start, &end) && start == poll)
			x->at[x->n++] = (struct poll_root){ start + bias, end + bias };
	}
	unwind_index_clear(&functions);
	elf_file_close(file);
}

void poll_roots_update(struct poll_roots *x, const struct tokio_copy *copies, size_t n_copies,
		       pid_t pid)
{
	size_t n = 0;

	for (size_t i = 0; i < n_copies; i++)
		n += copies[i].n_vtables;
	if (n == x->n_vtables)
		return;
	free(x->at);
	*x = (struct poll_roots){ .at = malloc(n * sizeof(*x->at)), .n_vtables = n };
	for (size_t i = 0; x->at && i < n_copies; i++)
		add_copy(x, &copies[i], pid);
	if (x->n)
		qsort(x->at, x->n, sizeof(*x->at), by_start);
}

bool poll_roots_has(const struct poll_roots *x, uint64_t addr)
{
	size_t from = 0, to = x->n;

	/* at[from..to) may contain it: the last one that starts at or before addr. */
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (x->at[middle].start <= addr)
			from = middle + 1;
		else
			to = middle;
	}
	return from && addr < x->at[from - 1].end;
}

void poll_roots_clear(struct poll_roots *x)
{
	free(x->at);
	*x = (struct poll_roots){};
}
