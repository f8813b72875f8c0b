/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where a report goes, and whether it is coloured. */
#ifndef RS_CLI_OUTPUT_H
#define RS_CLI_OUTPUT_H

#include <stdio.h>

#include "cli/options.h"
#include "target/target.h"

/* Opens what -o names, or returns standard output. To be called before anything is attached. Close with output_close.
 * Negative errno with a sentence in err when it cannot be written. */
int output_open(const struct options *o, FILE **ret, struct rs_error *err);
/* What the file held before goes; to be called before anything is written. */
int output_empty(FILE *out);
/* Flushes, and closes what output_open opened. Negative errno when data could not be written (-ENOSPC, -EPIPE). */
int output_close(FILE *out);
/* Colours for this stream: --color, else only on a terminal that is not dumb and without NO_COLOR. */
bool output_color(const struct options *o, FILE *out);

#endif
