/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Polls of one thread, joined from looks and probe hits; a block leaves through the ring buffer when it ends. */
#ifndef RS_BPF_POLL_H
#define RS_BPF_POLL_H

#include "bpf/spent.bpf.h"
#include "bpf/turn.bpf.h"

/*
 * The functions below are global ones, although nobody else calls them: the verifier then looks at each once and alone,
 * instead of at every path through all of them. Their pointers may be NULL for all it knows.
 */

#define RS_PF_EXITING 4

static __always_inline struct rs_poll *poll_at(struct rs_thread *t, __u32 index)
{
	__u32 bounded = index;

	barrier_var(
		bounded); /* the verifier must see the mask, not the compiler's conclusion from it */
	bounded &= RS_DEPTH - 1;
	return index < RS_DEPTH ? &t->polls[bounded] : NULL;
}

static __always_inline struct rs_poll *poll_top(struct rs_thread *t)
{
	return poll_at(t, (__u32)t->depth - 1);
}

/*
 * Preempted so shortly before its end, the poll may have been over by then but for the runtime's own work. Like RS_POLL_EARLY
 * this widens the bound, but decides about no block.
 */
static __always_inline __u64 sure_until(const struct rs_thread *t, const struct rs_poll *p,
					__u64 end_lo, __u64 end_hi)
{
	bool is_late = t->out_kind == RS_OUT_PREEMPTED && t->preempted_ns > p->start_hi &&
		       t->in_ns > t->preempted_ns && end_hi - t->in_ns < RS_EDGE_NS;

	return is_late && t->preempted_ns < end_lo ? t->preempted_ns : end_lo;
}

/* The thread is the current one, or the one that on_walk is at. */
static __always_inline void copy_comm(char comm[16], const struct rs_thread *t)
{
	if (t->tid == pid_at_level(bpf_get_current_task_btf(), config.pid_level))
		bpf_get_current_comm(comm, 16);
	else
		bpf_probe_read_kernel_str(comm, 16,
					  (void *)walked_task +
						  bpf_core_field_offset(struct task_struct, comm));
}

__noinline int emit_block(struct rs_thread *t, struct rs_poll *p, __u64 end_lo, __u64 end_hi)
{
	if (!t || !p)
		return 0;

	struct rs_event_block *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	struct rs_cpu *cpu = this_cpu();

	if (!e) {
		count_one(RS_COUNT_RING_FULL);
		return 0;
	}
	e->head.kind = RS_EVENT_BLOCK;
	e->head.tid = t->tid;
	e->head.at_ns = end_hi;
	e->end_lo = end_lo;
	e->end_hi = end_hi;
	e->end_sure = sure_until(t, p, end_lo, end_hi);
	copy_comm(e->comm, t);
	__builtin_memcpy(&e->poll, p, sizeof(*p));
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	if (cpu)
		wake_reader(cpu, t, end_hi);
	return 0;
}

static __always_inline __u64 minus(__u64 a, __u64 b)
{
	return a > b ? a - b : 0;
}

/* Ends the innermost poll, somewhere in [end_lo, end_hi], or when it was left, if that was seen. A block is a poll that
 * surely reached the threshold. */
__noinline int close_poll(struct rs_thread *t, __u64 end_lo, __u64 end_hi)
{
	if (!t)
		return 0;

	struct rs_poll *p = poll_top(t), *outer;
	__u64 shortest, longest;

	if (!p)
		return 0;
	if (p->flags & RS_POLL_DOUBTFUL && t->task_id != p->id) {
		t->depth--; /* not a poll, as far as anybody knows */
		return 0;
	}
	if (p->left_ns) {
		p->flags |= RS_POLL_WATCHED_END;
		end_lo = end_hi = p->left_ns;
	}
	shortest = minus(minus(end_lo, p->flags & RS_POLL_EARLY ? p->start_lo : p->start_hi),
			 p->excluded_max);
	longest = minus(minus(end_hi, p->start_lo), p->excluded_min);
	if (shortest >= config.threshold_ns)
		emit_block(t, p, end_lo, end_hi);
	t->depth--;
	outer = poll_top(t);
	if (!outer)
		return 0;
	outer->seen = end_lo;
	outer->excluded_min += p->excluded_min;
	outer->excluded_max += p->excluded_max;
	if (longest >= config.threshold_ns)
		outer->excluded_max += longest;
	if (shortest >= config.threshold_ns)
		outer->excluded_min += shortest;
	else
		give_to_outer(outer, p);
	return 0;
}

