/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "plan/calibrate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define TLS_MAX (64 * 1024)
#define TLS_MODULES_MAX 64
#define STACK_SPAN (64ULL << 20) /* a scheduler's context is this near to the stack pointer */
#define USER_SPACE_END 0x800000000000ULL
#define TURN_NS 40 /* no scheduler turns faster; a clock in ns does */
#define INSTANT_PAST_S 3600 /* a batch that began longer ago shows nothing */

/* One thread's TLS block of the copy. */
struct tls_copy {
	uint64_t start; /* its address */
	uint32_t module;
	size_t size;
	unsigned char *bytes;
};

struct candidate {
	const struct tokio_layout *row;
	int64_t offset; /* of CONTEXT in the block */
	int64_t worker_ctx, current_ctx; /* up to Tokio 1.28; 0 = not met */
	uint32_t module;
	unsigned int threads, ids_checked, ids_right;
};

#define ARC_COUNT_MAX 1000000
#define CANDIDATES_MAX 64

struct search {
	pid_t pid;
	const struct tokio_copy *copy;
	const struct vtable_index *vtables;
	uint32_t version;
	struct candidate found[CANDIDATES_MAX];
	size_t n_found;
	bool has_runtime; /* some thread looks like one of a runtime */
};

static uint64_t word_at(const unsigned char *bytes, int64_t off)
{
	uint64_t w;

	memcpy(&w, bytes + off, sizeof(w));
	return w;
}

static bool is_pointer(uint64_t w)
{
	return w >= 0x10000 && w < USER_SPACE_END && !(w & 7);
}

static bool is_near_stack(uint64_t w, const struct rs_thread_info *t)
{
	return is_pointer(w) && w + STACK_SPAN > t->sp && w < t->sp + STACK_SPAN;
}

/* Which scheduler CONTEXT at `b` has a handle of; -1: none. */
static int scheduler_of(const struct tokio_layout *r, const unsigned char *b)
{
	uint64_t tag = r->solo ? r->handle_ct : word_at(b, r->handle_tag) & 0xff;

	if (tag == r->handle_ct)
		return false;
	return tag == r->handle_mt ? true : -1;
}

/* Does CONTEXT's shape fit here? Only what lies in the block itself. */
static bool shape_fits(const struct tokio_layout *r, const unsigned char *b)
{
	if (scheduler_of(r, b) < 0)
		return false;
	if (b[r->runtime] > 2 || b[r->budget] > 1 || !is_pointer(word_at(b, r->handle)))
		return false;
	return r->id_tag < 0 || word_at(b, r->id_tag) <= 1;
}

/* Does the scheduler's context at `ctx` belong to the runtime whose handle is `handle`? */
static bool context_fits(pid_t pid, const struct tokio_layout *r, uint64_t ctx, uint64_t handle,
			 bool is_mt)
{
	unsigned char bytes[RS_SCHED];
	uint64_t owner;

	if (process_read(pid, ctx, bytes, sizeof(bytes)))
		return false;
	if (r->ctx_tag >= 0 &&
	    (word_at(bytes, r->ctx_tag) & 0xff) != (is_mt ? r->ctx_tag_mt : r->ctx_tag_ct))
		return false;
	owner = word_at(bytes, r->ctx_worker_or_handle);
	if (!is_mt)
		return owner == handle;
	return is_pointer(owner) && r->worker_handle >= 0 &&
	       !process_read(pid, owner + r->worker_handle, &owner, sizeof(owner)) &&
	       owner == handle;
}

/* Up to Tokio 1.28 a TLS word of its own points to the scheduler's context; returns its offset or 0. */
static int64_t find_own_ctx(const struct search *s, const struct tokio_layout *r,
			    const struct tls_copy *tls, const struct rs_thread_info *t,
			    uint64_t handle, bool is_mt)
{
	for (size_t o = 0; o + 8 <= tls->size; o += 8)
		if (is_near_stack(word_at(tls->bytes, o), t) &&
		    context_fits(s->pid, r, word_at(tls->bytes, o), handle, is_mt))
			return o;
	return 0;
}

