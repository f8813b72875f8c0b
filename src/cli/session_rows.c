/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads inside long polls: what they poll, blocks that still last, watchpoints for exact ends. */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/session_parts.h"

#define STACK_BELOW_SCHEDULER 4096
#define INSPECTIONS_MAX 6 /* tries to find one poll's task header */
#define RESTING_TRIES_MAX 8
#define DOUBT_NS 50000000 /* between two tries to find out whose poll it is */
#define DOUBT_SOON_NS 3000000 /* the first tries, where the thread may have been about to run */
#define DOUBT_SOON_TRIES 3
#define STALE_TICKS 4 /* a thread not seen for so many ticks: nobody knows what it does */

void rows_read_comm(pid_t pid, uint32_t tid, char ret[16])
{
	char path[64];
	_cleanup_fclose_
	FILE *f = NULL;

	memset(ret, 0, 16);
	snprintf(path, sizeof(path), "/proc/%d/task/%u/comm", pid, tid);
	f = fopen(path, "re");
	if (f && fgets(ret, 16, f))
		ret[strcspn(ret, "\n")] = 0;
}

/* The task's header where it was last time, else on the stack: near the scheduler's context, or anywhere above the stack
 * pointer. */
static bool find_header(struct session *s, const struct rs_thread *t, const struct rs_poll *p,
			struct found_header *ret)
{
	struct stack_area areas[] = {
		{ p->sched ? p->sched - STACK_BELOW_SCHEDULER : 0, STACK_BELOW_SCHEDULER, true },
		{ t->sp, STACK_SCAN, false },
	};
	uint64_t known = tasks_header(s->decoder.tasks, p->copy, p->id);

	if (known &&
	    header_at(s->process->pid, known, &s->copies[p->copy], s->state[p->copy].vtables,
		      ret) &&
	    ret->id == p->id)
		return true;
	for (size_t a = 0; a < 2; a++)
		if (areas[a].sp && header_of_task(s->process->pid, &areas[a], &s->copies[p->copy],
						  s->state[p->copy].vtables, p->id, ret) > 0)
			return true;
	return false;
}

/* A task that was cancelled before this poll began is only being dropped. Cancelled while it is polled, it would be
 * notified as well. The row may meanwhile be about another poll: then the mark is taken back. */
static void mark_drop(struct session *s, size_t slot, const struct rs_thread *t,
		      const struct rs_poll *p)
{
	struct rs_poll *live = &watch_threads(s->watch)[slot].polls[t->depth - 1];

	if (__atomic_load_n(&live->start_hi, __ATOMIC_ACQUIRE) != p->start_hi)
		return;
	__atomic_store_n(&live->user_flags, RS_POLL_DROP, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&live->start_hi, __ATOMIC_SEQ_CST) != p->start_hi)
		__atomic_store_n(&live->user_flags, 0, __ATOMIC_SEQ_CST);
}

/* The blocking task that the thread itself runs in, as workers do, is no poll; without a budget a task's id may be one. */
static void settle_doubt(struct session *s, size_t slot, const struct rs_poll *p,
			 const struct found_header *h)
{
	const struct task_vtable *v = &s->copies[p->copy].vtables[h->vtable];

	if (v->blocking)
		watch_threads(s->watch)[slot].base_id = p->id;
	else if (!(p->flags & RS_POLL_DOUBTFUL))
		return;
	else if (h->scheduler == p->handle ||
		 tasks_scheduler(s->decoder.tasks, v->schedule) == SCHEDULER_LOCAL)
		watch_threads(s->watch)[slot].task_id = p->id;
}