/* Makes room for a poll on top; NULL (and counted) when nested too deeply. */
static __always_inline struct rs_poll *push_poll(struct rs_thread *t)
{
	struct rs_poll *p = poll_at(t, t->depth);

	if (!p) {
		count_one(RS_COUNT_DEPTH);
		return NULL;
	}
	__builtin_memset(p, 0, sizeof(*p));
	p->worker = RS_UNKNOWN;
	t->writes = 0;
	t->depth++;
	return p;
}

/* Of the worker whose context the last look copied. */
static __always_inline __s32 read_worker_index(struct rs_memory m, struct rs_thread *t,
					       const struct rs_layout *l)
{
	__u64 index = 0;

	if (l->worker_index < 0 ||
	    read_user(m, &index, sizeof(index), ctx_word(t, l->ctx_owner) + l->worker_index))
		return RS_UNKNOWN;
	return (__s32)index;
}

/* What a look says about the poll it is in. */
static __always_inline void take_over(struct rs_poll *p, const struct rs_look *k)
{
	p->sched = k->sched;
	p->handle = k->handle;
	p->tick = k->tick;
	p->epoch = k->epoch;
	p->copy = k->copy;
	p->role = k->role;
	p->local = k->local;
	p->flags |= k->flags;
}

static __always_inline void open_from(struct rs_memory m, struct rs_thread *t,
				      const struct rs_look *k)
{
	struct rs_poll *p = push_poll(t);
	const struct rs_layout *l = &config.copies[k->copy & (RS_COPIES - 1)];
	__u64 lo = t->last_ns, hi = k->now;

	if (!p)
		return;
	p->id = k->id;
	take_over(p, k);
	if (narrow_start(m, l, k, t->in_ns, &lo, &hi))
		p->flags |= RS_POLL_BATCH_START;
	if (lo > t->last_ns || !k->follows_poll)
		p->flags |= RS_POLL_FRESH;
	if (!t->last_ns && !(p->flags & RS_POLL_BATCH_START)) {
		p->flags |= RS_POLL_BEFORE; /* nobody knows how long before */
		lo = hi;
	}
	p->start_lo = lo;
	p->start_hi = hi;
	p->seen = k->now;
	if (k->sched && k->role == RS_ROLE_WORKER)
		p->worker = read_worker_index(m, t, l);
}

__noinline int open_sampled(struct rs_thread *t, const struct rs_look *k)
{
	if (!t || !k)
		return 0;

	open_from(own_memory(), t, k);
	return 0;
}

/* Two sibling tasks in one turn of a current_thread scheduler are LocalSet tasks: the root's poll is around them. */
__noinline int imply_root(struct rs_thread *t)
{
	if (!t)
		return 0;

	struct rs_poll *root = &t->polls[0], *inner = &t->polls[1];

	__builtin_memcpy(inner, root, sizeof(*inner));
	inner->role = RS_ROLE_LOCAL_SET;
	root->id = 0;
	root->off_ns = root->runq_ns = root->throttled_ns = root->longest_ns = 0;
	root->waker.tid = 0;
	root->left_ns = 0;
	root->flags |= RS_POLL_IMPLIED;
	__builtin_memset(root->spells, 0, sizeof(root->spells));
	__builtin_memset(root->stacks, 0, sizeof(root->stacks));
	t->depth = 2;
	return 0;
}

