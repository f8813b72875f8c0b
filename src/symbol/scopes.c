/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/scopes.h"

#include <dwarf.h>
#include <stdlib.h>

#define NESTING_MAX 200 /* of entries: a hostile file must not use up the stack */

static bool is_function(int tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
}

/* What functions are found in. */
static bool is_container(int tag)
{
	switch (tag) {
	case DW_TAG_lexical_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_variant_part:
	case DW_TAG_variant:
		return true;
	default:
		return false;
	}
}

static bool add_scope(struct scopes *u, const struct scope *s)
{
	if (u->n == u->capacity) {
		size_t more = u->capacity ? 2 * u->capacity : 64;
		struct scope *rows = reallocarray(u->rows, more, sizeof(*rows));

		if (!rows)
			return false;
		u->rows = rows;
		u->capacity = more;
	}
	u->rows[u->n++] = *s;
	return true;
}

/* False when the function has no code here: a declaration, or one that is inlined everywhere. */
static bool add_scopes(struct scopes *u, Dwarf_Die *die, uint32_t depth)
{
	size_t entry = (char *)die->addr - (char *)u->unit;
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;
	bool has_code = false;

	while (u->left && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		u->left--;
		if (start < u->base || start >= end || end - u->base > UINT32_MAX ||
		    entry > UINT32_MAX)
			continue;
		has_code |=
			add_scope(u, &(struct scope){ start - u->base, end - start, entry, depth });
	}
	return has_code;
}

static void walk(struct scopes *u, Dwarf_Die *parent, uint32_t inside, int nesting)
{
	Dwarf_Die die;

	if (nesting > NESTING_MAX || dwarf_child(parent, &die))
		return;
	do {
		int tag = dwarf_tag(&die);
		/* One that is written inside another one has code of its own nevertheless. */
		uint32_t depth = tag == DW_TAG_subprogram ? 0 : inside;

		if (is_container(tag))
			walk(u, &die, depth, nesting + 1);
		else if (is_function(
				 tag)) /* one without code may hold others that have some: lambdas of C++ */
			walk(u, &die, add_scopes(u, &die, depth) ? depth + 1 : depth, nesting + 1);
	} while (u->left && !dwarf_siblingof(&die, &die));
}

static int by_depth(const void *a, const void *b)
{
	const struct scope *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

void scopes_read(struct scopes *u, Dwarf_Die *unit)
{
	struct scope *fitting;

	u->unit = unit->addr;
	walk(u, unit, 0, 0);
	if (!u->n)
		return;
	fitting = realloc(u->rows, u->n * sizeof(*u->rows));
	u->rows = fitting ? fitting : u->rows;
	u->capacity = u->n;
	qsort(u->rows, u->n, sizeof(*u->rows), by_depth);
}

void scopes_clear(struct scopes *u)
{
	free(u->rows);
	u->rows = NULL;
	u->n = u->capacity = 0;
}

/* Those of one depth do not overlap. */
const struct scope *scopes_at(const struct scopes *u, uint32_t depth, uint64_t addr)
{
	uint64_t offset = addr - u->base;
	size_t low = 0, high = u->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct scope *s = &u->rows[mid];

		if (s->depth < depth || (s->depth == depth && s->start <= offset))
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || u->rows[low - 1].depth != depth ||
	    offset - u->rows[low - 1].start >= u->rows[low - 1].size)
		return NULL;
	return &u->rows[low - 1];
}
