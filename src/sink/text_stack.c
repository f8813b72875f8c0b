/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The stack of one block. */
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/fmt.h"
#include "model/callsite.h"
#include "sink/color.h"
#include "sink/formats.h"

#define NAME_COLUMNS 36
#define PLACE_COLUMNS 26
#define LINE_COLUMNS ((size_t)TEXT_COLUMNS - TEXT_LABEL_COLUMNS)

/* The file and line; of a library without them, the library. */
static size_t place_of(const struct frame *frame, char ret[static ESCAPE_SIZE(PLACE_COLUMNS)])
{
	ret[0] = 0;
	if (frame->file)
		return text_place(ret, frame->file, frame->line, PLACE_COLUMNS);
	if (frame->function && frame->module && strstr(frame->module, ".so"))
		return escape_shorten(ret, frame->module, PLACE_COLUMNS);
	return 0;
}

static size_t name_of(const struct frame *frame, char *ret, size_t columns)
{
	char raw[320];

	if (frame->function)
		return text_function(ret, frame->function, columns);
	snprintf(raw, sizeof(raw), "%s+0x%" PRIx64, frame->module ? frame->module : "?",
		 frame->module ? frame->offset : frame->addr);
	return escape_shorten(ret, raw, columns);
}

static void put_frame(FILE *f, const struct sink_options *o, const struct frame *frame,
		      size_t columns)
{
	char name[ESCAPE_SIZE(LINE_COLUMNS)], place[ESCAPE_SIZE(PLACE_COLUMNS)];
	bool is_users = frame->kind == FRAME_USER;
	size_t used;

	/* A long name may have the room of a place that is not known. */
	if (!place_of(frame, place))
		columns += PLACE_COLUMNS;
	used = name_of(frame, name, columns);
	fprintf(f, "%s%s%s", is_users ? color_of(o, PAINT_NAME) : "", name,
		is_users ? color_of(o, PAINT_NONE) : "");
	if (place[0])
		fprintf(f, "%*s  %s", (int)(columns - used), "", place);
	fputc('\n', f);
}

void text_culprit(FILE *f, const struct sink_options *o, const struct block *b)
{
	char name[ESCAPE_SIZE(LINE_COLUMNS)], place[ESCAPE_SIZE(PLACE_COLUMNS)];
	char text[ESCAPE_SIZE(LINE_COLUMNS)];
	const struct frame *frame;
	size_t used;

	if (!b->n_stacks || b->culprit < 0)
		return;
	frame = &b->stacks[0].frames[b->culprit];
	used = place_of(frame, place);
	text_label(f, o, frame->kind == FRAME_USER ? "at" : "at dep.");
	name_of(frame, name, LINE_COLUMNS - (used ? used + 2 : 0));
	fprintf(f, "%s%s%s%s%s\n", color_of(o, PAINT_NAME), name, color_of(o, PAINT_NONE),
		used ? "  " : "", place);
	if (frame->text && frame->text[0]) {
		escape_shorten(text, frame->text, LINE_COLUMNS - 2);
		fprintf(f, "%*s%s│%s %s\n", TEXT_LABEL_COLUMNS, "", color_of(o, PAINT_LABEL),
			color_of(o, PAINT_NONE), text);
	}
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

/*
 * Where what is worth a line ends. Behind the frame in which the runtime polls the task everything is the runtime's own, and
 * so is what lies between that frame and the task's own code.
 */
static size_t end_of_story(const struct block_stack *s, size_t first)
{
	size_t end = first, told;

	while (end < s->n && (end == first || !callsite_is_root(s, end - 1)))
		end++;
	for (told = end; told > first; told--) {
		enum frame_kind kind = s->frames[told - 1].kind;

		if (kind != FRAME_RUNTIME && kind != FRAME_STD)
			break;
	}
	return told > first ? told : end;
}

void text_stack(FILE *f, const struct sink_options *o, const struct block *b)
{
	const struct block_stack *s = &b->stacks[0];
	size_t first = 0, at, end;

	if (!b->n_stacks || (b->is_ongoing && !has_names(s)))
		return;
	/* What the kernel did in a system call is in the JSON; people are told the call. */
	while (first < s->n && s->frames[first].kind == FRAME_KERNEL)
		first++;
	end = end_of_story(s, first);
	for (at = first; at < end && at < first + o->stack_depth; at++) {
		text_label(f, o, at > first ? "" : "stack");
		fprintf(f, "#%-2zu ", at - first);
		put_frame(f, o, &s->frames[at], NAME_COLUMNS);
	}
	put_end(f, s, at);
}
