/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is printed at the end: the comparison with markers, and the ranking of sites with totals,
 * cost and losses. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/fmt.h"
#include "sink/color.h"
#include "sink/formats.h"
#include "sink/paragraph.h"

#define NOTE_COLUMNS 400
#define NAME_AT_LEAST 24
#define BELOW 10 /* columns that the second line of a site is indented by */
#define SITES_SHOWN 20
#define CAUSE_COLUMNS 28
#define WORD_COLUMNS 48

/* Totals need no hundredths of a millisecond. */
#define SPAN(ns) ((ns) < UINT64_C(100000000000) ? FMT_DURATION_SHORT(ns) : FMT_DURATION(ns))

int text_validation(const struct sink_options *o, const struct validation *v)
{
	const char *label = color_of(o, PAINT_LABEL), *off = color_of(o, PAINT_NONE);
	struct paragraph p;
	int r = paragraph_begin(&p);

	if (r < 0)
		return r;
	fprintf(p.f,
		"%s   markers  detected   matched    missed     extra  duration difference%s\n",
		label, off);
	fprintf(p.f, "%10" PRIu64 "%10" PRIu64 "%10" PRIu64 "%10" PRIu64 "%10" PRIu64 "  %s\n",
		v->markers, v->detected, v->matched, v->missed, v->extra,
		v->diff_known ? FMT_QUANTILES(v->duration_diff_p50_ns, v->duration_diff_p99_ns)
			      : "unknown");
	if (v->task_ids_agree || v->task_ids_differ)
		fprintf(p.f, "task ids: %s agree, %s differ\n", FMT_COUNT(v->task_ids_agree),
			FMT_COUNT(v->task_ids_differ));
	if (!v->markers)
		fputs("no block was marked: there is nothing to compare\n", p.f);
	fputc('\n', p.f);
	return paragraph_end(&p, o->out);
}

/* "file/read" */
static size_t cause_of(char buf[static ESCAPE_SIZE(CAUSE_COLUMNS)], const struct site *s)
{
	char raw[80];

	snprintf(raw, sizeof(raw), "%s%s%s", cause_name(s->cause), s->syscall ? "/" : "",
		 s->syscall ? s->syscall : "");
	return escape_shorten(buf, raw, CAUSE_COLUMNS);
}

static size_t cause_column(const struct site *sites, size_t n)
{
	char cause[ESCAPE_SIZE(CAUSE_COLUMNS)];
	size_t widest = strlen("cause");

	for (size_t i = 0; i < n; i++) {
		size_t columns = cause_of(cause, &sites[i]);

		if (columns > widest)
			widest = columns;
	}
	return widest;
}

/* printf counts bytes, and µ has two. */
static void print_duration(FILE *f, uint64_t ns)
{
	const char *text = FMT_DURATION_SHORT(ns);
	size_t columns = escape_columns(text);

	fprintf(f, "%*s%s", columns < 9 ? (int)(9 - columns) : 1, "", text);
}

/* The function, where it is known; else the task. */
static void print_where(FILE *f, const struct site *s, size_t before)
{
	char name[ESCAPE_SIZE(TEXT_COLUMNS)];
	size_t columns = TEXT_COLUMNS - before;

	if (columns < NAME_AT_LEAST || before > TEXT_COLUMNS)
		columns = NAME_AT_LEAST;
	if (s->function[0])
		text_function(name, s->function, columns);
	else
		escape_shorten(name, s->task[0] ? s->task : "name unknown", columns);
	fprintf(f, "%s\n", name);
}

/* Where the function is, and what to do about it; in one line if they fit. */
static void print_below(FILE *f, const struct sink_options *o, const struct site *s)
{
	char place[ESCAPE_SIZE(TEXT_COLUMNS)] = "", advice[ESCAPE_SIZE(NOTE_COLUMNS)] = "";
	size_t columns = 0, advised = 0;
	bool is_one;

	if (s->file[0])
		columns = text_place(place, s->file, s->line, TEXT_COLUMNS - BELOW);
	if (s->advice && s->cause != CAUSE_STARVED && s->cause != CAUSE_THROTTLED)
		advised = escape_shorten(advice, s->advice->text, NOTE_COLUMNS);
	is_one = columns && advised && BELOW + columns + 2 + advised <= TEXT_COLUMNS;
	if (columns)
		fprintf(f, "%*s%s%s", BELOW, "", place, is_one ? "  " : "\n");
	if (advised)
		fprintf(f, "%*s%s%s%s\n", is_one ? 0 : BELOW, "", color_of(o, PAINT_LABEL), advice,
			color_of(o, PAINT_NONE));
}

static void print_site(FILE *f, const struct sink_options *o, const struct site *s,
		       size_t cause_columns)
{
	char cause[ESCAPE_SIZE(CAUSE_COLUMNS)];
	size_t before = strlen("  count    total      max      p99    ") + cause_columns + 2,
	       used = cause_of(cause, s);

	fprintf(f, "%7s", FMT_COUNT(s->count));
	print_duration(f, s->total_ns);
	print_duration(f, s->max_ns);
	print_duration(f, s->p99_ns);
	fprintf(f, "  %s", color_of(o, s->severity ? severity_paint(s->severity) : PAINT_NONE));
	fprintf(f, "%s%s%*s  ", cause, color_of(o, PAINT_NONE), (int)(cause_columns - used), "");
	print_where(f, s, before);
	print_below(f, o, s);
}

