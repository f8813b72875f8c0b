/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Threads that sleep and are met by no tick and no switch. */
#ifndef RS_BPF_WALK_H
#define RS_BPF_WALK_H

static __always_inline bool is_asleep_in(const struct rs_poll *p, const struct rs_look *k)
{
	if (p->flags & RS_POLL_EXACT_START)
		return p->id && p->id == k->context_id;
	return k->kind == RS_LOOK_POLL && p->id == k->id && is_in_turn(p, k) &&
	       !(p->flags & RS_POLL_NO_TICK);
}

/* Whose row is being changed for it; events are about it, not about the task that walks. */
struct walked {
	struct task_struct *task;
	struct rs_thread *row, *copy;
	__u64 seen; /* when it was last seen in the poll at the top */
};

/* Whether the thread still sleeps as it did when the copy was made. */
static __always_inline bool is_unchanged(const struct walked *w)
{
	return w->task->nvcsw + w->task->nivcsw == w->copy->switches && is_asleep(w->task) &&
	       !(w->task->flags & RS_PF_EXITING);
}

/* The same, and nobody changes its row until row_unlock. A thread that is awake is not to meet its row locked. */
static __always_inline bool lock_asleep(const struct walked *w)
{
	if (!is_unchanged(w) || w->row->seq != w->copy->seq || !row_lock(w->row))
		return false;
	w->copy->seq = w->row->seq;
	if (is_unchanged(w))
		return true;
	row_unlock(w->row);
	return false;
}

/* A poll that the sleep may be nested in, and that may be a block: the next look of the thread itself tells. */
static __always_inline bool may_be_around(const struct rs_poll *p, const struct rs_look *k)
{
	return k->nests && is_in_turn(p, k) && p->seen - p->start_hi >= config.threshold_ns;
}

/*
 * How many polls the thread has left since it was seen in them, for the sleep it is in at k->now. One that a probe ends is
 * left to that. Sets k->is_inside if it sleeps inside the one that remains.
 */
__noinline int count_ended(struct rs_thread *t, struct rs_look *k)
{
	int n = 0;

	if (!t || !k)
		return 0;
	for (int i = 0; i < RS_DEPTH; i++) {
		struct rs_poll *p = poll_at(t, (__u32)t->depth - 1 - i);

		if (!p)
			break;
		if (is_asleep_in(p, k)) {
			p->seen = k->now;
			k->is_inside = 1;
			break;
		}
		if (p->flags & RS_POLL_EXACT_START || may_be_around(p, k))
			break;
		n++;
	}
	return n;
}

__noinline int close_ended(struct rs_thread *t, __u64 now, int n)
{
	if (!t)
		return 0;
	for (int i = 0; i < RS_DEPTH && i < n; i++) {
		struct rs_poll *p = poll_top(t);

		if (!p)
			break;
		p->flags |= RS_POLL_GAPS;
		close_poll(t, p->seen, now);
	}
	return 0;
}

/*
 * Ends that many polls. A block is told from here, so the row itself is changed and not the copy: were the thread awake, it
 * would tell the same block.
 */
static __always_inline void end_before_sleep(const struct walked *w, const struct rs_look *k, int n)
{
	if (!lock_asleep(w))
		return;
	walked_task = (__u64)w->task;
	close_ended(w->row, k->now, n);
	row_unlock(w->row);
	w->copy->seq = w->row->seq;
	w->copy->depth = w->row->depth;
	bpf_probe_read_kernel(w->copy->polls, sizeof(w->copy->polls), w->row->polls);
}

static __always_inline void leave_ended(const struct walked *w, struct rs_look *k)
{
	int n = count_ended(w->copy, k);

	if (n)
		end_before_sleep(w, k, n);
}

static __noinline int take_remote_look(const struct walked *w, struct rs_look *k)
{
	struct rs_memory m = { w->task, true };

	k->copy = config.walk_copy & (RS_COPIES - 1);
	if (look_at_copy(m, w->copy, &config.copies[k->copy], k))
		k->kind = RS_LOOK_UNREADABLE;
	else
		leave_ended(w, k);
	if (k->kind == RS_LOOK_POLL && !w->copy->depth) {
		open_from(m, w->copy, k);
		k->is_inside = 1;
	}
	/* The verifier refuses a stack pointer left in the result's register: keep a result that is used. */
	int done = 0;

	barrier_var(done);
	return done;
}

/* A thread that is new to us, asleep since before we came. */
static __always_inline void walk_new(const struct walked *w, const struct rs_look *k)
{
	struct rs_thread *t = w->copy;
	struct task_struct *task = w->task; /* struct walked is not of the kernel, for CO-RE */

	t->look_kind = k->kind;
	if (k->kind == RS_LOOK_IDLE || k->kind == RS_LOOK_BLOCKING)
		t->last_ns = k->now;
	/* In block_on it may be the id of the closure that calls it, which the thread has between polls, too. */
	if (k->kind != RS_LOOK_POLL || (!k->sched && !(k->flags & RS_POLL_LOCAL)))
		t->idle_id = k->id;
	t->idle_copy = k->copy;
	t->sp = BPF_CORE_READ((struct pt_regs *)bpf_task_pt_regs(task), sp);
	t->idle_sp = t->sp;
	t->out_kind = RS_OUT_ASLEEP;
}

