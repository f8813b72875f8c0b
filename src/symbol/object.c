/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "symbol/crates.h"
#include "symbol/debugdata.h"
#include "symbol/debuginfod.h"
#include "symbol/kinds.h"
#include "symbol/lines.h"
#include "symbol/plain.h"
#include "symbol/problems.h"
#include "symbol/source.h"
#include "symbol/symtab.h"
#include "target/demangle.h"
#include "target/elf_file.h"

#define BUILD_ID_PATH "/usr/lib/debug/.build-id/%.2s/%s.debug"
#define LINK_NAME_MAX 256

struct object {
	struct object_source from;
	struct elf_file *file, *debug; /* debug: a file of its own, or NULL */
	struct elf_file *inner; /* see debugdata.h; or NULL */
	char *fetched; /* crates, see crates_of_file */
	struct symtab symbols, inner_symbols;
	struct lines *lines;
	int64_t built; /* s since 1970 */
	char mangled[DEMANGLE_MAX], readable[DEMANGLE_MAX], path[PATH_MAX];
};

/* Takes it only if it belongs to the file: the same build id, where that has one. */
static bool try_debug_file(struct object *o, const char *path)
{
	char id[41], debug_id[41];
	struct elf_file *f = NULL;

	if (elf_file_open(path, &f, NULL))
		return false;
	elf_file_build_id(o->file, id);
	elf_file_build_id(f, debug_id);
	if (strcmp(id, debug_id)) {
		elf_file_close(f);
		return false;
	}
	o->debug = f;
	return true;
}

static bool by_build_id(struct object *o)
{
	char id[41], path[PATH_MAX];

	elf_file_build_id(o->file, id);
	if (strlen(id) < 3)
		return false;
	snprintf(path, sizeof(path), "%s" BUILD_ID_PATH, o->from.root, id, id + 2);
	if (try_debug_file(o, path))
		return true;
	snprintf(path, sizeof(path), BUILD_ID_PATH, id, id + 2);
	return o->from.root[0] && try_debug_file(o, path);
}

/* .gnu_debuglink: a file name, looked for where gdb does. */
static bool by_debug_link(struct object *o)
{
	static const char *const places[] = { "%s%s/%s", "%s%s/.debug/%s",
					      "%s/usr/lib/debug%s/%s" };
	const struct elf_section *s = elf_file_section(o->file, ".gnu_debuglink");
	char name[LINK_NAME_MAX], path[PATH_MAX];

	if (!s || !o->from.directory ||
	    elf_file_read_string(o->file, s->offset, s->offset + s->size, name, sizeof(name)) <=
		    0 ||
	    strchr(name, '/'))
		return false;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), places[i], o->from.root, o->from.directory, name);
		if (try_debug_file(o, path))
			return true;
	}
	return false;
}

static bool by_server(struct object *o)
{
	_cleanup_free_
	char *path = NULL;
	char id[41];

	if (is_libc_module(o->from.name))
		return false;
	elf_file_build_id(o->file, id);
	path = debuginfod_path(id, o->from.stop);
	return path && try_debug_file(o, path);
}

static void find_debug_file(struct object *o)
{
	if (o->from.debug_file && try_debug_file(o, o->from.debug_file))
		return;
	if (elf_file_section(o->file, ".debug_info"))
		return;
	if (!by_build_id(o) && !by_debug_link(o))
		by_server(o);
}

/* Symbols beside those of .dynsym. 0 or -ENOMEM. */
static int load_inner(struct object *o)
{
	int r;

	if (elf_file_section(o->file, ".symtab"))
		return 0;
	r = debugdata_open(o->file, &o->inner);
	if (r == -EBADMSG || r == -EFBIG)
		problems_tell(o->from.problems, "%s: .gnu_debugdata cannot be used: it is %s",
			      o->from.name, r == -EFBIG ? "too large" : "damaged");
	return r < 0 ? (r == -ENOMEM ? r : 0) : symtab_load(o->inner, &o->inner_symbols);
}

static void tell_lying(const struct object *o, const struct elf_file *f)
{
	if (f->lying.size)
		problems_tell(o->from.problems,
			      "%s: section %s at %#" PRIx64
			      " reaches beyond the file's end, and is not read",
			      o->from.name, f->lying.name, f->lying.offset);
}

int object_open(const struct object_source *from, struct object **ret)
{
	struct object *o = calloc(1, sizeof(*o));
	const struct elf_file *best;
	struct stat st;
	int r;

	if (!o)
		return -ENOMEM;
	o->from = *from;
	r = elf_file_open(from->open_path, &o->file, NULL);
	if (!r) {
		o->built = fstat(o->file->fd, &st) ? 0 : st.st_mtime;
		find_debug_file(o);
		o->fetched = crates_of_file(o->file);
		best = o->debug ? o->debug : o->file;
		tell_lying(o, best);
		r = symtab_load(best, &o->symbols);
		if (!r && !o->symbols.n && o->debug)
			r = symtab_load(o->file, &o->symbols);
		if (!r && !o->debug)
			r = load_inner(o);
		/* Of the C library the names say enough; its debuginfo would take 15 MB and 40 ms. */
		if (!r && !is_libc_module(o->from.name) &&
		    lines_open(&(struct lines_source){ best->fd, from->name, from->problems },
			       &o->lines) == -ENOMEM)
			r = -ENOMEM;
	}
	if (r < 0) {
		object_close(o);
		return r;
	}
	*ret = o;
	return 0;
}

