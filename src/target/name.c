/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/name.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "target/error.h"

#define MAX_DEPTH 24
#define MAX_CLOSURES 8
/* Legacy symbols do not number their closures. */
#define NO_INDEX UINT_MAX
/* UTF-8 of U+2026 */
#define ELLIPSIS "\xe2\x80\xa6"

struct slice {
	const char *p, *end;
};

struct out {
	char text[4096];
	size_t n;
	bool closure; /* F is a blocking closure: what ends in {closure#n} is not async */
};

/* Around a future these say nothing about which it is. */
static const char *const wrappers[] = {
	"tokio::runtime::blocking::task::BlockingTask<",
	"core::pin::Pin<",
	"alloc::boxed::Box<",
	"tracing::instrument::Instrumented<",
	"tracing_futures::Instrumented<",
};

/* How v0 symbols, debuginfo and legacy symbols call what has no name of its own. */
static const char *const closures[] = {
	"{closure#",	   "{async_fn_env#",  "{async_block_env#",
	"{closure_env#",   "{async_fn#",      "{async_block#",
	"{coroutine_env#", "{generator_env#", "{async_closure_env#",
};

static void put(struct out *o, const char *text, size_t n)
{
	if (n > sizeof(o->text) - 1 - o->n)
		n = sizeof(o->text) - 1 - o->n;
	memcpy(o->text + o->n, text, n);
	o->n += n;
}

static void put_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

static bool starts(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return (size_t)(s.end - s.p) >= n && !memcmp(s.p, prefix, n);
}

static struct slice trim(struct slice s)
{
	while (s.p < s.end && *s.p == ' ')
		s.p++;
	while (s.p < s.end && s.end[-1] == ' ')
		s.end--;
	return s;
}

/* First place at bracket depth 0 where `stop` begins; s.end when there is none. "->" is no bracket.
 */
static const char *find_outside(struct slice s, const char *stop)
{
	int depth = 0;

	for (const char *p = s.p; p < s.end; p++) {
		if (!depth && starts((struct slice){ p, s.end }, stop))
			return p;
		if (strchr("<([{", *p))
			depth++;
		else if (strchr(")]}", *p) || (*p == '>' && (p == s.p || p[-1] != '-')))
			depth--;
		if (depth < 0)
			return p;
	}
	return s.end;
}

/* The bracket that closes the one at s.p. NULL when it does not. */
static const char *closing(struct slice s)
{
	const char *p = find_outside((struct slice){ s.p + 1, s.end }, "\n");

	return p < s.end ? p : NULL;
}

/* Takes the next part of a path: an identifier or "{…}" with its generics, or "<…>". */
static struct slice next_part(struct slice *path)
{
	const char *end = find_outside(*path, "::");
	struct slice part = { path->p, end };

	path->p = path->end - end > 2 ? end + 2 : path->end;
	return part;
}

static bool closure_index(struct slice part, unsigned int *ret)
{
	int n = 0;

	if (starts(part, "{{closure}}") && part.end - part.p == 11) {
		*ret = NO_INDEX;
		return true;
	}
	for (size_t i = 0; i < sizeof(closures) / sizeof(closures[0]); i++) {
		const char *number = part.p + strlen(closures[i]);

		if (starts(part, closures[i]) && sscanf(number, "%9u}%n", ret, &n) == 1 && n > 0)
			return number + n == part.end;
	}
	return false;
}

/* The closures a path ends in. The first one behind a function is the body of an async fn: it is the function. */
static void put_closures(struct out *o, const unsigned int *index, size_t n)
{
	bool is_known = true;

	for (size_t i = 0; i < n; i++)
		is_known &= index[i] != NO_INDEX;
	if (!n || (n == 1 && (!is_known || !index[0]) && !o->closure))
		return;
	put_text(o, o->closure ? "::{closure" : "::{async");
	for (size_t i = 0; i < n && is_known; i++) {
		char number[16];

		snprintf(number, sizeof(number), i ? ".%u" : "#%u", index[i]);
		put_text(o, number);
	}
	put_text(o, "}");
}

