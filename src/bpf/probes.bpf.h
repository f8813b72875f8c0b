/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Probes in the target: entry and return of poll functions, marker functions. */
#ifndef RS_BPF_PROBES_H
#define RS_BPF_PROBES_H

/*
 * A poll timed by a probe begins while a sampled one is under way. That one is the root's poll around it when the
 * scheduler's turn is still the same (only a LocalSet inside the root polls tasks then); else it ended unseen. In block_on
 * on a thread without a scheduler nothing tells one poll of the root from the next: only what is in one piece is believed.
 */
__noinline int settle_root(struct rs_thread *t, struct rs_poll *p, __u64 now)
{
	if (!t || !p)
		return 0;

	struct rs_look k = { .now = now };

	take_look(t, &k);
	if (!p->id && p->sched && k.sched == p->sched && !(k.flags & RS_POLL_NO_TICK) &&
	    k.tick == p->tick)
		p->seen = now;
	else
		leave_sampled(t, now);
	return 0;
}

__noinline int end_exact(struct rs_thread *t, struct rs_poll *p, __u64 now)
{
	if (!t || !p)
		return 0;

	struct rs_look k = { .now = now };

	p->flags |= RS_POLL_EXACT_END;
	if (minus(minus(now, p->start_lo), p->excluded_max) >= config.threshold_ns) {
		note_gap(t, now, 0);
		settle_spell(t);
		take_look(t, &k);
		/* A spawn_blocking closure has a poll function, too; a runtime being dropped is not entered either. */
		if (!k.is_entered && !(p->flags & RS_POLL_DROP)) {
			t->depth--;
			return 0;
		}
		place_exact(t, p, &k);
	}
	close_poll(t, now, now);
	return 0;
}

/*
 * Ends the poll somewhere since it was last seen. If it was seen for long, the function is marked as one whose polls get
 * long; else the thread may have waited for a CPU before the next poll.
 */
__noinline int end_unseen(struct rs_thread *t, struct rs_poll *p, __u64 now)
{
	if (!t || !p)
		return 0;

	struct rs_site *site = site_of(p->site);
	struct rs_look k = { .now = now };

	if (now - p->start_lo >= config.threshold_ns) {
		if (site && p->seen - p->start_lo >= config.threshold_ns / 2)
			site->slow_until_ns = now + RS_SITE_SLOW_NS;
		take_look(t, &k);
		place_exact(t, p, &k);
	}
	close_poll(t, p->seen, now);
	return 0;
}

/*
 * A poll has ended when another one begins at its stack depth or above. Below it, the new one is nested if the return
 * of the old one is awaited, or Tokio's current task still is the old one, whose guard is in place until its poll returns.
 */
static __always_inline bool is_over(struct rs_thread *t, struct rs_poll *p, __u64 sp)
{
	const struct rs_layout *l = &config.copies[site_copy(p->site)];
	__u64 id = 0;

	if (sp >= p->sp)
		return true;
	if (p->flags & RS_POLL_RETURNS)
		return false;
	if (!t->context)
		return true;
	read_header(p);
	bpf_probe_read_user(&id, sizeof(id), (void *)(t->context + l->id));
	return id != p->id;
}

/* Nobody saw it return. Nearly always it was too short to matter; else the next look or this entry bounds its end. */
static __always_inline void end_unawaited(struct rs_thread *t, struct rs_poll *p, __u64 now)
{
	if (t->depth == 1 && now - p->start_lo < config.threshold_ns) {
		t->depth = 0;
		return;
	}
	end_unseen(t, p, now);
}

/*
 * Whether this poll is worth a return probe, which costs as much again as the entry's. Functions polled so often that
 * it would add up go without, and so does the rest where many functions are polled now and then: the time to the next
 * entry bounds their polls, until one of them gets long.
 */
static __always_inline bool wants_return(struct rs_cpu *cpu, __u64 cookie, __u64 now)
{
	struct rs_site *site = site_of(cookie);

	if (!site || config.is_fine || site->slow_until_ns > now)
		return true;
	return takes_share(&site->returns, now, RS_SITE_RETURNS) &&
	       takes_share(&cpu->returns, now, RS_CPU_RETURNS);
}

/* A poll begins and no other is under way: switches before it that nobody looked at do not matter any more. */
static __always_inline void forget_gap(struct rs_thread *t, __u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 switches = task->nvcsw + task->nivcsw;

	resolve_park(t, task, now, t->switches == switches);
	if (t->switches != switches) {
		t->in_ns = now; /* at most */
		t->traced_in_ns = 0;
	}
	t->switches = switches;
	t->sleeps = task->nvcsw;
	t->run_delay = task->sched_info.run_delay;
	t->out_ns = t->pending_off = 0;
}

