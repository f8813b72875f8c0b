/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int output_open(const struct options *o, FILE **ret, struct rs_error *err)
{
	int fd;
	FILE *f;

	if (!o->output || !strcmp(o->output, "-")) {
		*ret = stdout;
		return 0;
	}
	fd = open(o->output, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		snprintf(
			err->text, sizeof(err->text),
			"Cannot write to '%.200s'. %s. Name a file in a directory you may write to with -o FILE.",
			o->output, strerror(-r));
		return r;
	}
	*ret = f;
	return 0;
}

int output_empty(FILE *out)
{
	struct stat st;

	if (out == stdout)
		return 0; /* the shell has opened it as it was told to */
	if (fstat(fileno(out), &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && ftruncate(fileno(out), 0) < 0 ? -errno : 0;
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
