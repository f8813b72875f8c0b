/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/kallsyms.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define ROWS_MAX (4u << 20)
#define TEXT_MAX (256u << 20)
#define NAME_MAX_LENGTH 4096 /* the kernel's are up to 512 */

struct row {
	uint64_t addr;
	uint32_t name; /* offset in text */
};

struct kallsyms {
	struct row *rows;
	size_t n, capacity;
	char *text;
	size_t used, room;
};

static bool make_room(struct kallsyms *k, size_t len)
{
	if (k->n == k->capacity) {
		size_t more = k->capacity ? 2 * k->capacity : 1 << 16;
		struct row *rows = reallocarray(k->rows, more, sizeof(*rows));

		if (!rows)
			return false;
		k->rows = rows;
		k->capacity = more;
	}
	if (k->room - k->used < len) {
		size_t more = k->room ? 2 * k->room : 1 << 20;
		char *text = realloc(k->text, more);

		if (!text)
			return false;
		k->text = text;
		k->room = more;
	}
	return true;
}

/* "ffffffff81000000 T name" and perhaps "\t[module]". Others than functions are left out. */
static bool add_line(struct kallsyms *k, char *line)
{
	char *rest;
	uint64_t addr = strtoull(line, &rest, 16);
	size_t len;

	if (addr < KERNEL_START || rest[0] != ' ' || !rest[1] || !strchr("tTwW", rest[1]) ||
	    rest[2] != ' ' || k->n >= ROWS_MAX || k->used >= TEXT_MAX)
		return true;
	len = strcspn(rest + 3, "\t\n") + 1;
	if (len > NAME_MAX_LENGTH)
		return true;
	if (!make_room(k, len))
		return false;
	memcpy(k->text + k->used, rest + 3, len - 1);
	k->text[k->used + len - 1] = 0;
	k->rows[k->n++] = (struct row){ addr, (uint32_t)k->used };
	k->used += len;
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

struct kallsyms *kallsyms_read(FILE *in)
{
	struct kallsyms *k = calloc(1, sizeof(*k));
	_cleanup_free_
	char *line = NULL;
	size_t size = 0;

	while (k && getline(&line, &size, in) > 0) {
		if (!add_line(k, line))
			return kallsyms_free(k);
	}
	if (!k || !k->n)
		return kallsyms_free(k);
	qsort(k->rows, k->n, sizeof(*k->rows), by_address);
	return k;
}

struct kallsyms *kallsyms_free(struct kallsyms *k)
{
	if (!k)
		return NULL;
	free(k->rows);
	free(k->text);
	free(k);
	return NULL;
}

const char *kallsyms_name(const struct kallsyms *k, uint64_t addr)
{
	size_t low = 0, high = k->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (k->rows[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	/* The first of several names for one address. */
	while (low > 1 && k->rows[low - 2].addr == k->rows[low - 1].addr)
		low--;
	return low ? k->text + k->rows[low - 1].name : NULL;
}
