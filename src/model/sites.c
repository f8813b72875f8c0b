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
#include "model/callsite.h"
#include "model/path.h"

#define OTHER_SITES "(other sites)"
#define TOLD_FIRST 3 /* blocks of a site */
#define TOLD_AT_ONCE 20 /* of all sites, and then */
#define TOLD_EVERY_NS UINT64_C(250000000) /* one more each */
#define LASTING_NS UINT64_C(1000000000) /* an ongoing block that is told in any case */
#define PAUSE_FIRST_NS UINT64_C(1000000000) /* until the others of a site are told, */
#define PAUSE_LAST_NS UINT64_C(32000000000) /* which doubles each time */

/* All of it is hashed and compared as bytes, so it has to be zeroed first. */
struct site_key {
	char site[SITE_SIZE]; /* and what excuses it; else task and syscall */
	char syscall[48];
	uint64_t task_hash;
	enum cause cause;
};

struct counted_site {
	struct site_key key;
	struct site row;
	uint64_t by_cause_ns[CAUSE_MAX];
	uint32_t n_told;
	uint64_t told_max_ns;
	struct repeats untold;
	uint64_t due_ns, pause_ns; /* of what is untold */
	struct hist durations;
	bool is_lost; /* could not be put into the table */
	UT_hash_handle hh;
};

struct sites {
	struct counted_site *by_key;
	struct counted_site *others; /* the row of all that came after SITES_MAX sites */
	struct site ranked[SITES_MAX + 1];
	uint64_t full_ns; /* when TOLD_AT_ONCE may be told again */
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

static const char *task_name(const struct block *b)
{
	return b->task.name ? b->task.name : b->task_id ? "" : "root";
}

static bool is_excused(enum cause c)
{
	return c == CAUSE_STARVED || c == CAUSE_THROTTLED;
}

static void key_of(const struct block *b, struct site_key *ret)
{
	const char *syscall = first_syscall(b);

	memset(ret, 0, sizeof(*ret));
	if (b->site[0]) {
		strcpy(ret->site, b->site);
		ret->cause = is_excused(b->cause) ? b->cause : CAUSE_OTHER;
		return;
	}
	if (syscall)
		strncpy(ret->syscall, syscall, sizeof(ret->syscall) - 1);
	ret->task_hash = hash_of(task_name(b));
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
	memcpy(c->row.site, key.site, sizeof(c->row.site));
	return site_insert(s, c);
}

/* What is told of a site beside its numbers is what its longest block shows. */
static void note_longest(struct site *row, const struct block *b)
{
	const struct frame *f = callsite_frame(b);
	char path[PATH_TEXT_SIZE] = "";

	utf8_shorten(row->task, sizeof(row->task), task_name(b));
	if (f && f->function)
		path_of_name(f->function, path);
	utf8_shorten(row->function, sizeof(row->function), path);
	utf8_shorten(row->file, sizeof(row->file), f && f->file ? f->file : "");
	row->line = f && f->file ? f->line : 0;
}

static void note_cause(struct counted_site *c, const struct block *b)
{
	c->by_cause_ns[b->cause] += b->duration_ns;
	if (c->by_cause_ns[b->cause] < c->by_cause_ns[c->row.cause])
		return;
	c->row.cause = b->cause;
	c->row.syscall = first_syscall(b);
	c->row.advice = b->advice;
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
	c->row.total_ns += b->duration_ns;
	if (c != s->others) {
		note_cause(c, b);
		if (!c->row.count || b->duration_ns > c->row.max_ns)
			note_longest(&c->row, b);
	}
	c->row.count++;
	if (b->duration_ns > c->row.max_ns)
		c->row.max_ns = b->duration_ns;
	if (b->severity > c->row.severity)
		c->row.severity = b->severity;
	return 0;
}

static struct counted_site *counted_site_of(struct sites *s, const struct block *b)
{
	struct site_key key;
	struct counted_site *c;

	key_of(b, &key);
	c = site_find(s, &key);
	return c ? c : s->others;
}

/* The bucket is full again at full_ns; each block moves that on. */
static bool take_turn(struct sites *s, uint64_t now)
{
	uint64_t full_ns = s->full_ns > now ? s->full_ns : now;

	if (full_ns - now > (TOLD_AT_ONCE - 1) * TOLD_EVERY_NS)
		return false;
	s->full_ns = full_ns + TOLD_EVERY_NS;
	return true;
}

static void note_untold(struct counted_site *c, const struct block *b, uint64_t now)
{
	struct repeats *r = &c->untold;

	if (!r->count && c->due_ns <= now) {
		c->pause_ns = c->pause_ns ? c->pause_ns : PAUSE_FIRST_NS;
		c->due_ns = now + c->pause_ns;
	}
	r->pid = b->pid;
	r->count++;
	r->total_ns += b->duration_ns;
	if (b->duration_ns > r->max_ns)
		r->max_ns = b->duration_ns;
}

bool sites_tell(struct sites *s, const struct block *b, uint64_t now)
{
	struct counted_site *c = counted_site_of(s, b);
	bool is_news = !c || c->n_told < TOLD_FIRST || b->duration_ns / 2 > c->told_max_ns;

	if (b->is_ongoing)
		return b->duration_ns >= LASTING_NS || (is_news && take_turn(s, now));
	if (!is_news || !take_turn(s, now)) {
		if (c)
			note_untold(c, b, now);
		return !c;
	}
	if (c) {
		c->n_told++;
		if (b->duration_ns > c->told_max_ns)
			c->told_max_ns = b->duration_ns;
	}
	return true;
}

static void take_untold(struct counted_site *c, uint64_t now)
{
	c->untold = (struct repeats){ 0 };
	c->pause_ns = 2 * c->pause_ns < PAUSE_LAST_NS ? 2 * c->pause_ns : PAUSE_LAST_NS;
	c->due_ns = now + c->pause_ns;
}

/* The one with the most untold time that is due; NULL: none is. */
static struct counted_site *find_due(struct sites *s, uint64_t now)
{
	struct counted_site *c, *next, *best = NULL;

	if (s->others && s->others->untold.count && s->others->due_ns <= now)
		best = s->others;
	HASH_ITER(hh, s->by_key, c, next) {
		if (c->untold.count && c->due_ns <= now &&
		    (!best || c->untold.total_ns > best->untold.total_ns))
			best = c;
	}
	return best;
}

size_t sites_repeats(struct sites *s, uint64_t now, struct repeats ret[SITES_REPEATS])
{
	struct counted_site *c;
	size_t n = 0;

	while (n < SITES_REPEATS && (c = find_due(s, now))) {
		ret[n] = c->untold;
		ret[n++].site = &c->row;
		take_untold(c, now);
	}
	return n;
}

static int by_total(const void *left, const void *right)
{
	const struct site *l = left, *r = right;
	int order;

	if (l->total_ns != r->total_ns)
		return l->total_ns < r->total_ns ? 1 : -1;
	if (l->cause != r->cause)
		return l->cause < r->cause ? -1 : 1;
	order = strcmp(l->site, r->site);
	return order ? order : strcmp(l->task, r->task);
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
