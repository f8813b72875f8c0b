/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rows of the catalogue that users have written. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "model/catalogue_parts.h"

#define COLUMNS 3

struct reader {
	struct catalogue *catalogue;
	const char *path;
	size_t line;
	char *error;
	size_t size;
};

static int refuse(struct reader *r, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct reader *r, int result, const char *format, ...)
{
	char why[160];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	snprintf(r->error, r->size, "%s:%zu: %s", r->path, r->line, why);
	return result;
}

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = 0;
	return text;
}

/* Splits the line where it has bars; returns how many columns that makes, one too many at most. */
static size_t split(char *line, char *ret[COLUMNS])
{
	size_t n = 0;
	char *field;

	while ((field = strsep(&line, "|"))) {
		if (n < COLUMNS)
			ret[n] = trim(field);
		n++;
	}
	return n;
}

static int check_text(struct reader *r, const char *text, size_t len)
{
	uint32_t code;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &code);
		if (!n)
			return refuse(r, -EINVAL, "The line is not UTF-8. Save the file as UTF-8.");
		if ((code < 0x20 && code != '\t') || code == 0x7f)
			return refuse(r, -EINVAL, "The line has a control character. Take it out.");
	}
	return 0;
}

/* A cause or system call that does not exist would never match, and nobody would know. */
static int check_pattern(struct reader *r, const char *pattern)
{
	if (strncmp(pattern, "cause:", 6) || strpbrk(pattern, "*?["))
		return 0;
	for (int c = 0; c < CAUSE_MAX; c++) {
		if (!strcmp(pattern + 6, cause_name(c)))
			return 0;
	}
	return refuse(r, -EINVAL, "There is no cause '%.40s'. doc/JSON.md lists them.",
		      pattern + 6);
}

static int add_row(struct reader *r, char *line)
{
	struct catalogue *c = r->catalogue;
	char *columns[COLUMNS], *kept;
	int result;

	if (c->n == CATALOGUE_ROWS_MAX)
		return refuse(r, -E2BIG, "There are more than %d rows. Leave some out.",
			      CATALOGUE_ROWS_MAX);
	kept = strdup(line);
	if (!kept)
		return refuse(r, -ENOMEM, "Out of memory.");
	if (split(kept, columns) != COLUMNS || !*columns[0] || !*columns[1] || !*columns[2]) {
		free(kept);
		return refuse(r, -EINVAL,
			      "Not three texts with bars between. Write PATTERN | KIND | ADVICE.");
	}
	result = check_pattern(r, columns[0]);
	if (result < 0) {
		free(kept);
		return result;
	}
	c->lines[c->n] = kept;
	c->rows[c->n++] = (struct catalogue_row){ columns[0], { columns[1], columns[2] } };
	return 0;
}

/* `line` has room for one byte more. */
static int read_line(struct reader *r, char *line, size_t len)
{
	int result;

	if (len && line[len - 1] == '\n')
		len--;
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = 0;
	if (len > CATALOGUE_LINE_MAX)
		return refuse(r, -EINVAL, "The line is longer than %d bytes. Shorten it.",
			      CATALOGUE_LINE_MAX);
	result = check_text(r, line, len);
	if (result < 0)
		return result;
	line = trim(line);
	return *line && *line != '#' ? add_row(r, line) : 0;
}

/* A line of a hostile file may have no end: getline() would take all memory for it. */
static int read_lines(struct reader *r, FILE *f)
{
	char line[CATALOGUE_LINE_MAX + 4];
	size_t n = 0;
	int c, result = 0;

	do {
		c = getc(f);
		if (c != EOF)
			line[n++] = c;
		if (n < sizeof(line) - 1 && c != '\n' && (c != EOF || !n))
			continue;
		r->line++;
		result = read_line(r, line, n);
		n = 0;
	} while (c != EOF && !result);
	return result;
}

int catalogue_read(struct catalogue *c, const char *path, char *error, size_t size)
{
	struct reader r = { .catalogue = c, .path = path, .error = error, .size = size };
	_cleanup_fclose_
	FILE *f = fopen(path, "re");
	int result = f ? read_lines(&r, f) : -errno;

	if (result < 0 && f)
		return result;
	if (f && ferror(f))
		result = errno ? -errno : -EIO;
	if (result < 0)
		snprintf(error, size,
			 "Cannot read the advice in '%s': %s. Give a file that can be read.", path,
			 strerror(-result));
	return result;
}