/* Where a poll timed by a probe runs, from a look at its end: probes do not read the scheduler at every poll. */
__noinline int place_exact(struct rs_thread *t, struct rs_poll *p, const struct rs_look *k)
{
	if (!t || !p || !k)
		return 0;

	const struct rs_layout *l = &config.copies[k->copy & (RS_COPIES - 1)];

	p->sched = k->sched;
	p->handle = k->handle;
	p->copy = k->copy;
	p->role = !k->sched && k->role != RS_ROLE_CURRENT_THREAD ? RS_ROLE_LOCAL_SET : k->role;
	if (p->role == RS_ROLE_WORKER)
		p->worker = read_worker_index(own_memory(), t, l);
	return 0;
}

static __always_inline __u32 site_copy(__u64 site)
{
	return (site >> RS_SITE_COPY_SHIFT) & (RS_COPIES - 1);
}

/* State word, id and scheduler of a probed poll's task, once; in one read where they lie together, as nearly always. */
__noinline int read_header(struct rs_poll *p)
{
	if (!p || p->id)
		return 0;

	__u64 words[RS_HEADER_WORDS], state = 0, at = p->site >> 35;

	if (!at || at >= RS_HEADER_WORDS) {
		bpf_probe_read_user(&state, sizeof(state), (void *)p->header);
		bpf_probe_read_user(words, 16, (void *)(p->header + 8 * at - 8));
		p->scheduler = words[0];
		p->id = words[1];
	} else if (!bpf_probe_read_user(words, sizeof(words), (void *)p->header)) {
		state = words[0];
		barrier_var(at);
		p->id = words[at & (RS_HEADER_WORDS - 1)];
		p->scheduler = words[(at - 1) & (RS_HEADER_WORDS - 1)];
	}
	if (state & RS_TASK_CANCELLED || p->site & RS_SITE_DROP)
		p->flags |= RS_POLL_DROP;
	return 0;
}

/* Tokio's current task is that of the poll while its future runs: neither at the entry of the poll function, nor at its end. */
static __always_inline bool is_inside_probed(struct rs_poll *p, const struct rs_look *k)
{
	read_header(p);
	return p->id && p->id == k->context_id;
}

/* Either it is still the current task, or a probe will tell its end: ids change inside, e.g. when an output is dropped. */
static __always_inline bool goes_on_probed(struct rs_poll *p, const struct rs_look *k)
{
	if (is_inside_probed(p, k)) {
		p->seen = k->now;
		p->left_ns = 0;
		return true;
	}
	return p->flags & RS_POLL_RETURNS && config.is_exact;
}

/*
 * A LocalSet is being polled, and a probe saw its task's poll begin: the root's poll around it, if no look has met that, is
 * not seen by any probe, and began before.
 */
__noinline int imply_root_of_probed(struct rs_thread *t, const struct rs_look *k)
{
	if (!t || !k)
		return 0;

	struct rs_poll *root = &t->polls[0], *inner = &t->polls[1];

	if (!t->turn_lo || t->turn_lo > root->start_lo)
		return 0;
	__builtin_memcpy(inner, root, sizeof(*inner));
	__builtin_memset(root, 0, sizeof(*root));
	take_over(root, k);
	root->role = RS_ROLE_CURRENT_THREAD;
	root->worker = RS_UNKNOWN;
	root->flags |= RS_POLL_IMPLIED;
	root->start_lo = t->turn_lo;
	root->start_hi = root->seen = inner->start_lo;
	t->depth = 2;
	return 0;
}

/* The top is a poll that a probe saw begin. True when k is still inside it; ends it otherwise. */
static __always_inline bool is_in_probed(struct rs_thread *t, struct rs_poll *p,
					 const struct rs_look *k)
{
	if (goes_on_probed(p, k)) {
		if (config.is_exact) {
			if (t->depth == 1 && k->nests && k->flags & RS_POLL_LOCAL)
				imply_root_of_probed(t, k);
			return true;
		}
		/* Probes were taken away: it goes on as a sampled one, with its exact start. */
		p->flags &= ~(RS_POLL_EXACT_START | RS_POLL_RETURNS);
		take_over(p, k);
		return true;
	}
	place_exact(t, p, k);
	close_poll(t, p->seen, k->now);
	return false;
}