/* A thread whose last switch-out was skipped, asleep since the last walk at least. */
static __always_inline void walk_skipped(const struct walked *w, const struct rs_look *k)
{
	struct rs_poll *p = poll_top(w->copy);

	if (p)
		p->flags |= RS_POLL_GAPS;
	w->copy->look_kind = k->kind;
	w->copy->out_kind = RS_OUT_ASLEEP;
	w->copy->out_stack = 0;
}

/*
 * A sleep in a poll that had no ration for a stack, or was not traced, and that may become a block. One that nobody will trace
 * the end of has its time told by walks.
 */
static __always_inline bool wants_stack(const struct rs_thread *t, __u64 now)
{
	return config.has_tables && t->depth && t->out_ns && t->out_kind == RS_OUT_ASLEEP &&
	       (!t->out_stack || config.is_unhooked) && now - t->out_ns >= config.threshold_ns / 2;
}

/* It stands still: its stack is the one that it fell asleep in. */
static __noinline int walk_late_stack(const struct walked *w, __u64 now)
{
	struct rs_thread *t = w->copy;
	__u64 since = t->out_stack ? w->seen : t->out_ns;

	if (!t->out_stack)
		t->out_stack = take_remote_stack(w->task, t->tid, now);
	if (config.is_unhooked)
		add_stack(poll_top(t), t->out_stack, now - since, 1);
	return 0;
}

/*
 * Whether nothing is to be learned of a known thread: it has run since the last walk, or that one has looked at it. (A
 * switch is counted when the thread leaves; one that came back since, and is about to leave again, has as many.)
 */
static __always_inline bool is_settled(struct rs_thread *t, const struct task_struct *task,
				       __u64 now)
{
	bool has_run = task->sched_info.last_arrival != t->walk_arrival;
	struct rs_poll *p = poll_top(t);

	if (has_run) {
		t->walk_ns = now;
		t->walk_arrival = task->sched_info.last_arrival;
	}
	if (config.is_unhooked && has_run)
		t->out_ns = 0; /* nobody traced that it woke up */
	else if (config.is_unhooked && t->out_ns && p)
		p->seen = now;
	return has_run || t->out_ns;
}

/*
 * A walk reads the target's memory, which takes its time, and a thread that wakes up meanwhile needs its row: the walk
 * works on a copy, and only if the thread still sleeps is that put back.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rs_thread);
} walk_row SEC(".maps");

static __always_inline struct rs_thread *copy_row(const struct rs_thread *t)
{
	__u32 zero = 0;
	struct rs_thread *copy = bpf_map_lookup_elem(&walk_row, &zero);

	if (!copy || bpf_probe_read_kernel(copy, sizeof(*copy), t) || copy->seq & 1)
		return NULL;
	return copy;
}

static __always_inline void put_back(const struct walked *w)
{
	/* The thread may wake up on this very CPU, and would find its row locked for as long as the walk is kept from it. */
	if (bpf_preempt_disable)
		bpf_preempt_disable();
	if (lock_asleep(w)) {
		bpf_probe_read_kernel(w->row, sizeof(*w->row), w->copy);
		row_unlock(w->row);
	}
	if (bpf_preempt_enable)
		bpf_preempt_enable();
}

/*
 * Looks at threads that sleep and were met by no tick and no switch: once after attaching, for each copy of Tokio, and
 * again and again while switches are being skipped. A thread that wakes up meanwhile is left to the other programs.
 */
SEC("iter.s/task")
int on_walk(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct rs_look k = { .now = bpf_ktime_get_ns(), .is_asleep = 1 };
	struct walked w;
	struct rs_thread *t;
	struct rs_poll *top;
	__u64 switches, seen;
	bool is_new, is_settled_now;

	if (!task || !is_target(task) || !task->__state)
		return 0;
	switches = task->nvcsw + task->nivcsw;
	walked_switches += switches;
	if (!is_asleep(task))
		return 0;
	t = thread_of(task);
	is_new = !t || (t->look_kind == RS_LOOK_NOT_TOKIO && !t->switches);
	top = t ? poll_top(t) : NULL;
	seen = top ? top->seen : 0;
	is_settled_now = t && !is_new && is_settled(t, task, k.now);
	if (is_settled_now ? !wants_stack(t, k.now) : walks_for_stacks)
		return 0;
	if (!t)
		t = thread_of_or_new(task);
	w = (struct walked){ task, t, t ? copy_row(t) : NULL, seen };
	if (!w.copy)
		return 0;
	if (is_settled_now) {
		walk_late_stack(&w, k.now);
		put_back(&w);
		return 0;
	}
	w.copy->switches = switches;
	w.copy->sleeps = task->nvcsw;
	if (!is_new) {
		k.now = w.copy->walk_ns;
		k.follows_poll = w.copy->look_kind == RS_LOOK_POLL;
	}
	if (take_remote_look(&w, &k)) /* one call: the verifier looks at all of it for each */
		return 0;
	if (is_new)
		walk_new(&w, &k);
	else
		walk_skipped(&w, &k);
	if (k.is_inside)
		describe_sleep((struct rs_memory){ task, true }, w.copy);
	if (k.is_inside || is_new)
		w.copy->out_ns = k.now;
	put_back(&w);
	return 0;
}

#endif
