/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The paragraph of one block. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/fmt.h"
#include "sink/color.h"
#include "sink/formats.h"
#include "sink/paragraph.h"

#define LINE_COLUMNS TEXT_COLUMNS
#define NAME_COLUMNS 26 /* padded to, so that the columns of consecutive blocks meet */
#define PLACE_COLUMNS 14
#define PLACE_AT_LEAST ((size_t)28) /* of a long place is shown beside any thread */
#define GAP 2
#define ADVICE_COLUMNS (2 * LINE_COLUMNS) /* the user's own may be longer than a line */
#define DETAIL_AT_LEAST 20 /* columns of it are shown whatever is before it */
#define ONGOING_LEAST_NS UINT64_C(50000000) /* most blocks end sooner, and are then told whole */
#define ROOM (ESCAPE_SIZE(LINE_COLUMNS) + 64)

/* A piece of the task line with its width on the terminal. */
struct cell {
	char text[ROOM];
	size_t columns;
};

static bool is_excused(const struct block *b)
{
	return b->cause == CAUSE_STARVED || b->cause == CAUSE_THROTTLED;
}

/* The machine's fault is not announced as if the code had blocked. */
static const char *title_of(const struct block *b)
{
	if (b->is_ongoing)
		return "◐ ONGOING ";
	if (b->cause == CAUSE_STARVED)
		return "● STARVED ";
	if (b->cause == CAUSE_THROTTLED)
		return "● THROTTLED";
	return "● BLOCKING";
}

static enum paint title_paint(const struct block *b)
{
	if (is_excused(b))
		return PAINT_EXCUSED;
	return b->is_ongoing ? PAINT_ONGOING : severity_paint(b->severity);
}

/* In the unit of the duration beside it: milliseconds up to ten seconds, then seconds. */
static void print_parts(FILE *f, const struct block *b)
{
	double unit = b->duration_ns < UINT64_C(10000000000) ? 1e6 : 1e9;

	if (b->parts_known)
		fprintf(f, "   cpu %.1f · off-cpu %.1f · run-queue %.1f",
			(double)b->oncpu_ns / unit, (double)b->offcpu_ns / unit,
			(double)b->runq_ns / unit);
	else
		fputs("   cpu ? · off-cpu ? · run-queue ?", f);
}

static void print_title(FILE *f, const struct sink_options *o, const struct block *b)
{
	const char *severity = severity_name(b->severity), *off = color_of(o, PAINT_NONE);

	fprintf(f, "%s%s%s  %s", color_of(o, title_paint(b)), title_of(b), off,
		FMT_DURATION(b->duration_ns));
	if (severity)
		fprintf(f, "  %s%s%s",
			color_of(o, is_excused(b) ? PAINT_EXCUSED : severity_paint(b->severity)),
			severity, off);
	print_parts(f, b);
	fputc('\n', f);
}

void text_label(FILE *f, const struct sink_options *o, const char *label)
{
	fprintf(f, "  %s%-9s%s ", color_of(o, PAINT_LABEL), label, color_of(o, PAINT_NONE));
}

static void set_cell(struct cell *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void set_cell(struct cell *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->text, sizeof(c->text), format, args);
	va_end(args);
	c->columns = escape_columns(c->text);
}

static void thread_cell(const struct sink_options *o, const struct block *b, struct cell *ret)
{
	char raw[sizeof(b->thread) + 1], thread[ESCAPE_SIZE(4 * sizeof(b->thread))], ids[48];
	const char *role = role_name(b->role);

	snprintf(raw, sizeof(raw), "%.*s", (int)sizeof(b->thread), b->thread);
	escape_shorten(thread, raw, 4 * sizeof(b->thread));
	if (o->enable_pids)
		snprintf(ids, sizeof(ids), "(pid %d tid %d)", b->pid, b->tid);
	else
		snprintf(ids, sizeof(ids), "(tid %d)", b->tid);

	if (b->role == ROLE_WORKER && b->worker >= 0)
		set_cell(ret, "worker %d %s", b->worker, ids);
	else if (b->role == ROLE_WORKER)
		set_cell(ret, "worker ? %s", ids);
	else
		set_cell(ret, "%s %s%s%s", role ? role : "role unknown", thread,
			 thread[0] ? " " : "", ids);
}

static void id_cell(const struct block *b, struct cell *ret)
{
	if (b->task_id)
		set_cell(ret, "%" PRIu64, b->task_id);
	else
		set_cell(ret, "root");
}

static void name_cell(const struct task_name *t, size_t columns, struct cell *ret)
{
	ret->columns = escape_shorten(ret->text, t->name ? t->name : "name unknown", columns);
}

