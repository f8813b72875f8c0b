/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/markers.h"

#include <stdlib.h>

#define OPEN_MAX 1024
#define INTERVALS_MAX 65536 /* of each kind; a ring: the newest are compared */

struct interval {
	int32_t tid;
	uint64_t start, end;
};

struct intervals {
	struct interval *items;
	size_t n; /* ever added */
};

struct markers {
	struct interval open[OPEN_MAX];
	size_t n_open;
	struct intervals marked, blocks;
	uint64_t ids_agree, ids_differ;
};

struct markers *markers_new(void)
{
	struct markers *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->marked.items = calloc(INTERVALS_MAX, sizeof(struct interval));
	m->blocks.items = calloc(INTERVALS_MAX, sizeof(struct interval));
	return m->marked.items && m->blocks.items ? m : markers_free(m);
}

struct markers *markers_free(struct markers *m)
{
	if (!m)
		return NULL;
	free(m->marked.items);
	free(m->blocks.items);
	free(m);
	return NULL;
}

static void add(struct intervals *list, const struct interval *i)
{
	list->items[list->n++ % INTERVALS_MAX] = *i;
}

static size_t kept(const struct intervals *list)
{
	return list->n < INTERVALS_MAX ? list->n : INTERVALS_MAX;
}

void markers_start(struct markers *m, int32_t tid, uint64_t at_ns)
{
	size_t i = 0;

	while (i < m->n_open && m->open[i].tid != tid)
		i++;
	if (i == OPEN_MAX)
		return;
	if (i == m->n_open)
		m->n_open++;
	m->open[i] = (struct interval){ .tid = tid, .start = at_ns };
}

void markers_end(struct markers *m, int32_t tid, uint64_t at_ns, uint64_t threshold_ns)
{
	for (size_t i = 0; i < m->n_open; i++) {
		if (m->open[i].tid != tid)
			continue;
		m->open[i].end = at_ns;
		if (at_ns - m->open[i].start >= threshold_ns)
			add(&m->marked, &m->open[i]);
		m->open[i] = m->open[--m->n_open];
		return;
	}
}

void markers_check_id(struct markers *m, uint64_t seen, uint64_t told)
{
	if (seen == told)
		m->ids_agree++;
	else
		m->ids_differ++;
}

void markers_add_block(struct markers *m, const struct block *b)
{
	add(&m->blocks, &(struct interval){ .tid = b->tid,
					    .start = b->start_ns,
					    .end = b->start_ns + b->duration_ns });
}

static bool covers(const struct interval *block, const struct interval *marked)
{
	uint64_t from = block->start > marked->start ? block->start : marked->start;
	uint64_t to = block->end < marked->end ? block->end : marked->end;

	return block->tid == marked->tid && to > from &&
	       (to - from) * 2 > marked->end - marked->start;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void summarize_differences(uint64_t *diffs, size_t n, struct validation *ret)
{
	ret->diff_known = n > 0;
	if (!n)
		return;
	qsort(diffs, n, sizeof(*diffs), compare_u64);
	ret->duration_diff_p50_ns = diffs[(n - 1) / 2];
	ret->duration_diff_p99_ns = diffs[(n - 1) * 99 / 100];
}

void markers_result(const struct markers *m, struct validation *ret)
{
	size_t n_marked = kept(&m->marked), n_blocks = kept(&m->blocks), n_diffs = 0;
	uint64_t *diffs = calloc(n_marked + 1, sizeof(*diffs));
	bool *is_matched = calloc(n_blocks + 1, sizeof(*is_matched));

	ret->markers = n_marked;
	ret->detected = n_blocks;
	ret->task_ids_agree = m->ids_agree;
	ret->task_ids_differ = m->ids_differ;
	for (size_t i = 0; diffs && is_matched && i < n_marked; i++) {
		const struct interval *marked = &m->marked.items[i];

		for (size_t j = 0; j < n_blocks; j++) {
			const struct interval *b = &m->blocks.items[j];

			if (!covers(b, marked))
				continue;
			is_matched[j] = true;
			diffs[n_diffs++] = distance(b->end - b->start, marked->end - marked->start);
			break;
		}
	}
	ret->matched = n_diffs;
	ret->missed = n_marked - n_diffs;
	for (size_t j = 0; is_matched && j < n_blocks; j++)
		ret->extra += !is_matched[j];
	summarize_differences(diffs, n_diffs, ret);
	free(diffs);
	free(is_matched);
}
