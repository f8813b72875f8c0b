/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/details.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "model/block.h"

#define DETAILS_MAX 512 /* a power of two */

struct detail {
	uint32_t tid; /* 0 = free */
	int32_t nr;
	uint64_t object, at_ns;
};

struct details {
	struct detail rows[DETAILS_MAX];
	char texts[DETAILS_MAX][BLOCK_DETAIL];
	uint64_t n; /* ever added */
};

struct details *details_new(void)
{
	return calloc(1, sizeof(struct details));
}

struct details *details_free(struct details *d)
{
	free(d);
	return NULL;
}

void details_add(struct details *d, uint32_t tid, int32_t nr, uint64_t object, uint64_t at_ns,
		 const char *text)
{
	size_t at = d->n++ % DETAILS_MAX;
	struct detail *row = &d->rows[at];

	row->tid = tid;
	row->nr = nr;
	row->object = object & RS_OBJECT_FILE && !(object & RS_OBJECT_PART) ? object : 0;
	row->at_ns = at_ns;
	utf8_shorten(d->texts[at], sizeof(d->texts[at]), text);
}

/* What is no file is the same while the sleep lasts: it ended at `object`. */
static bool is_about(const struct detail *row, const struct rs_spell *s, uint64_t start_ns)
{
	if (s->object & RS_OBJECT_FILE)
		return row->object == s->object && row->at_ns >= start_ns;
	return !row->object && row->at_ns <= s->object && s->object - row->at_ns <= s->object_ns;
}

const char *details_find(const struct details *d, uint32_t tid, const struct rs_spell *s,
			 uint64_t start_ns)
{
	for (uint64_t i = 0; i < DETAILS_MAX && i < d->n; i++) {
		size_t at = (d->n - 1 - i) % DETAILS_MAX;
		const struct detail *row = &d->rows[at];

		if (row->tid == tid && row->nr == s->nr && is_about(row, s, start_ns))
			return d->texts[at];
	}
	return NULL;
}
