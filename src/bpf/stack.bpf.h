/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/*
 * Stacks of polls that may become blocks: at ticks, and where a thread falls asleep. A poll keeps which stacks it was seen
 * in, by their hashes, and for how long; the addresses leave through the ring buffer, once while they are remembered.
 */
#ifndef RS_BPF_STACK_H
#define RS_BPF_STACK_H

struct unwind_part_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags,
	       BPF_F_INNER_MAP); /* tables have different sizes; since 5.10 (4a8f87e60f6d) */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union rs_unwind_part));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RS_TABLES);
	__type(key, __u32);
	__array(values, struct unwind_part_map);
} unwind_tables SEC(".maps");

/* The mappings of the target, twice: one is written while the other is in use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct rs_mappings);
} unwind_maps SEC(".maps");

static __always_inline int unwind_read(struct rs_memory m, __u64 addr, __u64 *ret)
{
	return read_user(m, ret, sizeof(*ret), addr);
}

#define RS_CHAINED_RETURNS 4 /* probes of one function */

/* Several probes of one function return through the trampoline, too: each but the last has its address. */
static __always_inline __u64 unwind_original(__u64 *returns, __u64 trampoline)
{
	__u64 ip = trampoline;

	for (int i = 0; i < RS_CHAINED_RETURNS && *returns && ip == trampoline; i++) {
		struct return_instance *r = (void *)*returns;

		ip = BPF_CORE_READ(r, orig_ret_vaddr);
		*returns = (__u64)BPF_CORE_READ(r, next);
	}
	return ip;
}

static __always_inline const struct rs_mappings *unwind_mappings_now(void)
{
	__u32 which = config.unwind_maps & 1;

	return bpf_map_lookup_elem(&unwind_maps, &which);
}

static __always_inline const union rs_unwind_part *unwind_part(__u32 table, __u32 index)
{
	void *parts = bpf_map_lookup_elem(&unwind_tables, &table);

	return parts ? bpf_map_lookup_elem(parts, &index) : NULL;
}

#include "bpf/unwind.bpf.h"

/* Where a stack is put together: a tick may interrupt a program at a switch, both a walk, so each has its own. */
enum scratch_use { SCRATCH_TICK = 0, SCRATCH_SWITCH = 1, SCRATCH_WALK = 2 };
struct scratch {
	struct rs_unwind u;
	struct rs_event_stack event;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct scratch);
} stack_scratch SEC(".maps");

/* Stacks that user space has been told, by the low bits of their hashes; a newer one takes the place of an older. */
#define RS_TOLD 4096 /* a power of two */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RS_TOLD);
	__type(key, __u32);
	__type(value, __u64);
} stacks_told SEC(".maps");

static __always_inline void find_returns(struct rs_unwind *u, struct task_struct *task)
{
	struct uprobe_task *utask;

	u->trampoline = u->returns = 0;
	if (!bpf_core_field_exists(task->utask))
		return;
	utask = BPF_CORE_READ(task, utask);
	if (!utask)
		return;
	u->returns = (__u64)BPF_CORE_READ(utask, return_instances);
	if (u->returns)
		u->trampoline = BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
}

/* At the registers in user mode. */
static __always_inline void begin_stack(struct rs_unwind *u, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	find_returns(u, task);
	u->ip = BPF_CORE_READ(regs, ip);
	u->sp = BPF_CORE_READ(regs, sp);
	u->bp = BPF_CORE_READ(regs, bp);
	u->hash = u->exact[0] = u->exact[1] = 0;
	u->n = 0;
	u->end = u->is_bp_lost = u->guess = 0;
	u->is_exact = 1;
}

/* One function, of which the verifier looks at the whole for itself. */
__noinline int unwind_step(struct rs_unwind *u)
{
	return !u || unwind_frame(u, (struct rs_memory){ NULL, false });
}

/* Unwinds the current thread. */
__noinline int take_user_stack(struct scratch *s)
{
	if (!s)
		return 0;
	begin_stack(&s->u, bpf_get_current_task_btf());
	for (int i = 0; i <= RS_FRAMES; i++) {
		if (unwind_step(&s->u))
			break;
	}
	return 0;
}

/* Sends the addresses of a stack, unless that has been done. Its hash is 0 when they are lost. */
__noinline int tell_stack(struct scratch *s, __u32 tid, __u64 now)
{
	if (!s)
		return 0;

	struct rs_event_stack *e = &s->event;
	__u64 *told;
	__u32 place;

	for (__u32 i = 0; i < RS_KERNEL_FRAMES; i++) {
		if (i < e->n_kernel)
			s->u.hash = mix(s->u.hash, e->kernel[i]);
	}
	place = s->u.hash & (RS_TOLD - 1);
	told = bpf_map_lookup_elem(&stacks_told, &place);
	if (!told || *told == s->u.hash)
		return 0;
	e->head.kind = RS_EVENT_STACK;
	e->head.tid = tid;
	e->head.at_ns = now;
	e->hash = s->u.hash;
	e->n = s->u.n;
	e->end = s->u.end;
	e->exact[0] = s->u.exact[0];
	e->exact[1] = s->u.exact[1];
	bpf_probe_read_kernel(e->user, sizeof(e->user), s->u.ips);
	if (bpf_ringbuf_output(&events, e, sizeof(*e), BPF_RB_NO_WAKEUP)) {
		count_one(RS_COUNT_RING_FULL);
		s->u.hash = 0;
		return 0;
	}
	*told = s->u.hash;
	return 0;
}

/* The stack of the current thread, with the kernel's part where ctx is not NULL: its hash, 0 if there is none. */
static __always_inline __u64 take_stack(void *ctx, enum scratch_use use, __u32 tid, __u64 now)
{
	__u32 key = use;
	struct scratch *s = bpf_map_lookup_elem(&stack_scratch, &key);
	long size = 0;

	if (!s)
		return 0;
	take_user_stack(s);
	if (ctx)
		size = bpf_get_stack(ctx, s->event.kernel, sizeof(s->event.kernel), 0);
	s->event.n_kernel = size > 0 ? size / sizeof(__u64) : 0;
	tell_stack(s, tid, now);
	return s->u.hash;
}

struct remote_stack {
	struct task_struct *task;
	struct scratch *s;
};

static long unwind_remote_step(__u32 i, void *remote)
{
	struct remote_stack *r = remote;

	return unwind_frame(&r->s->u, (struct rs_memory){ r->task, true });
}

/* The stack of a thread that sleeps, for sleepable programs: its hash, 0 if there is none. */
static __always_inline __u64 take_remote_stack(struct task_struct *task, __u32 tid, __u64 now)
{
	__u32 key = SCRATCH_WALK;
	struct remote_stack r = { task, bpf_map_lookup_elem(&stack_scratch, &key) };
	long size;

	if (!r.s)
		return 0;
	begin_stack(&r.s->u, task);
	bpf_loop(RS_FRAMES + 1, unwind_remote_step, &r, 0);
	size = bpf_get_task_stack(task, r.s->event.kernel, sizeof(r.s->event.kernel), 0);
	r.s->event.n_kernel = size > 0 ? size / sizeof(__u64) : 0;
	tell_stack(r.s, tid, now);
	return r.s->u.hash;
}

#endif
