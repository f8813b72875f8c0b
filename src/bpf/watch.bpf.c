// SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only
/*
 * Watches the threads of one process. Every program filters by its tgid first and stores nothing for others. The
 * target's memory is only read: at per-CPU ticks, at context switches, and (exact mode) at entry and return of polls.
 */
/* The order matters: types, helpers that need them, then what is shared. */
#include "bpf/kern.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/wire.h"

#include "bpf/task.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct rs_config config;

extern bool bpf_session_is_return(void) __ksym __weak;
extern void bpf_preempt_disable(void) __ksym __weak; /* since 6.10 */
extern void bpf_preempt_enable(void) __ksym __weak;

/* The kernel passes the previous state as a fourth argument since 5.18 (fa2c3254d7cf). */
const volatile bool has_prev_state = false;
const volatile bool has_throttled_time = false;
/* Bits: the first argument of the system call of that number is the descriptor it is about. */
const volatile __u64 fd_syscalls[RS_SYSCALLS / 64] = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RS_THREADS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct rs_thread);
} threads SEC(".maps");

/*
 * Rows of `threads` ever handed out; those given back wait in a ring, which has a place for each, until they are taken.
 * (The kernel's own stacks and queues are not for programs that may sleep, as a walk may: Linux 6.1 refuses them.)
 */
__u32 n_slots, slots_given, slots_taken;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RS_THREADS);
	__type(key, __u32);
	__type(value, __u32); /* row + 1; 0 = none */
} free_slots SEC(".maps");

/*
 * Row of each thread, by its tid: found in some ns from any context. (Task storage takes longer, and refuses a program that
 * interrupts another one at it.)
 */
#define RS_INDEX 65536 /* a power of two */
#define RS_INDEX_TRIES 4
struct slot {
	__u32 tid; /* in the initial pid namespace; 0 = free */
	__u32 number; /* row + 1; 0 = not yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RS_INDEX);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rs_cpu);
} cpus SEC(".maps");

#define RS_SITES 2048 /* a power of two; functions that share a row share its fate */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RS_SITES);
	__type(key, __u32);
	__type(value, struct rs_site);
} sites SEC(".maps");

static __always_inline struct rs_site *site_of(__u64 cookie)
{
	__u32 row = cookie & (RS_SITES - 1);

	return bpf_map_lookup_elem(&sites, &row);
}

/* As RS_COUNT_SKIPPED, but user space sees it without a system call. */
__u64 n_skipped;

/* Sleeps in polls that there was no ration for a stack for. Only whether it changes matters. */
__u64 n_rationed;

/* Set by user space for walks that have nothing else to do than to take the stacks of those. */
bool walks_for_stacks;

/* Context switches of all threads of the target in their lives, as the last walk found them. */
__u64 walked_switches;

/* The thread that on_walk is at, by its address. */
static __u64 walked_task;

/* CLOCK_MONOTONIC less the scheduler's clock, as of those jiffies; 0 = not known. */
__u64 clock_offset, clock_jiffies;

static __always_inline struct rs_cpu *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static __always_inline void count_many(__u32 which, __u64 n)
{
	struct rs_cpu *cpu = this_cpu();

	if (cpu)
		cpu->counts[which] += n;
}

static __always_inline void count_one(__u32 which)
{
	count_many(which, 1);
}

#define RS_THROTTLE_LOOK_NS 1000000 /* shorter waits are not worth the question */
#define RS_CLOCK_JIFFIES 25 /* CLOCK_MONOTONIC is steered, by 500 ppm at most: 50 us in 100 ms */
#define RS_TASK_GROUPS 4
#define RS_LOCK_TRIES 512 /* loads */
#define RS_EDGE_NS \
	100000 /* the runtime's own work before or after a future, with cold caches, is shorter */
#define RS_EDGE_SEEN_NS 500000 /* the same, where only looks have seen the start */
#define RS_TASK_CANCELLED 32 /* bit 5 of the task state word, all Tokio 1.x */
#define RS_WRITES 32 /* each a trap; after so many in one poll only looks tell its end */
#define RS_RATION_WINDOW_NS 100000000
#define RS_SITE_RETURNS 100 /* awaited of one function in a window, on each CPU */
#define RS_CPU_RETURNS 400 /* of all functions: some 0.5 % of the CPU */
#define RS_CPU_STACKS \
	30 /* taken where threads fall asleep in polls, in a window: some 0.2 % of the CPU */
#define RS_SITE_SLOW_NS 2000000000ULL
#define RS_HEADER_WORDS 8 /* read of a task's header; a power of two */
#define RS_NR_POLL 7
#define RS_NR_FUTEX 202
#define RS_NR_PPOLL 271
#define RS_NR_EPOLL_WAIT 232
#define RS_NR_EPOLL_PWAIT 281
#define RS_NR_EPOLL_PWAIT2 441
#define barrier() asm volatile("" ::: "memory")