static bool row_is_of_version(const struct tokio_layout *r, uint32_t version)
{
	return version && r->from <= version && version <= r->to;
}

/* An Arc's pointer leads to its counts of strong and weak references. */
static bool is_arc(pid_t pid, uint64_t addr)
{
	uint64_t counts[2];

	return !process_read(pid, addr, counts, sizeof(counts)) && counts[0] && counts[1] &&
	       counts[0] <= ARC_COUNT_MAX && counts[1] <= ARC_COUNT_MAX;
}

/*
 * Solo layouts have no tags to go by, so more is asked of them. Up to Tokio 1.28 even the scheduler's context is to be
 * searched: only where the version says so.
 */
static bool solo_fits(const struct search *s, const struct tokio_layout *r, uint64_t handle)
{
	bool is_possible = s->version ? row_is_of_version(r, s->version) : r->scheduler >= 0;

	return is_possible && is_arc(s->pid, handle);
}

static bool row_fits(const struct search *s, const struct tokio_layout *r,
		     const struct tls_copy *tls, const struct rs_thread_info *t,
		     struct candidate *c)
{
	const unsigned char *b = tls->bytes + c->offset;
	uint64_t handle, ctx;
	bool is_mt;

	if (!shape_fits(r, b))
		return false;
	handle = word_at(b, r->handle);
	if (r->solo && !solo_fits(s, r, handle))
		return false;
	is_mt = scheduler_of(r, b);
	if (r->scheduler < 0) {
		int64_t own = find_own_ctx(s, r, tls, t, handle, is_mt);

		*(is_mt ? &c->worker_ctx : &c->current_ctx) = own;
		return own != 0;
	}
	ctx = word_at(b, r->scheduler);
	return is_near_stack(ctx, t) && context_fits(s->pid, r, ctx, handle, is_mt);
}

static void count_candidate(struct search *s, const struct candidate *c)
{
	for (size_t i = 0; i < s->n_found; i++) {
		struct candidate *f = &s->found[i];

		if (f->row != c->row || f->offset != c->offset || f->module != c->module)
			continue;
		f->threads++;
		f->worker_ctx = f->worker_ctx ? f->worker_ctx : c->worker_ctx;
		f->current_ctx = f->current_ctx ? f->current_ctx : c->current_ctx;
		f->ids_checked += c->ids_checked;
		f->ids_right += c->ids_right;
		return;
	}
	if (s->n_found < CANDIDATES_MAX) {
		s->found[s->n_found] = *c;
		s->found[s->n_found++].threads = 1;
	}
}

/* A parked worker has its launch task's header on the stack, with the id that CONTEXT must show. */
static void check_ids(const struct search *s, const struct tls_copy *tls,
		      const struct rs_thread_info *t, struct candidate *c)
{
	const unsigned char *b = tls->bytes + c->offset;
	struct stack_area stack = { t->sp, STACK_SCAN, false };
	struct found_header header;
	uint64_t id = c->row->id_tag < 0 || word_at(b, c->row->id_tag) == 1 ? word_at(b, c->row->id)
									    : 0;
	int r;

	if (!id || !s->vtables || !t->state)
		return;
	r = header_of_task(s->pid, &stack, s->copy, s->vtables, id, &header);
	c->ids_checked |= r >= 0;
	c->ids_right |= r > 0;
}

static void search_block(struct search *s, const struct tls_copy *tls,
			 const struct rs_thread_info *t)
{
	size_t n_rows;
	const struct tokio_layout *rows = tokio_layouts(&n_rows);

	for (size_t r = 0; r < n_rows; r++) {
		if (rows[r].size < 0 || rows[r].id < 0)
			continue;
		for (size_t o = 0; o + rows[r].size <= tls->size; o += 8) {
			struct candidate c = { .row = &rows[r],
					       .offset = o,
					       .module = tls->module };

			if (!row_fits(s, &rows[r], tls, t, &c))
				continue;
			s->has_runtime = true;
			check_ids(s, tls, t, &c);
			count_candidate(s, &c);
		}
	}
}