struct object *object_close(struct object *o)
{
	if (!o)
		return NULL;
	lines_close(o->lines);
	symtab_clear(&o->symbols);
	symtab_clear(&o->inner_symbols);
	free(o->fetched);
	elf_file_close(o->inner);
	elf_file_close(o->debug);
	elf_file_close(o->file);
	free(o);
	return NULL;
}

/* Demangled if it is mangled. Kept in o until the next call. */
static const char *readable_name(struct object *o, const char *name, bool *ret_is_rust)
{
	bool is_mangled = name && name[0] == '_';

	*ret_is_rust = is_mangled && demangle(name, o->readable, sizeof(o->readable));
	if (*ret_is_rust || (is_mangled && demangle_cpp(name, o->readable, sizeof(o->readable))))
		return o->readable;
	return name;
}

/* Absolute where that can be known. Kept in o until the next call. */
static const char *full_path(struct object *o, const struct line_frame *from)
{
	if (!from->file || !from->directory)
		return from->file;
	snprintf(o->path, sizeof(o->path), "%s/%s", from->directory, from->file);
	return o->path;
}

/* The text of the frame's line: of the user's code first of all, and of what may be shown in its place. */
static const char *text_of(const struct object *o, const struct frame *f, struct strings *strings)
{
	struct source_file file = { .path = f->file, .built = o->built };
	char text[SOURCE_LINE_SIZE];

	if (f->kind != FRAME_USER && f->kind != FRAME_DEP)
		return NULL;
	if (source_read(&file, f->line, text))
		return strings_keep(strings, text);
	file.root = o->from.root;
	return file.root[0] && source_read(&file, f->line, text) ? strings_keep(strings, text)
								 : NULL;
}

static void fill(struct object *o, struct strings *strings, const struct line_frame *from,
		 struct frame *ret)
{
	bool is_rust;
	const char *name = readable_name(o, from->function, &is_rust), *file = full_path(o, from);

	*ret = (struct frame){
		.function = strings_keep(strings, name),
		.file = strings_keep(strings, file),
		.line = file ? from->line : 0,
		.nth = from->nth,
		.module = o->from.name,
		/* C++ has no crates: of "lib::f(int)" it is not known whose it is. */
		.kind = kind_of_frame(is_rust ? name : NULL, file, o->from.name,
				      &(struct crate_lists){ o->from.my_crates, o->fetched }),
	};
	ret->text = text_of(o, ret, strings);
}

/*
 * The name in the symbol table, for code that has no debuginfo: C and assembler beside Rust, or all. Without the version that
 * some tables append ("clock_nanosleep@GLIBC_2.2.5").
 */
static const char *symbol_at(struct object *o, uint64_t vaddr)
{
	if (symtab_name(&o->inner_symbols, vaddr, o->mangled, sizeof(o->mangled)) <= 0 &&
	    symtab_name(&o->symbols, vaddr, o->mangled, sizeof(o->mangled)) <= 0)
		return NULL;
	o->mangled[1 + strcspn(o->mangled + 1, "@")] = 0;
	return o->mangled;
}

/* Of a function that has a symbol. */
static void improve_outermost(struct object *o, struct line_frame *f, uint64_t vaddr)
{
	const char *symbol;
	bool is_rust;

	if (f->function && !f->is_plain)
		return;
	symbol = symbol_at(o, vaddr);
	if (!f->function || (symbol && readable_name(o, symbol, &is_rust) != symbol &&
			     plain_is_in(f->function, o->readable)))
		f->function = symbol;
}

static void improve_inlined(struct object *o, struct line_frame *f, const struct line_frame *caller)
{
	if (f->is_plain && f->function && caller->is_plain && caller->function &&
	    plain_from_caller(f->function, caller->function, o->mangled, sizeof(o->mangled)))
		f->function = o->mangled;
}

size_t object_find(struct object *o, uint64_t vaddr, struct strings *strings,
		   struct frame ret[OBJECT_FRAMES])
{
	struct line_frame lines[LINES_DEPTH];
	size_t n = o->lines ? lines_find(o->lines, vaddr, lines) : 0;

	if (!n) {
		lines[0] = (struct line_frame){ .function = symbol_at(o, vaddr) };
		n = lines[0].function != NULL;
	}
	for (size_t i = 0; i < n; i++) {
		bool is_inlined = i + 1 < n;

		if (is_inlined)
			improve_inlined(o, &lines[i], &lines[i + 1]);
		else
			improve_outermost(o, &lines[i], vaddr);
		fill(o, strings, &lines[i], &ret[i]);
		ret[i].is_inlined = is_inlined;
	}
	return n;
}

const char *object_generic_name(struct object *o, uint64_t vaddr)
{
	return o->lines ? lines_generic_name(o->lines, vaddr) : NULL;
}

bool object_body(struct object *o, uint64_t vaddr, const char *type, size_t len,
		 const char **ret_file, uint32_t *ret_line)
{
	struct line_frame place;

	if (!o->lines || !lines_body(o->lines, vaddr, type, len, &place))
		return false;
	*ret_file = full_path(o, &place);
	*ret_line = place.line;
	return true;
}
