/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/strings.h"

#include <stdlib.h>
#include <string.h>

#define uthash_fatal(msg) abort()
#include <uthash.h>

struct kept {
	UT_hash_handle hh;
	char text[];
};

struct strings {
	struct kept *all;
	size_t used, max;
};

struct strings *strings_new(size_t max)
{
	struct strings *s = calloc(1, sizeof(*s));

	if (s)
		s->max = max;
	return s;
}

struct strings *strings_free(struct strings *s)
{
	struct kept *k, *next;

	if (!s)
		return NULL;
	HASH_ITER(hh, s->all, k, next) {
		HASH_DEL(s->all, k);
		free(k);
	}
	free(s);
	return NULL;
}

const char *strings_keep(struct strings *s, const char *text)
{
	size_t len = text ? strlen(text) : 0, size = sizeof(struct kept) + len + 1;
	struct kept *k;

	if (!text)
		return NULL;
	HASH_FIND(hh, s->all, text, len, k);
	if (k)
		return k->text;
	if (size > s->max - s->used || !(k = malloc(size)))
		return NULL;
	memcpy(k->text, text, len + 1);
	s->used += size;
	HASH_ADD_KEYPTR(hh, s->all, k->text, len, k);
	return k->text;
}
