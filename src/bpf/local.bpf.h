/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* Which LocalSet a thread polls at this instant, from the thread-local task::local::CURRENT, and which pop that is. */
#ifndef RS_BPF_LOCAL_H
#define RS_BPF_LOCAL_H

/* Whose memory to read: the current thread's own, or (`remote`, sleepable programs) that of one asleep. */
struct rs_memory {
	struct task_struct *task;
	bool remote;
};

static __always_inline long read_user(struct rs_memory m, void *to, __u32 size, __u64 from)
{
	if (m.remote)
		return bpf_copy_from_user_task(to, size, (void *)from, m.task, 0);
	return bpf_probe_read_user(to, size, (void *)from);
}

/* Offsets come from user space; the mask keeps the verifier and the reads inside the copy. */
static __always_inline __u64 raw_word(const struct rs_thread *t, __s16 off)
{
	return *(const __u64 *)(t->raw + ((__u16)off & (RS_CONTEXT - 8)));
}

/* False also when the set is only entered (LocalSet::enter): then it polls nothing. */
static __always_inline bool read_local(struct rs_memory m, const struct rs_layout *l, __u64 block,
				       struct rs_local *ret)
{
	struct {
		__u64 context;
		__u64 is_only_entered; /* its low byte */
	} current = { 0 };

	if (l->local == RS_UNKNOWN ||
	    read_user(m, &current, l->local_wake > 0 ? 16 : 8, block + l->local))
		return false;
	if (!current.context || (__u8)current.is_only_entered)
		return false;
	return !read_user(m, &ret->set, sizeof(ret->set), current.context + l->local_shared) &&
	       ret->set;
}

/* Overwrites the copy of CONTEXT. */
static __always_inline bool read_pops(struct rs_memory m, struct rs_thread *t,
				      const struct rs_layout *l, struct rs_local *ret)
{
	if (l->local_pops[0] < 0 ||
	    read_user(m, t->raw, l->local_span & (RS_CONTEXT - 1), ret->set + l->local_first))
		return false;
	for (int i = 0; i < RS_LOCAL_QUEUES; i++) {
		__s16 at = l->local_pops[i] - l->local_first;

		ret->pops[i] = raw_word(t, at);
		ret->capacities[i] = raw_word(t, at + l->local_capacity);
	}
	return true;
}

/*
 * Two looks saw one task in one turn of the scheduler: is the later one surely in another poll of it? A turn of a
 * LocalSet has at most 61 pops, and a queue at least 64 places. Where the set is another one, a task runs a set of its
 * own and nothing is sure; nor is it where a queue has grown, which moves the words, too.
 */
static __always_inline bool is_later_pop(struct rs_poll *p, const struct rs_local *now)
{
	const struct rs_local *then = &p->local;

	if (then->set != now->set)
		p->flags &= ~(RS_POLL_LOCAL | RS_POLL_POPS);
	else if (then->capacities[0] != now->capacities[0] ||
		 then->capacities[1] != now->capacities[1])
		p->flags &= ~RS_POLL_POPS;
	if (p->flags & RS_POLL_POPS)
		return then->pops[0] != now->pops[0] || then->pops[1] != now->pops[1];
	if (!p->sched)
		p->flags |= RS_POLL_NO_TICK;
	return false;
}

#endif
