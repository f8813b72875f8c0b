/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Text for people: the first paragraph and the line of statistics. Blocks and the summary have
 * files of their own. */
#include <stdio.h>

#include "base/escape.h"
#include "base/fmt.h"
#include "sink/color.h"
#include "sink/formats.h"
#include "sink/paragraph.h"

#define EXE_COLUMNS 56
#define WARNING_COLUMNS 400
#define WORD_COLUMNS 24

static const char *word(char buf[static ESCAPE_SIZE(WORD_COLUMNS)], const char *text)
{
	escape_shorten(buf, text ? text : "unknown", WORD_COLUMNS);
	return buf;
}

#define WORD(text) word((char[ESCAPE_SIZE(WORD_COLUMNS)]){ 0 }, text)

static void print_versions(FILE *f, const struct hello *h)
{
	fprintf(f, "          Tokio %s", h->tokio ? WORD(h->tokio) : "version unknown");
	if (h->rustc)
		fprintf(f, " · rustc %s", WORD(h->rustc));
	fprintf(f, " · %s future type%s", FMT_COUNT(h->future_types),
		h->future_types == 1 ? "" : "s");
	fprintf(f, "\n          symbols %s · debuginfo %s\n", WORD(h->symbols), WORD(h->debuginfo));
}

static int text_hello(const struct sink_options *o, const struct hello *h)
{
	char exe[ESCAPE_SIZE(EXE_COLUMNS)], warning[ESCAPE_SIZE(WARNING_COLUMNS)];
	struct paragraph p;
	int r = paragraph_begin(&p);

	if (r < 0)
		return r;
	escape_shorten(exe, h->exe ? h->exe : "unknown program", EXE_COLUMNS);
	fprintf(p.f, "watching  %s%s%s (pid %d)\n", color_of(o, PAINT_NAME), exe,
		color_of(o, PAINT_NONE), h->pid);
	print_versions(p.f, h);
	fprintf(p.f, "          mode %s, %u Hz · reports blocks from %s\n", WORD(h->mode), h->freq,
		FMT_DURATION(h->threshold_ns));
	for (size_t i = 0; i < h->n_warnings; i++) {
		escape_shorten(warning, h->warnings[i], WARNING_COLUMNS);
		fprintf(p.f, "%swarning:%s %s\n", color_of(o, PAINT_WARNING),
			color_of(o, PAINT_NONE), warning);
	}
	fputc('\n', p.f);
	return paragraph_end(&p, o->out);
}

/* People want to know of statistics only what makes the report less complete or less accurate, where it happens. */
static int text_stats(const struct sink_options *o, const struct stats *s)
{
	const char *label = color_of(o, PAINT_WARNING), *off = color_of(o, PAINT_NONE);
	struct paragraph p;
	int r = paragraph_begin(&p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_lost; i++)
		if (s->lost[i].recent && s->lost[i].consequence)
			fprintf(p.f, "%slost%s      %s %s: %s\n\n", label, off,
				FMT_COUNT(s->lost[i].recent), WORD(s->lost[i].name),
				s->lost[i].consequence);
	if (s->note) {
		char note[ESCAPE_SIZE(WARNING_COLUMNS)];

		escape_shorten(note, s->note, WARNING_COLUMNS);
		fprintf(p.f, "%snote%s      %s\n\n", label, off, note);
	}
	return paragraph_end(&p, o->out);
}

const struct sink text_sink = {
	.name = "text",
	.hello = text_hello,
	.block = text_block,
	.repeats = text_repeats,
	.stats = text_stats,
	.validation = text_validation,
	.bye = text_bye,
};
