/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/decode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/spawns.h"
#include "model/syscalls.h"

/*
 * Between the future and the edges of its poll, where this tool looks, lies work of the runtime: some us, or ten times
 * that when caches are cold after a sleep and page faults are dear (120 us seen in a virtual machine). In every bound once;
 * and once more, for the other edge, where the sampling period leaves room for it.
 */
#define RUNTIME_NS 100000
#define EXACT_ERROR_NS 100000 /* two traps of 0.4-1 us, likewise: the first of a thread allocates */
#define BATCH_TO_POLL_NS \
	1000 /* runtime's clock of the batch to its first poll, typical (tokio-internals.md 0.5) */

uint32_t site_encode(uint8_t copy, uint32_t vtable, bool is_drop)
{
	return (uint32_t)copy << RS_SITE_COPY_SHIFT | (is_drop ? RS_SITE_DROP : 0) |
	       (vtable & RS_SITE_VTABLE);
}

struct task_type site_decode(uint32_t site)
{
	return (struct task_type){ .copy = site >> RS_SITE_COPY_SHIFT,
				   .vtable = site & RS_SITE_VTABLE };
}

static int runtime_index(struct decoder *d, uint64_t handle)
{
	if (!handle)
		return -1;
	for (int i = 0; i < d->n_runtimes; i++)
		if (d->runtimes[i] == handle)
			return i;
	if (d->n_runtimes == RUNTIMES_MAX)
		return -1;
	d->runtimes[d->n_runtimes] = handle;
	return d->n_runtimes++;
}

static const struct task_vtable *vtable_of(const struct decoder *d, const struct rs_poll *p)
{
	struct task_type type;

	if (p->flags & RS_POLL_EXACT_START)
		type = site_decode(p->site);
	else if (!p->id || !tasks_find(d->tasks, p->copy, p->id, &type))
		return NULL;
	if (type.copy >= d->n_copies || type.vtable >= d->copies[type.copy].n_vtables)
		return NULL;
	return &d->copies[type.copy].vtables[type.vtable];
}

/* block_on inside a spawn_blocking closure: the id in CONTEXT is still the closure's. */
static bool is_root(const struct rs_poll *p, const struct task_vtable *v)
{
	return !p->id || (v && v->blocking);
}

/* The task's own scheduler says it, where its type is known; else whether a LocalSet was being polled all the while. */
static bool is_local(const struct decoder *d, const struct rs_poll *p, const struct task_vtable *v)
{
	enum scheduler_kind kind = v ? tasks_scheduler(d->tasks, v->schedule) : SCHEDULER_UNKNOWN;

	return !is_root(p, v) &&
	       (kind == SCHEDULER_LOCAL || (kind == SCHEDULER_UNKNOWN && p->flags & RS_POLL_LOCAL));
}

static enum role role_of(const struct decoder *d, const struct rs_poll *p,
			 const struct task_vtable *v)
{
	switch (p->role) {
	case RS_ROLE_WORKER:
		return ROLE_WORKER;
	case RS_ROLE_CURRENT_THREAD:
		return is_local(d, p, v) ? ROLE_LOCAL_SET : ROLE_CURRENT_THREAD;
	case RS_ROLE_LOCAL_SET:
		if (p->sched && !is_local(d, p, v))
			return ROLE_CURRENT_THREAD; /* another id in its turn was a dropped output's */
		return is_root(p, v) ? ROLE_BLOCK_ON : ROLE_LOCAL_SET;
	case RS_ROLE_BLOCK_ON:
		return ROLE_BLOCK_ON;
	default:
		return ROLE_UNKNOWN;
	}
}

/* Polls of one task that follow each other where nothing readable changes in between look like one. */
static uint32_t polls_of(const struct rs_poll *p, enum role role)
{
	if (p->flags & RS_POLL_EXACT_START)
		return 1;
	return (p->flags & RS_POLL_NO_TICK) || ((role == ROLE_LOCAL_SET || role == ROLE_UNKNOWN) &&
						!(p->flags & RS_POLL_POPS))
		       ? 0
		       : 1;
}

/* What was known at attach, until more is. */
static void name_task(struct decoder *d, const struct task_vtable *v, struct task_name *ret)
{
	const struct tokio_copy *c = d->copies;
	const struct future *future;

	if (!v)
		return;
	while (v < c->vtables || v >= c->vtables + c->n_vtables)
		c++;
	future = places_find(d->places, c - d->copies, v - c->vtables);
	if (future) {
		*ret = (struct task_name){
			.name = future->name,
			.type = future->type,
			.file = future->file[0] ? future->file : NULL,
			.line = future->line,
			.source = future->source,
		};
	} else {
		*ret = (struct task_name){ .name = v->name, .source = v->name_source };
		places_want(d->places, c - d->copies, v - c->vtables);
	}
}

