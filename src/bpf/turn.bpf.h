/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Turns of a scheduler: what tells one poll of a task from its next where only looks have seen them. */
#ifndef RS_BPF_TURN_H
#define RS_BPF_TURN_H

static __always_inline bool is_same_scheduler(const struct rs_poll *p, const struct rs_look *k)
{
	return p->sched == k->sched && p->copy == k->copy;
}

/* Whether the scheduler is in the same turn as when the poll was last seen. Only of sampled polls. */
static __always_inline bool is_in_turn(const struct rs_poll *p, const struct rs_look *k)
{
	return p->tick == k->tick && is_same_scheduler(p, k);
}

/* The tick has been found since the poll was last seen: k goes by it, p did not. */
static __always_inline bool has_new_tick(const struct rs_poll *p, const struct rs_look *k)
{
	return p->epoch != k->epoch && is_same_scheduler(p, k);
}

static __always_inline void adopt_tick(struct rs_poll *p, const struct rs_look *k)
{
	p->epoch = k->epoch;
	p->tick = k->tick;
	p->flags = (p->flags & ~RS_POLL_NO_TICK) | (k->flags & RS_POLL_NO_TICK);
}

/* Outside polls there is no turn. */
static __always_inline void note_turn(struct rs_thread *t, const struct rs_look *k)
{
	__u64 sched = k->kind == RS_LOOK_POLL ? k->sched : 0;

	if (sched != t->turn_sched || k->tick != t->turn_tick)
		t->turn_lo = t->turn_seen_ns;
	t->turn_sched = sched;
	t->turn_tick = k->tick;
	t->turn_seen_ns = k->now;
}

#endif
