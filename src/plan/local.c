/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "plan/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define WORD 8
#define TLS_MAX (64 * 1024)
#define SHARED_WORDS 32 /* of an Arc<Shared>, from its counts on */
#define CAPACITY_MIN 64 /* INITIAL_CAPACITY of task::local since 1.0; Rust only ever doubles it */
#define CAPACITY_MAX (1ULL << 31)
#define USER_SPACE_END 0x800000000000ULL
#define HITS_NEEDED 2
#define SLEEPS_NEEDED 64
#define SLEEPS_BETWEEN 64 /* later, one in so many is looked at */
#define RUSTC_HEAD_AND_LENGTH 67 /* before, a VecDeque had two ends instead */

/* x86-64, variant II: an executable's block ends at the thread pointer; a shared object's begins at its own. */
static size_t tls_size(const struct tokio_copy *c)
{
	uint64_t align = c->module->is_exe && c->tls_align ? c->tls_align : 1;

	return (c->tls_memsz + align - 1) / align * align;
}

static size_t tls_size_below(const struct tokio_copy *c)
{
	return c->module->is_exe ? tls_size(c) : 0;
}

static bool is_pointer(uint64_t w)
{
	return w >= 0x10000 && w < USER_SPACE_END && !(w & 7);
}

static bool is_capacity(uint64_t w)
{
	return w >= CAPACITY_MIN && w <= CAPACITY_MAX && !(w & (w - 1));
}

/* A VecDeque's four words: two indices side by side, `pop` the first; before or after them capacity and buffer. */
static bool is_queue(const uint64_t *words, size_t n_words, size_t pop, int capacity)
{
	int buffer = capacity ^ 1; /* -2 and -1, or 2 and 3 */
	size_t first = capacity < 0 ? pop - 2 : pop;

	if ((capacity < 0 && pop < 2) || first + 4 > n_words)
		return false;
	return is_capacity(words[pop + capacity]) && is_pointer(words[pop + buffer]) &&
	       words[pop] < words[pop + capacity] && words[pop + 1] <= words[pop + capacity];
}

/* The other queue has the same shape; -1 when none or several do. */
static int find_other(const uint64_t *words, size_t n_words, size_t pop, int capacity)
{
	int found = -1;

	for (size_t i = 0; i < n_words; i++) {
		if ((i + 4 > pop && i < pop + 4) || !is_queue(words, n_words, i, capacity))
			continue;
		if (found >= 0)
			return -1;
		found = (int)i;
	}
	return found;
}

int local_queues_find(const uint64_t *words, size_t n_words, int16_t pop, struct local_queues *ret)
{
	static const int capacities[] = { -2, -1, 2, 3 };

	if (pop < 0 || pop % WORD || (size_t)pop / WORD >= n_words)
		return -ENOENT;
	for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		int other;

		if (!is_queue(words, n_words, pop / WORD, capacities[i]))
			continue;
		other = find_other(words, n_words, pop / WORD, capacities[i]);
		if (other < 0)
			return -ENOENT;
		*ret = (struct local_queues){
			.pops = { pop, (int16_t)(other * WORD) },
			.capacity = (int16_t)(capacities[i] * WORD),
		};
		return 0;
	}
	return -ENOENT;
}

bool local_queues_prove(const uint64_t *words, size_t n_words, const struct local_queues *q,
			bool has_length)
{
	size_t pop = q->pops[0] / WORD;

	if (!is_queue(words, n_words, pop, q->capacity / WORD) || !words[pop])
		return false;
	return has_length ? !words[pop + 1] : words[pop + 1] == words[pop];
}

/* CURRENT's pointer, if the symbol and the layout are to be believed; -1 when there is no symbol. */
static int64_t offset_by_symbol(const struct local_target *t)
{
	const struct tokio_copy *c = t->copy;
	const struct tokio_layout *r = t->calibration->row;

	if (c->local_sym < 0 || r->local_ctx < 0)
		return -1;
	return c->local_sym + r->local_tls_value + r->local_ctx - tls_size_below(c);
}

static void note_hit(struct local_search *s, const struct local_target *t, int64_t offset,
		     uint64_t set)
{
	size_t i = 0;

	while (i < s->n_candidates && s->candidates[i].offset != offset)
		i++;
	if (i == LOCAL_CANDIDATES)
		return;
	if (i == s->n_candidates)
		s->candidates[s->n_candidates++] = (struct local_candidate){ .offset = offset };
	s->candidates[i].hits++;
	s->candidates[i].block = t->block;
	s->candidates[i].set = set;
}

void local_search_feed(struct local_search *s, const struct local_target *t, uint64_t set)
{
	size_t size = tls_size(t->copy);
	uint64_t start = t->block - tls_size_below(t->copy);
	int16_t shared = t->calibration->row->local_context_shared;
	_cleanup_free_
	uint64_t *words = NULL;

	if (s->has_local || s->is_refuted || shared < 0 || size > TLS_MAX)
		return;
	words = malloc(size);
	if (!words || process_read(t->pid, start, words, size))
		return;
	for (size_t i = 0; i < size / WORD; i++) {
		uint64_t found;

		if (is_pointer(words[i]) &&
		    !process_read(t->pid, words[i] + shared, &found, sizeof(found)) && found == set)
			note_hit(s, t, (int64_t)(start + i * WORD - t->block), set);
	}
}

