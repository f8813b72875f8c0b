/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/version.h"

#include <ctype.h>
#include <elf.h>
#include <string.h>

#include "base/cleanup.h"

#define NEEDLE "tokio-1."
#define MAX_VERSION 15
/* How much of a file's constants is searched at most, in all. */
#define MAX_SEARCH (512ULL << 20)
#define MAX_COMMENT 65536

struct version_search {
	uint64_t left; /* of MAX_SEARCH */
	char best[16]; /* behind a '/' */
	char other[16]; /* behind something else: remapped paths may begin with the crate's name */
};

/* "1.47.1" out of "tokio-1.47.1/src". */
static bool parse_version(const struct elf_match *m, char ret[16])
{
	const char *p = m->text + strlen("tokio-"), *end = m->text + m->after;
	size_t n = 0;
	int dots = 0;

	while (p + n < end && n < MAX_VERSION && (isdigit((unsigned char)p[n]) || p[n] == '.'))
		dots += p[n++] == '.';
	if (dots != 2 || p[n - 1] == '.' || p + n + 4 > end || memcmp(p + n, "/src", 4))
		return false;
	memcpy(ret, p, n);
	ret[n] = '\0';
	return true;
}

static int take_version(const struct elf_match *m, void *arg)
{
	struct version_search *s = arg;
	char version[16], front;

	if (!parse_version(m, version))
		return 0;
	front = m->before ? m->text[-1] : '/';
	if (front == '/') {
		memcpy(s->best, version, sizeof(version));
		return 1;
	}
	if (front != '-' && front != '_')
		memcpy(s->other, version, sizeof(version));
	return 0;
}

static int search(const struct elf_file *f, uint64_t offset, uint64_t size,
		  struct version_search *s)
{
	if (offset > f->size)
		return 0;
	if (size > f->size - offset)
		size = f->size - offset;
	if (size > s->left)
		size = s->left;
	s->left -= size;
	return elf_file_search(f, offset, size, NEEDLE, 1, 64, take_version, s);
}

static int search_rodata(const struct elf_file *f, struct version_search *s, bool *ret_any)
{
	for (size_t i = 0; i < f->n_sections; i++) {
		const struct elf_section *sec = &f->sections[i];
		int r;

		if (sec->type != SHT_PROGBITS || !(sec->flags & SHF_ALLOC) ||
		    strncmp(sec->name, ".rodata", 7))
			continue;
		*ret_any = true;
		r = search(f, sec->offset, sec->size, s);
		if (r)
			return r;
	}
	return 0;
}

static int search_segments(const struct elf_file *f, struct version_search *s)
{
	for (size_t i = 0; i < f->n_segments; i++) {
		const struct elf_segment *seg = &f->segments[i];
		int r;

		if (seg->type != PT_LOAD)
			continue;
		r = search(f, seg->offset, seg->filesz, s);
		if (r)
			return r;
	}
	return 0;
}

int version_tokio(const struct elf_file *f, char ret[16])
{
	struct version_search s = { .left = MAX_SEARCH };
	bool any = false;
	int r;

	r = search_rodata(f, &s, &any);
	if (!r && !any)
		r = search_segments(f, &s);
	if (r < 0)
		return r;
	memcpy(ret, s.best[0] ? s.best : s.other, sizeof(s.best));
	return 0;
}

void version_rustc(const struct elf_file *f, char ret[32])
{
	static const char mark[] = "rustc version ";
	const struct elf_section *s = elf_file_section(f, ".comment");
	_cleanup_free_
	char *text = NULL;
	const char *p;
	size_t n = 0;

	ret[0] = '\0';
	if (!s || s->type != SHT_PROGBITS || !s->size || s->size > MAX_COMMENT ||
	    !(text = malloc(s->size + 1)) || elf_file_read(f, s->offset, text, s->size) < 0)
		return;
	text[s->size] = '\0';
	p = memmem(text, s->size, mark, sizeof(mark) - 1);
	if (!p)
		return;
	p += sizeof(mark) - 1;
	while (n < 31 && (isalnum((unsigned char)p[n]) || p[n] == '.' || p[n] == '-')) {
		ret[n] = p[n];
		n++;
	}
	ret[n] = '\0';
}