static int read_block(pid_t pid, struct tls_copy *tls)
{
	tls->bytes = malloc(tls->size);
	if (!tls->bytes)
		return -ENOMEM;
	return process_read(pid, tls->start, tls->bytes, tls->size);
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return to ? (n + to - 1) / to * to : n;
}

/* x86-64, variant II: the executable's block ends at the thread pointer. */
static void search_static(struct search *s, const struct rs_thread_info *t)
{
	struct tls_copy tls = { .size = round_up(s->copy->tls_memsz, s->copy->tls_align) };

	if (!t->fsbase || tls.size > TLS_MAX)
		return;
	tls.start = t->fsbase - tls.size;
	if (!read_block(s->pid, &tls))
		search_block(s, &tls, t);
	free(tls.bytes);
}

/* A shared object's block is one of the thread's DTV; its module number is found by trying them. */
static void search_dynamic(struct search *s, const struct rs_thread_info *t)
{
	uint64_t dtv, count;

	if (!t->fsbase || process_read(s->pid, t->fsbase + 8, &dtv, sizeof(dtv)) ||
	    !is_pointer(dtv) || process_read(s->pid, dtv - 16, &count, sizeof(count)))
		return;
	if (count > TLS_MODULES_MAX)
		count = TLS_MODULES_MAX;
	for (uint32_t m = 1; m <= count; m++) {
		struct tls_copy tls = { .module = m, .size = s->copy->tls_memsz };

		if (process_read(s->pid, dtv + 16 * m, &tls.start, sizeof(tls.start)) ||
		    !is_pointer(tls.start) || tls.size > TLS_MAX)
			continue;
		if (!read_block(s->pid, &tls))
			search_block(s, &tls, t);
		free(tls.bytes);
	}
}

/* A layout with tags before one without, more threads first, then the row made for this version, then the newest. */
static const struct candidate *best_candidate(const struct search *s)
{
	const struct candidate *best = NULL;

	for (size_t i = 0; i < s->n_found; i++) {
		const struct candidate *c = &s->found[i];
		bool fits = row_is_of_version(c->row, s->version) && !c->row->unstable;

		if (c->ids_checked > 2 * c->ids_right)
			continue; /* the id is elsewhere in most of them: not this layout */
		if (best && c->row->solo != best->row->solo) {
			best = c->row->solo ? best : c;
			continue;
		}
		if (!best || c->threads > best->threads ||
		    (c->threads == best->threads &&
		     fits >= row_is_of_version(best->row, s->version)))
			best = c;
	}
	return best;
}

static uint32_t version_number(const char *text)
{
	unsigned int minor, patch;

	return sscanf(text, "1.%u.%u", &minor, &patch) == 2 ? TOKIO_VERSION(minor, patch) : 0;
}

static void fill_layout(const struct search *s, const struct candidate *c, struct rs_layout *ret)
{
	const struct tokio_layout *r = c->row;
	int64_t to_thread_pointer =
		c->module ? 0 : -(int64_t)round_up(s->copy->tls_memsz, s->copy->tls_align);

	*ret = (struct rs_layout){
		.context = c->offset + to_thread_pointer,
		.worker_ctx = c->worker_ctx ? c->worker_ctx + to_thread_pointer : 0,
		.current_ctx = c->current_ctx ? c->current_ctx + to_thread_pointer : 0,
		.tls_module = c->module,
		.id = r->id,
		.id_tag = r->id_tag,
		.sched = r->scheduler,
		.handle = r->handle,
		.handle_tag = r->handle_tag,
		.runtime = r->runtime,
		.budget = r->budget,
		.ctx_tag = r->ctx_tag,
		.ctx_core = r->ctx_core,
		.ctx_owner = r->ctx_worker_or_handle,
		.ticks_mt = { RS_UNKNOWN, RS_UNKNOWN, RS_UNKNOWN },
		.ticks_ct = { RS_UNKNOWN, RS_UNKNOWN, RS_UNKNOWN },
		.started_mt = RS_UNKNOWN,
		.batch_mt = RS_UNKNOWN,
		.started_ct = RS_UNKNOWN,
		.worker_index = r->worker_index,
		.runtime_not_entered = r->runtime_not_entered,
		.tag_ct = r->ctx_tag >= 0 ? r->ctx_tag_ct : r->handle_ct,
		.tag_mt = r->solo	    ? RS_TAG_NEVER
			  : r->ctx_tag >= 0 ? r->ctx_tag_mt
					    : r->handle_mt,
		.size = r->size,
		.local = RS_UNKNOWN,
		.local_pops = { RS_UNKNOWN, RS_UNKNOWN },
		.valid = 1,
	};
}