/* Probes do not read the scheduler; for a report in the middle of a poll it is looked up here. */
static void place_exact(struct session *s, const struct rs_thread *t, struct rs_poll *p)
{
	struct task_type type = site_decode(p->site);
	const struct rs_layout *l = &watch_config(s->watch)->copies[type.copy % RS_COPIES];
	uint64_t sched = 0, tag = l->tag_ct;

	if (!(p->flags & RS_POLL_EXACT_START) || p->role != RS_ROLE_UNKNOWN)
		return;
	if (l->sched < 0 ||
	    process_read(s->process->pid, t->context + l->sched, &sched, sizeof(sched)))
		return;
	if (sched && l->ctx_tag >= 0 &&
	    process_read(s->process->pid, sched + l->ctx_tag, &tag, sizeof(tag)))
		return;
	p->role = !sched		      ? RS_ROLE_LOCAL_SET
		  : (tag & 0xff) == l->tag_mt ? RS_ROLE_WORKER
					      : RS_ROLE_CURRENT_THREAD;
	p->sched = sched;
	process_read(s->process->pid, t->context + l->handle, &p->handle, sizeof(p->handle));
}

static void learn_spawn(struct session *s, uint8_t copy, uint64_t id, uint32_t vtable,
			uint64_t header)
{
	tasks_set_spawn(s->decoder.tasks, copy, id,
			spawns_read(s->spawns, s->process->pid, &s->copies[copy], vtable, header));
}

/* A poll timed by a probe has its type from the probe, and its header has been read. */
static void inspect_exact(struct session *s, const struct rs_thread *t, const struct rs_poll *p,
			  struct row_state *r)
{
	struct task_type type = site_decode(p->site);
	struct found_header h = {
		.vtable = type.vtable, .id = p->id, .scheduler = p->scheduler, .state = TASK_RUNNING
	};
	struct rs_poll placed = *p;

	if (type.copy >= s->n_copies || type.vtable >= s->copies[type.copy].n_vtables)
		return;
	places_want(s->decoder.places, type.copy, type.vtable);
	if (!p->id || r->inspections)
		return;
	r->inspections = INSPECTIONS_MAX;
	tasks_learn(s->decoder.tasks, type.copy, p->id, type.vtable, p->header);
	learn_spawn(s, type.copy, p->id, type.vtable, p->header);
	place_exact(s, t, &placed);
	placed.copy = type.copy;
	local_inspect(s, t, &placed, &h);
}

static void inspect(struct session *s, size_t slot, const struct rs_thread *t,
		    const struct rs_poll *p, struct row_state *r)
{
	struct found_header h;

	if (p->flags & RS_POLL_EXACT_START) {
		inspect_exact(s, t, p, r);
		return;
	}
	if (!p->id || p->copy >= s->n_copies || r->inspections >= INSPECTIONS_MAX ||
	    s->inspect_tokens <= 0)
		return;
	s->inspect_tokens--;
	r->inspections++;
	if (find_header(s, t, p, &h)) {
		settle_doubt(s, slot, p, &h);
		if ((h.state & (TASK_CANCELLED | TASK_NOTIFIED)) == TASK_CANCELLED)
			mark_drop(s, slot, t, p);
		tasks_learn(s->decoder.tasks, p->copy, h.id, h.vtable, h.addr);
		learn_spawn(s, p->copy, h.id, h.vtable, h.addr);
		places_want(s->decoder.places, p->copy, h.vtable);
		if (!s->copies[p->copy].vtables[h.vtable].blocking)
			tasks_compare_scheduler(s->decoder.tasks,
						s->copies[p->copy].vtables[h.vtable].schedule,
						h.scheduler, p->handle);
		local_inspect(s, t, p, &h);
		r->inspections = INSPECTIONS_MAX;
		learn_note_inspection(s, p->copy, true);
	} else if (r->inspections == INSPECTIONS_MAX && !(p->flags & RS_POLL_DOUBTFUL)) {
		learn_note_inspection(s, p->copy, false);
	}
}

