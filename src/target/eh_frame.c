/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/eh_frame.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* DW_EH_PE_datarel | DW_EH_PE_sdata4, the only encoding linkers write for the table;
 * DW_EH_PE_udata4 for its count. */
#define ENC_TABLE 0x3b
#define ENC_COUNT 0x03
#define MAX_ROWS (8u << 20)

struct header {
	uint8_t version, ptr_enc, count_enc, table_enc;
	int32_t eh_frame;
	uint32_t count;
};

/* Rows of the table behind that header, in so many bytes with it; 0 when it is not known how to read it. */
static size_t count_rows(const struct header *h, uint64_t size)
{
	size_t n = (size - sizeof(*h)) / sizeof(*((struct unwind_index *)NULL)->rows);

	if (h->version != 1 || h->table_enc != ENC_TABLE || h->count_enc != ENC_COUNT ||
	    (h->ptr_enc & 0x0f) != 0x0b)
		return 0;
	if (n > h->count)
		n = h->count;
	return n > MAX_ROWS ? 0 : n;
}

static int make_index(const struct elf_file *file, uint64_t base, size_t n,
		      struct unwind_index *ret)
{
	*ret = (struct unwind_index){ .file = file, .base = base, .n = n };
	ret->rows = malloc(n * sizeof(*ret->rows));
	if (ret->rows)
		return 0;
	*ret = (struct unwind_index){ .file = file };
	return -ENOMEM;
}

int unwind_index_parse(const void *data, size_t size, uint64_t vaddr, struct unwind_index *ret)
{
	struct header h;
	size_t n;
	int r;

	*ret = (struct unwind_index){ 0 };
	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	n = count_rows(&h, size);
	r = n ? make_index(NULL, vaddr, n, ret) : 0;
	if (n && !r)
		memcpy(ret->rows, (const char *)data + sizeof(h), n * sizeof(*ret->rows));
	return r;
}

int unwind_index_load(const struct elf_file *file, struct unwind_index *ret)
{
	const struct elf_segment *s = elf_file_segment(file, PT_GNU_EH_FRAME);
	struct header h;
	size_t n;
	int r;

	*ret = (struct unwind_index){ .file = file };
	if (!s || s->filesz < sizeof(h) || elf_file_read(file, s->offset, &h, sizeof(h)) < 0)
		return 0;
	n = count_rows(&h, s->filesz);
	if (!n)
		return 0;
	r = make_index(file, s->vaddr, n, ret);
	if (!r)
		r = elf_file_read(file, s->offset + sizeof(h), ret->rows, n * sizeof(*ret->rows));
	if (r < 0) {
		unwind_index_clear(ret);
		ret->file = file;
	}
	return r;
}

void unwind_index_clear(struct unwind_index *x)
{
	free(x->rows);
	*x = (struct unwind_index){ 0 };
}

/* Index of the last row that starts at or below addr, or -1. */
static ssize_t find_row(const struct unwind_index *x, uint64_t addr)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (x->base + (uint64_t)(int64_t)x->rows[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return (ssize_t)low - 1;
}

bool unwind_index_has(const struct unwind_index *x, uint64_t start)
{
	ssize_t i = find_row(x, start);

	return i >= 0 && x->base + (uint64_t)(int64_t)x->rows[i].start == start;
}

int unwind_index_function(const struct unwind_index *x, uint64_t addr, uint64_t *ret_start,
			  uint64_t *ret_end)
{
	struct {
		uint32_t length, cie;
		int32_t start;
		uint32_t size;
	} fde;
	ssize_t i = find_row(x, addr);
	uint64_t at, start;

	if (i < 0)
		return -ENOENT;
	at = x->base + (uint64_t)(int64_t)x->rows[i].fde;
	start = x->base + (uint64_t)(int64_t)x->rows[i].start;
	if (elf_file_read_at(x->file, at, &fde, sizeof(fde)) < 0)
		return -ENOENT;
	/* Holds for DW_EH_PE_pcrel | DW_EH_PE_sdata4, what compilers for x86-64 write; else the
	 * sizes differ. */
	if (at + 8 + (uint64_t)(int64_t)fde.start != start || addr - start >= fde.size)
		return -ENOENT;
	*ret_start = start;
	*ret_end = start + fde.size;
	return 0;
}
