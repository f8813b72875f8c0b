/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/demangle.h"

/* How far in front of a match the start of its name is looked for. */
#define NAME_BACK 16384
#define MAX_HITS 65536
/* Names looked at in all: a hostile table must not keep us busy. */
#define MAX_LOOKS (1u << 18)
#define MAX_TABLE (256ULL << 20)
#define MAX_TLS_NAMES 4096
#define SYMBOL_CHUNK 2048
/* Enough to see how Tokio's symbols are mangled. */
#define KIND_SAMPLE 256

static const char *const marker_names[MARKER_COUNT] = {
	"trace_blocking_start",
	"trace_blocking_end",
	"set_current_task_id",
};

/* A name that holds something looked for. */
struct name_hit {
	uint64_t offset; /* in the string table */
	bool poll; /* tokio::runtime::task::raw::poll, else a marker */
};

struct table_reader {
	const struct elf_file *file;
	const struct elf_section *symbols, *strings;
	const uint64_t *addrs;
	size_t n_addrs;
	struct name_hit *hits;
	size_t n_hits, room;
	bool poll; /* what the running search is for */
	int legacy, v0;
	unsigned int looks;
	bool plain[MARKER_COUNT]; /* the marker was found under its plain name */
	size_t tls_names;
	struct tokio_symbols *out;
	size_t out_room;
	char *name, *text; /* DEMANGLE_MAX each */
};

static void reader_clear(struct table_reader *t)
{
	free(t->hits);
	free(t->name);
	free(t->text);
}

void symbols_clear(struct tokio_symbols *s)
{
	for (size_t i = 0; i < s->n_names; i++)
		free(s->names[i].name);
	free(s->names);
	*s = (struct tokio_symbols){ .context = -1, .local = -1 };
}