/* Time the task's cgroups spent throttled (cfs_bandwidth.throttled_time), summed to the root. */
__noinline __u64 throttled_time(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 sum = 0;

	if (has_throttled_time) {
		struct task_group *group = BPF_CORE_READ(task, sched_task_group);

		for (int i = 0; i < RS_TASK_GROUPS && group; i++) {
			sum += BPF_CORE_READ(group, cfs_bandwidth.throttled_time);
			group = BPF_CORE_READ(group, parent);
		}
	}
	return sum;
}

/* One more of what is rationed; false when the window has had its share. */
static __always_inline bool takes_share(struct rs_ration *r, __u64 now, __u32 share)
{
	if (now - r->window_ns > RS_RATION_WINDOW_NS) {
		r->window_ns = now;
		r->spent = 0;
	}
	if (r->spent >= share)
		return false;
	r->spent++;
	return true;
}

/* Wakes the reader, but not too often: it looks again by itself that long after it was woken. */
static __always_inline void wake_reader(struct rs_cpu *cpu, struct rs_thread *t, __u64 now)
{
	struct rs_event_head *e;

	if (now - cpu->suspects_ns < RS_SUSPECTS_APART_NS)
		return;
	cpu->suspects_ns = now;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e)
		return;
	e->kind = RS_EVENT_SUSPECT;
	e->tid = t->tid;
	e->at_ns = now;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

#include "bpf/file.bpf.h"
#include "bpf/look.bpf.h"
#include "bpf/poll.bpf.h"
#include "bpf/stack.bpf.h"

#include "bpf/rows.bpf.h"

/* Once for each poll that is half way to being a block: its end can then be watched. */
static __always_inline void tell_suspect(struct rs_cpu *cpu, struct rs_thread *t, __u64 now)
{
	struct rs_poll *p = poll_top(t);

	if (!p || t->suspect_ns == p->start_hi || now - p->start_hi < config.threshold_ns / 2)
		return;
	t->suspect_ns = p->start_hi;
	wake_reader(cpu, t, now);
}

static __always_inline void refill(struct rs_cpu *cpu, __u64 now)
{
	cpu->tokens += (now - cpu->refilled_ns) / config.token_ns;
	if (cpu->tokens > config.tokens_max || !cpu->refilled_ns)
		cpu->tokens = config.tokens_max;
	cpu->refilled_ns = now;
}

/* The thread was on the CPU since the last look at it, and is now found inside a system call. */
static __always_inline void note_kernel_time(struct rs_thread *t, __u64 since, __u64 now)
{
	struct rs_poll *p = poll_top(t);
	struct rs_spell s = {};

	if (!p || !since || p->start_hi == now)
		return;
	note_syscall(t);
	if (t->out_nr < 0)
		return;
	s.nr = t->out_nr;
	s.mode = t->out_mode;
	s.fd = t->out_fd;
	s.cpu_ns = now - since;
	s.object = t->out_object;
	s.object_ns = s.object & RS_OBJECT_FILE && !(s.object & RS_OBJECT_PART) ? s.cpu_ns : 0;
	add_spell(p, &s);
}

/* One that was first seen at this tick is short, most likely; its stack is worth nothing then. */
static __always_inline void note_stack(struct rs_thread *t, __u64 since, __u64 now)
{
	struct rs_poll *p = poll_top(t);

	if (!p || !config.has_tables || p->start_hi >= now)
		return;
	if (since < p->start_lo)
		since = p->start_lo;
	add_stack(p, take_stack(NULL, SCRATCH_TICK, t->tid, now), now - since, 0);
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct rs_cpu *cpu = this_cpu();
	struct rs_thread *t;
	struct rs_look k = {};
	__u64 timer, since;

	if (!cpu)
		return 0;
	k.now = bpf_ktime_get_ns();
	refill(cpu, k.now);
	if (!is_target(task))
		return 0;
	cpu->counts[RS_COUNT_TICKS]++;
	timer = timer_start(cpu, k.now);
	t = thread_of_or_new(task);
	if (t && row_lock(t)) {
		since = t->last_ns;
		note_gap(t, k.now, 0);
		apply_look(t, &k);
		if ((__s64)ctx->regs.ip < 0) /* a kernel address */
			note_kernel_time(t, since, k.now);
		note_stack(t, since, k.now);
		tell_suspect(cpu, t, k.now);
		row_unlock(t);
	}
	timer_stop(cpu, timer);
	return 0;
}

/* Whether the poll at the top still is what the thread does. Of a sampled one the scheduler's turn tells. */
static __always_inline bool is_still_in(struct rs_poll *p, const struct rs_look *k, bool is_turn)
{
	if (p->flags & RS_POLL_EXACT_START)
		return is_inside_probed(p, k);
	return is_turn && k->kind == RS_LOOK_POLL && k->id == p->id && !is_later_pop(p, &k->local);
}

/*
 * The poll at the top is one whose task id word is watched, and the word was written. With the id that the thread has
 * between polls: it has ended. With another task's: that one is polled next, or is dropped inside this poll (JoinHandle
 * and abort do so), and the next write gives the word back. Returns 1 when there is nothing left to watch.
 */
