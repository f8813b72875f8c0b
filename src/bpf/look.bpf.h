/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/* A look: what a thread is doing for Tokio at this instant, read from its thread-local CONTEXT. */
#ifndef RS_BPF_LOOK_H
#define RS_BPF_LOOK_H

#include "bpf/local.bpf.h"

struct rs_look {
	__u64 now, id, sched, handle, core;
	__u64 context_id; /* the id as it stands in CONTEXT; `id` leaves out what is no task's */
	__u32 tick;
	__u16 epoch;
	__u8 kind; /* enum rs_look_kind */
	__u8 role; /* enum rs_role */
	__u8 copy;
	__u16 flags; /* enum rs_poll_flag: NO_TICK, DROP */
	__u8 is_entered; /* some runtime polls on this thread: never so in a spawn_blocking closure */
	__u8 is_asleep; /* set by the caller: the thread is about to sleep */
	__u8 follows_poll; /* set by the caller: the last look was inside a poll */
	__u8 wants_tick; /* set by the caller: outside polls, too */
	struct rs_local local;
	__u8 is_inside; /* set by a walk: the thread sleeps inside the poll at the top */
	__u8 nests; /* a turn of this scheduler may hold polls of a LocalSet inside the root's poll */
};

static __always_inline __u8 raw_byte(const struct rs_thread *t, __s16 off)
{
	return t->raw[(__u16)off & (RS_CONTEXT - 1)];
}

static __always_inline __u64 ctx_word(const struct rs_thread *t, __s16 off)
{
	return *(const __u64 *)(t->ctx + ((__u16)off & (RS_SCHED - 8)));
}

/* Start of the TLS block that holds CONTEXT, 0 when this thread has none. glibc: dtv[module].val at 16 * module. */
static __always_inline __u64 tls_block(struct rs_memory m, const struct rs_layout *l)
{
	__u64 fsbase = m.task->thread.fsbase, dtv = 0, count = 0, block = 0;

	if (!l->tls_module || !fsbase)
		return fsbase;
	if (read_user(m, &dtv, sizeof(dtv), fsbase + 8) || !dtv)
		return 0;
	if (read_user(m, &count, sizeof(count), dtv - 16) || count < l->tls_module)
		return 0;
	if (read_user(m, &block, sizeof(block), dtv + 16ULL * l->tls_module))
		return 0;
	return block + 1 < 2 ? 0 : block; /* 0 and -1: not allocated on this thread */
}

/* The scheduler's own context: its pointer, kind and Core. */
static __always_inline int read_scheduler(struct rs_memory m, struct rs_thread *t,
					  const struct rs_layout *l, __u64 block, struct rs_look *k,
					  __u64 handle_tag, __u64 *ret_tag)
{
	__s64 own = handle_tag == l->tag_mt ? l->worker_ctx : l->current_ctx;

	*ret_tag = handle_tag; /* up to Tokio 1.28 the two kinds have a TLS word each, and no tag */
	if (l->sched >= 0)
		k->sched = raw_word(t, l->sched);
	else if (own)
		read_user(m, &k->sched, sizeof(k->sched), block + own);
	if (!k->sched)
		return 0;
	if (read_user(m, t->ctx, RS_SCHED, k->sched))
		return -1;
	if (l->ctx_tag >= 0)
		*ret_tag = ctx_word(t, l->ctx_tag) & 0xff;
	k->core = ctx_word(t, l->ctx_core);
	return 0;
}

/* Which turn of the scheduler this is: its counter, or all words that may be it, folded into one. */
static __always_inline void read_tick(struct rs_memory m, const struct rs_layout *l,
				      struct rs_look *k, bool is_mt)
{
	const __s16 *offs = is_mt ? l->ticks_mt : l->ticks_ct;

	k->epoch = *(volatile const __u16 *)&l->epoch;
	barrier();
	if (!k->core || offs[0] < 0) {
		k->flags |= RS_POLL_NO_TICK;
		return;
	}
	for (int i = 0; i < RS_TICKS; i++) {
		__u32 word = 0;

		if (offs[i] < 0)
			break;
		read_user(m, &word, sizeof(word), k->core + offs[i]);
		k->tick = k->tick * 31 + word;
	}
	barrier();
	if (k->epoch != *(volatile const __u16 *)&l->epoch)
		k->epoch |= 1; /* the offsets changed meanwhile: comparable with nothing */
}