/* The line number is never what gets lost. */
static void place_cell(const struct task_name *t, size_t columns, struct cell *ret)
{
	char line[16] = "", file[ESCAPE_SIZE(LINE_COLUMNS)];

	bool is_name = t->source && !strcmp(t->source, "location");

	if (!t->file || is_name) {
		set_cell(ret, is_name ? "" : "?");
		return;
	}
	if (t->line)
		snprintf(line, sizeof(line), ":%" PRIu32, t->line);
	escape_shorten(file, t->file, columns - strlen(line));
	set_cell(ret, "%s%s", file, line);
}

static void print_cell(FILE *f, const struct cell *c, size_t columns)
{
	fprintf(f, "%s%*s", c->text, columns > c->columns ? (int)(columns - c->columns) : 0, "");
}

/* As much padding as brings text to the wanted width without using more than what is left of the
 * line. */
static size_t padded(size_t columns, size_t wanted, size_t *left)
{
	size_t padding = wanted > columns ? wanted - columns : 0;

	if (padding > *left)
		padding = *left;
	*left -= padding;
	return columns + padding;
}

/* One line when all of it fits, else name and place get a line each, with room for long ones. */
static void print_task(FILE *f, const struct sink_options *o, const struct block *b)
{
	struct cell id, name, place, thread;
	size_t room, place_room = PLACE_AT_LEAST, needed, left;

	id_cell(b, &id);
	thread_cell(o, b, &thread);
	room = LINE_COLUMNS - TEXT_LABEL_COLUMNS - id.columns - GAP;
	if (thread.columns + GAP + PLACE_AT_LEAST < room)
		place_room = room - thread.columns - GAP;
	name_cell(&b->task, room, &name);
	place_cell(&b->task, place_room, &place);

	text_label(f, o, "task");
	fprintf(f, "%s%*s%s", id.text, GAP, "", color_of(o, PAINT_NAME));
	needed = name.columns + GAP + place.columns + GAP + thread.columns;
	if (needed <= room) {
		left = room - needed;
		print_cell(f, &name, padded(name.columns, NAME_COLUMNS, &left));
		fprintf(f, "%s%*s", color_of(o, PAINT_NONE), GAP, "");
		print_cell(f, &place, padded(place.columns, PLACE_COLUMNS, &left));
	} else {
		fprintf(f, "%s%s\n%*s", name.text, color_of(o, PAINT_NONE),
			(int)(TEXT_LABEL_COLUMNS + id.columns + GAP), "");
		fputs(place.text, f);
	}
	fprintf(f, "%*s%s\n", GAP, "", thread.text);
}

static void print_spawn(FILE *f, const struct sink_options *o, const struct block *b)
{
	struct task_name place = { .file = b->spawn_file, .line = b->spawn_line };
	struct cell cell;

	if (!b->spawn_file)
		return;
	place_cell(&place, LINE_COLUMNS - TEXT_LABEL_COLUMNS - 3, &cell);
	text_label(f, o, "spawned");
	fprintf(f, "at %s\n", cell.text);
}

/* To the end of the line, of which so many columns are taken. */
static void print_detail(FILE *f, const struct sink_options *o, const char *detail, size_t columns)
{
	size_t room = LINE_COLUMNS - DETAIL_AT_LEAST > columns + GAP ? LINE_COLUMNS - columns - GAP
								     : DETAIL_AT_LEAST;
	char shown[ESCAPE_SIZE(LINE_COLUMNS)];

	escape_shorten(shown, detail, room);
	fprintf(f, "%*s%s%s%s", GAP, "", color_of(o, PAINT_NAME), shown, color_of(o, PAINT_NONE));
}

static void print_syscall(FILE *f, const struct sink_options *o, const struct syscall_use *use,
			  size_t columns)
{
	struct cell call;

	set_cell(&call, "%s %s%s%s", use->name ? use->name : "?", FMT_DURATION(use->ns),
		 use->count != 1 ? " ×" : "", use->count != 1 ? FMT_COUNT(use->count) : "");
	fputs(call.text, f);
	if (use->detail[0])
		print_detail(f, o, use->detail, columns + call.columns);
	fputc('\n', f);
}

/* Whether the cause is time in system calls, so that the longest of them belongs beside it. */
static bool is_syscall_cause(enum cause c)
{
	return c != CAUSE_CPU && c != CAUSE_PAGE_FAULT && c != CAUSE_STARVED &&
	       c != CAUSE_THROTTLED;
}