/* The thread was seen in poll k; decides whether that is the poll at the top, a nested one or another one. */
__noinline int join_poll(struct rs_thread *t, const struct rs_look *k)
{
	if (!t || !k)
		return 0;

	struct rs_poll *p = poll_top(t);
	__u64 last = t->last_ns;
	bool same_turn;

	for (int i = 0; i < RS_DEPTH && p && p->flags & RS_POLL_EXACT_START; i++) {
		if (is_in_probed(t, p, k))
			return 0;
		p = poll_top(t);
	}
	if (p && p->id == k->id && has_new_tick(p, k)) {
		/* If another poll has begun, then since the last look; that is believed where it would be the longer one. */
		if (k->now - p->seen > p->seen - p->start_hi)
			p->start_hi = k->now;
		adopt_tick(p, k);
	}
	same_turn = p && is_in_turn(p, k);
	if (same_turn && p->id == k->id && !is_later_pop(p, &k->local)) {
		p->seen = k->now;
		p->left_ns = 0;
		p->flags |= k->flags & RS_POLL_DROP;
		if (!(k->flags & RS_POLL_DOUBTFUL))
			p->flags &= ~RS_POLL_DOUBTFUL;
		return 0;
	}
	if (same_turn && k->nests) {
		if (t->depth == 1 && p->id && k->id)
			imply_root(t);
		if (t->depth == 2) {
			close_poll(t, p->seen, k->now);
			p = poll_top(t);
			if (p && p->id == k->id) {
				p->seen = k->now;
				return 0;
			}
		} else if (p->id) {
			/* a task, then the root of the same turn: one after the other */
			close_poll(t, p->seen, k->now);
		}
		open_sampled(t, k);
		p = poll_top(t);
		if (p && t->depth == 2)
			p->role = RS_ROLE_LOCAL_SET;
		return 0;
	}
	for (int i = 0; i < RS_DEPTH; i++) {
		p = poll_top(t);
		if (p)
			close_poll(t, p->seen, k->now);
	}
	t->last_ns = last;
	open_sampled(t, k);
	return 0;
}

/* The thread was seen outside any poll, or with its core handed over: whatever was under way has ended. */
__noinline int leave_polls(struct rs_thread *t, const struct rs_look *k)
{
	if (!t || !k)
		return 0;

	for (int i = 0; i < RS_DEPTH; i++) {
		struct rs_poll *p = poll_top(t);

		if (!p)
			return 0;
		if (p->flags & RS_POLL_EXACT_START) {
			/* without a budget, or a worker's task before or after its future */
			if (k->kind == RS_LOOK_IDLE && goes_on_probed(p, k))
				return 0;
			place_exact(t, p, k);
		}
		close_poll(t, p->seen, k->now);
	}
	return 0;
}

/* Another poll begins: the sampled ones under way have ended since they were last seen. */
__noinline int leave_sampled(struct rs_thread *t, __u64 now)
{
	if (!t)
		return 0;

	for (int i = 0; i < RS_DEPTH; i++) {
		struct rs_poll *p = poll_top(t);

		if (!p || (p->flags & RS_POLL_EXACT_START))
			return 0;
		close_poll(t, p->seen, now);
	}
	return 0;
}

int note_waker(const struct rs_thread *t, struct rs_poll *p, __u64 start, __u64 ns);

/* Whatever is no file is only the same as long as one sleep lasts. */
static __always_inline __u64 object_of(const struct rs_thread *t, __u64 end)
{
	bool is_whole = t->out_object && !(t->out_object & RS_OBJECT_PART);

	return is_whole ? t->out_object : end;
}