static int by_offset(const void *a, const void *b)
{
	const struct name_hit *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_addr(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Start of the name a match lies in, or NULL when it is too far away. */
static const char *name_start(const struct elf_match *m)
{
	const char *nul = memrchr(m->text - m->before, '\0', m->before);

	if (nul)
		return nul + 1;
	return m->before == m->offset ? m->text - m->before : NULL;
}

static int note_hit(const struct elf_match *m, void *arg)
{
	struct table_reader *t = arg;
	const char *start = name_start(m);

	if (t->n_hits == MAX_HITS || ++t->looks > MAX_LOOKS)
		return 1;
	if (!start)
		return 0;
	if (t->n_hits == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		struct name_hit *hits = reallocarray(t->hits, room, sizeof(*hits));

		if (!hits)
			return -ENOMEM;
		t->hits = hits;
		t->room = room;
	}
	t->hits[t->n_hits++] = (struct name_hit){ m->offset - (uint64_t)(m->text - start),
						  t->poll };
	return 0;
}

static int note_kind(const struct elf_match *m, void *arg)
{
	struct table_reader *t = arg;
	const char *start = name_start(m);

	if (start && m->text - start >= 3 && !memcmp(start, "_ZN", 3))
		t->legacy++;
	else if (start && m->text - start >= 2 && !memcmp(start, "_R", 2))
		t->v0++;
	return t->legacy + t->v0 >= KIND_SAMPLE || ++t->looks > MAX_LOOKS;
}

static int search_strings(struct table_reader *t, const char *needle,
			  int (*hit)(const struct elf_match *m, void *arg))
{
	int r = elf_file_search(t->file, t->strings->offset, t->strings->size, needle, NAME_BACK,
				64, hit, t);

	return r > 0 ? 0 : r;
}

static int search_names(struct table_reader *t)
{
	int r;

	t->n_hits = 0;
	t->looks = 0;
	r = search_strings(t, "5tokio", note_kind);
	/* one search for both ends of the pair */
	if (!r)
		r = search_strings(t, "trace_blocking_", note_hit);
	if (!r)
		r = search_strings(t, marker_names[MARKER_SET_TASK_ID], note_hit);
	if (!r && !t->n_addrs && t->legacy + t->v0) {
		t->poll = true;
		r = search_strings(t, "5tokio7runtime4task3raw4poll", note_hit);
		t->poll = false;
	}
	if (t->n_hits)
		qsort(t->hits, t->n_hits, sizeof(*t->hits), by_offset);
	return r;
}

/* The whole name at an offset of the string table, in t->name. */
static bool read_name(struct table_reader *t, uint32_t offset)
{
	const struct elf_section *s = t->strings;

	return offset < s->size && ++t->looks <= MAX_LOOKS &&
	       elf_file_read_string(t->file, s->offset + offset, s->offset + s->size, t->name,
				    DEMANGLE_MAX) > 0;
}

static int add_name(struct table_reader *t, uint64_t addr)
{
	struct tokio_symbols *s = t->out;
	char *name;

	if (s->n_names == t->out_room) {
		size_t room = t->out_room ? t->out_room * 2 : 64;
		struct symbol_name *names = reallocarray(s->names, room, sizeof(*names));

		if (!names)
			return -ENOMEM;
		s->names = names;
		t->out_room = room;
	}
	name = strdup(t->name);
	if (!name)
		return -ENOMEM;
	s->names[s->n_names++] = (struct symbol_name){ addr, name };
	return 0;
}

static bool last_component_is(const char *path, const char *name)
{
	size_t n = strlen(path), len = strlen(name);

	return n > len + 2 && !strcmp(path + n - len, name) && !memcmp(path + n - len - 2, "::", 2);
}

/* A plain C name wins over a mangled one; among equals the first in the table. */
static void take_marker(struct table_reader *t, uint64_t addr)
{
	bool demangled = demangle(t->name, t->text, DEMANGLE_MAX);

	for (int i = 0; i < MARKER_COUNT; i++) {
		bool plain = !strcmp(t->name, marker_names[i]);

		/* Tokio has a set_current_task_id of its own, which is another thing. */
		if (!plain && !(demangled && last_component_is(t->text, marker_names[i]) &&
				strncmp(t->text, "tokio::", 7)))
			continue;
		if (!t->out->markers[i] || (plain && !t->plain[i])) {
			t->out->markers[i] = addr;
			t->plain[i] = plain;
		}
	}
}

/* Older compilers keep the "initialized" byte under a name of its own: the largest is the value. */
static void take_larger(const Elf64_Sym *sym, int64_t *value, uint64_t *size)
{
	if (*value >= 0 && sym->st_size <= *size)
		return;
	*value = (int64_t)sym->st_value;
	*size = sym->st_size;
}

static void take_tls(struct table_reader *t, const Elf64_Sym *sym)
{
	if (sym->st_value > INT64_MAX || t->tls_names++ >= MAX_TLS_NAMES ||
	    !read_name(t, sym->st_name) || !demangle(t->name, t->text, DEMANGLE_MAX))
		return;
	if (strstr(t->text, "tokio::runtime::context::CONTEXT"))
		take_larger(sym, &t->out->context, &t->out->context_size);
	else if (strstr(t->text, "tokio::task::local::CURRENT"))
		take_larger(sym, &t->out->local, &t->out->local_size);
}

static int take_function(struct table_reader *t, const Elf64_Sym *sym)
{
	struct name_hit key = { sym->st_name, false };
	const struct name_hit *hit = NULL;

	if (!sym->st_value || sym->st_shndx == SHN_UNDEF)
		return 0;
	if (t->n_addrs &&
	    bsearch(&sym->st_value, t->addrs, t->n_addrs, sizeof(*t->addrs), by_addr) &&
	    read_name(t, sym->st_name))
		return add_name(t, sym->st_value);
	if (t->n_hits)
		hit = bsearch(&key, t->hits, t->n_hits, sizeof(*t->hits), by_offset);
	if (!hit || !read_name(t, sym->st_name))
		return 0;
	if (!hit->poll) {
		take_marker(t, sym->st_value);
		return 0;
	}
	if (demangle(t->name, t->text, DEMANGLE_MAX) &&
	    (!strcmp(t->text, "tokio::runtime::task::raw::poll") ||
	     !strncmp(t->text, "tokio::runtime::task::raw::poll::<", 34)))
		return add_name(t, sym->st_value);
	return 0;
}

static int read_symbols(struct table_reader *t)
{
	_cleanup_free_
	Elf64_Sym *rows = malloc(SYMBOL_CHUNK * sizeof(*rows));
	uint64_t n = t->symbols->size / sizeof(*rows);

	if (!rows)
		return -ENOMEM;
	for (uint64_t i = 0; i < n;) {
		size_t chunk = n - i < SYMBOL_CHUNK ? (size_t)(n - i) : SYMBOL_CHUNK;
		int r = elf_file_read(t->file, t->symbols->offset + i * sizeof(*rows), rows,
				      chunk * sizeof(*rows));

		for (size_t k = 0; k < chunk && !r; k++) {
			if (ELF64_ST_TYPE(rows[k].st_info) == STT_FUNC)
				r = take_function(t, &rows[k]);
			else if (ELF64_ST_TYPE(rows[k].st_info) == STT_TLS &&
				 rows[k].st_shndx != SHN_UNDEF)
				take_tls(t, &rows[k]);
		}
		if (r < 0)
			return r;
		i += chunk;
	}
	return 0;
}

static bool usable(const struct elf_file *f, const struct elf_section *s)
{
	return s->size && s->size <= MAX_TABLE && s->link < f->n_sections &&
	       f->sections[s->link].type == SHT_STRTAB && f->sections[s->link].size <= MAX_TABLE;
}

static int by_name_rank(const void *a, const void *b)
{
	const struct symbol_name *x = a, *y = b;
	bool px = strstr(x->name, "3raw4poll"), py = strstr(y->name, "3raw4poll");

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (px != py)
		return px ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Merged functions have several names at one address: poll's own first, then whichever sorts first.
 */
static void one_name_an_address(struct tokio_symbols *s)
{
	size_t kept = 0;

	if (s->n_names)
		qsort(s->names, s->n_names, sizeof(*s->names), by_name_rank);
	for (size_t i = 0; i < s->n_names; i++) {
		if (kept && s->names[kept - 1].addr == s->names[i].addr)
			free(s->names[i].name);
		else
			s->names[kept++] = s->names[i];
	}
	s->n_names = kept;
}

static int read_table(struct table_reader *t, const struct elf_section *symbols)
{
	int r;

	if (!usable(t->file, symbols))
		return 0;
	t->symbols = symbols;
	t->strings = &t->file->sections[symbols->link];
	r = search_names(t);
	return r < 0 ? r : read_symbols(t);
}

int symbols_read(const struct elf_file *f, const uint64_t *addrs, size_t n_addrs,
		 struct tokio_symbols *ret)
{
	_cleanup_(symbols_clear) struct tokio_symbols out = { .context = -1, .local = -1 };
	_cleanup_(reader_clear) struct table_reader t = {
		.file = f, .addrs = addrs, .n_addrs = n_addrs, .out = &out
	};
	bool symtab = false, dynsym = false;
	int r = 0;

	t.name = malloc(DEMANGLE_MAX);
	t.text = malloc(DEMANGLE_MAX);
	if (!t.name || !t.text)
		return -ENOMEM;
	/* One table of each kind is what there is in an honest file. */
	for (size_t i = 0; i < f->n_sections && !r; i++) {
		const struct elf_section *s = &f->sections[i];

		if (s->type == SHT_SYMTAB && !symtab) {
			symtab = true;
			r = read_table(&t, s);
		} else if (s->type == SHT_DYNSYM && !dynsym) {
			dynsym = true;
			r = read_table(&t, s);
		}
	}
	if (r < 0)
		return r;
	one_name_an_address(&out);
	if (t.legacy + t.v0)
		out.kind = t.v0 > t.legacy ? SYMBOLS_V0 : SYMBOLS_LEGACY;
	*ret = out;
	out = (struct tokio_symbols){ .context = -1, .local = -1 };
	return 0;
}

const char *symbols_name(const struct tokio_symbols *s, uint64_t addr)
{
	size_t low = 0, high = s->n_names;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->names[mid].addr == addr)
			return s->names[mid].name;
		if (s->names[mid].addr < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}
