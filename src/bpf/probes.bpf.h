/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Probes in the target: entry and return of poll functions, marker functions. */
#ifndef RS_BPF_PROBES_H
#define RS_BPF_PROBES_H

/*
 * A poll timed by a probe begins while a sampled one is under way. That one is the root's poll around it when the
 * scheduler's turn is still the same (only a LocalSet inside the root polls tasks then); else it ended unseen.
 */
__noinline int settle_root(struct rs_thread *t, struct rs_poll *p, __u64 now)
{
	if (!t || !p)
		return 0;

	struct rs_look k = { .now = now };

	take_look(t, &k);
	if (!p->id && k.sched == p->sched &&
	    (!p->sched || (!(k.flags & RS_POLL_NO_TICK) && k.tick == p->tick)))
		p->seen = now;
	else
		leave_sampled(t, now);
	return 0;
}

/* Entry of a task's poll function: the header is the first argument; the cookie has the id's offset and the site. */
SEC("uprobe")
int on_poll_enter(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 now = bpf_ktime_get_ns(), cookie, header, state = 0;
	struct rs_thread *t;
	struct rs_poll *p;

	if (!is_target(task) || !config.is_exact)
		return 0;
	t = thread_of_or_new(task);
	if (!t || !row_lock(t))
		return 0;
	count_one(RS_COUNT_POLLS);
	p = poll_top(t);
	if (t->pending_off)
		settle_spell(t);
	if (p && !(p->flags & RS_POLL_EXACT_START))
		settle_root(t, p, now);
	cookie = bpf_get_attach_cookie(ctx);
	header = PT_REGS_PARM1(ctx);
	p = push_poll(t);
	if (p) {
		bpf_probe_read_user(&state, sizeof(state), (void *)header);
		bpf_probe_read_user(&p->id, sizeof(p->id), (void *)(header + (cookie >> 32)));
		p->header = header;
		p->sp = PT_REGS_SP(ctx);
		p->ip = PT_REGS_IP(ctx);
		p->site = cookie & 0xffffffff;
		p->flags = RS_POLL_EXACT_START;
		if (state & RS_TASK_CANCELLED || cookie & RS_SITE_DROP)
			p->flags |= RS_POLL_DROP;
		p->start_lo = p->start_hi = p->seen = now;
	}
	t->returned_ns = 0;
	t->last_ns = now;
	row_unlock(t);
	return 0;
}

__noinline int end_exact(struct rs_thread *t, struct rs_poll *p, __u64 now)
{
	if (!t || !p)
		return 0;

	struct rs_look k = { .now = now };

	p->flags |= RS_POLL_EXACT_END;
	if (minus(minus(now, p->start_lo), p->excluded_max) >= config.threshold_ns) {
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

/* Return of a poll function. Frames whose return was never seen (the thread unwound past them) are let go. */
SEC("uprobe")
int on_poll_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 now = bpf_ktime_get_ns(), sp = PT_REGS_SP(ctx);
	struct rs_thread *t;

	if (!is_target(task))
		return 0;
	t = thread_of(task);
	if (!t || !row_lock(t))
		return 0;
	if (t->pending_off)
		settle_spell(t);
	for (int i = 0; i < RS_DEPTH; i++) {
		struct rs_poll *p = poll_top(t);

		if (!p || (p->sp && p->sp + 8 > sp))
			break;
		if (p->sp + 8 == sp) {
			end_exact(t, p, t->returned_ns ? t->returned_ns : now);
			break;
		}
		if (!p->sp)
			break;
		t->depth--;
	}
	t->returned_ns = 0;
	t->last_ns = now;
	row_unlock(t);
	return 0;
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
	if (t && row_lock(t)) {
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
