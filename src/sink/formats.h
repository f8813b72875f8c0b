/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The formats, one file each (text is large: four). */
#ifndef RS_SINK_FORMATS_H
#define RS_SINK_FORMATS_H

#include "sink/sink.h"

extern const struct sink text_sink;
extern const struct sink ndjson_sink;

/* Parts of the text format. */
#define TEXT_LABEL_COLUMNS 12 /* "  task      " */
#define TEXT_COLUMNS 80
/* Writes the name of a function, escaped, without what is generic, and without modules where it is wider than columns; ret has
 * room for ESCAPE_SIZE(columns). Returns the width. */
size_t text_function(char *ret, const char *function, size_t columns);
/* The same for "src/api.rs:88"; line 0 is left out. columns >= 16. */
size_t text_place(char *ret, const char *file, uint32_t line, size_t columns);
void text_label(FILE *f, const struct sink_options *o, const char *label);
/* Where a block was: the user's function, and its line. */
void text_culprit(FILE *f, const struct sink_options *o, const struct block *b);
/* The stack of a block, frame by frame. */
void text_stack(FILE *f, const struct sink_options *o, const struct block *b);
int text_block(const struct sink_options *o, const struct block *b);
int text_repeats(const struct sink_options *o, const struct repeats *r);
int text_validation(const struct sink_options *o, const struct validation *v);
int text_bye(const struct sink_options *o, const struct bye *b);

#endif