/* The one that is sure; NULL while there is none. */
static const struct local_candidate *settled(const struct local_search *s,
					     const struct local_target *t)
{
	int64_t by_symbol = offset_by_symbol(t);
	const struct local_candidate *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->n_candidates; i++) {
		const struct local_candidate *c = &s->candidates[i];

		if (by_symbol != -1 && c->offset == by_symbol)
			return c;
		if (c->hits < HITS_NEEDED || !c->is_null_at_rest)
			continue;
		found = c;
		n++;
	}
	return n == 1 ? found : NULL;
}

/* The queue's place in the row, or in another row: features and versions in between move it. */
static bool find_queues(const struct local_target *t, uint64_t set, struct local_queues *ret)
{
	uint64_t words[SHARED_WORDS];
	size_t n_rows;
	const struct tokio_layout *rows = tokio_layouts(&n_rows), *own = t->calibration->row;
	bool has_length = own->rustc_from >= RUSTC_HEAD_AND_LENGTH;

	if (process_read(t->pid, set, words, sizeof(words)))
		return false;
	if (!local_queues_find(words, SHARED_WORDS, own->local_shared_queue_pop, ret))
		return local_queues_prove(words, SHARED_WORDS, ret, has_length);
	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].rustc_from == own->rustc_from &&
		    !local_queues_find(words, SHARED_WORDS, rows[i].local_shared_queue_pop, ret))
			return local_queues_prove(words, SHARED_WORDS, ret, has_length);
	return false;
}

static void publish_local(struct local_search *s, const struct local_target *t, int64_t offset,
			  struct rs_layout *l)
{
	const struct tokio_layout *r = t->calibration->row;

	l->local_wake = r->local_wake == r->local_ctx + WORD ? WORD : RS_LOCAL_ENTERED;
	l->local_shared = r->local_context_shared;
	__atomic_store_n(&l->local, offset, __ATOMIC_RELEASE);
	s->has_local = true;
}

/* False where the kernel side could not read all of it at once. */
static bool publish_queues(const struct local_queues *q, struct rs_layout *l)
{
	bool is_in_order = q->pops[0] < q->pops[1];
	int first = q->pops[!is_in_order], last = q->pops[is_in_order];

	if (q->capacity < 0)
		first += q->capacity;
	else
		last += q->capacity;
	if (last + WORD - first >= RS_CONTEXT)
		return false;
	l->local_first = first;
	l->local_span = last + WORD - first;
	l->local_capacity = q->capacity;
	l->local_pops[1] = q->pops[1];
	__atomic_store_n(&l->local_pops[0], q->pops[0], __ATOMIC_RELEASE);
	return true;
}

void local_search_rest(struct local_search *s, const struct local_target *t)
{
	for (size_t i = 0; i < s->n_candidates; i++) {
		struct local_candidate *c = &s->candidates[i];
		uint64_t now;

		if (c->block == t->block && !c->is_null_at_rest &&
		    !process_read(t->pid, t->block + c->offset, &now, sizeof(now)))
			c->is_null_at_rest = !now;
	}
}

bool local_search_wants_asleep(struct local_search *s, const struct rs_layout *l)
{
	if (!s->has_local || s->is_refuted || s->is_entered || l->local_wake >= 0)
		return false;
	return s->sleeps < SLEEPS_NEEDED || ++s->sleeps % SLEEPS_BETWEEN == 0;
}

void local_search_asleep(struct local_search *s, struct rs_layout *l, bool is_inside)
{
	if (is_inside) {
		s->is_entered = true;
		l->local_wake = RS_LOCAL_ENTERED;
	} else if (s->sleeps < SLEEPS_NEEDED && ++s->sleeps == SLEEPS_NEEDED) {
		l->local_wake = RS_LOCAL_POLLED;
	}
}

void local_search_publish(struct local_search *s, const struct local_target *t, struct rs_layout *l)
{
	const struct local_candidate *c;
	struct local_queues q;

	if (s->is_refuted || s->has_queues)
		return;
	c = settled(s, t);
	if (!c)
		return;
	if (!s->has_local)
		publish_local(s, t, c->offset, l);
	if (!s->has_queues && c->block == t->block && find_queues(t, c->set, &q))
		s->has_queues = publish_queues(&q, l);
}

void local_search_doubt(struct local_search *s, struct rs_layout *l, bool is_runtimes)
{
	if (is_runtimes && l->local_wake < 0) {
		s->is_entered = true;
		l->local_wake = RS_LOCAL_ENTERED;
		return;
	}
	s->is_refuted = true;
	__atomic_store_n(&l->local, RS_UNKNOWN, __ATOMIC_RELEASE);
}
