/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Polls of one thread, joined from looks and probe hits; a block leaves through the ring buffer when it ends. */
#ifndef RS_BPF_POLL_H
#define RS_BPF_POLL_H

#define RS_EXACT (RS_POLL_EXACT_START | RS_POLL_EXACT_END)

static __always_inline struct rs_poll *poll_at(struct rs_thread *t, __u32 index)
{
	__u32 bounded = index;

	barrier_var(bounded); /* the verifier must see the mask, not the compiler's conclusion from it */
	bounded &= RS_DEPTH - 1;
	return index < RS_DEPTH ? &t->polls[bounded] : NULL;
}

static __always_inline struct rs_poll *poll_top(struct rs_thread *t)
{
	return poll_at(t, (__u32)t->depth - 1);
}

/* Adds time asleep to the row of that reason; when all rows are taken, to the last one. */
static __noinline void add_spell(struct rs_poll *p, const struct rs_spell *add)
{
	for (int i = 0; i < RS_SPELLS; i++) {
		struct rs_spell *s = &p->spells[i];

		if (s->count && (s->nr != add->nr || s->mode != add->mode)) {
			if (i < RS_SPELLS - 1)
				continue;
			count_one(RS_COUNT_SPELLS);
		} else {
			s->nr = add->nr;
			s->mode = add->mode;
			s->fd = add->fd;
		}
		s->ns += add->ns;
		s->count += add->count;
		return;
	}
}

/* What an inner poll that was no block of its own spent belongs to the outer one. */
static __noinline void give_to_outer(struct rs_poll *outer, const struct rs_poll *inner)
{
	outer->off_ns += inner->off_ns;
	outer->runq_ns += inner->runq_ns;
	outer->throttled_ns += inner->throttled_ns;
	for (int i = 0; i < RS_SPELLS; i++) {
		const struct rs_spell *s = &inner->spells[i];

		if (s->count)
			add_spell(outer, s);
	}
}

static __noinline void emit_block(struct rs_thread *t, struct task_struct *task, struct rs_poll *p, __u64 end_lo,
				  __u64 end_hi)
{
	struct rs_event_block *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count_one(RS_COUNT_RING_FULL);
		return;
	}
	e->head.kind = RS_EVENT_BLOCK;
	e->head.tid = t->tid;
	e->head.at_ns = end_hi;
	e->end_lo = end_lo;
	e->end_hi = end_hi;
	bpf_probe_read_kernel_str(e->comm, sizeof(e->comm), task->comm);
	__builtin_memcpy(&e->poll, p, sizeof(*p));
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

static __always_inline __u64 minus(__u64 a, __u64 b)
{
	return a > b ? a - b : 0;
}