int calibrate(pid_t pid, const struct tokio_copy *c, const struct vtable_index *x,
	      const struct rs_thread_info *threads, size_t n_threads, struct calibration *ret)
{
	struct search s = {
		.pid = pid, .copy = c, .vtables = x, .version = version_number(c->version)
	};
	const struct candidate *best;

	if (!c->tls_memsz || c->tls_memsz > TLS_MAX)
		return -ENOENT;
	for (size_t i = 0; i < n_threads; i++) {
		if (c->module->is_exe)
			search_static(&s, &threads[i]);
		else
			search_dynamic(&s, &threads[i]);
	}
	best = best_candidate(&s);
	if (!best)
		return s.has_runtime ? -ENOENT : -EAGAIN;
	*ret = (struct calibration){
		.row = best->row,
		.threads = best->threads,
		.ids_checked = best->ids_checked,
		.ids_right = best->ids_right,
		.is_by_symbol = c->context_sym >= 0 &&
				c->context_sym + best->row->tls_value == best->offset,
	};
	fill_layout(&s, best, &ret->layout);
	return 0;
}

/* Do two layouts put CONTEXT's and the scheduler context's fields at the same places? */
static bool is_same_context(const struct tokio_layout *a, const struct tokio_layout *b)
{
	return a->size == b->size && a->id_tag == b->id_tag && a->id == b->id &&
	       a->scheduler == b->scheduler && a->handle_tag == b->handle_tag &&
	       a->handle == b->handle && a->runtime == b->runtime && a->budget == b->budget &&
	       a->ctx_tag == b->ctx_tag && a->ctx_core == b->ctx_core &&
	       a->ctx_worker_or_handle == b->ctx_worker_or_handle;
}

static void add_tick(struct tick_watch *w, int16_t tick, int16_t started, int16_t batch)
{
	if (tick < 0 || w->n_candidates == TICK_CANDIDATES)
		return;
	for (size_t i = 0; i < w->n_candidates; i++)
		if (w->candidates[i].tick == tick)
			return;
	w->candidates[w->n_candidates++] = (struct tick_candidate){
		.tick = tick,
		.started = started,
		.batch = batch,
	};
}

/*
 * current_thread's Core holds the I/O driver, and mio's Selector in that is larger in a build with debug assertions, as
 * those that the table was made from are.
 */
#define MIO_DEBUG_ASSERTIONS 24

/* The first variant of a row is the one without I/O. */
static void add_ticks_without_assertions(struct tick_watch *w, const struct tokio_layout *r)
{
	for (size_t i = 1; i < TOKIO_LAYOUT_CT_VARIANTS && r->ct[i].tick >= 0; i++) {
		int16_t started = r->ct[i].started;

		add_tick(w, r->ct[i].tick - MIO_DEBUG_ASSERTIONS,
			 started < 0 ? RS_UNKNOWN : started - MIO_DEBUG_ASSERTIONS, RS_UNKNOWN);
	}
}

static void add_ticks_of_row(struct tick_watch *w, const struct tokio_layout *r, bool is_mt)
{
	if (is_mt) {
		add_tick(w, r->core_tick_mt, r->core_started_mt, r->core_batch_mt);
		return;
	}
	for (size_t i = 0; i < TOKIO_LAYOUT_CT_VARIANTS; i++)
		add_tick(w, r->ct[i].tick, r->ct[i].started, RS_UNKNOWN);
	add_ticks_without_assertions(w, r);
}