static void print_cause(FILE *f, const struct sink_options *o, const struct block *b)
{
	size_t n = b->n_syscalls < BLOCK_SYSCALLS ? b->n_syscalls : BLOCK_SYSCALLS, first = 0;

	text_label(f, o, "cause");
	fputs(cause_name(b->cause), f);
	if (b->cause == CAUSE_STARVED)
		fputs(": no CPU was free for it — the machine's fault, not the code's\n", f);
	else if (b->cause == CAUSE_THROTTLED)
		fputs(": CPU quota used up — the cgroup limit's doing, not the code's\n", f);
	else if (!n || !is_syscall_cause(b->cause))
		fputc('\n', f);
	else {
		fputs(": ", f);
		print_syscall(f, o, &b->syscalls[first++],
			      TEXT_LABEL_COLUMNS + strlen(cause_name(b->cause)) + 2);
	}
	for (size_t i = first; i < n; i++) {
		text_label(f, o, i == 0 ? "syscalls" : "");
		print_syscall(f, o, &b->syscalls[i], TEXT_LABEL_COLUMNS);
	}
}

/* Of what is the machine's fault, the cause has said it already. */
static void print_advice(FILE *f, const struct sink_options *o, const struct block *b)
{
	char text[ESCAPE_SIZE(ADVICE_COLUMNS)], kind[ESCAPE_SIZE(ADVICE_COLUMNS)];
	size_t columns;

	if (!b->advice || is_excused(b))
		return;
	columns = escape_shorten(kind, b->advice->kind, ADVICE_COLUMNS) +
		  escape_shorten(text, b->advice->text, ADVICE_COLUMNS);
	text_label(f, o, "advice");
	if (columns + TEXT_LABEL_COLUMNS + 2 <= LINE_COLUMNS)
		fprintf(f, "%s: ", kind);
	fprintf(f, "%s\n", text);
}

static void print_waker(FILE *f, const struct sink_options *o, const struct waker *w)
{
	char thread[ESCAPE_SIZE(4 * sizeof(w->thread))];

	if (!w->tid)
		return;
	escape_shorten(thread, w->thread, 4 * sizeof(w->thread));
	text_label(f, o, "woken by");
	if (w->task_id)
		fprintf(f, "task %" PRIu64 " on ", w->task_id);
	fprintf(f, "%s (tid %d)\n", thread[0] ? thread : "a thread", w->tid);
}

static const char *detection_words(enum detection d)
{
	const char *name = detection_name(d);

	if (d == DETECTION_BOTH)
		return "both detectors";
	return name ? name : "unknown";
}

static void print_timing(FILE *f, const struct sink_options *o, const struct block *b)
{
	text_label(f, o, "timing");
	if (b->error_ns == BLOCK_ERROR_UNKNOWN)
		fprintf(f, "%s · began before the tool looked: at least so long",
			detection_words(b->detection));
	else
		fprintf(f, "%s ±%s", detection_words(b->detection), FMT_DURATION(b->error_ns));
	if (b->phase == PHASE_DROP)
		fputs(" · phase drop", f);
	if (b->polls > 1)
		fprintf(f, " · %s polls not told apart", FMT_COUNT(b->polls));
	else if (!b->polls)
		fputs(" · perhaps several polls", f);
	fputc('\n', f);
}

/* "… and 312 more at app::f: 4.21 s, longest 45.1 ms" */
int text_repeats(const struct sink_options *o, const struct repeats *r)
{
	const struct site *s = r->site;
	char name[ESCAPE_SIZE(LINE_COLUMNS)], before[64], after[2 * FMT_SIZE];
	struct paragraph p;
	size_t columns;
	int failed = paragraph_begin(&p);

	if (failed < 0)
		return failed;
	if (o->enable_pids)
		fprintf(p.f, "pid %d: ", r->pid);
	snprintf(before, sizeof(before), "… and %s more at ", FMT_COUNT(r->count));
	snprintf(after, sizeof(after), ": %s, longest %s", FMT_DURATION_SHORT(r->total_ns),
		 FMT_DURATION_SHORT(r->max_ns));
	columns = LINE_COLUMNS - escape_columns(before) - escape_columns(after);
	if (s->function[0])
		text_function(name, s->function, columns);
	else
		escape_shorten(name, s->task[0] ? s->task : "tasks without a name", columns);
	fprintf(p.f, "%s%s%s\n\n", before, name, after);
	return paragraph_end(&p, o->out);
}

int text_block(const struct sink_options *o, const struct block *b)
{
	struct paragraph p;
	int r;

	if (b->is_ongoing && b->duration_ns < ONGOING_LEAST_NS)
		return 0;
	r = paragraph_begin(&p);
	if (r < 0)
		return r;
	print_title(p.f, o, b);
	text_culprit(p.f, o, b);
	print_task(p.f, o, b);
	print_spawn(p.f, o, b);
	print_cause(p.f, o, b);
	print_advice(p.f, o, b);
	print_waker(p.f, o, &b->woken_by);
	print_timing(p.f, o, b);
	text_stack(p.f, o, b);
	fputc('\n', p.f);
	return paragraph_end(&p, o->out);
}
