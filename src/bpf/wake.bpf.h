/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/*
 * Who ends a long sleep in a poll. Attached only while there are such sleeps; every other wakeup of the machine costs a look
 * at whose it is.
 */
#ifndef RS_BPF_WAKE_H
#define RS_BPF_WAKE_H

#define RS_PF_KTHREAD 0x200000
#define RS_SOFTIRQ_SERVED 0x100 /* of task_struct.softirq_disable_cnt */
#define RS_STACK_SIZE 16384 /* of a task in the kernel, at least */

/* The last waker of each thread, by its row. Written while the thread still sleeps, read by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RS_THREADS);
	__type(key, __u32);
	__type(value, struct rs_waker);
} wakers SEC(".maps");

/*
 * Whether that is done by a system call of the current task, and not by an interrupt that hit it. Those have stacks of their
 * own, where they come from user space also the task's; but then it is in no system call. (preempt_count would say it,
 * but cannot be read where the kernel has no CONFIG_KALLSYMS_ALL.) ctx lies on the stack in use.
 */
static __always_inline bool is_called_by(struct task_struct *current, const void *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(current);
	__u64 at = (__u64)ctx, stack = (__u64)BPF_CORE_READ(current, stack),
	      end = stack + RS_STACK_SIZE;

	barrier_var(end); /* the verifier compares pointers, but does not subtract them */
	if (at < stack || at >= end || current->flags & RS_PF_KTHREAD)
		return false;
	/* With PREEMPT_RT softirqs run on the stack of whoever has raised them, or another one. */
	if (bpf_core_field_exists(current->softirq_disable_cnt) &&
	    current->softirq_disable_cnt & RS_SOFTIRQ_SERVED)
		return false;
	return (__s64)BPF_CORE_READ(regs, orig_ax) >= 0;
}

/* The task that the current thread polls; 0: none, or not known. */
static __always_inline __u64 polled_now(struct task_struct *current, __u64 now)
{
	struct rs_thread *t = is_target(current) ? thread_of(current) : NULL;
	struct rs_look k = { .now = now };

	if (!t || !row_lock(t))
		return 0;
	take_look(t, &k);
	row_unlock(t);
	return k.kind == RS_LOOK_POLL && !(k.flags & RS_POLL_DOUBTFUL) ? k.id : 0;
}

static __always_inline void note_waking(struct rs_thread *t, struct task_struct *current, __u64 now)
{
	__u32 row = t->row, tid = pid_at_level(current, config.pid_level);
	struct rs_waker *w = bpf_map_lookup_elem(&wakers, &row);

	if (!w || !tid)
		return;
	w->tid = tid;
	w->task_id = polled_now(current, now);
	bpf_get_current_comm(w->comm, sizeof(w->comm));
	w->at_ns = now;
}

SEC("tp_btf/sched_waking")
int on_waking(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0], *current;
	struct rs_thread *t;
	__u64 now;

	if (!is_target(task))
		return 0;
	t = thread_of(task);
	if (!t || !t->depth || !t->out_ns || t->out_kind != RS_OUT_ASLEEP)
		return 0;
	now = bpf_ktime_get_ns();
	current = bpf_get_current_task_btf();
	if (now - t->out_ns >= config.threshold_ns / 2 && is_called_by(current, ctx))
		note_waking(t, current, now);
	return 0;
}

/* A sleep of the poll has ended, which began then. */
__noinline int note_waker(const struct rs_thread *t, struct rs_poll *p, __u64 start, __u64 ns)
{
	struct rs_waker *w;
	__u32 row;

	if (!t || !p || ns <= p->longest_ns)
		return 0;
	row = t->row;
	p->longest_ns = ns;
	p->waker.tid = 0;
	w = ns >= config.threshold_ns / 2 ? bpf_map_lookup_elem(&wakers, &row) : NULL;
	if (w && w->at_ns > start)
		p->waker = *w;
	return 0;
}

#endif