/* Books the last spell off CPU, now that the kernel has told how much of it was spent in the run queue. */
__noinline int settle_spell(struct rs_thread *t)
{
	if (!t)
		return 0;

	struct task_struct *task = bpf_get_current_task_btf();
	__u64 delay = task->sched_info.run_delay, off = t->pending_off,
	      runq = minus(delay, t->run_delay);
	struct rs_poll *p = poll_top(t);

	t->run_delay = delay;
	if (!off) {
		if (p)
			p->flags &= ~RS_POLL_AT_ENTRY; /* no wait followed, or none was seen */
		return 0;
	}
	t->pending_off = 0;
	if (!p || p->left_ns)
		return 0;
	if (p->flags & RS_POLL_AT_ENTRY) {
		p->flags &= ~RS_POLL_AT_ENTRY;
		p->start_hi = t->in_ns;
		if (!(p->flags & RS_POLL_EARLY)) {
			p->start_lo = t->in_ns;
			return 0;
		}
	}
	if (runq > off || t->out_kind == RS_OUT_PREEMPTED)
		runq = off;
	p->off_ns += off;
	p->runq_ns += runq;
	if (off > runq) {
		struct rs_spell s = { .nr = t->out_nr,
				      .mode = t->out_mode,
				      .count = 1,
				      .fd = t->out_fd,
				      .ns = off - runq,
				      .object = object_of(t, t->in_ns - runq),
				      .object_ns = off - runq };

		add_spell(p, &s);
		if (!config.is_unhooked) /* else walks have booked it */
			add_stack(p, t->out_stack, off - runq, 1);
		if (config.has_tables && !t->out_stack && off - runq >= config.threshold_ns / 2)
			count_one(RS_COUNT_NO_STACK);
		note_waker(t, p, t->in_ns - off, off - runq);
	}
	t->out_stack = 0;
	if (runq > RS_THROTTLE_LOOK_NS) {
		__u64 throttled = minus(throttled_time(), t->throttled);

		p->throttled_ns += throttled < runq ? throttled : runq;
	}
	return 0;
}

/* Of the current thread. */
static __always_inline __u64 user_sp(void)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	return BPF_CORE_READ(regs, sp);
}

/*
 * Another task is Tokio's current one since a moment ago, in the turn of a poll that seemed to be left then: it is dropped
 * inside that poll, or is polled next. Whichever it is, the next look tells; but one that sleeps is a poll.
 */
static __always_inline bool is_passing(const struct rs_poll *p, const struct rs_look *k)
{
	return p && p->left_ns && !k->is_asleep && k->now - p->left_ns < RS_EDGE_NS &&
	       k->kind == RS_LOOK_POLL && k->context_id != p->id &&
	       !(p->flags & RS_POLL_DOUBTFUL) &&
	       (p->flags & RS_POLL_EXACT_START || is_in_turn(p, k));
}

/*
 * A probe saw the poll begin a moment ago, and Tokio's current task is not its task: its future has not begun, or is over.
 * The next look tells, or the next entry; closed now, what follows would look like a poll that met no probe.
 */
static __always_inline bool is_beginning(struct rs_poll *p, const struct rs_look *k)
{
	return p && p->flags & RS_POLL_EXACT_START && config.is_exact && !k->is_asleep &&
	       (k->kind == RS_LOOK_POLL || k->kind == RS_LOOK_IDLE) && p->seen <= p->start_hi &&
	       k->now - p->start_hi < RS_EDGE_NS && !is_inside_probed(p, k);
}

/* One look at a thread of the target, at k->now: settles what was pending and moves its polls on. */
__noinline int apply_look(struct rs_thread *t, struct rs_look *k)
{
	if (!t || !k)
		return 0;

	settle_spell(t);
	take_look(t, k);
	count_one(RS_COUNT_LOOKS);
	if (is_passing(poll_top(t), k) || is_beginning(poll_top(t), k))
		return 0;
	k->follows_poll = t->look_kind == RS_LOOK_POLL;
	t->look_kind = k->kind;
	if (k->kind == RS_LOOK_UNREADABLE) {
		if (!(((struct task_struct *)bpf_get_current_task_btf())->flags & RS_PF_EXITING))
			count_one(RS_COUNT_UNREADABLE);
		return 0;
	}
	note_turn(t, k);
	if (k->kind == RS_LOOK_POLL) {
		t->sp = user_sp();
		join_poll(t, k);
	} else {
		leave_polls(t, k);
		if (t->idle_id != k->id)
			t->idle_sp = user_sp();
		t->idle_id = k->id;
		t->idle_copy = k->copy;
	}
	t->last_ns = k->now;
	return 0;
}

#endif