/* Entry of a task's poll function: the header is the first argument. A read of the target costs 40-120 ns: only where
 * the return may come after the task's memory is gone. */
static __always_inline void enter_poll(struct pt_regs *ctx, struct rs_thread *t, __u64 cookie,
				       __u64 now, bool is_awaited)
{
	__u64 sp = PT_REGS_SP(ctx);
	struct rs_poll *p;

	if (t->pending_off)
		settle_spell(t);
	for (int i = 0; i < RS_DEPTH; i++) {
		p = poll_top(t);
		if (!p)
			break;
		if (!(p->flags & RS_POLL_EXACT_START)) {
			settle_root(t, p, now);
			break;
		}
		if (!is_over(t, p, sp))
			break;
		end_unawaited(t, p, now);
	}
	if (!t->depth)
		forget_gap(t, now);
	p = push_poll(t);
	if (p) {
		p->flags = RS_POLL_EXACT_START | (is_awaited ? RS_POLL_RETURNS : 0);
		p->header = PT_REGS_PARM1(ctx);
		p->sp = sp;
		p->site = cookie;
		if (is_awaited)
			read_header(p);
		p->start_lo = p->start_hi = p->seen = now;
	}
	t->last_ns = t->entered_ns = now;
}

/* Return of a poll function. Frames whose return was never seen (the thread unwound past them) are let go. */
static __always_inline void leave_poll(struct pt_regs *ctx, struct rs_thread *t, __u64 now)
{
	__u64 sp = PT_REGS_SP(ctx);

	if (t->pending_off)
		settle_spell(t);
	for (int i = 0; i < RS_DEPTH; i++) {
		struct rs_poll *p = poll_top(t);

		if (!p || !p->sp || p->sp + 8 > sp)
			break;
		if (p->sp + 8 == sp) {
			end_exact(t, p, now);
			break;
		}
		t->depth--;
	}
	t->last_ns = now;
}

/* 0: the return of this poll is awaited. */
static __always_inline int on_enter(struct pt_regs *ctx, bool is_always_awaited)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct rs_cpu *cpu = this_cpu();
	__u64 now, cookie;
	struct rs_thread *t;
	bool is_awaited;

	if (!cpu || !is_target(task) || !config.is_exact)
		return 1;
	t = thread_of_or_new(task);
	if (!t || !row_lock_after_walk(t))
		return 1;
	now = bpf_ktime_get_ns();
	cookie = bpf_get_attach_cookie(ctx);
	is_awaited = is_always_awaited || wants_return(cpu, cookie, now);
	cpu->counts[RS_COUNT_POLLS]++;
	cpu->counts[RS_COUNT_RETURNS] += is_awaited;
	enter_poll(ctx, t, cookie, now, is_awaited);
	row_unlock(t);
	return !is_awaited;
}

static __always_inline int on_leave(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 now = bpf_ktime_get_ns();
	struct rs_thread *t;

	if (!is_target(task))
		return 0;
	t = thread_of(task);
	if (!t || !row_lock_after_walk(t))
		return 0;
	leave_poll(ctx, t, now);
	row_unlock(t);
	return 0;
}

/* Entry and return in one, where the entry decides whether there will be a return (session probes, Linux 6.13). */
SEC("uprobe")
int on_poll(struct pt_regs *ctx)
{
	return bpf_session_is_return() ? on_leave(ctx) : on_enter(ctx, false);
}

SEC("uprobe")
int on_poll_enter(struct pt_regs *ctx)
{
	on_enter(ctx, true);
	return 0;
}

SEC("uprobe")
int on_poll_return(struct pt_regs *ctx)
{
	return on_leave(ctx);
}

static __always_inline int emit_marker(struct pt_regs *ctx, __u32 kind, __u32 marker)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct rs_event_marker *e;
	struct rs_look k = {};
	struct rs_thread *t;

	if (!is_target(task))
		return 0;
	t = thread_of_or_new(task);
	if (t && row_lock_after_walk(t)) {
		take_look(t, &k);
		row_unlock(t);
	}
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		count_one(RS_COUNT_RING_FULL);
		return 0;
	}
	e->head.kind = kind;
	e->head.tid = pid_at_level(task, config.pid_level);
	e->head.at_ns = bpf_ktime_get_ns();
	e->marker = marker;
	e->pad = 0;
	e->id = k.kind == RS_LOOK_POLL ? k.id : 0;
	e->arg = PT_REGS_PARM1(ctx);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("uprobe")
int on_marker(struct pt_regs *ctx)
{
	return emit_marker(ctx, RS_EVENT_MARKER, bpf_get_attach_cookie(ctx));
}

SEC("uprobe")
int on_set_task_id(struct pt_regs *ctx)
{
	return emit_marker(ctx, RS_EVENT_TASK_ID, 0);
}

#endif