/* What the thread of a spawn_blocking closure shows as its id when the closure calls block_on. */
static void learn_closure(struct session *s, const struct rs_thread *t, struct row_state *r)
{
	struct stack_area stack = { t->idle_sp, STACK_SCAN, false };
	struct found_header found;

	if (r->resting_tid != t->tid || r->resting_id != t->idle_id)
		*r = (struct row_state){
			.watch_fd = r->watch_fd,
			.resting_tid = t->tid,
			.resting_id = t->idle_id,
		};
	if (t->look_kind != RS_LOOK_BLOCKING || t->idle_copy >= s->n_copies ||
	    r->resting_tries >= RESTING_TRIES_MAX)
		return;
	r->resting_tries++;
	if (header_of_task(s->process->pid, &stack, &s->copies[t->idle_copy],
			   s->state[t->idle_copy].vtables, t->idle_id, &found) <= 0)
		return;
	r->resting_tries = RESTING_TRIES_MAX;
	tasks_learn(s->decoder.tasks, t->idle_copy, found.id, found.vtable, found.addr);
}

static void close_watch(struct row_state *r)
{
	if (r->watch_fd >= 0)
		close(r->watch_fd);
	r->watch_fd = -1;
}

/* Its end will be seen when the task id in TLS is overwritten: no byte of the target changes. */
static void watch_end(struct session *s, const struct rs_thread *t, const struct rs_poll *p,
		      struct row_state *r)
{
	const struct rs_layout *l = &watch_config(s->watch)->copies[p->copy % RS_COPIES];

	if (r->watch_fd >= 0 || (p->flags & RS_POLL_RETURNS) || !p->id || s->watch_tokens <= 0)
		return;
	s->watch_tokens--;
	r->watch_fd = watch_word(s->watch, t->tid, t->context + l->id);
}

/*
 * Until when the poll at the top has surely lasted: a sleeper changes nothing, a probe would tell the end; else until it
 * was last seen, or left.
 */
static uint64_t poll_until(const struct session *s, const struct rs_thread *t, uint64_t now)
{
	const struct rs_poll *p = &t->polls[t->depth - 1];
	bool is_traced = (t->out_ns && !s->is_unhooked) || p->flags & RS_POLL_RETURNS;

	return p->left_ns ? p->left_ns : is_traced ? now : p->seen;
}

static uint64_t ongoing_age(const struct session *s, uint32_t reported)
{
	uint64_t age = s->options->threshold_ns;

	while (reported-- && age < UINT64_MAX / 10)
		age *= 10;
	return age;
}

/* The sleep that it is in has a stack, but is booked only when it ends; by walks, while it lasts. */
static void add_current_stack(struct rs_poll *p, const struct rs_thread *t, uint64_t now)
{
	for (size_t i = 0; t->out_stack && t->out_ns && t->out_ns < now && i < RS_STACKS; i++) {
		struct rs_stack_use *use = &p->stacks[i];

		if (use->hash && use->hash != t->out_stack)
			continue;
		use->hash = t->out_stack;
		use->ns += now - t->out_ns;
		use->is_asleep = 1;
		return;
	}
}

static void report_ongoing(struct session *s, const struct rs_thread *t, const struct rs_poll *p,
			   struct row_state *r, uint64_t age, uint64_t now)
{
	struct rs_poll placed = *p;
	struct block b;
	char comm[16];

