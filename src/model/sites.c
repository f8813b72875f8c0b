/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* uthash ends the process when memory is short, unless told otherwise. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(site) ((site)->is_lost = true)
#include <uthash.h>

#include "base/hist.h"
#include "base/utf8.h"

#define OTHER_SITES "(other sites)"

/* All of it is hashed and compared as bytes, so it has to be zeroed first. */
struct site_key {
	char task[sizeof(((struct site *)0)->task)]; /* shortened; see task_hash */
	char syscall[48];
	uint64_t task_hash; /* tells long names apart */
	enum cause cause;
};

struct counted_site {
	struct site_key key;
	struct site row;
	struct hist durations;
	bool is_lost; /* could not be put into the table */
	UT_hash_handle hh;
};

struct sites {
	struct counted_site *by_key;
	struct counted_site *others; /* the row of all that came after SITES_MAX sites */
	struct site ranked[SITES_MAX + 1];
};

/* FNV-1a */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

static struct counted_site *counted_site_free(struct counted_site *c)
{
	if (c)
		hist_clear(&c->durations);
	free(c);
	return NULL;
}

struct sites *sites_new(void)
{
	return calloc(1, sizeof(struct sites));
}

struct sites *sites_free(struct sites *s)
{
	struct counted_site *c, *next;

	if (!s)
		return NULL;
	c = s->by_key;
	HASH_CLEAR(hh, s->by_key); /* frees the table; its rows stay linked */
	for (; c; c = next) {
		next = c->hh.next;
		counted_site_free(c);
	}
	counted_site_free(s->others);
	free(s);
	return NULL;
}

static const char *first_syscall(const struct block *b)
{
	return b->n_syscalls ? b->syscalls[0].name : NULL;
}

static void key_of(const struct block *b, struct site_key *ret)
{
	const char *task = b->task.name ? b->task.name : b->task_id ? "" : "root";
	const char *syscall = first_syscall(b);

	memset(ret, 0, sizeof(*ret));
	utf8_shorten(ret->task, sizeof(ret->task), task);
	if (syscall)
		strncpy(ret->syscall, syscall, sizeof(ret->syscall) - 1);
	ret->task_hash = hash_of(task);
	ret->cause = b->cause;
}

static struct counted_site *others_of(struct sites *s)
{
	if (s->others)
		return s->others;
	s->others = calloc(1, sizeof(*s->others));
	if (!s->others)
		return NULL;
	strcpy(s->others->row.task, OTHER_SITES);
	s->others->row.cause = CAUSE_OTHER;
	return s->others;
}

/* uthash's macros make these two long. NOLINTBEGIN(readability-function-size) */
static struct counted_site *site_find(struct sites *s, const struct site_key *key)
{
	struct counted_site *c;

	HASH_FIND(hh, s->by_key, key, sizeof(*key), c);
	return c;
}

static struct counted_site *site_insert(struct sites *s, struct counted_site *c)
{
	HASH_ADD(hh, s->by_key, key, sizeof(c->key), c);
	return c->is_lost ? counted_site_free(c) : c;
}
/* NOLINTEND(readability-function-size) */

static struct counted_site *site_of(struct sites *s, const struct block *b)
{
	struct site_key key;
	struct counted_site *c;

	key_of(b, &key);
	c = site_find(s, &key);
	if (c)
		return c;
	if (HASH_COUNT(s->by_key) >= SITES_MAX)
		return others_of(s);
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->key = key;
	memcpy(c->row.task, key.task, sizeof(c->row.task));
	c->row.cause = key.cause;
	c->row.syscall = first_syscall(b);
	return site_insert(s, c);
}

int sites_add(struct sites *s, const struct block *b)
{
	struct counted_site *c = site_of(s, b);
	int r;

	if (!c)
		return -ENOMEM;
	r = hist_add(&c->durations, b->duration_ns);
	if (r < 0)
		return r;
	c->row.count++;
	c->row.total_ns += b->duration_ns;
	if (b->duration_ns > c->row.max_ns)
		c->row.max_ns = b->duration_ns;
	if (b->severity > c->row.severity)
		c->row.severity = b->severity;
	return 0;
}

static int by_total(const void *left, const void *right)
{
	const struct site *l = left, *r = right;

	if (l->total_ns != r->total_ns)
		return l->total_ns < r->total_ns ? 1 : -1;
	if (l->cause != r->cause)
		return l->cause < r->cause ? -1 : 1;
	return strcmp(l->task, r->task);
}

static struct site ranked_row(const struct counted_site *c)
{
	struct site row = c->row;

	row.p99_ns = hist_quantile(&c->durations, 0.99);
	return row;
}

size_t sites_rank(struct sites *s, const struct site **ret)
{
	struct counted_site *c, *next;
	size_t n = 0;

	if (s->others && s->others->row.count)
		s->ranked[n++] = ranked_row(s->others);
	HASH_ITER(hh, s->by_key, c, next) {
		if (c->row.count) /* 0: no memory was left to count its first block */
			s->ranked[n++] = ranked_row(c);
	}
	qsort(s->ranked, n, sizeof(*s->ranked), by_total);
	*ret = s->ranked;
	return n;
}