/* Ends the innermost poll, somewhere in [end_lo, end_hi]. A block is a poll that surely reached the threshold. */
static __noinline void close_poll(struct rs_thread *t, struct task_struct *task, __u64 end_lo, __u64 end_hi)
{
	struct rs_poll *p = poll_top(t), *outer;
	__u64 shortest, longest;

	if (!p)
		return;
	shortest = minus(minus(end_lo, p->start_hi), p->excluded_max);
	longest = minus(minus(end_hi, p->start_lo), p->excluded_min);
	if (shortest >= config.threshold_ns)
		emit_block(t, task, p, end_lo, end_hi);
	t->depth--;
	t->watch = 0;
	outer = poll_top(t);
	if (!outer)
		return;
	outer->seen = end_lo;
	outer->excluded_min += p->excluded_min;
	outer->excluded_max += p->excluded_max;
	if (longest >= config.threshold_ns)
		outer->excluded_max += longest;
	if (shortest >= config.threshold_ns)
		outer->excluded_min += shortest;
	else
		give_to_outer(outer, p);
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

static __always_inline void open_from(struct rs_memory m, struct rs_thread *t,
				      const struct rs_look *k)
{
	struct rs_poll *p = push_poll(t);
	const struct rs_layout *l = &config.copies[k->copy & (RS_COPIES - 1)];
	__u64 lo = t->last_ns, hi = k->now;

	if (!p)
		return;
	p->id = k->id;
	p->sched = k->sched;
	p->handle = k->handle;
	p->tick = k->tick;
	p->copy = k->copy;
	p->role = k->role;
	p->flags = k->flags;
	if (narrow_start(m, l, k, t->in_ns, &lo, &hi))
		p->flags |= RS_POLL_BATCH_START;
	if (!lo) {
		p->flags |= RS_POLL_BEFORE;
		lo = hi;
	}
	p->start_lo = lo;
	p->start_hi = hi;
	p->seen = k->now;
	if (k->sched && k->role == RS_ROLE_WORKER)
		p->worker = read_worker_index(m, t, l);
}

static __noinline void open_sampled(struct rs_thread *t, struct task_struct *task,
				    const struct rs_look *k)
{
	open_from((struct rs_memory){ task, false }, t, k);
}

/* Two sibling tasks in one turn of a current_thread scheduler are LocalSet tasks: the root's poll is around them. */
static __noinline void imply_root(struct rs_thread *t)
{
	struct rs_poll *root = &t->polls[0], *inner = &t->polls[1];

	__builtin_memcpy(inner, root, sizeof(*inner));
	inner->role = RS_ROLE_LOCAL_SET;
	root->id = 0;
	root->off_ns = root->runq_ns = root->throttled_ns = 0;
	root->flags |= RS_POLL_IMPLIED;
	__builtin_memset(root->spells, 0, sizeof(root->spells));
	t->depth = 2;
}

/* The thread was seen in poll k; decides whether that is the poll at the top, a nested one or another one. */
static __noinline void join_poll(struct rs_thread *t, struct task_struct *task, const struct rs_look *k)
{
	struct rs_poll *p = poll_top(t);
	__u64 last = t->last_ns;
	bool same_turn;

	if (t->task_id && t->task_id == k->id && t->idle_id == k->id && t->idle_hi && !p) {
		/* It had no budget and was taken for idle until user space knew better. */
		t->last_ns = t->idle_lo;
		open_sampled(t, task, k);
		p = poll_top(t);
		if (p) {
			p->start_hi = t->idle_hi;
			if (p->start_lo > p->start_hi)
				p->start_lo = p->start_hi;
		}
		t->idle_hi = 0;
		return;
	}
	t->idle_hi = 0;
	if (p && (p->flags & RS_POLL_EXACT_START)) {
		p->seen = k->now; /* a probe will tell its end; ids may change inside, e.g. when an output is dropped */
		return;
	}
	same_turn = p && p->sched == k->sched && p->tick == k->tick && p->copy == k->copy;
	if (same_turn && p->id == k->id) {
		p->seen = k->now;
		p->flags |= k->flags & RS_POLL_DROP;
		return;
	}
	if (same_turn && k->nests) {
		if (t->depth == 1 && p->id && k->id)
			imply_root(t);
		if (t->depth == 2) {
			close_poll(t, task, p->seen, k->now);
			p = poll_top(t);
			if (p && p->id == k->id) {
				p->seen = k->now;
				return;
			}
		} else if (p->id) {
			close_poll(t, task, p->seen, k->now); /* task, then the root of the same turn: in sequence */
		}
		open_sampled(t, task, k);
		p = poll_top(t);
		if (p && t->depth == 2)
			p->role = RS_ROLE_LOCAL_SET;
		return;
	}
	for (int i = 0; i < RS_DEPTH; i++) {
		p = poll_top(t);
		if (p)
			close_poll(t, task, p->seen, k->now);
	}
	t->last_ns = last;
	open_sampled(t, task, k);
}

/* Where a poll timed by a probe runs, from a look at its end: probes do not read the scheduler at every poll. */
static __noinline void place_exact(struct rs_thread *t, struct task_struct *task,
				   struct rs_poll *p, const struct rs_look *k)
{
	const struct rs_layout *l = &config.copies[k->copy & (RS_COPIES - 1)];

	p->sched = k->sched;
	p->handle = k->handle;
	p->copy = k->copy;
	p->role = !k->sched && k->role != RS_ROLE_CURRENT_THREAD ? RS_ROLE_LOCAL_SET : k->role;
	if (p->role == RS_ROLE_WORKER)
		p->worker = read_worker_index((struct rs_memory){ task, false }, t, l);
}

/* The thread was seen outside any poll, or with its core handed over: whatever was under way has ended. */
static __noinline void leave_polls(struct rs_thread *t, struct task_struct *task, const struct rs_look *k)
{
	for (int i = 0; i < RS_DEPTH; i++) {
		struct rs_poll *p = poll_top(t);

		if (!p)
			return;
		if (p->flags & RS_POLL_EXACT_START) {
			if (k->kind == RS_LOOK_IDLE && k->id == p->id) {
				p->seen = k->now; /* without a budget, but inside: the return probe will tell */
				return;
			}
			place_exact(t, task, p, k);
		}
		close_poll(t, task, p->seen, k->now);
	}
}

/* Another poll begins: the sampled ones under way have ended since they were last seen. */
static __noinline void leave_sampled(struct rs_thread *t, struct task_struct *task, __u64 now)
{
	for (int i = 0; i < RS_DEPTH; i++) {
		struct rs_poll *p = poll_top(t);

		if (!p || (p->flags & RS_POLL_EXACT_START))
			return;
		close_poll(t, task, p->seen, now);
	}
}

/* Books the last spell off CPU, now that the kernel has told how much of it was spent in the run queue. */
static __always_inline void settle_spell(struct rs_thread *t, struct task_struct *task)
{
	__u64 delay = task->sched_info.run_delay, off = t->pending_off, runq = minus(delay, t->run_delay);
	struct rs_poll *p = poll_top(t);

	t->run_delay = delay;
	if (!off)
		return;
	t->pending_off = 0;
	if (!p || t->returned_ns)
		return;
	if (p->flags & RS_POLL_AT_ENTRY) {
		p->flags &= ~RS_POLL_AT_ENTRY;
		p->start_lo = p->start_hi = t->in_ns;
		return;
	}
	if (runq > off || t->out_kind == RS_OUT_PREEMPTED)
		runq = off;
	p->off_ns += off;
	p->runq_ns += runq;
	if (off > runq) {
		struct rs_spell s = { .nr = t->out_nr, .mode = t->out_mode, .count = 1, .fd = t->out_fd,
				      .ns = off - runq };

		add_spell(p, &s);
	}
	if (runq > RS_THROTTLE_LOOK_NS) {
		__u64 throttled = minus(throttled_time(task), t->throttled);

		p->throttled_ns += throttled < runq ? throttled : runq;
	}
}

static __always_inline __u64 user_sp(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	return BPF_CORE_READ(regs, sp);
}

/* One look at a thread of the target, at k->now: settles what was pending and moves its polls on. */
static __noinline void apply_look(struct rs_thread *t, struct task_struct *task, struct rs_look *k)
{
	settle_spell(t, task);
	take_look(t, task, k);
	count_one(RS_COUNT_LOOKS);
	t->look_kind = k->kind;
	if (k->kind == RS_LOOK_UNREADABLE) {
		count_one(RS_COUNT_UNREADABLE);
		return;
	}
	if (k->kind == RS_LOOK_POLL) {
		t->sp = user_sp(task);
		join_poll(t, task, k);
	} else {
		t->task_id = 0;
		leave_polls(t, task, k);
		if (t->idle_id != k->id || t->idle_sched != k->sched || !t->idle_hi) {
			t->idle_lo = t->last_ns;
			t->idle_hi = k->now;
			t->idle_sp = user_sp(task);
		}
		t->idle_id = k->id;
		t->idle_sched = k->sched;
		t->idle_handle = k->handle;
		t->idle_copy = k->copy;
	}
	t->last_ns = k->now;
}

#endif
