/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/futures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/location.h"
#include "target/target.h"

#define TYPE_MAX 1024
#define STRINGS_MAX (4u << 20)
#define ELLIPSIS "\xe2\x80\xa6"
#define FRAMES_MAX 256 /* of a chain of calls */
/* No async task: where its name is met, the code is another type's as well. */
#define BLOCKING_TASK "tokio::runtime::blocking::task::BlockingTask<"
#define POLL_OF_FUTURE " as core::future::future::Future>::poll"

static bool starts_with(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* The body of an async fn or block, or a plain closure: symbols do not tell them apart. */
static bool is_closure(const char *function)
{
	const char *last = strrchr(function, ':');

	return last && (!strcmp(last, ":{{closure}}") || starts_with(last, ":{closure#"));
}

/* T of <T as Future>::poll. */
static bool future_self(const char *function, const char **ret, size_t *ret_len)
{
	size_t n = strlen(function), tail = strlen(POLL_OF_FUTURE);

	if (function[0] != '<' || n <= tail + 1 || strcmp(function + n - tail, POLL_OF_FUTURE))
		return false;
	*ret = function + 1;
	*ret_len = n - tail - 1;
	return true;
}

/* Polls what is inside it, and says nothing of whose it is. */
static bool is_transparent(const struct frame *f)
{
	return f->kind == FRAME_RUNTIME || f->kind == FRAME_STD ||
	       starts_with(f->function, "<tracing::instrument::Instrumented<") ||
	       starts_with(f->function, "<tracing_futures::Instrumented<");
}

/* Written for any one future, like "Retry<F>": a wrapper. Of "Select<A, B>" neither is the task. */
static bool is_wrapper(const char *function)
{
	const char *self, *open;
	size_t n;

	if (!future_self(function, &self, &n))
		return false;
	open = memchr(self, '<', n);
	return open && !memchr(open, ',', n - (size_t)(open - self));
}

/* Of a chain of calls that begins with Tokio's poll (at its end): the one that is the future's. NULL: it does not show. */
static const struct frame *own_frame(const struct frame *frames, size_t n)
{
	while (n--) {
		const struct frame *f = &frames[n];

		if (!f->function)
			break;
		if (is_transparent(f) || is_wrapper(f->function))
			continue;
		return is_closure(f->function) || strstr(f->function, POLL_OF_FUTURE) ? f : NULL;
	}
	return NULL;
}

/* "Select<A,B>" by the names of its parameters: legacy symbols have those of the impl, which say nothing. */
static size_t without_parameters(const char *type, size_t n)
{
	const char *open = memchr(type, '<', n);

	if (!open || open == type || memmem(open, n - (size_t)(open - type), "::", 2))
		return n;
	return (size_t)(open - type);
}

static bool name_of_function(const char *function, char ret[FUTURE_NAME_SIZE])
{
	const char *self;
	size_t n;

	if (future_self(function, &self, &n))
		return future_type_name(self, without_parameters(self, n), ret);
	return future_type_name(function, strlen(function), ret);
}

/* The frames of a chain of calls found in the code, innermost first. */
static size_t chain_frames(struct object *o, struct strings *strings,
			   const struct future_place *place, struct frame ret[FRAMES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < place->n_code && n + OBJECT_FRAMES <= FRAMES_MAX; i++)
		n += object_find(o, place->code[i], strings, ret + n);
	return n;
}

/* Several bodies in one function are inlined into each other: the one in which the others are is the future's. */
static size_t outermost_body(struct object *o, struct strings *strings,
			     const struct future_place *places, size_t n)
{
	struct frame frames[OBJECT_FRAMES];
	size_t best = 0, least = SIZE_MAX;

	for (size_t i = 0; i < n && o; i++) {
		size_t depth = object_find(o, places[i].code[0], strings, frames);

		if (depth && frames[0].file && depth < least) {
			least = depth;
			best = i;
		}
	}
	return best;
}

/* Methods lie in "{impl#0}" in debuginfo, which says nothing. */
static bool is_readable(const struct future *f)
{
	return !strstr(f->name, "{impl#");
}

/* Types of services are made of hundreds of others: after so much nobody reads on. */
static char *keep_type(const char *type, size_t len)
{
	char *kept;

	if (len <= TYPE_MAX)
		return strndup(type, len);
	for (len = TYPE_MAX; len && ((unsigned char)type[len] & 0xc0) == 0x80; len--)
		;
	return asprintf(&kept, "%.*s" ELLIPSIS, (int)len, type) < 0 ? NULL : kept;
}

/* Where inlined functions are known at all, all but thunks are in debuginfo: it is one of the first. */
static const struct code_limits type_limits = { .depth = 3, .functions = 32, .bytes = 64 * 1024 };

struct type_search {
	struct object *o;
	const char *type; /* NULL: not found */
	size_t len;
	uint64_t function; /* that has it in its name */
};

static int see_type(const struct code_refs *refs, void *arg)
{
	struct type_search *s = arg;
	const char *function = refs->n ? NULL : object_generic_name(s->o, refs->function);

	s->type = function ? future_type(function, &s->len) : NULL;
	s->function = refs->function;
	return s->type != NULL;
}

static void describe_by_debuginfo(struct object *o, const struct code_file *code, uint64_t poll,
				  struct future *ret)
{
	struct type_search s = { .o = o };
	char name[FUTURE_NAME_SIZE];
	const char *body, *file;
	size_t n;

	code_walk(&code->img, &code->functions, poll, &type_limits, see_type, &s);
	if (!s.type || !future_type_name(s.type, s.len, name))
		return;
	ret->type = keep_type(s.type, s.len);
	body = future_type_body(s.type, s.len, &n);
	if (body && object_body(o, s.function, body, n, &file, &ret->line))
		snprintf(ret->file, sizeof(ret->file), "%s", file);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	ret->source = "dwarf";
}

/* What the symbol table told at attach. */
static void describe_by_symbol(const struct task_vtable *v, struct future *ret)
{
	const char *type;
	size_t len;

	*ret = (struct future){ .source = v->name_source };
	snprintf(ret->name, sizeof(ret->name), "%s", v->name);
	type = v->symbol ? future_type(v->symbol, &len) : NULL;
	if (type)
		ret->type = keep_type(type, len);
}

static bool is_own_place(const struct future_place *place)
{
	return place->is_body && !place->is_one_of_many;
}

/*
 * By the functions that were compiled into its code, or by the place in it alone. Where inlined functions are not known, only
 * a body shows that no other one is around it.
 */
static void name_by_code(const struct frame *own, bool knows_inlined,
			 const struct future_place *place, struct future *ret)
{
	char name[FUTURE_NAME_SIZE];
	bool is_sure;

	if (own && name_of_function(own->function, name)) {
		is_sure = knows_inlined || is_own_place(place) ||
			  (place->is_body && !is_closure(own->function));
		snprintf(ret->name, sizeof(ret->name), "%s%s", is_sure ? "" : FUTURE_DOUBT, name);
		ret->source = knows_inlined ? "dwarf" : "symbol";
	} else if (!ret->type && !place->is_vague) {
		snprintf(ret->name, sizeof(ret->name), "%s%.511s:%u",
			 is_own_place(place) ? "" : FUTURE_DOUBT, place->file, place->line);
		ret->source = "location";
	}
}

/* Debuginfo knows better; its paths are whole, while a place has that of the workspace, which reads better. */
static bool is_elsewhere(const struct future_place *place, const struct future *f)
{
	size_t n = strlen(f->file), tail = strlen(place->file);

	return f->line &&
	       (f->line != place->line || n < tail || strcmp(f->file + n - tail, place->file));
}

static void describe_by_code(struct object *o, struct strings *strings,
			     const struct future_place *place, struct future *ret)
{
	_cleanup_free_
	struct frame *frames = calloc(FRAMES_MAX, sizeof(*frames));
	const struct frame *own = NULL;
	bool is_named = strcmp(ret->source, "address"), knows_inlined = false;
	size_t n;

	if (o && frames) {
		own = own_frame(frames, chain_frames(o, strings, place, frames));
		knows_inlined = frames[0].file;
	}
	if (!is_named ||
	    (!is_readable(ret) && own && is_closure(own->function) && is_own_place(place)))
		name_by_code(own, knows_inlined, place, ret);
	if (is_own_place(place) && !is_elsewhere(place, ret) &&
	    (ret->type ? future_type_body(ret->type, strlen(ret->type), &n) != NULL
		       : !own || is_closure(own->function))) {
		snprintf(ret->file, sizeof(ret->file), "%s", place->file);
		ret->line = place->line;
	}
}

/*
 * Where debuginfo says nothing and no body shows, as of a future written by hand: the symbol of what drops the task, or of the
 * future's poll function. Identical code of several types is often one function (in small programs half of such names were
 * wrong), and others may be inlined around the second.
 */
static const struct code_limits symbol_limits = { .depth = 6, .functions = 64, .bytes = 64 * 1024 };

struct symbol_search {
	struct object *o;
	struct strings *strings;
	const char *(*type_of)(const char *function, size_t *ret_len);
	struct future *ret;
};

static const char *type_polled(const char *function, size_t *ret_len)
{
	const char *self;

	if (is_wrapper(function) || !future_self(function, &self, ret_len))
		return NULL;
	*ret_len = without_parameters(self, *ret_len);
	return self;
}

static int see_symbol(const struct code_refs *refs, void *arg)
{
	struct symbol_search *s = arg;
	struct frame frames[OBJECT_FRAMES];
	char name[FUTURE_NAME_SIZE];
	size_t n = refs->n ? 0 : object_find(s->o, refs->function, s->strings, frames), len;
	const struct frame *f = n ? &frames[n - 1] : NULL;
	const char *type = NULL;

	if (f && f->function && (s->type_of == future_type_dropped || !is_transparent(f)))
		type = s->type_of(f->function, &len);
	if (!type || starts_with(type, BLOCKING_TASK) || !future_type_name(type, len, name))
		return 0;
	snprintf(s->ret->name, sizeof(s->ret->name), FUTURE_DOUBT "%s", name);
	s->ret->source = "symbol";
	return 1;
}

static void describe_by_symbols(struct object *o, struct strings *strings,
				const struct code_file *code, const struct tokio_copy *c,
				const struct task_vtable *v, struct future *ret)
{
	struct symbol_search s = { o, strings, future_type_dropped, ret };

	if (code_walk(&code->img, &code->functions, v->dealloc - c->module->bias, &symbol_limits,
		      see_symbol, &s))
		return;
	s.type_of = type_polled;
	code_walk(&code->img, &code->functions, v->poll - c->module->bias, &symbol_limits,
		  see_symbol, &s);
}

static bool is_sure(const struct future *f)
{
	return strcmp(f->source, "address") && !starts_with(f->name, FUTURE_DOUBT);
}

void future_describe(struct object *o, const struct code_file *code, const struct tokio_copy *c,
		     size_t vtable, struct future *ret)
{
	struct strings *strings = strings_new(STRINGS_MAX); /* names of functions on the way */
	const struct task_vtable *v = &c->vtables[vtable];
	uint64_t poll = v->poll - c->module->bias;
	struct future_place places[FUTURE_PLACES];
	ssize_t n = location_of_future(code, poll, places);

	describe_by_symbol(v, ret);
	if (!strings)
		o = NULL;
	if (o && !strcmp(ret->source, "address"))
		describe_by_debuginfo(o, code, poll, ret);
	if (n > 0)
		describe_by_code(o, strings, &places[outermost_body(o, strings, places, (size_t)n)],
				 ret);
	if (o && !is_sure(ret))
		describe_by_symbols(o, strings, code, c, v, ret);
	strings_free(strings);
}

/* Tokio's own call of a future's poll. */
static bool is_poll_of_tokio(const char *function)
{
	static const char *const places[] = {
		"tokio::runtime::task::raw::",
		"tokio::runtime::task::harness::",
		"tokio::runtime::task::core::",
	};
	const char *path = function + strspn(function, "<");

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (starts_with(path, places[i]))
			return true;
	}
	return starts_with(path, "tokio::") && strstr(path, "::block_on");
}

bool future_of_stack(const struct frame *frames, size_t n, char ret[FUTURE_STACK_NAME])
{
	const struct frame *own = NULL;
	char name[FUTURE_NAME_SIZE];
	size_t i = 0;

	while (i < n && !(frames[i].function && is_poll_of_tokio(frames[i].function)))
		i++;
	if (i < n)
		own = own_frame(frames, i);
	if (!own || !name_of_function(own->function, name))
		return false;
	snprintf(ret, FUTURE_STACK_NAME, "%s%s", frames[i].file ? "" : FUTURE_DOUBT, name);
	return true;
}
