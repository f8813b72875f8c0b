/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Context switches of the target's threads: where they park, where they fall asleep in a poll, when they come back. */
#ifndef RS_BPF_SWITCH_H
#define RS_BPF_SWITCH_H

/*
 * Runtimes park in a futex or in epoll, and their first argument is an object of the runtime's own. Anything else that
 * sleeps between polls may sleep inside one, too, at the same depth of the stack where all is inlined.
 */
static __always_inline bool can_be_park(const struct pt_regs *regs)
{
	return regs->orig_ax == RS_NR_FUTEX || is_epoll(regs->orig_ax);
}

/* The older place makes room. */
static __always_inline void remember_park(struct rs_thread *t, const struct pt_regs *regs)
{
	if (t->depth || !can_be_park(regs) || t->look_kind == RS_LOOK_IN_PLACE ||
	    t->look_kind == RS_LOOK_UNREADABLE)
		return;
	for (int i = RS_PARKS - 1; i > 0; i--)
		t->parks[i] = t->parks_epoch == config.epoch ? t->parks[i - 1] : (struct rs_park){};
	t->parks_epoch = config.epoch;
	t->parks[0] = (struct rs_park){ regs->ip, regs->sp, regs->di };
}

/*
 * A sleep may be the start of a block, and nobody knows yet how long it will last: stacks are rationed, so that a program with
 * many short sleeps in its polls does not pay for each of them.
 */
static __always_inline void out_asleep(void *ctx, struct rs_cpu *cpu, struct rs_thread *t,
				       __u64 now)
{
	note_syscall(t);
	if (config.has_tables) {
		if (takes_share(&cpu->stacks, now, RS_CPU_STACKS))
			t->out_stack = take_stack(ctx, SCRATCH_SWITCH, t->tid, now);
		else
			n_rationed++; /* a walk takes it, if it lasts */
	}
	wake_reader(cpu, t, now); /* it gets no tick any more */
}

/*
 * Ticks may miss a poll that shares its CPU with other threads, all but once: where it has no stack yet, and was seen before,
 * one is taken when it is preempted.
 */
static __always_inline void out_preempted(struct rs_cpu *cpu, struct rs_thread *t,
					  const struct rs_look *k)
{
	struct rs_poll *p = poll_top(t);
	__u64 since;

	note_preemption(p, k);
	if (!p || !config.has_tables || p->stacks[0].hash || p->start_hi >= k->now ||
	    !takes_share(&cpu->stacks, k->now, RS_CPU_STACKS))
		return;
	since = t->in_ns > p->start_lo ? t->in_ns : p->start_lo;
	add_stack(p, take_stack(NULL, SCRATCH_SWITCH, t->tid, k->now), minus(k->now, since), 0);
}

static __always_inline void out_in_poll(void *ctx, struct rs_cpu *cpu, struct rs_thread *t,
					const struct rs_look *k)
{
	if (has_throttled_time)
		t->throttled = throttled_time();
	t->out_stack = 0;
	if (k->is_asleep)
		out_asleep(ctx, cpu, t, k->now);
	else
		out_preempted(cpu, t, k);
}

/* False when the row is being changed: then nothing is known of this switch. */
static __always_inline bool look_at_out(void *ctx, struct rs_cpu *cpu, struct task_struct *task,
					struct rs_thread *t, bool is_asleep)
{
	struct rs_look k = { .now = bpf_ktime_get_ns(), .is_asleep = is_asleep };
	__u64 timer;

	if (!row_lock_after_walk(t))
		return false;
	timer = timer_start(cpu, k.now);
	note_gap(t, k.now, 1);
	apply_look(t, &k);
	if (t->depth)
		out_in_poll(ctx, cpu, t, &k);
	if (is_asleep)
		remember_park(t, (struct pt_regs *)bpf_task_pt_regs(task));
	row_unlock(t);
	t->out_kind = is_asleep ? RS_OUT_ASLEEP : RS_OUT_PREEMPTED;
	t->out_ns = k.now;
	if (!is_asleep)
		t->preempted_ns = k.now;
	timer_stop(cpu, timer);
	return true;
}

/*
 * Looks are rationed. A thread preempted inside a poll is seen by the next look as a gap; one that falls asleep there may
 * not be seen for long, so the second half of the ration is for sleepers.
 */
static __always_inline bool take_token(struct rs_cpu *cpu, bool is_asleep)
{
	__s64 reserve = is_asleep ? 0 : config.tokens_max / 2;
	__u64 jiffies;

	if (!cpu->refilled_ns)
		refill(cpu, bpf_ktime_get_ns());
	if (cpu->tokens > reserve) {
		cpu->tokens--;
		return true;
	}
	/* Normally a tick refills; but they are rare on a CPU that is mostly idle. */
	jiffies = bpf_jiffies64();
	if (jiffies != cpu->refilled_jiffies)
		refill(cpu, bpf_ktime_get_ns());
	cpu->refilled_jiffies = jiffies;
	if (is_asleep) {
		cpu->counts[RS_COUNT_SKIPPED]++;
		__sync_fetch_and_add(&n_skipped, 1);
	}
	return false;
}

static __always_inline void switched_out(void *ctx, struct rs_cpu *cpu, struct task_struct *task,
					 bool is_asleep)
{
	struct rs_thread *t = thread_of_or_new(task);

	if (!t)
		return;
	bool is_park = is_asleep && !(t->seq & 1) &&
		       is_known_park(t, (struct pt_regs *)bpf_task_pt_regs(task));

	if (is_park && !t->depth) {
		t->is_parked = 1;
		t->switches = task->nvcsw + task->nivcsw;
		t->sleeps = task->nvcsw;
		t->run_delay = task->sched_info.run_delay;
		t->pending_off = t->traced_in_ns = 0;
		return;
	}
	/* Whatever the ration says: a poll that was seen has ended before the thread parks. */
	if ((is_park || take_token(cpu, is_asleep)) && look_at_out(ctx, cpu, task, t, is_asleep))
		return;
	resolve_park(t, task, ~0ULL, task->nvcsw + task->nivcsw == t->switches + 1);
	if (is_asleep)
		wake_reader(cpu, t, bpf_ktime_get_ns()); /* it walks, then */
}

static __always_inline void switched_in(struct rs_thread *t)
{
	struct rs_poll *p;
	__u64 now;

	if (t->is_parked ? bpf_jiffies64() - clock_jiffies < RS_CLOCK_JIFFIES : !t->out_ns)
		return; /* the kernel keeps the time of it; or its switch-out was not looked at */
	now = bpf_ktime_get_ns();
	t->in_ns = t->traced_in_ns = now;
	if (t->out_ns)
		t->pending_off += now - t->out_ns;
	t->out_ns = 0;
	t->is_parked = 0;
	if (t->seq & 1)
		return;
	p = poll_top(t);
	if (p)
		p->seen = t->turn_seen_ns = now; /* nothing changes while asleep */
	t->last_ns = now;
}

SEC("tp_btf/sched_switch")
int on_switch(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	bool from = is_target(prev), to = is_target(next);
	struct rs_cpu *cpu;

	if (!from && !to)
		return 0;
	cpu = this_cpu();
	if (!cpu)
		return 0;
	cpu->counts[RS_COUNT_SWITCHES]++;
	if (from) {
		__u32 state = has_prev_state ? (__u32)ctx[3] : prev->__state;

		switched_out(ctx, cpu, prev, state && !ctx[0]);
	}
	if (to) {
		struct rs_thread *t = thread_of(next);

		if (t)
			switched_in(t);
	}
	return 0;
}

#endif