/* Said once, so that nobody looks for the fault in the code. */
static void print_excuses(FILE *f, const struct bye *b)
{
	bool is_starved = false, is_throttled = false;

	for (size_t i = 0; i < b->n_sites; i++) {
		is_starved |= b->sites[i].cause == CAUSE_STARVED;
		is_throttled |= b->sites[i].cause == CAUSE_THROTTLED;
	}
	if (is_starved)
		fputs("starved: no CPU was free — the machine's fault, not the code's\n", f);
	if (is_throttled)
		fputs("throttled: CPU quota used up — the cgroup limit's doing, not the code's\n",
		      f);
}

static void print_sites(FILE *f, const struct sink_options *o, const struct bye *b)
{
	size_t shown = b->n_sites < SITES_SHOWN ? b->n_sites : SITES_SHOWN,
	       column = cause_column(b->sites, shown);
	uint64_t count = 0, total_ns = 0;

	if (!shown)
		return;
	fprintf(f, "%s  count    total      max      p99  %-*s  at%s\n", color_of(o, PAINT_LABEL),
		(int)column, "cause", color_of(o, PAINT_NONE));
	for (size_t i = 0; i < shown; i++)
		print_site(f, o, &b->sites[i], column);
	for (size_t i = shown; i < b->n_sites; i++) {
		count += b->sites[i].count;
		total_ns += b->sites[i].total_ns;
	}
	if (shown < b->n_sites)
		fprintf(f, "and %zu more: %s blocks, %s\n", b->n_sites - shown, FMT_COUNT(count),
			SPAN(total_ns));
	print_excuses(f, b);
	fputc('\n', f);
}

/* "target_exited" -> "target exited" */
static void print_words(FILE *f, const char *text)
{
	char words[ESCAPE_SIZE(WORD_COLUMNS)];

	escape_shorten(words, text, WORD_COLUMNS);
	for (char *c = words; *c; c++)
		fputc(*c == '_' ? ' ' : *c, f);
}

static void print_totals(FILE *f, const struct sink_options *o, const struct bye *b)
{
	if (o->enable_pids)
		fprintf(f, "pid %d: ", b->pid);
	if (b->blocks)
		fprintf(f, "%s block%s", FMT_COUNT(b->blocks), b->blocks == 1 ? "" : "s");
	else
		fputs("no blocks", f);
	fprintf(f, " in %s", SPAN(b->watched_ns));
	if (b->blocks)
		fprintf(f, ": %s CRITICAL, %s SLOW; blocked for %s", FMT_COUNT(b->critical),
			FMT_COUNT(b->slow), SPAN(b->blocked_ns));
	if (b->ongoing)
		fprintf(f, "; %s still ongoing", FMT_COUNT(b->ongoing));
	if (b->reason) {
		fputs(" (", f);
		print_words(f, b->reason);
		fputc(')', f);
	}
	fputc('\n', f);
}

/* No blocks of what was not watched are no good news. */
static void print_note(FILE *f, const struct sink_options *o, const struct bye *b)
{
	char note[ESCAPE_SIZE(NOTE_COLUMNS)];

	if (!b->note)
		return;
	escape_shorten(note, b->note, NOTE_COLUMNS);
	fprintf(f, "%snot watched:%s %s\n", color_of(o, PAINT_WARNING), color_of(o, PAINT_NONE),
		note);
}

/* The budget is a promise: what was kept of it is shown. */
static void print_cost(FILE *f, const struct bye *b)
{
	double watched = b->watched_ns ? (double)b->watched_ns : 1;

	fprintf(f, "cost: the target paid %.2f %% of a CPU; the tool itself took %s of CPU time\n",
		100 * (double)b->bpf_ns / watched, SPAN(b->user_ns));
}

static void print_losses(FILE *f, const struct sink_options *o, const struct bye *b)
{
	char name[ESCAPE_SIZE(WORD_COLUMNS)];
	const char *before = ": ";

	for (size_t i = 0; i < b->n_lost; i++) {
		if (!b->lost[i].count)
			continue;
		if (*before == ':')
			fprintf(f, "%slost%s", color_of(o, PAINT_WARNING), color_of(o, PAINT_NONE));
		escape_shorten(name, b->lost[i].name, WORD_COLUMNS);
		fprintf(f, "%s%s %s", before, FMT_COUNT(b->lost[i].count), name);
		before = ", ";
	}
	if (*before == ',')
		fputc('\n', f);
}

int text_bye(const struct sink_options *o, const struct bye *b)
{
	struct paragraph p;
	int r = paragraph_begin(&p);

	if (r < 0)
		return r;
	print_sites(p.f, o, b);
	print_totals(p.f, o, b);
	print_note(p.f, o, b);
	print_cost(p.f, b);
	print_losses(p.f, o, b);
	return paragraph_end(&p, o->out);
}