static void put_short(struct out *o, struct slice type, int depth);

/* The allocator of every Box: debuginfo tells it, symbols do not. */
static bool is_default(struct slice arg)
{
	return starts(arg, "alloc::alloc::Global") && arg.end - arg.p == 20;
}

/* Generic arguments by their short names; deeper ones are an ellipsis. */
static void put_generics(struct out *o, struct slice args, int depth)
{
	size_t mark = o->n;
	bool any = false;

	if (depth > 1) {
		put_text(o, "<" ELLIPSIS ">");
		return;
	}
	put_text(o, "<");
	while (args.p < args.end) {
		struct slice arg = { args.p, find_outside(args, ",") };

		args.p = arg.end < args.end ? arg.end + 1 : args.end;
		arg = trim(arg);
		if (arg.p == arg.end || *arg.p == '\'' || is_default(arg))
			continue;
		if (any)
			put_text(o, ", ");
		any = true;
		put_short(o, arg, depth + 1);
	}
	if (any)
		put_text(o, ">");
	else
		o->n = mark;
}

/* The identifier of a part, and the inside of the "<…>" behind it. */
static struct slice split_generics(struct slice part, struct slice *ret_args)
{
	const char *open = memchr(part.p, '<', (size_t)(part.end - part.p)), *close;

	*ret_args = (struct slice){ part.end, part.end };
	if (!open || open == part.p)
		return part;
	close = closing((struct slice){ open, part.end });
	*ret_args = (struct slice){ open + 1, close ? close : part.end };
	return (struct slice){ part.p, open };
}

/* An async fn's or block's own type; where the two are not told apart, perhaps that of a closure. */
static bool is_body(struct slice type)
{
	struct slice part = type, args;
	unsigned int index;

	while (type.p < type.end)
		part = next_part(&type);
	return closure_index(split_generics(part, &args), &index) && !starts(part, "{closure_env#");
}

static bool is_wrapper(struct slice *s, bool *ret_blocking)
{
	size_t i;

	for (i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]) && !starts(*s, wrappers[i]); i++)
		;
	if (i == sizeof(wrappers) / sizeof(wrappers[0]))
		return false;
	*ret_blocking |= i == 0;
	s->p += strlen(wrappers[i]);
	s->end = find_outside(*s, ",");
	return true;
}

static struct slice peel(struct slice s, bool *ret_blocking, int depth);

/* Any type around a single async body stands for that: "Timeout<f>" is f, "Select<f, g>" is neither. */
static bool only_body(struct slice *s, int depth)
{
	struct slice part = *s, rest = *s, args, found = { NULL, NULL };
	bool is_blocking = false;

	while (rest.p < rest.end)
		part = next_part(&rest);
	if (closure_index(split_generics(part, &args), &(unsigned int){ 0 }))
		return false;
	while (args.p < args.end) {
		struct slice arg = { args.p, find_outside(args, ",") };

		args.p = arg.end < args.end ? arg.end + 1 : args.end;
		arg = peel(arg, &is_blocking, depth + 1);
		if (!is_body(arg))
			continue;
		if (found.p)
			return false;
		found = arg;
	}
	if (found.p)
		*s = found;
	return found.p;
}

/* Takes off what says nothing about which future it is. */
static struct slice peel(struct slice s, bool *ret_blocking, int depth)
{
	while (depth++ < MAX_DEPTH) {
		s = trim(s);
		if (starts(s, "&mut ")) {
			s.p += 5;
			continue;
		}
		if (!is_wrapper(&s, ret_blocking) && !only_body(&s, depth))
			break;
	}
	return s;
}

static void put_path(struct out *o, struct slice path, bool whole, int depth);

