/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names of functions and places of code, made to fit. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/utf8.h"
#include "model/path.h"
#include "sink/formats.h"

/* Of a path, the part that tells files apart: behind the place where cargo or rustc keeps what is not the user's. */
static const char *short_path(const char *path)
{
	static const char *const marks[] = { "/registry/src/", "/library/", "/src/" };
	const char *at, *next;

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		at = strstr(path, marks[i]);
		if (!at)
			continue;
		if (i == 0) { /* one more: the name of the registry */
			next = strchr(at + strlen(marks[0]), '/');
			return next ? next + 1 : at + 1;
		}
		while ((next = strstr(at + 1, marks[i])))
			at = next;
		return at + 1;
	}
	return path;
}

size_t text_place(char *ret, const char *file, uint32_t line, size_t columns)
{
	char number[16] = "";
	size_t used;

	if (line)
		snprintf(number, sizeof(number), ":%" PRIu32, line);
	used = escape_shorten(ret, short_path(file), columns - strlen(number));
	strcat(ret, number);
	return used + strlen(number);
}

/*
 * "app::f::{closure}::{closure}" is the body of an async block in an async fn, or of closures: which of them, only debuginfo
 * tells. Once is enough.
 */
static void merge_closures(char *path)
{
	static const char closure[] = "::{closure}";
	const size_t len = sizeof(closure) - 1;
	size_t n = strlen(path);

	while (n >= 2 * len && !strcmp(path + n - len, closure) &&
	       !strncmp(path + n - 2 * len, closure, len)) {
		n -= len;
		path[n] = 0;
	}
}

/* What is left of it without the module that comes after the first `skip` bytes; NULL: that is the function itself. */
static const char *without_module(const char *rest)
{
	const char *next = strstr(rest, "::");

	/* A type's function is told with its type, and a closure with its function. */
	if (!next || next[2] == '{' || next[2] == '<')
		return NULL;
	return next + 2;
}

/* "app::…::Type::function": modules go, the first ones last. */
static void drop_modules(char *path, size_t columns)
{
	char shorter[PATH_TEXT_SIZE + 8], crate[PATH_TEXT_SIZE];
	const char *rest = path, *next;
	int n = strcspn(path, ":<");

	snprintf(crate, sizeof(crate), "%.*s::", n, path);
	while (escape_columns(path) > columns && (next = without_module(rest))) {
		rest = next;
		snprintf(shorter, sizeof(shorter), "%s…::%s", crate, rest);
		if (escape_columns(shorter) <= columns) {
			utf8_shorten(path, PATH_TEXT_SIZE, shorter);
			return;
		}
	}
	if (rest > path) {
		snprintf(shorter, sizeof(shorter), "…::%s", rest);
		utf8_shorten(path, PATH_TEXT_SIZE, shorter);
	}
}

/* The function that it is the body of says more than the half of both would. */
static void drop_closure(char *path)
{
	char *closure = strstr(path, "::{closure");

	if (closure && closure > path)
		*closure = 0;
}

size_t text_function(char *ret, const char *function, size_t columns)
{
	char path[PATH_TEXT_SIZE];

	path_of_name(function, path);
	merge_closures(path);
	if (escape_columns(path) > columns)
		path_leave_out_trait(path);
	if (escape_columns(path) > columns)
		drop_modules(path, columns);
	if (escape_columns(path) > columns)
		drop_closure(path);
	return escape_shorten(ret, path, columns);
}