/* LocalSet::tick, the same in Tokio 1.23 to 1.54: CURRENT is set around it, and each poll of a task follows a pop. */
static __always_inline void note_local(struct rs_memory m, struct rs_thread *t,
				       const struct rs_layout *l, __u64 block, struct rs_look *k)
{
	if (!read_local(m, l, block, &k->local)) {
		if (!k->sched && l->local != RS_UNKNOWN) {
			/* no LocalSet's task: the id is that of a spawn_blocking closure, which calls block_on */
			k->id = 0;
			k->role = RS_ROLE_BLOCK_ON;
		}
		return;
	}
	if (l->local_wake != RS_LOCAL_ENTERED)
		k->flags |= RS_POLL_LOCAL;
	if (!read_pops(m, t, l, &k->local))
		return;
	k->flags |= RS_POLL_POPS;
	if (!k->sched)
		k->flags &= ~RS_POLL_NO_TICK; /* block_on has no turns: the pops alone tell */
}

static __always_inline __u64 syscall_of(struct task_struct *task)
{
	return BPF_CORE_READ((struct pt_regs *)bpf_task_pt_regs(task), orig_ax);
}

static __always_inline bool is_parked(struct task_struct *task, const struct rs_look *k)
{
	return k->is_asleep && syscall_of(task) == RS_NR_FUTEX;
}

static __always_inline bool is_epoll(__u64 nr)
{
	return nr == RS_NR_EPOLL_WAIT || nr == RS_NR_EPOLL_PWAIT || nr == RS_NR_EPOLL_PWAIT2;
}

/* Between two polls of one turn a worker has a budget, and the id of the blocking task it runs in; 0 only around id guards. */
static __always_inline bool is_workers_own(const struct rs_thread *t, const struct rs_look *k)
{
	return !k->id || k->id == t->base_id;
}

/*
 * The table of tokio-internals.md E. In a poll: coop budget set, runtime entered, and the scheduler's core in place
 * (it is taken away by block_in_place). Without a budget the id may be that of a task (an unconstrained future, or one
 * that the runtime is dropping) or of the thread's own blocking task: doubtful until user space finds out. But one that
 * waits for events is a runtime's driver: a spawn_blocking closure has its id there, too, when it runs a runtime.
 * A block_on caller without a scheduler of its own parks in a futex and does nothing else outside its future: found
 * elsewhere, it polls an unconstrained one.
 */
static __always_inline void classify(const struct rs_thread *t, struct task_struct *task,
				     struct rs_look *k, bool is_mt, bool has_budget,
				     bool has_handle, bool may_lack_budget)
{
	k->kind = RS_LOOK_IDLE;
	if (k->is_entered && has_budget) {
		if (k->sched && !k->core)
			k->kind = RS_LOOK_IN_PLACE;
		else if (!(k->sched && is_mt && is_workers_own(t, k)))
			k->kind = RS_LOOK_POLL;
	} else if (k->is_entered && k->sched && !k->core && is_parked(task, k)) {
		k->kind = RS_LOOK_IN_PLACE; /* block_on inside block_in_place, parked */
	} else if (k->is_entered) {
		if (k->sched && k->id && k->id != t->base_id &&
		    !(k->is_asleep && is_epoll(syscall_of(task)))) {
			k->kind = RS_LOOK_POLL;
			k->flags |= RS_POLL_DOUBTFUL;
		} else if (may_lack_budget && !k->sched && !is_parked(task, k)) {
			k->kind = RS_LOOK_POLL;
		}
		if (k->sched && !k->core)
			k->flags |= RS_POLL_DROP; /* shutdown holds the core outside the context */
	} else if (k->sched && k->id) {
		k->kind = is_mt ? RS_LOOK_IN_PLACE : RS_LOOK_POLL;
		if (!is_mt)
			k->flags |= RS_POLL_DROP; /* current_thread runtime being dropped */
	} else if (k->id) {
		k->kind = RS_LOOK_BLOCKING;
	} else if (!has_handle) {
		k->kind = RS_LOOK_NOT_TOKIO;
	}
}