static __always_inline int note_write(struct rs_thread *t, struct rs_poll *p, struct rs_look *k)
{
	bool is_turn;

	take_look(t, k);
	if (has_new_tick(p, k))
		adopt_tick(p, k); /* a turn's end would have been written first */
	is_turn = p->flags & RS_POLL_EXACT_START || is_in_turn(p, k);
	if (is_still_in(p, k, is_turn)) {
		p->left_ns = 0;
		return 0;
	}
	if (is_turn && !p->left_ns) {
		if (p->flags & RS_POLL_EXACT_START)
			place_exact(t, p, k);
		p->left_ns = k->now;
		t->last_ns = k->now; /* whatever comes next begins now */
		t->look_kind = k->kind;
		if (k->context_id && k->context_id != t->idle_id)
			return 0;
	}
	close_poll(t, p->seen, k->now);
	return 1;
}

/* A watched task id word was written. Returning 1 uses up the event's one shot (PERF_EVENT_IOC_REFRESH). */
SEC("perf_event")
int on_id_write(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct rs_look k = { .now = bpf_ktime_get_ns(), .wants_tick = 1 };
	struct rs_poll *p;
	struct rs_thread *t;
	int is_done = 1;

	if (!is_target(task))
		return 1;
	t = thread_of(task);
	if (!t)
		return 1;
	if (!row_lock_after_walk(t))
		return 0;
	note_gap(t, k.now, 0);
	settle_spell(t);
	p = poll_top(t);
	if (p && !(p->flags & (RS_POLL_RETURNS | RS_POLL_EXACT_END)))
		is_done = note_write(t, p, &k) || ++t->writes >= RS_WRITES;
	row_unlock(t);
	return is_done;
}

/*
 * A probe's trap makes it likely that the thread is preempted just there: that time is not the poll's. Outside the future it
 * is, if Tokio's current task is another one: after its end if it was seen inside, else before its start. (A poll that
 * was not seen in all the time that makes a block has ended, too.)
 */
static __always_inline bool note_outside(struct rs_poll *p, const struct rs_look *k)
{
	if (!(p->flags & RS_POLL_EXACT_START) || is_inside_probed(p, k))
		return false;
	if (p->seen <= p->start_hi && k->now - p->start_hi < config.threshold_ns)
		p->flags |= RS_POLL_AT_ENTRY;
	else if (!p->left_ns)
		p->left_ns = k->now;
	return true;
}

/* So soon after the start nobody knows whether the runtime was preempted or the future. */
static __always_inline void note_preemption(struct rs_poll *p, const struct rs_look *k)
{
	if (!p || note_outside(p, k))
		return;
	if (!p->off_ns &&
	    k->now - p->start_lo < (p->flags & RS_POLL_EXACT_START ? RS_EDGE_NS : RS_EDGE_SEEN_NS))
		p->flags |= RS_POLL_AT_ENTRY | RS_POLL_EARLY;
}

/* A worker parks at the same instruction, stack depth and descriptor or futex each time: then nothing has changed. */
static __always_inline bool is_known_park(const struct rs_thread *t, const struct pt_regs *regs)
{
	if (t->parks_epoch != config.epoch)
		return false;
	for (int i = 0; i < RS_PARKS; i++) {
		const struct rs_park *park = &t->parks[i];

		if (park->sp == regs->sp && park->ip == regs->ip && park->arg == regs->di)
			return true;
	}
	return false;
}

#include "bpf/switch.bpf.h"
#include "bpf/wake.bpf.h"
#include "bpf/walk.bpf.h"

SEC("tp_btf/sched_process_exit")
int on_exit(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct slot *slot;
	struct rs_thread *t;
	__u64 now = bpf_ktime_get_ns();
	__u32 row;

	if (!is_target(task))
		return 0;
	slot = slot_of(task);
	if (!slot || !slot->number)
		return 0;
	row = slot->number - 1;
	t = bpf_map_lookup_elem(&threads, &row);
	if (!t)
		return 0;
	for (int i = 0; i < RS_DEPTH; i++) {
		if (poll_top(t))
			close_poll(t, now, now);
	}
	t->seq = 0;
	t->tid = 0;
	slot->number = 0;
	slot->tid = 0;
	give_row(row);
	return 0;
}

static __always_inline void emit_process(__u32 kind, struct task_struct *about)
{
	struct rs_event_exec *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count_one(RS_COUNT_RING_FULL);
		return;
	}
	e->head.kind = kind;
	e->head.tid = pid_at_level(about, config.pid_level);
	e->head.at_ns = bpf_ktime_get_ns();
	e->pid = e->head.tid;
	e->pad = 0;
	bpf_ringbuf_submit(e, 0);
}

SEC("tp_btf/sched_process_exec")
int on_exec(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	if (is_target(task))
		emit_process(RS_EVENT_EXEC, task);
	return 0;
}

#include "bpf/probes.bpf.h"
