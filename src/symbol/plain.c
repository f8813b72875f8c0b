/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/plain.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n >= k && !strcmp(text + n - k, end);
}

bool plain_is_in(const char *plain, const char *symbol)
{
	size_t n = strcspn(plain, "<");

	/* Old symbols call all that is written inside of a function so. */
	if (plain[0] == '{' && ends_with(symbol, "::{{closure}}"))
		return true;
	for (const char *at = symbol; n && (at = strstr(at, "::")); at += 2) {
		if (!strncmp(at + 2, plain, n) && (!at[2 + n] || strchr(":<(", at[2 + n])))
			return true;
	}
	return false;
}

/* Where the path before "{" begins: "a::b::" of "x<&mut a::b::{async_fn_env#0}>". */
static const char *path_before(const char *text, const char *brace)
{
	static const char inside[] = "_:{}#";
	const char *at = brace;

	while (at > text && (isalnum((unsigned char)at[-1]) || strchr(inside, at[-1])))
		at--;
	return at;
}

bool plain_from_caller(const char *plain, const char *caller, char *ret, size_t size)
{
	const char *mark = strchr(plain, '#'), *found = NULL, *begin;
	char type[48];
	size_t n = strlen(plain);
	int len;

	/* Closures of a generic function have its arguments, and which those are is not known here. */
	if (plain[0] != '{' || !mark || plain[n - 1] != '}')
		return false;
	len = snprintf(type, sizeof(type), "::%.*s_env%s", (int)(mark - plain), plain, mark);
	if (len < 0 || (size_t)len >= sizeof(type))
		return false;
	for (const char *at = caller; (at = strstr(at, type)); at += len) {
		/* of what is written inside of it, not of itself */
		if (!strncmp(at + len, "::", 2))
			continue;
		if (found)
			return false;
		found = at;
	}
	if (!found)
		return false;
	begin = path_before(caller, found);
	len = snprintf(ret, size, "%.*s::%s", (int)(found - begin), begin, plain);
	return found > begin && len > 0 && (size_t)len < size;
}