void tick_watch_init(struct tick_watch *w, const struct calibration *c, const char *version,
		     bool is_mt)
{
	uint32_t number = version_number(version);
	size_t n_rows;
	const struct tokio_layout *rows = tokio_layouts(&n_rows);

	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < n_rows; i++)
		if (is_same_context(&rows[i], c->row) && row_is_of_version(&rows[i], number))
			add_ticks_of_row(w, &rows[i], is_mt);
	if (w->n_candidates)
		return;
	for (size_t i = n_rows; i-- > 0;) /* the version is unknown, or newer than the table */
		if (is_same_context(&rows[i], c->row))
			add_ticks_of_row(w, &rows[i], is_mt);
}

static void feed_candidate(struct tick_candidate *c, uint32_t now, uint32_t last,
			   uint64_t elapsed_ns)
{
	if (now == last)
		return;
	if (now - last > elapsed_ns / TURN_NS)
		c->is_out = true;
	c->rises++;
}

/* An Instant is a time of CLOCK_MONOTONIC: i64 seconds, u32 nanoseconds. */
static bool is_recent_instant(pid_t pid, uint64_t addr, uint64_t now)
{
	struct {
		int64_t sec;
		uint32_t nsec;
	} at;
	int64_t now_s = now / 1000000000ULL;

	return !process_read(pid, addr, &at, 12) && at.nsec < 1000000000U && at.sec <= now_s &&
	       at.sec >= 0 && at.sec > now_s - INSTANT_PAST_S && (at.sec || at.nsec);
}

void tick_watch_feed(struct tick_watch *w, pid_t pid, uint64_t core)
{
	uint64_t now = now_ns(), elapsed = 0;
	size_t c = 0;

	while (c < TICK_CORES && w->cores[c].addr != core)
		c++;
	if (c < TICK_CORES)
		elapsed = now - w->cores[c].fed_ns;
	else
		c = w->next_core++ % TICK_CORES;
	w->cores[c].addr = core;
	w->cores[c].fed_ns = now;
	for (size_t i = 0; i < w->n_candidates; i++) {
		struct tick_candidate *t = &w->candidates[i];
		uint32_t *last = &w->cores[c].last[i], word;

		if (process_read(pid, core + t->tick, &word, sizeof(word))) {
			t->is_out = true;
			continue;
		}
		if (elapsed)
			feed_candidate(t, word, *last, elapsed);
		*last = word;
		if (t->started >= 0)
			t->instants += is_recent_instant(pid, core + t->started, now);
	}
}

static bool has_clock(const struct tick_watch *w)
{
	for (size_t i = 0; i < w->n_candidates; i++)
		if (!w->candidates[i].is_out && w->candidates[i].instants)
			return true;
	return false;
}

/* Other words may move inside a poll: with a clock in sight only those that have one. */
static size_t add_prior(const struct tick_watch *w, bool is_moving, int16_t ret[RS_TICKS], size_t n)
{
	bool is_timed = has_clock(w);

	for (size_t i = 0; i < w->n_candidates && n < RS_TICKS; i++) {
		const struct tick_candidate *c = &w->candidates[i];

		if (!c->is_out && (c->rises > 0) == is_moving && (c->instants || !is_timed))
			ret[n++] = c->tick;
	}
	return n;
}

void tick_watch_prior(const struct tick_watch *w, int16_t ret[RS_TICKS])
{
	size_t n = add_prior(w, false, ret, add_prior(w, true, ret, 0));

	while (n < RS_TICKS)
		ret[n++] = RS_UNKNOWN;
}

#define RISES_NEEDED 2

static bool is_counter(const struct tick_candidate *c)
{
	return !c->is_out && c->rises >= RISES_NEEDED;
}

const struct tick_candidate *tick_watch_settled(const struct tick_watch *w)
{
	const struct tick_candidate *untimed = NULL, *timed = NULL;
	size_t n = 0, n_timed = 0;

	for (size_t i = 0; i < w->n_candidates; i++) {
		const struct tick_candidate *c = &w->candidates[i];

		if (!is_counter(c))
			continue;
		if (c->started < 0) {
			untimed = c;
			n++;
		} else if (c->instants >= c->rises) {
			timed = c;
			n_timed++;
		}
	}
	/* Two of them move: wait for one to fall. */
	if (n_timed)
		return n_timed == 1 ? timed : NULL;
	return n == 1 ? untimed : NULL;
}
