/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/problems.h"

#include <ctype.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX 16

struct problems {
	pthread_mutex_t lock;
	char texts[TEXTS_MAX][PROBLEM_SIZE];
	size_t n, taken;
};

struct problems *problems_new(void)
{
	struct problems *p = calloc(1, sizeof(*p));

	if (p)
		pthread_mutex_init(&p->lock, NULL);
	return p;
}

struct problems *problems_free(struct problems *p)
{
	if (p)
		pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

static bool is_told(const struct problems *p, const char *text)
{
	for (size_t i = 0; i < p->n; i++) {
		if (!strcmp(p->texts[i], text))
			return true;
	}
	return false;
}

void problems_tell(struct problems *p, const char *format, ...)
{
	char text[PROBLEM_SIZE];
	va_list args;

	if (!p)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *c = text; *c; c++) {
		if (iscntrl((unsigned char)*c))
			*c = '?';
	}
	pthread_mutex_lock(&p->lock);
	if (p->n < TEXTS_MAX && !is_told(p, text))
		strcpy(p->texts[p->n++], text);
	pthread_mutex_unlock(&p->lock);
}

bool problems_take(struct problems *p, char ret[static PROBLEM_SIZE])
{
	bool has_more;

	pthread_mutex_lock(&p->lock);
	has_more = p->taken < p->n;
	if (has_more)
		strcpy(ret, p->texts[p->taken++]);
	pthread_mutex_unlock(&p->lock);
	return has_more;
}
