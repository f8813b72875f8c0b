/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The stack of one block. */
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/fmt.h"
#include "sink/color.h"
#include "sink/formats.h"

#define NAME_COLUMNS 36
#define PLACE_COLUMNS 26

/* Of a path, the part that tells files apart: behind the place where cargo or rustc keeps what is not the user's. */
static const char *short_path(const char *path)
{
	static const char *const marks[] = { "/registry/src/", "/library/", "/src/" };
	const char *at, *next;

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		at = strstr(path, marks[i]);
		if (!at)
			continue;
		if (i == 0) { /* one more: the name of the registry */
			next = strchr(at + strlen(marks[0]), '/');
			return next ? next + 1 : at + 1;
		}
		while ((next = strstr(at + 1, marks[i])))
			at = next;
		return at + 1;
	}
	return path;
}

static void put_place(FILE *f, const struct frame *frame)
{
	char line[16] = "", place[ESCAPE_SIZE(PLACE_COLUMNS)];

	if (frame->file && frame->line)
		snprintf(line, sizeof(line), ":%" PRIu32, frame->line);
	if (frame->file)
		escape_shorten(place, short_path(frame->file), PLACE_COLUMNS - strlen(line));
	else
		/* Without a name, the module is where that would be. */
		escape_shorten(place, frame->function && frame->module ? frame->module : "",
			       PLACE_COLUMNS);
	fprintf(f, "%s%s", place, line);
}

/*
 * "app::f::{{closure}}::{{closure}}" is the body of an async block in an async fn, or of closures: which of them, only
 * debuginfo tells. Once is enough.
 */
static void short_name(const char *name, char *ret, size_t size)
{
	static const char *const closures[] = { "::{{closure}}", "::{closure#" };
	size_t n = strlen(name), cut = n;

	for (size_t i = 0; i < 2; i++) {
		const char *first = strstr(name, closures[i]);

		if (first && (size_t)(first - name) < cut)
			cut = first - name;
	}
	/* Only where nothing else follows. */
	if (cut < n && name[n - 1] == '}')
		snprintf(ret, size, "%.*s::{closure}", (int)(cut < size ? cut : size), name);
	else
		snprintf(ret, size, "%s", name);
}

static void put_frame(FILE *f, const struct sink_options *o, const struct frame *frame,
		      size_t columns)
{
	char raw[512], name[ESCAPE_SIZE(NAME_COLUMNS + TEXT_LABEL_COLUMNS)];
	bool is_users = frame->kind == FRAME_USER;
	size_t used;

	if (frame->function)
		short_name(frame->function, raw, sizeof(raw));
	else
		snprintf(raw, sizeof(raw), "%s+0x%" PRIx64, frame->module ? frame->module : "?",
			 frame->module ? frame->offset : frame->addr);
	used = escape_shorten(name, raw, columns);
	fprintf(f, "%s%s%s%*s  ", is_users ? color_of(o, PAINT_NAME) : "", name,
		is_users ? color_of(o, PAINT_NONE) : "", (int)(columns - used), "");
	put_place(f, frame);
	fputc('\n', f);
}

/*
 * Behind the frame in which the runtime polls the task, everything is the runtime's own. Where the task's function is not
 * known by its address, it is by its name.
 */
static bool is_poll_root(const struct frame *f)
{
	return f->function && strstr(f->function, "tokio::runtime::task::");
}

static void put_end(FILE *f, const struct block_stack *s, size_t shown)
{
	if (shown < s->n)
		fprintf(f, "%*s… %zu more%s%s\n", TEXT_LABEL_COLUMNS, "", s->n - shown,
			s->is_complete ? "" : ", not all: ",
			s->is_complete ? "" : stack_end_text(s->end));
	else if (!s->is_complete)
		fprintf(f, "%*s… and further ones, not known: %s\n", TEXT_LABEL_COLUMNS, "",
			stack_end_text(s->end));
}

/* False while all names are still being read: what is told of an ongoing block then would help nobody. */
static bool has_names(const struct block_stack *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->frames[i].function)
			return true;
	}
	return false;
}

void text_stack(FILE *f, const struct sink_options *o, const struct block *b)
{
	const struct block_stack *s = &b->stacks[0];
	size_t first = 0, at;

	if (!b->n_stacks || (b->is_ongoing && !has_names(s)))
		return;
	if (b->culprit >= 0) {
		text_label(f, o, s->frames[b->culprit].kind == FRAME_USER ? "at" : "at dep.");
		put_frame(f, o, &s->frames[b->culprit], NAME_COLUMNS + 4);
	}
	/* What the kernel did in a system call is in the JSON; people are told the call. */
	while (first < s->n && s->frames[first].kind == FRAME_KERNEL)
		first++;
	for (at = first; at < s->n && at < first + o->stack_depth; at++) {
		text_label(f, o, at > first ? "" : "stack");
		fprintf(f, "#%-2zu ", at - first);
		put_frame(f, o, &s->frames[at], NAME_COLUMNS);
		if (s->n_to_root ? at + 1 == s->n_to_root : is_poll_root(&s->frames[at])) {
			at++;
			break;
		}
	}
	put_end(f, s, at);
}
