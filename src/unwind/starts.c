/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "unwind/starts.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/wire_unwind.h"

struct list {
	uint64_t *at;
	size_t n, capacity;
	bool is_out_of_memory;
};

/* Tables end at 4 GB. */
static void add(struct list *l, uint64_t start)
{
	if (start > UINT32_MAX || l->is_out_of_memory || l->n >= RS_UNWIND_ROWS_MAX)
		return;
	if (l->n == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 1024;
		uint64_t *at = realloc(l->at, capacity * sizeof(*at));

		if (!at) {
			l->is_out_of_memory = true;
			return;
		}
		l->at = at;
		l->capacity = capacity;
	}
	l->at[l->n++] = start;
}

/* libdw unpacks all that is compressed when it opens a file, however much that is. */
static bool is_compressed(const GElf_Shdr *header, const char *name)
{
	return header->sh_flags & SHF_COMPRESSED || !strncmp(name, ".zdebug", 7);
}

static Elf_Scn *debug_frame(Elf *elf)
{
	Elf_Scn *section = NULL, *found = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name = gelf_getshdr(section, &header)
					   ? elf_strptr(elf, names, header.sh_name)
					   : NULL;

		if (name && is_compressed(&header, name))
			return NULL;
		if (name && !strcmp(name, ".debug_frame") && header.sh_type == SHT_PROGBITS)
			found = section;
	}
	return found;
}

bool unwind_has_debug_frame(Elf *elf)
{
	return debug_frame(elf) != NULL;
}

static void add_debug_frame(struct list *l, Elf *elf)
{
	const unsigned char *ident = (const unsigned char *)elf_getident(elf, NULL);
	Elf_Scn *section = debug_frame(elf);
	Elf_Data *data = section && ident ? elf_getdata(section, NULL) : NULL;
	Dwarf_Off at = 0, next;
	Dwarf_CFI_Entry entry;
	int r;

	while (data && (r = dwarf_next_cfi(ident, data, false, at, &next, &entry)) <= 0 &&
	       next > at) {
		uint64_t start;

		at = next;
		if (r || dwarf_cfi_cie_p(&entry) || entry.fde.end - entry.fde.start < 8)
			continue;
		memcpy(&start, entry.fde.start, sizeof(start));
		add(l, start);
	}
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t *unwind_starts(Elf *elf, const struct unwind_index *functions, size_t *ret_n)
{
	struct list l = { .at = malloc((functions->n + 1) * sizeof(*l.at)),
			  .capacity = functions->n + 1,
			  .is_out_of_memory = !l.at };

	for (size_t i = 0; i < functions->n; i++)
		add(&l, functions->base + (uint64_t)(int64_t)functions->rows[i].start);
	add_debug_frame(&l, elf);
	if (l.is_out_of_memory) {
		free(l.at);
		return NULL;
	}
	/* A hostile table need not be sorted. */
	if (l.n)
		qsort(l.at, l.n, sizeof(*l.at), compare_addresses);
	*ret_n = l.n;
	return l.at;
}
