/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/kinds.h"

#include <ctype.h>
#include <string.h>

#define CRATE_MAX 64

struct name_kind {
	const char *name;
	enum frame_kind kind;
};

/* Crates that run tasks, and those that come with the compiler. */
static const struct name_kind crates[] = {
	{ "tokio", FRAME_RUNTIME },
	{ "mio", FRAME_RUNTIME },
	{ "std", FRAME_STD },
	{ "core", FRAME_STD },
	{ "alloc", FRAME_STD },
	{ "proc_macro", FRAME_STD },
	{ "panic_unwind", FRAME_STD },
	{ "panic_abort", FRAME_STD },
	{ "compiler_builtins", FRAME_STD },
	{ "std_detect", FRAME_STD },
	{ "__rustc", FRAME_STD }, /* what compiled code calls by itself, for memory and panics */
	{ "hashbrown", FRAME_DEP },
	{ "addr2line", FRAME_DEP },
	{ "gimli", FRAME_DEP },
	{ "miniz_oxide", FRAME_DEP },
	{ "rustc_demangle", FRAME_DEP },
};

/* How the file names of the C library and its parts begin. */
static const char *const libc_names[] = { "libc.so",	  "libc-",	"libc.musl", "ld-linux",
					  "ld-musl",	  "libpthread", "libm.so",   "libm-",
					  "libdl.so",	  "librt.so",	"[vdso]",    "libgcc_s.so",
					  "libresolv.so", "libnss_" };

/* The compiler's own sources: as distributed, or where the user has installed them; and C++'s library, most of which is headers. */
static const char *const std_paths[] = { "/rustc/", "/lib/rustlib/src/rust/library/",
					 "/include/c++/" };

/* Where cargo keeps what it has fetched; distributions have their own place. */
static const char *const dep_paths[] = { "/registry/src/", "/git/checkouts/", "/vendor/",
					 "/share/cargo/registry/" };

static bool starts_with(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Copies the identifier that text begins with, if another path segment follows it. */
static bool take_crate(const char *text, char ret[CRATE_MAX])
{
	size_t n = 0;

	while (n < CRATE_MAX - 1 && is_word(text[n]))
		n++;
	if (!n || strncmp(text + n, "::", 2))
		return false;
	memcpy(ret, text, n);
	ret[n] = 0;
	return true;
}

/* After "<T as ", at the same depth of brackets; NULL when there is no such thing. */
static const char *find_trait(const char *type)
{
	int depth = 0;

	for (const char *c = type; *c; c++) {
		if (*c == '<' || *c == '(' || *c == '[')
			depth++;
		else if ((*c == '>' && (c == type || c[-1] != '-')) || *c == ')' || *c == ']')
			depth--;
		if (depth < 0)
			return NULL;
		if (!depth && starts_with(c, " as "))
			return c + 4;
	}
	return NULL;
}

/* The crate that a function was written in: app for app::f, <app::T>::f, <app::T as std::Trait>::f and <&mut Vec<u8> as
 * app::Trait>::f. False for names that are no Rust paths. */
static bool crate_of(const char *function, char ret[CRATE_MAX])
{
	const char *type = function, *trait;

	if (take_crate(function, ret))
		return true;
	while (*type == '<')
		type++;
	if (type == function)
		return false;
	trait = find_trait(type);
	while (*type && !is_word(*type))
		type++;
	if (starts_with(type, "mut ") || starts_with(type, "dyn "))
		type += 4;
	if (take_crate(type, ret)) {
		bool is_of_std = !strcmp(ret, "core") || !strcmp(ret, "alloc") ||
				 !strcmp(ret, "std");

		if (!is_of_std || !trait)
			return true;
	}
	return trait && take_crate(trait, ret);
}

/* The crate of a source file that cargo has fetched, "…/src/index/name-1.2.3/src/…": its name with underscores. */
static bool crate_of_path(const char *path, char ret[CRATE_MAX])
{
	const char *end = strstr(path, "/src/"), *next, *begin, *dash;
	size_t n;

	while (end && (next = strstr(end + 1, "/src/")))
		end = next;
	if (!end)
		return false;
	for (begin = end; begin > path && begin[-1] != '/'; begin--)
		continue;
	for (dash = end; dash > begin && !(*dash == '-' && isdigit((unsigned char)dash[1])); dash--)
		continue;
	n = (dash > begin ? dash : end) - begin;
	if (!n || n >= CRATE_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		ret[i] = begin[i] == '-' ? '_' : begin[i];
	ret[n] = 0;
	return true;
}

static bool is_listed(const char *crate, const char *list)
{
	size_t n = strlen(crate);

	for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		if (!strncmp(at, crate, n) && (at[n] == ',' || !at[n]))
			return true;
	}
	return false;
}

static enum frame_kind kind_of_crate(const char *crate, enum frame_kind otherwise)
{
	for (size_t i = 0; i < sizeof(crates) / sizeof(*crates); i++) {
		if (!strcmp(crate, crates[i].name))
			return crates[i].kind;
	}
	return otherwise;
}

static enum frame_kind kind_of_path(const char *file, const char *mine)
{
	char crate[CRATE_MAX];
	bool has_crate = crate_of_path(file, crate);

	if (has_crate && is_listed(crate, mine))
		return FRAME_USER;
	for (size_t i = 0; i < sizeof(std_paths) / sizeof(*std_paths); i++) {
		if (strstr(file, std_paths[i]))
			return FRAME_STD;
	}
	for (size_t i = 0; i < sizeof(dep_paths) / sizeof(*dep_paths); i++) {
		if (strstr(file, dep_paths[i]))
			return has_crate ? kind_of_crate(crate, FRAME_DEP) : FRAME_DEP;
	}
	/* A relative or absolute path of the user's own. One of the compiler's, remapped, begins with "library/". */
	return starts_with(file, "library/") ? FRAME_STD : FRAME_USER;
}

bool is_libc_module(const char *module)
{
	for (size_t i = 0; i < sizeof(libc_names) / sizeof(*libc_names); i++) {
		if (starts_with(module, libc_names[i]))
			return true;
	}
	return false;
}

enum frame_kind kind_of_frame(const char *function, const char *file, const char *module,
			      const struct crate_lists *lists)
{
	char crate[CRATE_MAX];

	if (module && is_libc_module(module))
		return FRAME_LIBC;
	if (file)
		return kind_of_path(file, lists->mine);
	if (!function || !crate_of(function, crate))
		return FRAME_UNKNOWN;
	if (is_listed(crate, lists->mine))
		return FRAME_USER;
	return kind_of_crate(crate, is_listed(crate, lists->fetched) ? FRAME_DEP : FRAME_USER);
}