bool decode_is_named(const struct decoder *d, const struct rs_poll *p)
{
	const struct task_vtable *v = vtable_of(d, p);
	const struct tokio_copy *c = d->copies;

	if (!v || is_root(p, v))
		return true;
	while (v < c->vtables || v >= c->vtables + c->n_vtables)
		c++;
	return places_find(d->places, c - d->copies, v - c->vtables) ||
	       !places_want(d->places, c - d->copies, v - c->vtables);
}

static void set_parts(struct block *b, const struct rs_poll *p)
{
	uint64_t off_ns = p->off_ns < b->duration_ns ? p->off_ns : b->duration_ns;
	uint64_t runq_ns = p->runq_ns < off_ns ? p->runq_ns : off_ns;

	b->parts_known = !(p->flags & RS_POLL_GAPS);
	b->runq_ns = runq_ns;
	b->offcpu_ns = off_ns - runq_ns;
	b->oncpu_ns = b->duration_ns - off_ns;
}

static void add_syscall(struct block *b, const struct rs_spell *s)
{
	const char *name = syscall_name(s->nr);
	size_t i = 0;

	while (i < b->n_syscalls && b->syscalls[i].name != name)
		i++;
	if (i == BLOCK_SYSCALLS)
		return;
	if (i == b->n_syscalls) {
		b->syscalls[i] = (struct syscall_use){ .name = name };
		b->n_syscalls++;
	}
	b->syscalls[i].ns += s->ns + s->cpu_ns;
	b->syscalls[i].count += s->count ? s->count : 1;
	for (; i > 0 && b->syscalls[i].ns > b->syscalls[i - 1].ns; i--) {
		struct syscall_use swap = b->syscalls[i];

		b->syscalls[i] = b->syscalls[i - 1];
		b->syscalls[i - 1] = swap;
	}
}

/* What most of a system call's time went to, where that is known. */
static void add_details(const struct decoder *d, const struct rs_poll *p, struct block *b)
{
	for (size_t i = 0; d->details && i < b->n_syscalls * RS_SPELLS; i++) {
		struct syscall_use *use = &b->syscalls[i / RS_SPELLS];
		const struct rs_spell *s = &p->spells[i % RS_SPELLS];
		const char *text;

		if (syscall_name(s->nr) != use->name || s->object_ns * 2 <= use->ns)
			continue;
		text = details_find(d->details, b->tid, s, p->start_lo);
		if (text)
			snprintf(use->detail, sizeof(use->detail), "%s", text);
	}
}

/* Copying to a file or a socket is on the CPU, but it is the call that takes the time, not the program's own code. */
static bool works_in_kernel(enum cause c)
{
	return c == CAUSE_FILE || c == CAUSE_SOCKET || c == CAUSE_PIPE || c == CAUSE_PROCESS;
}

/*
 * The cause is what most of the block's time was: one share per cause, the largest wins (product.md). Where some
 * switches were not looked at, only what has been seen for half of the time is sure.
 */
static void explain(struct block *b, const struct rs_poll *p)
{
	uint64_t shares[CAUSE_MAX] = { [CAUSE_CPU] = b->oncpu_ns };
	bool is_throttled = p->throttled_ns * 2 > b->runq_ns;

	shares[is_throttled ? CAUSE_THROTTLED : CAUSE_STARVED] += b->runq_ns;
	for (size_t i = 0; i < RS_SPELLS; i++) {
		const struct rs_spell *s = &p->spells[i];
		enum cause cause;

		if (!s->count && !s->cpu_ns)
			continue;
		cause = syscall_cause(s->nr, s->mode);
		shares[cause] += s->ns;
		if (works_in_kernel(cause)) {
			uint64_t ns = s->cpu_ns < shares[CAUSE_CPU] ? s->cpu_ns : shares[CAUSE_CPU];

			shares[CAUSE_CPU] -= ns;
			shares[cause] += ns;
		}
		add_syscall(b, s);
	}
	b->cause = CAUSE_CPU;
	for (int c = 0; c < CAUSE_MAX; c++)
		if (shares[c] > shares[b->cause])
			b->cause = c;
	if (!b->parts_known && (b->cause == CAUSE_CPU || shares[b->cause] * 2 < b->duration_ns))
		b->cause = CAUSE_OTHER;
}

