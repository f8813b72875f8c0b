/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Far above real programs (an 80 MB binary has 1–3 MB of such data); bounds what a hostile header
 * can make us read. */
#define MAX_DATA (256ULL << 20)
#define MAX_REGIONS 64 /* a linker makes five; each relocation looks through them */
#define MAX_RELOCATIONS (8u << 20) /* in 80 MB: 200,000 */
#define RELOCATION_CHUNK 2048
#define MAX_DYNAMIC 4096

struct dynamic {
	uint64_t rela, rela_size, symbols;
};

static void clear_ranges(struct image *img)
{
	for (size_t i = 0; i < img->n_data; i++)
		free(img->data[i].words);
	free(img->data);
	free(img->code);
	img->data = NULL;
	img->code = NULL;
	img->n_data = img->n_code = 0;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static void add_code(struct image *img, uint64_t start, uint64_t size)
{
	if (size)
		img->code[img->n_code++] = (struct address_range){ start, start + size };
}

static int by_start(const void *a, const void *b)
{
	const struct address_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorted and without overlaps, for the binary search in image_is_code. */
static void merge_code(struct image *img)
{
	size_t n = 0;

	if (img->n_code)
		qsort(img->code, img->n_code, sizeof(*img->code), by_start);
	for (size_t i = 0; i < img->n_code; i++) {
		if (n && img->code[i].start <= img->code[n - 1].end) {
			if (img->code[i].end > img->code[n - 1].end)
				img->code[n - 1].end = img->code[i].end;
		} else {
			img->code[n++] = img->code[i];
		}
	}
	img->n_code = n;
}

static int load_data(struct image *img, uint64_t addr, uint64_t offset, uint64_t size,
		     uint64_t *budget, bool got)
{
	uint64_t skip = -addr & 7;
	struct image_data *d = &img->data[img->n_data];
	int r;

	if (size < skip + 8 || img->n_data == MAX_REGIONS)
		return 0;
	size = (size - skip) & ~7ULL;
	if (size > *budget || offset > img->file->size || offset + skip + size > img->file->size)
		return 0;
	/* Nothing is relocated in a file at a fixed address, and its .rodata may be large. */
	if (!img->file->fixed) {
		d->words = malloc(size);
		if (!d->words)
			return -ENOMEM;
		r = elf_file_read(img->file, offset + skip, d->words, size);
		if (r < 0) {
			free(d->words);
			return r;
		}
	}
	*budget -= size;
	d->addr = addr + skip;
	d->offset = offset + skip;
	d->n_words = size / 8;
	d->got = got;
	img->n_data++;
	return 0;
}

/* Sections: code is what is marked so, constants with pointers have a well-known name. */
static int load_sections(struct image *img)
{
	const struct elf_file *f = img->file;
	uint64_t budget = MAX_DATA;

	img->code = calloc(f->n_sections, sizeof(*img->code));
	img->data = calloc(f->n_sections, sizeof(*img->data));
	if (!img->code || !img->data)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_sections; i++) {
		const struct elf_section *s = &f->sections[i];
		bool got = has_prefix(s->name, ".got");
		int r;

		if (s->type != SHT_PROGBITS || !(s->flags & SHF_ALLOC))
			continue;
		if (s->flags & SHF_EXECINSTR) {
			add_code(img, s->addr, s->size);
		} else if (got || has_prefix(s->name, ".data.rel.ro") ||
			   (f->fixed && has_prefix(s->name, ".rodata"))) {
			r = load_data(img, s->addr, s->offset, s->size, &budget, got);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Section headers cut off (sstrip): all that is not executable may be data, all that is may be
 * code. */
static int load_segments(struct image *img)
{
	const struct elf_file *f = img->file;
	uint64_t budget = MAX_DATA;

	clear_ranges(img);
	img->by_segment = true;
	img->code = calloc(f->n_segments, sizeof(*img->code));
	img->data = calloc(f->n_segments, sizeof(*img->data));
	if (!img->code || !img->data)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_segments; i++) {
		const struct elf_segment *s = &f->segments[i];
		int r;

		if (s->type != PT_LOAD)
			continue;
		if (s->flags & PF_X)
			add_code(img, s->vaddr, s->filesz);
		if (!(s->flags & PF_X) || f->fixed) {
			r = load_data(img, s->vaddr, s->offset, s->filesz, &budget, false);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static const struct image_data *find_data(const struct image *img, uint64_t addr)
{
	for (size_t i = 0; i < img->n_data; i++) {
		const struct image_data *d = &img->data[i];

		if (addr >= d->addr && (addr - d->addr) / 8 < d->n_words && !((addr - d->addr) & 7))
			return d;
	}
	return NULL;
}

static int read_dynamic(const struct elf_file *f, struct dynamic *ret)
{
	const struct elf_segment *s = elf_file_segment(f, PT_DYNAMIC);
	struct dynamic d = { 0 };

	for (uint64_t i = 0; s && i < MAX_DYNAMIC && (i + 1) * sizeof(Elf64_Dyn) <= s->filesz;
	     i++) {
		Elf64_Dyn dyn;
		int r = elf_file_read(f, s->offset + i * sizeof(dyn), &dyn, sizeof(dyn));

		if (r < 0)
			return r;
		if (dyn.d_tag == DT_NULL)
			break;
		if (dyn.d_tag == DT_RELA)
			d.rela = dyn.d_un.d_ptr;
		else if (dyn.d_tag == DT_RELASZ)
			d.rela_size = dyn.d_un.d_val;
		else if (dyn.d_tag == DT_SYMTAB)
			d.symbols = dyn.d_un.d_ptr;
	}
	*ret = d;
	return 0;
}

/* R_X86_64_64 against a symbol this file defines itself: so do Rust dylibs, which export their
 * generics. */
static bool symbol_value(const struct elf_file *f, uint64_t symbols, uint64_t index, uint64_t *ret)
{
	Elf64_Sym sym;

	if (!symbols || elf_file_read_at(f, symbols + index * sizeof(sym), &sym, sizeof(sym)) < 0 ||
	    sym.st_shndx == SHN_UNDEF)
		return false;
	*ret = sym.st_value;
	return true;
}

static void relocate(const struct image *img, uint64_t symbols, const Elf64_Rela *r)
{
	const struct image_data *d = find_data(img, r->r_offset);
	uint64_t *word, value;

	if (!d || !d->words)
		return;
	word = &d->words[(r->r_offset - d->addr) / 8];
	if (ELF64_R_TYPE(r->r_info) == R_X86_64_RELATIVE)
		*word = (uint64_t)r->r_addend;
	else if ((ELF64_R_TYPE(r->r_info) == R_X86_64_64 ||
		  ELF64_R_TYPE(r->r_info) == R_X86_64_GLOB_DAT) &&
		 symbol_value(img->file, symbols, ELF64_R_SYM(r->r_info), &value))
		*word = value + (uint64_t)r->r_addend;
}

/* DT_RELR needs nothing: its addends are in place already. */
static int apply_relocations(struct image *img)
{
	_cleanup_free_
	Elf64_Rela *rows = NULL;
	struct dynamic d;
	uint64_t n, offset;
	int r;

	r = read_dynamic(img->file, &d);
	if (r < 0 || !d.rela || elf_file_offset(img->file, d.rela, &offset) < 0)
		return r;
	n = d.rela_size / sizeof(*rows);
	if (n > MAX_RELOCATIONS)
		return -ENOEXEC;
	rows = malloc(RELOCATION_CHUNK * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (uint64_t i = 0; i < n;) {
		size_t chunk = n - i < RELOCATION_CHUNK ? (size_t)(n - i) : RELOCATION_CHUNK;

		r = elf_file_read(img->file, offset + i * sizeof(*rows), rows,
				  chunk * sizeof(*rows));
		if (r < 0)
			return r;
		for (size_t k = 0; k < chunk; k++)
			relocate(img, d.symbols, &rows[k]);
		i += chunk;
	}
	return 0;
}

int image_load(const struct elf_file *file, struct image *ret)
{
	_cleanup_(image_clear) struct image img = { .file = file };
	int r = 0;

	if (file->n_sections)
		r = load_sections(&img);
	if (!r && !img.n_code)
		r = load_segments(&img);
	if (!r && !file->fixed)
		r = apply_relocations(&img);
	if (r < 0)
		return r;
	merge_code(&img);
	*ret = img;
	img = (struct image){ 0 };
	return 0;
}

void image_clear(struct image *img)
{
	clear_ranges(img);
	*img = (struct image){ 0 };
}

bool image_is_code(const struct image *img, uint64_t addr)
{
	size_t low = 0, high = img->n_code;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (addr < img->code[mid].start)
			high = mid;
		else if (addr >= img->code[mid].end)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

int image_words(const struct image *img, const struct image_data *d, size_t first, size_t n,
		uint64_t *ret)
{
	if (first > d->n_words || n > d->n_words - first)
		return -ERANGE;
	if (!d->words)
		return elf_file_read(img->file, d->offset + 8 * (uint64_t)first, ret, 8 * n);
	memcpy(ret, d->words + first, 8 * n);
	return 0;
}

bool image_word(const struct image *img, uint64_t addr, uint64_t *ret)
{
	const struct image_data *d = find_data(img, addr);

	return d && image_words(img, d, (addr - d->addr) / 8, 1, ret) == 0;
}
