/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/markers.h"

#include <stdlib.h>

#include "base/hist.h"

#define OPEN_MAX 1024
/*
 * Of each kind: a ring of those that found no partner when they came. A marker ends before the poll it is in does, and the
 * block is told when that has been seen: so much may come in between, on other threads.
 */
#define WAITING_MAX 4096

/* Zeroed, it overlaps nothing. */
struct interval {
	int32_t tid;
	uint64_t start, end;
};

struct waiting {
	struct interval items[WAITING_MAX];
	size_t n; /* ever added */
};

struct markers {
	struct interval open[OPEN_MAX];
	size_t n_open;
	struct waiting marked, blocks;
	uint64_t n_marked, n_blocks, n_matched;
	struct hist differences; /* of the two durations */
	uint64_t ids_agree, ids_differ;
};

struct markers *markers_new(void)
{
	return calloc(1, sizeof(struct markers));
}

struct markers *markers_free(struct markers *m)
{
	if (m)
		hist_clear(&m->differences);
	free(m);
	return NULL;
}

static bool covers(const struct interval *block, const struct interval *marked)
{
	uint64_t from = block->start > marked->start ? block->start : marked->start;
	uint64_t to = block->end < marked->end ? block->end : marked->end;

	return block->tid == marked->tid && to > from &&
	       (to - from) * 2 > marked->end - marked->start;
}

static uint64_t difference(const struct interval *a, const struct interval *b)
{
	uint64_t x = a->end - a->start, y = b->end - b->start;

	return x > y ? x - y : y - x;
}

/* Of several the one that lasted most nearly as long: an inner poll before the outer, the long marker before the short. */
static struct interval *partner_of(const struct interval *i, struct waiting *others, bool is_block)
{
	size_t n = others->n < WAITING_MAX ? others->n : WAITING_MAX;
	struct interval *best = NULL;

	for (size_t j = 0; j < n; j++) {
		struct interval *other = &others->items[j];

		if ((is_block ? covers(i, other) : covers(other, i)) &&
		    (!best || difference(i, other) < difference(i, best)))
			best = other;
	}
	return best;
}

/* One block answers for one marker: what has found a partner is out of the way of the others. */
static bool pair(struct markers *m, const struct interval *i, bool is_block)
{
	struct waiting *own = is_block ? &m->blocks : &m->marked;
	struct interval *partner = partner_of(i, is_block ? &m->marked : &m->blocks, is_block);

	if (!partner) {
		own->items[own->n++ % WAITING_MAX] = *i;
		return false;
	}
	m->n_matched++;
	hist_add(&m->differences, difference(i, partner));
	*partner = (struct interval){ 0 };
	return true;
}

/* Where the thread's open interval is or may be put. One that ended inside its interval never closes it: the oldest makes
 * room. */
static struct interval *open_of(struct markers *m, int32_t tid)
{
	struct interval *oldest = &m->open[0];

	for (size_t i = 0; i < m->n_open; i++) {
		if (m->open[i].tid == tid)
			return &m->open[i];
		if (m->open[i].start < oldest->start)
			oldest = &m->open[i];
	}
	return m->n_open < OPEN_MAX ? &m->open[m->n_open++] : oldest;
}

void markers_start(struct markers *m, int32_t tid, uint64_t at_ns)
{
	*open_of(m, tid) = (struct interval){ .tid = tid, .start = at_ns };
}

void markers_end(struct markers *m, int32_t tid, uint64_t at_ns, uint64_t threshold_ns)
{
	for (size_t i = 0; i < m->n_open; i++) {
		struct interval ended = m->open[i];

		if (ended.tid != tid)
			continue;
		m->open[i] = m->open[--m->n_open];
		ended.end = at_ns;
		if (at_ns - ended.start < threshold_ns)
			return;
		m->n_marked++;
		pair(m, &ended, false);
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

bool markers_add_block(struct markers *m, const struct block *b)
{
	struct interval i = { .tid = b->tid,
			      .start = b->start_ns,
			      .end = b->start_ns + b->duration_ns };

	m->n_blocks++;
	return pair(m, &i, true);
}

void markers_result(const struct markers *m, struct validation *ret)
{
	ret->markers = m->n_marked;
	ret->detected = m->n_blocks;
	ret->matched = m->n_matched;
	ret->missed = m->n_marked - m->n_matched;
	ret->extra = m->n_blocks - m->n_matched;
	ret->task_ids_agree = m->ids_agree;
	ret->task_ids_differ = m->ids_differ;
	ret->diff_known = m->differences.count > 0;
	ret->duration_diff_p50_ns = hist_quantile(&m->differences, 0.5);
	ret->duration_diff_p99_ns = hist_quantile(&m->differences, 0.99);
}
