/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int output_open(const struct options *o, FILE **ret, struct rs_error *err)
{
	FILE *f;

	if (!o->output || !strcmp(o->output, "-")) {
		*ret = stdout;
		return 0;
	}
	f = fopen(o->output, "we");
	if (!f) {
		int r = -errno;

		snprintf(
			err->text, sizeof(err->text),
			"Cannot write to '%.200s'. %s. Name a file in a directory you may write to with -o FILE.",
			o->output, strerror(-r));
		return r;
	}
	*ret = f;
	return 0;
}

int output_close(FILE *out)
{
	int failed = fflush(out) ? -errno : 0;

	if (out != stdout && fclose(out) && !failed)
		failed = -errno;
	return failed;
}

bool output_color(const struct options *o, FILE *out)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (o->color != COLOR_AUTO)
		return o->color == COLOR_ALWAYS;
	if (no_color && *no_color)
		return false;
	return isatty(fileno(out)) && term && *term && strcmp(term, "dumb");
}