/* "<T>" is T; "<T as Trait>" stays, the trait by its short name. */
static void put_qualified(struct out *o, struct slice part, int depth)
{
	struct slice inside = { part.p + 1, part.end }, type, trait;
	const char *close = closing(part), *as;

	inside.end = close ? close : part.end;
	as = find_outside(inside, " as ");
	type = (struct slice){ inside.p, as };
	if (as == inside.end) {
		put_path(o, trim(type), true, depth);
		return;
	}
	trait = (struct slice){ as + 4, inside.end };
	put_text(o, "<");
	put_path(o, trim(type), true, depth);
	put_text(o, " as ");
	put_short(o, trim(trait), depth + 1);
	put_text(o, ">");
}

/* One part of a path behind what has been written since `mark`. */
static void put_part(struct out *o, struct slice part, size_t mark, bool whole, int depth)
{
	struct slice args, name;

	if (part.p < part.end && *part.p == '<' && o->n > mark) {
		/* turbofish: generics of the part before */
		const char *close = closing(part);

		put_generics(o, (struct slice){ part.p + 1, close ? close : part.end }, depth);
		return;
	}
	if (part.p < part.end && *part.p == '<') {
		if (whole)
			put_qualified(o, part, depth + 1);
		return;
	}
	if (!whole)
		o->n = mark;
	else if (o->n > mark)
		put_text(o, "::");
	name = split_generics(part, &args);
	put(o, name.p, (size_t)(name.end - name.p));
	if (args.p < args.end)
		put_generics(o, args, depth);
}

static void put_path(struct out *o, struct slice path, bool whole, int depth)
{
	unsigned int found[MAX_CLOSURES];
	size_t n = 0, mark = o->n;

	if (depth > MAX_DEPTH) {
		put_text(o, ELLIPSIS);
		return;
	}
	while (path.p < path.end) {
		struct slice part = next_part(&path), args;
		unsigned int index;

		if (closure_index(split_generics(part, &args), &index)) {
			if (n < MAX_CLOSURES)
				found[n++] = index;
			if (args.p < args.end) /* debuginfo has the function's behind its body */
				put_generics(o, args, depth);
			continue;
		}
		n = 0;
		put_part(o, part, mark, whole, depth);
	}
	put_closures(o, found, n);
}

static void put_dyn(struct out *o, struct slice type, int depth)
{
	struct slice trait = { type.p + 4,
			       find_outside((struct slice){ type.p + 4, type.end }, "+") };
	struct out inner = { .n = 0 };

	if (starts(trait, "for<")) {
		const char *close = closing((struct slice){ trait.p + 3, trait.end });

		trait.p = close ? close + 1 : trait.end;
	}
	put_path(&inner, trim(trait), false, depth + 1);
	inner.text[inner.n] = '\0';
	put_text(o, "dyn ");
	/* dyn Future<Output = ()>: the output says little */
	put(o, inner.text, strcspn(inner.text, "<"));
}

/* "&T", "&mut T", "&'a T", "*const T", "*mut T". */
static void put_reference(struct out *o, struct slice type, int depth)
{
	bool pointer = *type.p == '*';

	put_text(o, "&");
	type.p++;
	if (pointer || (type.p < type.end && *type.p == '\'')) {
		type.p = find_outside(type, " ");
		type = trim(type);
	}
	if (!pointer && starts(type, "mut ")) {
		put_text(o, "mut ");
		type.p += 4;
	}
	put_short(o, trim(type), depth + 1);
}

/* What is not a path; true when it was written. */
static bool put_special(struct out *o, struct slice type, int depth)
{
	if (starts(type, "dyn ")) {
		put_dyn(o, type, depth);
	} else if (*type.p == '(') {
		put_text(o, type.end - type.p == 2 ? "()" : "(" ELLIPSIS ")");
	} else if (*type.p == '[') {
		put_text(o, "[" ELLIPSIS "]");
	} else if (*type.p == '&' || *type.p == '*') {
		put_reference(o, type, depth);
	} else if (starts(type, "fn(") || starts(type, "unsafe ") || starts(type, "extern ") ||
		   starts(type, "for<")) {
		put_text(o, "fn");
	} else {
		return false;
	}
	return true;
}

