/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/symtab.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define CHUNK 2048 /* symbols read at once */
#define ROWS_MAX (8u << 20)

/* A function, and which of several names for one address is shown: the one with the highest rank. */
struct entry {
	struct symtab_row row;
	int rank;
};

struct list {
	struct entry *entries;
	size_t n, capacity;
};

/* Global names are those that people know. */
static int rank_of(const Elf64_Sym *sym)
{
	int bind = ELF64_ST_BIND(sym->st_info);

	return bind == STB_GLOBAL ? 2 : bind == STB_WEAK ? 1 : 0;
}

static bool is_function(const Elf64_Sym *sym)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && sym->st_shndx != SHN_UNDEF &&
	       sym->st_value && sym->st_name;
}

/* Some written in assembler have no size: they may reach to the next one, but not out of their section (_init, into .plt). */
static uint64_t size_of(const struct elf_file *f, const Elf64_Sym *sym)
{
	const struct elf_section *s = sym->st_shndx < f->n_sections ? &f->sections[sym->st_shndx]
								    : NULL;

	if (sym->st_size || !s || sym->st_value < s->addr || sym->st_value - s->addr >= s->size)
		return sym->st_size;
	return s->size - (sym->st_value - s->addr);
}

static int add(const struct elf_file *f, struct list *l, const Elf64_Sym *sym)
{
	uint64_t size = size_of(f, sym);

	if (l->n == l->capacity) {
		size_t more = l->capacity ? 2 * l->capacity : 4096;
		struct entry *entries = reallocarray(l->entries, more, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		l->entries = entries;
		l->capacity = more;
	}
	l->entries[l->n++] = (struct entry){
		.row = { .addr = sym->st_value,
			 .size = size <= UINT32_MAX ? (uint32_t)size : UINT32_MAX,
			 .name = sym->st_name },
		.rank = rank_of(sym),
	};
	return 0;
}

/* Stops without an error at what cannot be read. */
static int read_entries(const struct elf_file *f, const struct elf_section *s, struct list *l)
{
	_cleanup_free_
	Elf64_Sym *chunk = malloc(CHUNK * sizeof(*chunk));
	uint64_t count = s->size / sizeof(*chunk);
	int r = chunk ? 0 : -ENOMEM;

	for (uint64_t i = 0; i < count && i < ROWS_MAX && !r; i += CHUNK) {
		size_t n = count - i < CHUNK ? count - i : CHUNK;

		if (elf_file_read(f, s->offset + i * sizeof(*chunk), chunk, n * sizeof(*chunk)))
			break;
		for (size_t k = 0; k < n && !r; k++) {
			if (is_function(&chunk[k]))
				r = add(f, l, &chunk[k]);
		}
	}
	return r;
}

static int by_address(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->row.addr != y->row.addr)
		return x->row.addr < y->row.addr ? -1 : 1;
	if (x->rank != y->rank)
		return y->rank - x->rank;
	/* The same choice every time, whatever the order in the file. */
	return x->row.name < y->row.name ? -1 : x->row.name > y->row.name;
}

/* Keeps the best of each address. */
static int keep_best(struct list *l, struct symtab *ret)
{
	ret->rows = calloc(l->n ? l->n : 1, sizeof(*ret->rows));
	if (!ret->rows)
		return -ENOMEM;
	if (l->n)
		qsort(l->entries, l->n, sizeof(*l->entries), by_address);
	for (size_t i = 0; i < l->n; i++) {
		if (!ret->n || ret->rows[ret->n - 1].addr != l->entries[i].row.addr)
			ret->rows[ret->n++] = l->entries[i].row;
	}
	return 0;
}

int symtab_load(const struct elf_file *file, struct symtab *ret)
{
	const struct elf_section *symbols = elf_file_section(file, ".symtab"), *strings;
	struct symtab s = { .file = file };
	struct list l = {};
	int r;

	*ret = s;
	if (!symbols || symbols->type != SHT_SYMTAB)
		symbols = elf_file_section(file, ".dynsym");
	if (!symbols || symbols->link >= file->n_sections)
		return 0;
	strings = &file->sections[symbols->link];
	s.strings = strings->offset;
	s.strings_end = strings->offset + strings->size;
	if (strings->type != SHT_STRTAB || s.strings_end < s.strings)
		return 0;
	r = read_entries(file, symbols, &l);
	if (!r)
		r = keep_best(&l, &s);
	free(l.entries);
	if (!r)
		*ret = s;
	return r;
}

void symtab_clear(struct symtab *s)
{
	free(s->rows);
	*s = (struct symtab){};
}

/* The last row that starts at or before addr. */
static const struct symtab_row *row_before(const struct symtab *s, uint64_t addr)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->rows[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &s->rows[low - 1] : NULL;
}

int symtab_name(const struct symtab *s, uint64_t addr, char *ret, size_t size)
{
	const struct symtab_row *row = row_before(s, addr);

	if (!row || (row->size && addr - row->addr >= row->size))
		return -ENOENT;
	if (s->strings + row->name < s->strings)
		return -ENOENT;
	return elf_file_read_string(s->file, s->strings + row->name, s->strings_end, ret, size);
}