static void name_spawn(const struct decoder *d, const struct rs_poll *p, struct block *b)
{
	uint8_t copy = p->flags & RS_POLL_EXACT_START ? site_decode(p->site).copy : p->copy;
	const struct spawn_place *place = p->id ? tasks_spawn(d->tasks, copy, p->id) : NULL;

	if (place) {
		b->spawn_file = place->file;
		b->spawn_line = place->line;
	}
}

static void describe(struct decoder *d, const struct rs_poll *p, struct block *b)
{
	const struct task_vtable *v = vtable_of(d, p);
	bool is_end_exact = p->flags & (RS_POLL_EXACT_END | RS_POLL_WATCHED_END);

	if (v && p->flags & RS_POLL_EXACT_START)
		tasks_compare_scheduler(d->tasks, v->schedule, p->scheduler, p->handle);
	b->pid = d->pid;
	b->woken_by = (struct waker){ .tid = p->waker.tid, .task_id = p->waker.task_id };
	memcpy(b->woken_by.thread, p->waker.comm, sizeof(b->woken_by.thread) - 1);
	b->role = role_of(d, p, v);
	b->runtime = runtime_index(d, p->handle);
	b->worker = p->role == RS_ROLE_WORKER ? p->worker : -1;
	if (!is_root(p, v)) {
		b->task_id = p->id;
		name_spawn(d, p, b);
		name_task(d, v, &b->task);
	}
	b->phase = (p->flags | p->user_flags) & RS_POLL_DROP ? PHASE_DROP : PHASE_POLL;
	b->polls = polls_of(p, b->role);
	b->detection = p->flags & RS_POLL_EXACT_START && (b->is_ongoing || is_end_exact)
			       ? DETECTION_EXACT
			       : DETECTION_SAMPLED;
	b->severity = b->duration_ns >= d->critical_ns ? SEVERITY_CRITICAL
		      : b->duration_ns >= d->slow_ns   ? SEVERITY_SLOW
						       : SEVERITY_NONE;
}

/* Best guess inside [lo, hi] and how far off it can be. */
static uint64_t estimate_start(const struct rs_poll *p, uint64_t *error_ns)
{
	uint64_t width = p->start_hi - p->start_lo, ahead;

	*error_ns += RUNTIME_NS;
	if (p->flags & (RS_POLL_EXACT_START | RS_POLL_EARLY)) {
		*error_ns += width + (p->flags & RS_POLL_EXACT_START ? EXACT_ERROR_NS / 2 : 0);
		return p->start_lo;
	}
	/* Measured: a thread that has just begun to work polls the long one first in 3 of 4 cases; else nothing is known. */
	ahead = p->flags & RS_POLL_FRESH ? width / 10 : width / 2;
	if (p->flags & RS_POLL_BATCH_START && width > BATCH_TO_POLL_NS)
		ahead = BATCH_TO_POLL_NS;
	*error_ns += width - ahead;
	return p->start_lo + ahead;
}

static uint64_t estimate_end(const struct rs_event_block *e, uint64_t *error_ns)
{
	uint64_t middle = e->end_lo + (e->end_hi - e->end_lo) / 2;
	uint64_t ahead = e->end_hi - middle, behind = middle - e->end_sure;

	if (e->poll.flags & RS_POLL_EXACT_END)
		*error_ns += EXACT_ERROR_NS / 2;
	*error_ns += ahead > behind ? ahead : behind;
	return middle;
}

/* A worker preempted just before or after a poll shows the id of its own main loop, which is no poll. */
static bool is_own_task(const struct decoder *d, const struct rs_poll *p)
{
	const struct task_vtable *v = vtable_of(d, p);

	return p->role == RS_ROLE_WORKER && v && v->blocking;
}

/* A root inferred from two tasks in one turn is believed where a LocalSet has been met: nothing else polls so. */
static bool is_unfounded(const struct decoder *d, const struct rs_poll *p)
{
	return p->flags & RS_POLL_IMPLIED && !tasks_know_local(d->tasks);
}

/*
 * Long polls are inspected while they last, but not before the hello. Of one that began before it and ended uninspected
 * neither the type is known, nor whether its task was being dropped, nor even whether the id is that of an async task.
 */