static void put_short(struct out *o, struct slice type, int depth)
{
	if (depth > MAX_DEPTH || type.p >= type.end)
		return;
	if (!put_special(o, type, depth))
		put_path(o, type, false, depth);
}

/* At most FUTURE_NAME_CHARS characters. */
static void finish(struct out *o, char ret[FUTURE_NAME_SIZE])
{
	size_t n = o->n;

	o->text[n] = '\0';
	if (n <= FUTURE_NAME_CHARS) {
		memcpy(ret, o->text, n + 1);
	} else {
		n = FUTURE_NAME_CHARS - 1;
		while (n && ((unsigned char)o->text[n] & 0xc0) == 0x80)
			n--;
		memcpy(ret, o->text, n);
		strcpy(ret + n, ELLIPSIS);
	}
	replace_controls(ret);
}

/* "(dyn A + B)": debuginfo puts it in brackets. */
static struct slice unwrap(struct slice type)
{
	if (starts(type, "(dyn ") && closing(type) == type.end - 1)
		return (struct slice){ type.p + 1, type.end - 1 };
	return type;
}

const char *future_type_body(const char *text, size_t len, size_t *ret_len)
{
	bool is_blocking = false;
	struct slice type = peel((struct slice){ text, text + len }, &is_blocking, 0);

	*ret_len = (size_t)(type.end - type.p);
	return is_body(type) ? type.p : NULL;
}

bool future_type_name(const char *text, size_t len, char ret[FUTURE_NAME_SIZE])
{
	struct slice type = { text, text + len };
	struct out o = { .n = 0 };

	type = unwrap(peel(type, &o.closure, 0));
	if (type.p >= type.end)
		return false;
	if (!put_special(&o, type, 0))
		put_path(&o, type, true, 0);
	if (!o.n)
		return false;
	finish(&o, ret);
	return true;
}

const char *future_type(const char *function, size_t *ret_len)
{
	/* The whole path in a symbol, the function alone in debuginfo. */
	static const char *const prefixes[] = {
		"tokio::runtime::task::raw::poll::<",
		"poll<",
		"poll_inner<",
		"poll_future<",
	};
	struct slice all = { function, function + strlen(function) };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct slice args = { all.p + strlen(prefixes[i]), all.end };
		const char *comma;

		if (!starts(all, prefixes[i]))
			continue;
		comma = find_outside(args, ",");
		if (comma == args.end || *comma != ',' || comma == args.p)
			return NULL;
		/* Others have functions of that name as well: the second is one of Tokio's schedulers. */
		if (i &&
		    !starts((struct slice){ comma + 1, all.end }, " alloc::sync::Arc<tokio::") &&
		    !starts((struct slice){ comma + 1, all.end }, " tokio::"))
			return NULL;
		*ret_len = (size_t)(comma - args.p);
		return args.p;
	}
	return NULL;
}

const char *future_type_dropped(const char *function, size_t *ret_len)
{
	static const char *const holders[] = { "Cell<", "Core<", "CoreStage<", "Stage<" };
	static const char module[] = "tokio::runtime::task::core::";
	struct slice all = { function, function + strlen(function) };
	const char *holder = strstr(function, module);

	if (!starts(all, "core::ptr::drop_in_place<") || !holder)
		return NULL;
	all.p = holder + strlen(module);
	for (size_t i = 0; i < sizeof(holders) / sizeof(holders[0]); i++) {
		struct slice type = { all.p + strlen(holders[i]), all.end };

		if (!starts(all, holders[i]))
			continue;
		type.end = find_outside(type, ",");
		*ret_len = (size_t)(type.end - type.p);
		return type.end > type.p && type.end < all.end ? type.p : NULL;
	}
	return NULL;
}

bool future_name(const char *symbol, char ret[FUTURE_NAME_SIZE])
{
	size_t len;
	const char *type = future_type(symbol, &len);

	return type && future_type_name(type, len, ret);
}
