/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/path.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NESTING_MAX 16 /* of types in types: names are hostile */

struct slice {
	const char *p, *end;
};

struct out {
	char *text;
	size_t n;
	bool is_cut;
};

static void put(struct out *o, const char *text, size_t n)
{
	if (n > PATH_TEXT_SIZE - 1 - o->n) {
		n = PATH_TEXT_SIZE - 1 - o->n;
		o->is_cut = true;
	}
	memcpy(o->text + o->n, text, n);
	o->n += n;
	o->text[o->n] = 0;
}

static void put_slice(struct out *o, struct slice s)
{
	put(o, s.p, s.end - s.p);
}

static bool starts(struct slice s, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(s.end - s.p) >= n && !memcmp(s.p, with, n);
}

static bool is_opening(char c)
{
	return c == '<' || c == '(' || c == '[' || c == '{';
}

/* The arrow of a function type closes nothing. */
static bool is_closing(const char *c, const char *begin)
{
	return *c == ')' || *c == ']' || *c == '}' || (*c == '>' && (c == begin || c[-1] != '-'));
}

/* The first place outside of brackets where `stop` begins; s.end when there is none. */
static const char *find_outside(struct slice s, const char *stop)
{
	int depth = 0;

	for (const char *c = s.p; c < s.end; c++) {
		if (!depth && starts((struct slice){ c, s.end }, stop))
			return c;
		if (is_opening(*c))
			depth++;
		else if (is_closing(c, s.p) && depth)
			depth--;
	}
	return s.end;
}

/* The part that the path begins with, and the path without it. */
static struct slice take_part(struct slice *path)
{
	const char *end = find_outside(*path, "::");
	struct slice part = { path->p, end };

	path->p = path->end - end >= 2 ? end + 2 : path->end;
	return part;
}

static struct slice inside(struct slice part)
{
	return (struct slice){ part.p + 1, part.end - 1 };
}

static bool is_bracketed(struct slice s)
{
	return s.end - s.p >= 2 && *s.p == '<' && s.end[-1] == '>';
}

static void put_path(struct out *o, struct slice path, int nesting);

/* References, pointers and "dyn" say nothing about where code lies. */
static struct slice plain_type(struct slice type)
{
	static const char *const before[] = {
		"&", "mut ", "*const ", "*mut ", "dyn ", "impl ", " "
	};
	bool is_changed = true;

	while (is_changed) {
		is_changed = false;
		for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
			if (!starts(type, before[i]))
				continue;
			type.p += strlen(before[i]);
			is_changed = true;
		}
		if (type.p < type.end && *type.p == '\'') { /* a lifetime */
			while (type.p < type.end && *type.p != ' ')
				type.p++;
			is_changed = true;
		}
	}
	return type;
}

static void put_type(struct out *o, struct slice type, int nesting)
{
	type = plain_type(type);
	if (type.p < type.end && (*type.p == '[' || *type.p == '('))
		put_slice(o, type);
	else
		put_path(o, type, nesting + 1);
}

/* "T as Trait", "impl Trait for T", "impl T" or "T". */
static void put_impl(struct out *o, struct slice s, int nesting)
{
	bool is_impl = starts(s, "impl ");
	const char *as;
	struct slice type, trait = { s.end, s.end };

	if (is_impl)
		s.p += strlen("impl ");
	as = find_outside(s, is_impl ? " for " : " as ");
	type = (struct slice){ s.p, as };
	if (as < s.end) {
		trait = (struct slice){ as + strlen(is_impl ? " for " : " as "), s.end };
		if (is_impl) {
			struct slice swap = type;

			type = trait;
			trait = swap;
		}
	}
	if (trait.p == trait.end) {
		put_type(o, type, nesting);
		return;
	}
	put(o, "<", 1);
	put_type(o, type, nesting);
	put(o, " as ", 4);
	put_path(o, trait, nesting + 1);
	put(o, ">", 1);
}

/* "{{closure}}", "{closure#0}" and "{async_block#0}<T>" are one; those that follow the first keep their number. */
static void put_braces(struct out *o, struct slice part)
{
	static const char *const bodies[] = { "async_", "closure", "coroutine", "generator",
					      "gen_" };
	const char *close = memchr(part.p, '}', part.end - part.p), *number;
	struct slice name = { part.p, close ? close : part.end };

	while (name.p < name.end && *name.p == '{')
		name.p++;
	number = memchr(name.p, '#', name.end - name.p);
	if (number && name.end - number == 2 && number[1] == '0')
		name.end = number;
	put(o, "{", 1);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		if (!starts(name, bodies[i]))
			continue;
		put(o, "closure", 7);
		name.p = number && name.end > number ? number : name.end;
		break;
	}
	put_slice(o, name);
	put(o, "}", 1);
}

static void put_part(struct out *o, struct slice part)
{
	if (*part.p == '{')
		put_braces(o, part);
	else
		put_slice(o, (struct slice){ part.p, find_outside(part, "<") });
}

static void put_path(struct out *o, struct slice path, int nesting)
{
	size_t begin = o->n;

	if (nesting > NESTING_MAX)
		return;
	while (path.p < path.end) {
		struct slice part = take_part(&path);
		bool is_impl = is_bracketed(part) && starts(inside(part), "impl ");

		if (part.p == part.end || (is_bracketed(part) && o->n > begin && !is_impl))
			continue; /* generic arguments */
		if (is_impl) {
			o->n = begin; /* where the impl was written is not in v0 names */
			o->text[begin] = 0;
		} else if (o->n > begin) {
			put(o, "::", 2);
		}
		if (is_bracketed(part))
			put_impl(o, inside(part), nesting);
		else
			put_part(o, part);
	}
}

bool path_of_name(const char *name, char ret[PATH_TEXT_SIZE])
{
	struct out o = { .text = ret };

	ret[0] = 0;
	put_path(&o, (struct slice){ name, name + strlen(name) }, 0);
	return !o.is_cut;
}

static bool is_inner(struct slice part)
{
	static const char *const names[] = { "inner", "imp" };

	if (part.p < part.end && *part.p == '{')
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if ((size_t)(part.end - part.p) == strlen(names[i]) && starts(part, names[i]))
			return true;
	}
	return false;
}

void path_last(const char *path, char *ret, size_t size)
{
	struct slice rest = { path, path + strlen(path) }, last = { path, path };

	while (rest.p < rest.end) {
		struct slice part = take_part(&rest);

		if (!is_inner(part))
			last = part;
	}
	snprintf(ret, size, "%.*s", (int)(last.end - last.p), last.p);
}

void path_leave_out_trait(char *path)
{
	char *as = strstr(path, " as "), *after = as ? strstr(as, ">::") : NULL;

	if (*path != '<' || !after)
		return;
	memmove(as, after + 1, strlen(after + 1) + 1);
	memmove(path, path + 1, strlen(path + 1) + 1);
}

bool path_is_closure(const char *path)
{
	const char *last = strrchr(path, '{');

	return last && !strncmp(last, "{closure", 8) && path[strlen(path) - 1] == '}';
}
