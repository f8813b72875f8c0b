/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/poll_index.h"

#include <errno.h>
#include <stdlib.h>

#include "target/target.h"

#define UNCLEAR UINT32_MAX /* instead of a vtable */
#define THUNK_BYTES 64

/* Without link-time optimization raw::poll is a jump to Harness::poll, and only that is on a stack. */
static const struct code_limits jump_limits = { .depth = 0, .functions = 2, .bytes = 64 * 1024 };

struct build {
	const struct code_file *code;
	struct poll_index index;
	size_t room;
	uint32_t vtable;
};

static int add_row(struct build *b, const struct poll_range *row)
{
	if (b->index.n == b->room) {
		size_t room = b->room ? 2 * b->room : 64;
		struct poll_range *rows = reallocarray(b->index.rows, room, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		b->index.rows = rows;
		b->room = room;
	}
	b->index.rows[b->index.n++] = *row;
	return 0;
}

static int see_function(const struct code_refs *refs, void *arg)
{
	struct build *b = arg;
	struct poll_range row = { .vtable = b->vtable };

	if (refs->n ||
	    unwind_index_function(&b->code->functions, refs->function, &row.start, &row.end) < 0)
		return 0;
	return add_row(b, &row);
}

static int add_function(struct build *b, uint64_t vaddr, uint32_t vtable)
{
	struct poll_range row = { .vtable = vtable };

	b->vtable = vtable;
	if (!unwind_index_function(&b->code->functions, vaddr, &row.start, &row.end) &&
	    row.end - row.start > THUNK_BYTES)
		return add_row(b, &row);
	return code_walk(&b->code->img, &b->code->functions, vaddr, &jump_limits, see_function, b);
}

static int by_start(const void *a, const void *b)
{
	const struct poll_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->vtable < y->vtable ? -1 : x->vtable > y->vtable;
}

/* Types with one and the same poll function cannot be told apart by anyone; those that were folded behind it can. */
static bool is_same(const struct tokio_copy *c, uint32_t a, uint32_t b)
{
	return a != UNCLEAR && b != UNCLEAR && c->vtables[a].poll == c->vtables[b].poll;
}

static void merge(struct poll_index *x, const struct tokio_copy *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->n; i++) {
		struct poll_range *last = kept ? &x->rows[kept - 1] : NULL;

		if (!last || last->start != x->rows[i].start)
			x->rows[kept++] = x->rows[i];
		else if (!is_same(c, last->vtable, x->rows[i].vtable))
			last->vtable = UNCLEAR;
	}
	x->n = kept;
}

int poll_index_build(const struct code_file *code, const struct tokio_copy *c,
		     struct poll_index *ret)
{
	struct build b = { .code = code };
	int r = 0;

	for (size_t i = 0; i < c->n_vtables && r >= 0; i++) {
		const struct task_vtable *v = &c->vtables[i];
		uint64_t drops[] = { v->dealloc, v->drop_join_handle, v->shutdown };

		r = add_function(&b, v->poll - c->module->bias, (uint32_t)i);
		for (size_t k = 0; k < 3 && r >= 0; k++)
			r = add_function(&b, drops[k] - c->module->bias, UNCLEAR);
	}
	if (r < 0) {
		free(b.index.rows);
		return r;
	}
	if (b.index.n)
		qsort(b.index.rows, b.index.n, sizeof(*b.index.rows), by_start);
	merge(&b.index, c);
	*ret = b.index;
	return 0;
}

void poll_index_clear(struct poll_index *x)
{
	free(x->rows);
	*x = (struct poll_index){};
}

enum poll_place poll_index_find(const struct poll_index *x, uint64_t vaddr, uint32_t *ret_vtable)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (x->rows[mid].start <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || vaddr >= x->rows[low - 1].end)
		return POLL_NOWHERE;
	if (x->rows[low - 1].vtable == UNCLEAR)
		return POLL_UNCLEAR;
	*ret_vtable = x->rows[low - 1].vtable;
	return POLL_OF_TYPE;
}
