/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The formats, one file each (text is large: four). */
#ifndef RS_SINK_FORMATS_H
#define RS_SINK_FORMATS_H

#include "sink/sink.h"

extern const struct sink text_sink;
extern const struct sink ndjson_sink;

/* Parts of the text format. */
#define TEXT_LABEL_COLUMNS 12 /* "  task      " */
void text_label(FILE *f, const struct sink_options *o, const char *label);
/* The stack of a block: what to look at first, then frame by frame. */
void text_stack(FILE *f, const struct sink_options *o, const struct block *b);
int text_block(const struct sink_options *o, const struct block *b);
int text_validation(const struct sink_options *o, const struct validation *v);
int text_bye(const struct sink_options *o, const struct bye *b);

#endif