	place_exact(s, t, &placed);
	while (age >= ongoing_age(s, r->reported))
		r->reported++; /* met late, it is told once */
	rows_read_comm(s->process->pid, t->tid, comm);
	decode_ongoing(&s->decoder, t, &placed, comm, poll_until(s, t, now), &b);
	if (!s->is_unhooked)
		add_current_stack(&placed, t, now);
	stacks_attach(s, &placed, &b);
	report_block(s, &b);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How long that is; 0 when the thread runs but has not been seen for a while, or waits for a CPU where the future may not
 * have begun. */
static uint64_t poll_age(const struct session *s, const struct rs_thread *t, uint64_t now)
{
	const struct rs_poll *p = &t->polls[t->depth - 1];
	uint64_t stale = STALE_TICKS * 1000000000ULL / s->freq, until = poll_until(s, t, now);

	if (p->flags & RS_POLL_AT_ENTRY || until < p->start_hi + p->excluded_max ||
	    until + stale < now)
		return 0;
	return until - p->start_hi - p->excluded_max;
}

/* A parked worker until its own task is known; the kernel side tells no block of it either. */
bool rows_is_in_doubt(const struct rs_thread *t)
{
	const struct rs_poll *p = &t->polls[t->depth - 1];

	return p->flags & RS_POLL_DOUBTFUL && t->task_id != p->id;
}

/* When the next thing is to be done about this poll. A running one that is young will be told of by the kernel side. */
static uint64_t poll_due(const struct session *s, const struct rs_thread *t,
			 const struct row_state *r, uint64_t age)
{
	uint64_t begin = t->polls[t->depth - 1].start_hi + t->polls[t->depth - 1].excluded_max;
	uint64_t half = s->options->threshold_ns / 2;

	if (rows_is_in_doubt(t)) {
		if (r->inspections >= INSPECTIONS_MAX)
			return UINT64_MAX;
		return s->stepped_ns +
		       (r->inspections < DOUBT_SOON_TRIES ? DOUBT_SOON_NS : DOUBT_NS);
	}
	if (age >= half)
		return begin + ongoing_age(s, r->reported);
	return t->out_ns ? begin + half : UINT64_MAX;
}

static void step_poll(struct session *s, size_t slot, struct rs_thread *t, struct row_state *r,
		      uint64_t now)
{
	const struct rs_poll *p = &t->polls[t->depth - 1];
	uint64_t age, due;

	if (r->poll_start != p->start_hi) {
		close_watch(r);
		r->poll_start = p->start_hi;
		r->reported = r->inspections = r->file_tries = 0;
	}
	age = poll_age(s, t, now);
	if (!age)
		return;
	if (age >= s->options->threshold_ns / 2 || p->flags & RS_POLL_DOUBTFUL)
		inspect(s, slot, t, p, r);
	t->task_id = watch_threads(s->watch)[slot].task_id; /* the doubt may be settled by now */
	if (age >= s->options->threshold_ns / 2) {
		struct rs_poll so_far = *p;

		watch_end(s, t, p, r);
		details_step(s, t, r, now);
		if (!s->is_unhooked)
			add_current_stack(&so_far, t, now);
		stacks_want(s, &so_far);
	}
	if (!rows_is_in_doubt(t) && age >= ongoing_age(s, r->reported))
		report_ongoing(s, t, p, r, age, now);
	due = least(poll_due(s, t, r, age), details_due(s, t, r));
	s->rows_due_ns = least(due, s->rows_due_ns);
}

void rows_step(struct session *s, uint64_t now)
{
	size_t n = watch_n_slots(s->watch);

	s->rows_due_ns = UINT64_MAX;
	for (size_t slot = 0; slot < n; slot++) {
		struct row_state *r = &s->rows[slot];
		struct rs_thread t;

		if (!watch_row(s->watch, slot, &t))
			continue;
		if (!t.depth) {
			close_watch(r);
			learn_closure(s, &t, r);
			local_rest(s, slot, &t);
			continue;
		}
		step_poll(s, slot, &t, r, now);
	}
}

uint64_t rows_count_ongoing(struct session *s, uint64_t now)
{
	size_t n = watch_n_slots(s->watch);
	uint64_t count = 0;

	for (size_t slot = 0; slot < n; slot++) {
		struct rs_thread t;

		if (watch_row(s->watch, slot, &t) && t.depth)
			count += !rows_is_in_doubt(&t) &&
				 poll_age(s, &t, now) >= s->options->threshold_ns;
	}
	return count;
}

void rows_close(struct session *s)
{
	for (size_t slot = 0; slot < RS_THREADS; slot++)
		close_watch(&s->rows[slot]);
}
