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

/*
 * Polls that the thread was seen in before it fell asleep somewhere else. One that may be a block, or that a probe ends,
 * is left to the next look of the thread itself. True when it sleeps inside the one that remains.
 */
static __always_inline bool forget_ended(struct rs_thread *t, const struct rs_look *k)
{
	for (int i = 0; i < RS_DEPTH; i++) {
		struct rs_poll *p = poll_top(t);

		if (!p)
			return false;
		if (is_asleep_in(p, k)) {
			p->seen = k->now;
			return true;
		}
		if (p->flags & RS_POLL_EXACT_START || p->seen - p->start_hi >= config.threshold_ns)
			return false;
		t->depth--;
	}
	return false;
}

static __noinline int take_remote_look(struct rs_thread *t, struct task_struct *task,
				       struct rs_look *k)
{
	struct rs_memory m = { task, true };

	k->copy = config.walk_copy & (RS_COPIES - 1);
	if (look_at_copy(m, t, &config.copies[k->copy], k))
		k->kind = RS_LOOK_UNREADABLE;
	else
		k->is_inside = forget_ended(t, k);
	if (k->kind == RS_LOOK_POLL && !t->depth) {
		open_from(m, t, k);
		k->is_inside = 1;
	}
	/* The verifier refuses a stack pointer left in the result's register: keep a result that is used. */
	int done = 0;

	barrier_var(done);
	return done;
}

/* A thread that is new to us, asleep since before we came. */
static __always_inline void walk_new(struct rs_thread *t, struct task_struct *task,
				     struct rs_look *k)
{
	if (take_remote_look(t, task, k))
		return;
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
static __always_inline void walk_skipped(struct rs_thread *t, struct task_struct *task,
					 struct rs_look *k)
{
	struct rs_poll *p;

	k->now = t->walk_ns;
	if (take_remote_look(t, task, k))
		return;
	p = poll_top(t);
	if (p)
		p->flags |= RS_POLL_GAPS;
	t->look_kind = k->kind;
	t->out_kind = RS_OUT_ASLEEP;
	k->now = t->walk_ns;
}

/* Whether nothing is to be learned of a known thread: it has run since the last walk, or that one has looked at it. */
static __always_inline bool is_settled(struct rs_thread *t, __u64 now, __u64 switches)
{
	bool has_run = switches != t->walk_switches;
	struct rs_poll *p = poll_top(t);

	if (has_run) {
		t->walk_ns = now;
		t->walk_switches = switches;
	}
	if (config.is_unhooked && t->switches != switches)
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

static __always_inline void put_back(struct rs_thread *t, struct rs_thread *copy,
				     struct task_struct *task)
{
	if (t->seq != copy->seq || !row_lock(t))
		return;
	copy->seq = t->seq;
	if (task->nvcsw + task->nivcsw == copy->switches && task->__state &&
	    !(task->flags & RS_PF_EXITING))
		bpf_probe_read_kernel(t, sizeof(*t), copy);
	row_unlock(t);
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
	struct rs_thread *t, *copy;
	__u64 switches;
	bool is_new;

	if (!task || !is_target(task) || !task->__state)
		return 0;
	switches = task->nvcsw + task->nivcsw;
	walked_switches += switches;
	t = thread_of(task);
	is_new = !t || (t->look_kind == RS_LOOK_NOT_TOKIO && !t->switches);
	if (t && !is_new && is_settled(t, k.now, switches))
		return 0;
	if (!t)
		t = thread_of_or_new(task);
	copy = t ? copy_row(t) : NULL;
	if (!copy)
		return 0;
	copy->switches = switches;
	copy->sleeps = task->nvcsw;
	if (is_new)
		walk_new(copy, task, &k);
	else
		walk_skipped(copy, task, &k);
	if (k.is_inside)
		describe_sleep((struct rs_memory){ task, true }, copy);
	if (k.is_inside || is_new)
		copy->out_ns = k.now;
	put_back(t, copy, task);
	return 0;
}

#endif
