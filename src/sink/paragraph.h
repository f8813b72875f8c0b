/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A piece of output composed in memory and written at once, so that it appears whole and errors
 * show in one place. */
#ifndef RS_SINK_PARAGRAPH_H
#define RS_SINK_PARAGRAPH_H

#include <stddef.h>
#include <stdio.h>

struct paragraph {
	FILE *f; /* compose here */
	char *text;
	size_t len;
};

/* 0 or negative errno. */
int paragraph_begin(struct paragraph *ret);
/* Writes what was composed to out and flushes it; frees the paragraph in any case. 0 or negative
 * errno. */
int paragraph_end(struct paragraph *p, FILE *out);
/* Frees a paragraph that is not to be written. */
void paragraph_drop(struct paragraph *p);

#endif
