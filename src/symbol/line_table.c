/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libdw keeps the lines it has read until its handle is closed, at 40 bytes and more a row: here each unit is read with a
 * handle of its own, and copied.
 */
#include "symbol/line_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* A file's name as libdw has it, which tells the file of a row, and its number. */
struct name {
	const char *text;
	uint32_t number;
};

static void dwarf_endp(Dwarf **d)
{
	dwarf_end(*d);
}

static int by_text(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->text < y->text ? -1 : x->text > y->text;
}

static int copy_files(Dwarf_Die *die, struct line_table *t, struct name **ret_names)
{
	Dwarf_Files *files;
	size_t n;

	if (dwarf_getsrcfiles(die, &files, &n))
		return -EBADMSG;
	*ret_names = calloc(n + 1, sizeof(**ret_names));
	t->files = calloc(n + 1, sizeof(*t->files));
	if (!*ret_names || !t->files)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *text = dwarf_filesrc(files, i, NULL, NULL);

		(*ret_names)[i] = (struct name){ text, (uint32_t)i };
		t->files[t->n_files++] = text ? strdup(text) : NULL;
		t->bytes += sizeof(*t->files) + (text ? strlen(text) + 16 : 0);
	}
	qsort(*ret_names, n, sizeof(**ret_names), by_text);
	return 0;
}

static bool read_row(Dwarf_Line *line, uint64_t base, const struct name *names, size_t n_names,
		     struct line_row *ret)
{
	const struct name *name, key = { .text = dwarf_linesrc(line, NULL, NULL) };
	bool is_end = false;
	Dwarf_Addr addr;
	int number;

	if (dwarf_lineaddr(line, &addr) || addr < base || addr - base > UINT32_MAX ||
	    dwarf_lineendsequence(line, &is_end) || dwarf_lineno(line, &number))
		return false;
	name = key.text ? bsearch(&key, names, n_names, sizeof(*names), by_text) : NULL;
	*ret = (struct line_row){
		.start = (uint32_t)(addr - base),
		.file = is_end || !name ? UINT32_MAX : name->number,
		.line = number < 0 ? 0 : (uint32_t)number,
	};
	return true;
}

/* Of several rows for one address the last counts, as in dwarf_getsrc_die. */
static void add_row(struct line_table *t, const struct line_row *row)
{
	struct line_row *last = t->n ? &t->rows[t->n - 1] : NULL;

	if (last && last->start == row->start)
		*last = *row;
	else if (!last || last->file != row->file || last->line != row->line)
		t->rows[t->n++] = *row;
}

static int copy_rows(Dwarf_Die *die, uint64_t base, const struct name *names, struct line_table *t)
{
	Dwarf_Lines *lines;
	struct line_row row, *fitting;
	size_t n;

	if (dwarf_getsrclines(die, &lines, &n))
		return -EBADMSG;
	t->rows = calloc(n + 1, sizeof(*t->rows));
	if (!t->rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (read_row(dwarf_onesrcline(lines, i), base, names, t->n_files, &row))
			add_row(t, &row);
	}
	fitting = realloc(t->rows, (t->n + 1) * sizeof(*t->rows));
	t->rows = fitting ? fitting : t->rows;
	t->bytes += t->n * sizeof(*t->rows);
	return 0;
}

int line_table_read(Elf *elf, Dwarf_Off unit, uint64_t base, struct line_table *ret)
{
	_cleanup_(dwarf_endp) Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	_cleanup_free_
	struct name *names = NULL;
	struct line_table t = {};
	Dwarf_Die die;
	int r;

	if (!dwarf || !dwarf_offdie(dwarf, unit, &die))
		return -EBADMSG;
	r = copy_files(&die, &t, &names);
	if (!r)
		r = copy_rows(&die, base, names, &t);
	if (r < 0) {
		line_table_clear(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void line_table_clear(struct line_table *t)
{
	for (size_t i = 0; i < t->n_files; i++)
		free(t->files[i]);
	free(t->files);
	free(t->rows);
	*t = (struct line_table){};
}

const struct line_row *line_table_at(const struct line_table *t, uint64_t offset)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->rows[mid].start <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low && t->rows[low - 1].file != UINT32_MAX ? &t->rows[low - 1] : NULL;
}