static bool is_uninspected(const struct decoder *d, const struct rs_poll *p)
{
	return p->id && p->start_lo < d->hello_ns && !vtable_of(d, p);
}

/* It waited for a CPU so near to an edge that perhaps all of that was before it or after it: that says nothing of the poll. */
static bool is_vague(const struct rs_event_block *e, const struct block *b, uint64_t error_ns)
{
	return b->cause == CAUSE_STARVED &&
	       (e->poll.flags & RS_POLL_EARLY || e->end_sure < e->end_lo) &&
	       error_ns >= b->duration_ns;
}

int decode_block(struct decoder *d, const struct rs_event_block *e, size_t size, struct block *ret)
{
	const struct rs_poll *p = &e->poll;
	uint64_t error = 0, start, end, excluded;

	if (size < sizeof(*e) || p->start_hi < p->start_lo || e->end_hi < e->end_lo ||
	    e->end_lo < (p->flags & RS_POLL_EARLY ? p->start_lo : p->start_hi) ||
	    e->end_sure > e->end_lo || p->excluded_max < p->excluded_min)
		return -EBADMSG;
	if (is_own_task(d, p) || is_unfounded(d, p) || is_uninspected(d, p))
		return -ENODATA;
	*ret = (struct block){ .tid = e->head.tid };
	memcpy(ret->thread, e->comm, sizeof(ret->thread));
	ret->thread[sizeof(ret->thread) - 1] = 0;
	start = estimate_start(p, &error);
	end = estimate_end(e, &error);
	if (!(p->flags & RS_POLL_EXACT_END) && error < d->period_ns)
		error += RUNTIME_NS;
	excluded = (p->excluded_min + p->excluded_max) / 2;
	error += (p->excluded_max - p->excluded_min + 1) / 2;
	if (excluded > end - start)
		return -EBADMSG;
	ret->start_ns = start;
	ret->duration_ns = end - start - excluded;
	ret->error_ns = p->flags & RS_POLL_BEFORE ? BLOCK_ERROR_UNKNOWN : error;
	set_parts(ret, p);
	explain(ret, p);
	if (is_vague(e, ret, error)) {
		d->vague++;
		return -ENODATA;
	}
	describe(d, p, ret);
	add_details(d, p, ret);
	return 0;
}

/* The sleep that a thread is in is booked only when it ends. */
static void add_current_sleep(struct rs_poll *p, const struct rs_thread *t, uint64_t out,
			      uint64_t now_ns)
{
	bool is_whole = t->out_object && !(t->out_object & RS_OBJECT_PART);
	struct rs_spell asleep = { .nr = t->out_nr,
				   .mode = t->out_mode,
				   .count = 1,
				   .ns = out,
				   .object = is_whole ? t->out_object : now_ns,
				   .object_ns = out };

	for (size_t i = 0; i < RS_SPELLS; i++) {
		struct rs_spell *s = &p->spells[i];

		if (s->count && (s->nr != asleep.nr || s->mode != asleep.mode) && i < RS_SPELLS - 1)
			continue;
		asleep.ns += s->ns;
		asleep.count += s->count;
		if (s->object == asleep.object)
			asleep.object_ns += s->object_ns;
		else if (s->object_ns > asleep.object_ns) {
			asleep.object = s->object;
			asleep.object_ns = s->object_ns;
		}
		*s = asleep;
		break;
	}
}

void decode_ongoing(struct decoder *d, const struct rs_thread *t, const struct rs_poll *p,
		    const char comm[16], uint64_t now_ns, struct block *ret)
{
	struct rs_poll so_far = *p;
	uint64_t error = 0, start = estimate_start(p, &error);
	uint64_t out = t->out_ns && now_ns > t->out_ns ? now_ns - t->out_ns : 0;

	*ret = (struct block){ .is_ongoing = true, .tid = t->tid };
	memcpy(ret->thread, comm, sizeof(ret->thread));
	ret->start_ns = start;
	ret->duration_ns = now_ns - start;
	ret->error_ns = p->flags & RS_POLL_BEFORE ? BLOCK_ERROR_UNKNOWN : error;
	so_far.off_ns += out;
	if (t->out_kind == RS_OUT_PREEMPTED)
		so_far.runq_ns += out;
	if (out && t->out_kind == RS_OUT_ASLEEP)
		add_current_sleep(&so_far, t, out, now_ns);
	set_parts(ret, &so_far);
	explain(ret, &so_far);
	describe(d, &so_far, ret);
	add_details(d, &so_far, ret);
}