static __always_inline int look_at_copy(struct rs_memory m, struct rs_thread *t,
					const struct rs_layout *l, struct rs_look *k)
{
	__u64 block = tls_block(m, l), tag, handle_tag;
	bool is_mt, is_ct;

	k->id = k->context_id = k->sched = k->core = k->handle = 0;
	k->tick = 0;
	k->flags = 0;
	k->kind = RS_LOOK_NOT_TOKIO;
	k->is_entered = k->nests = 0;
	k->local.set = 0;
	if (!block)
		return 0;
	t->context = block + l->context;
	if (read_user(m, t->raw, l->size & (RS_CONTEXT - 1), t->context))
		return -1;
	if (l->id_tag < 0 || raw_word(t, l->id_tag) == 1)
		k->id = k->context_id = raw_word(t, l->id);
	k->handle = raw_word(t, l->handle);
	handle_tag = l->handle_tag >= 0 ? raw_word(t, l->handle_tag) & 0xff
		     : k->handle	? l->tag_ct
					: RS_TAG_NONE;
	k->is_entered = raw_byte(t, l->runtime) != l->runtime_not_entered;
	if (read_scheduler(m, t, l, block, k, handle_tag, &tag))
		return -1;
	is_mt = k->sched ? tag == l->tag_mt : handle_tag == l->tag_mt;
	is_ct = k->sched ? !is_mt : l->sched < 0 && handle_tag == l->tag_ct;
	classify(t, m.task, k, is_mt, raw_byte(t, l->budget) == 1,
		 handle_tag == l->tag_mt || handle_tag == l->tag_ct,
		 !is_ct); /* up to Tokio 1.28 a current_thread scheduler does not show */
	k->role = is_ct	     ? RS_ROLE_CURRENT_THREAD
		  : k->sched ? RS_ROLE_WORKER
		  : k->id    ? RS_ROLE_LOCAL_SET
			     : RS_ROLE_BLOCK_ON;
	if (k->kind != RS_LOOK_POLL && !k->wants_tick)
		return 0;
	if (!k->sched && (k->id == t->idle_id ||
			  (config.is_exact == RS_EXACT_ALL && t->entered_ns > config.exact_ns))) {
		/* A closure's, which calls block_on: it has the id between polls, too; and a task's poll has met a probe. */
		k->id = 0;
		k->role = RS_ROLE_BLOCK_ON;
	}
	read_tick(m, l, k, is_mt);
	k->nests = is_ct && !(k->flags & RS_POLL_NO_TICK);
	/* A worker's own tasks are Send, and no LocalSet's; nor is a spawn_blocking closure that calls block_on. */
	if (k->kind == RS_LOOK_POLL && k->id && k->id != t->idle_id && !(k->sched && is_mt))
		note_local(m, t, l, block, k);
	return 0;
}

/* Fills k for the first copy of Tokio that this thread is busy with. */
static __always_inline void look_at(struct rs_memory m, struct rs_thread *t, struct rs_look *k)
{
	__u8 kind = RS_LOOK_NOT_TOKIO;

	for (int i = 0; i < RS_COPIES; i++) {
		const struct rs_layout *l = &config.copies[i];

		if (i >= config.n_copies)
			break;
		if (!l->valid)
			continue;
		if (look_at_copy(m, t, l, k)) {
			kind = RS_LOOK_UNREADABLE;
			continue;
		}
		k->copy = i;
		if (k->kind != RS_LOOK_NOT_TOKIO)
			return;
	}
	k->kind = kind;
}

static __always_inline struct rs_memory own_memory(void)
{
	return (struct rs_memory){ bpf_get_current_task_btf(), false };
}

__noinline int take_look(struct rs_thread *t, struct rs_look *k)
{
	if (!t || !k)
		return 0;
	look_at(own_memory(), t, k);
	return 0;
}

/*
 * When the poll is the first of its batch, the runtime's own clock (CLOCK_MONOTONIC, kept since Tokio 1.29) was read
 * just before it; otherwise that clock is still a lower bound. Narrows [*lo, *hi].
 */
#define RS_BATCH_TO_POLL_NS 100000
static __always_inline bool narrow_start(struct rs_memory m, const struct rs_layout *l,
					 const struct rs_look *k, __u64 on_cpu_since, __u64 *lo,
					 __u64 *hi)
{
	bool is_mt = k->role == RS_ROLE_WORKER;
	__s16 off = is_mt ? l->started_mt : l->started_ct;
	struct {
		__u64 sec;
		__u32 nsec;
	} at;
	__u64 batch = 0, ns;

	if (!k->core || off < 0 || read_user(m, &at, 12, k->core + off))
		return false;
	ns = at.sec * 1000000000ULL + at.nsec;
	if (ns <= *lo || ns > *hi)
		return false;
	*lo = ns;
	if (!is_mt || l->batch_mt < 0 || read_user(m, &batch, sizeof(batch), k->core + l->batch_mt))
		return false;
	if (batch != 1 || on_cpu_since > ns)
		return false;
	if (*hi > ns + RS_BATCH_TO_POLL_NS)
		*hi = ns + RS_BATCH_TO_POLL_NS;
	return true;
}

#endif
