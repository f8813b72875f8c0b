/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/*
 * What kernel and user space share: configuration written by user space, the table of threads that both look at,
 * and the records of the ring buffer. Plain fixed-width fields; enum values are explicit and never renumbered.
 */
#ifndef RS_BPF_WIRE_H
#define RS_BPF_WIRE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "bpf/wire_unwind.h"

#define RS_COPIES 4 /* copies of Tokio in one process: executable and shared objects */
#define RS_THREADS 4096 /* threads watched at once; more are counted as lost */
#define RS_DEPTH \
	4 /* nested polls on one thread: root, LocalSet task, and two more; a power of two */
#define RS_SPELLS 4 /* distinct reasons to be off CPU kept for one poll */
#define RS_STACKS 8 /* distinct stacks kept for one poll; a power of two */
#define RS_CONTEXT 128 /* bytes of CONTEXT copied at a look; the largest layout has 104 */
#define RS_SCHED 64 /* bytes of scheduler::Context copied at a look */
#define RS_LOCAL_QUEUES 2
/* rs_layout.local_wake where Tokio (up to 1.34) does not keep it: sets are polled when entered, or perhaps not */
#define RS_LOCAL_POLLED (-1)
#define RS_LOCAL_ENTERED (-2)
#define RS_PARKS 2 /* a worker waits for events with the driver, or on its own; a power of two */
#define RS_TICKS 4 /* words of Core that may be its tick */
#define RS_SUSPECTS_APART_NS \
	8000000 /* between two of RS_EVENT_SUSPECT: each costs the reader some 50 us */
#define RS_EXACT_ALL 2
#define RS_UNKNOWN (-1)
#define RS_SYSCALLS 512 /* numbers below may be known; a power of two */
#define RS_TAG_NEVER 0xff
#define RS_TAG_NONE 0xfe

/* Where one copy of Tokio keeps what a look reads. Offsets in CONTEXT unless said otherwise; RS_UNKNOWN = not there. */
struct rs_layout {
	__s64 context; /* CONTEXT, from the thread pointer (tls_module 0) or from the module's TLS block */
	/* Tokio <= 1.28: TLS words that point to the scheduler's context, likewise; 0 = none */
	__s64 worker_ctx, current_ctx;
	__u32 tls_module; /* index in the DTV; 0 = static TLS of the executable */
	__s16 id, id_tag; /* id_tag: Option tag word before Tokio 1.40 */
	__s16 sched; /* pointer to scheduler::Context */
	__s16 handle,
		handle_tag; /* handle_tag: RS_UNKNOWN where Tokio has no multi-thread scheduler */
	__s16 runtime, budget;
	/* in scheduler::Context; ctx_owner: worker Arc or handle Arc */
	__s16 ctx_tag, ctx_core, ctx_owner;
	/* u32 words of the scheduler's Core, one of which counts its turns; alone once it is known which */
	__s16 ticks_mt[RS_TICKS], ticks_ct[RS_TICKS];
	/* in Core: Instant of the batch's start, u64 polls in the batch */
	__s16 started_mt, batch_mt, started_ct;
	__s16 worker_index; /* from the worker Arc */
	__u8 runtime_not_entered; /* value of the runtime byte outside any runtime */
	__u8 tag_ct, tag_mt; /* values of *ctx_tag; equal to those of *handle_tag */
	__u8 valid;
	__u16 size; /* bytes of CONTEXT to copy */
	__u16 epoch; /* changes with the ticks; odd meanwhile */
	__s64 local; /* pointer to the running LocalSet's Rc<Context>, likewise; RS_UNKNOWN = not known */
	__s16 local_wake; /* 8: the u8 after it is set while the LocalSet is entered but not polled; or RS_LOCAL_* */
	__s16 local_shared; /* in Rc<Context>: Arc<Shared> */
	/* in Shared: what a pop moves in the queue of the set's own thread, and in that for other threads' wakes */
	__s16 local_pops[RS_LOCAL_QUEUES];
	__s16 local_capacity; /* of a queue, from that word of it */
	__s16 local_first, local_span; /* of all these words: the first, and how many bytes */
	__s16 pad;
};
_Static_assert(sizeof(struct rs_layout) == 104, "rs_layout is shared");

/* Written by user space through the mapped .bss; read by every program. */
struct rs_config {
	__u64 threshold_ns;
	__u64 exact_ns; /* polls that began later have met the probes */
	__u64 attached_ns; /* threads started later have been seen from their start */
	__u32 tgid; /* in the initial pid namespace; 0 = nothing is watched */
	__u32 pid_level; /* depth of the reader's pid namespace */
	__u32 n_copies;
	__u32 token_ns, tokens_max; /* see rs_cpu.tokens; one comes every token_ns */
	__u32 is_exact; /* polls are timed by probes where an entry has been seen; RS_EXACT_ALL: those of all types */
	__u32 walk_copy; /* the copy on_walk is about */
	__u32 is_unhooked; /* switches come too fast to be traced: only ticks and walks look */
	__u32 is_fine; /* the threshold is so short that ticks may miss a block: await every return */
	__u32 unwind_maps; /* which of the two lists of mappings is in use */
	__u32 has_tables; /* stacks can be unwound */
	__u32 pad;
	__u32 epoch; /* changes with `copies`: what was found before may look different now */
	struct rs_layout copies[RS_COPIES];
};

enum rs_role {
	RS_ROLE_UNKNOWN = 0,
	RS_ROLE_WORKER = 1,
	RS_ROLE_CURRENT_THREAD = 2,
	RS_ROLE_LOCAL_SET = 3,
	RS_ROLE_BLOCK_ON = 4,
};

enum rs_poll_flag {
	RS_POLL_EXACT_START = 1, /* start seen by a probe */
	RS_POLL_EXACT_END = 2, /* end seen by a probe */
	RS_POLL_NO_TICK = 4, /* consecutive polls of the task cannot be told apart */
	RS_POLL_DROP = 8, /* the runtime was dropping the future */
	RS_POLL_WATCHED_END = 16, /* end seen by a watchpoint on the task id */
	RS_POLL_IMPLIED = 32, /* outer poll inferred from two inner ones, never seen itself */
	RS_POLL_BATCH_START = 64, /* start taken from the runtime's own clock of the batch */
	RS_POLL_BEFORE = 128, /* began before the first look at its thread */
	RS_POLL_AT_ENTRY = 256, /* preempted before its future began */
	RS_POLL_GAPS = 512, /* some switches were not looked at: its parts are not known */
	RS_POLL_DOUBTFUL = 1024, /* no budget, perhaps the thread's own blocking task */
	RS_POLL_RETURNS = 2048, /* a probe will see its return */
	RS_POLL_LOCAL = 4096, /* a LocalSet was being polled on the thread each time */
	RS_POLL_POPS = 8192, /* and its queues tell polls of one of its tasks apart */
	RS_POLL_FRESH =
		16384, /* the thread had just begun to work at start_lo: the first poll after it */
	RS_POLL_EARLY =
		32768, /* preempted where its future may not have begun yet: by start_hi it has */
};

/* The LocalSet that is being polled on a thread. Each poll of one of its tasks begins with a pop from one queue. */
struct rs_local {
	__u64 set; /* its Arc<Shared>; 0 = none */
	__u32 pops[RS_LOCAL_QUEUES], capacities[RS_LOCAL_QUEUES];
};

/* Cookie of a poll function's probe: offset of the task id (a multiple of 8, behind the scheduler's pointer) in its high
 * half, and in the low one: */
#define RS_SITE_VTABLE 0x07ffffff /* index among the vtables of its copy */
#define RS_SITE_DROP 0x08000000 /* the function drops the future instead of polling it */
#define RS_SITE_COPY_SHIFT 28

/* What has been spent of a ration since the start of a window. */
struct rs_ration {
	__u64 window_ns, spent;
};

/* What one CPU remembers of a probed function, to decide whether the returns of its polls are worth their price. */
struct rs_site {
	__u64 slow_until_ns; /* a poll of it was long: its returns are awaited until then */
	struct rs_ration returns;
};

/* Bits of what identifies a file for as long as it is open (bpf/file.bpf.h). */
#define RS_OBJECT_FILE (1ULL << 63)
#define RS_OBJECT_PART \
	(1ULL << 62) /* the call may be about something else, too, or not about it at all */

/* One reason to be off CPU inside a poll. */
struct rs_spell {
	__s32 nr; /* syscall, -1 = page fault or another exception */
	__u16 mode; /* i_mode of the file behind the first argument, 0 = none */
	__u16 pad;
	__u32 count;
	__u32 fd;
	__u64 ns; /* asleep; time in the run queue not included */
	__u64 cpu_ns; /* on the CPU inside that syscall, by ticks */
	/* what it was about for object_ns of that time: RS_OBJECT_FILE and which, or the end of one sleep */
	__u64 object, object_ns;
};

/* A stack that a poll was seen in. */
struct rs_stack_use {
	__u64 hash; /* of RS_EVENT_STACK; 0 = free row */
	__u64 ns;
	__u32 count;
	__u32 is_asleep; /* seen where the thread fell asleep, else while it ran */
};

/* Who ended a sleep: the thread that ran, where it was no interrupt. */
struct rs_waker {
	__u64 at_ns;
	__u64 task_id; /* that it polled; 0 = none, or not known */
	__u32 tid; /* 0 = not known */
	__u32 pad;
	char comm[16];
};

/* A poll in progress or ended. Times are ns of CLOCK_MONOTONIC. */
struct rs_poll {
	__u64 id, sched, handle;
	__u32 tick;
	__u8 copy, role;
	__u16 flags; /* enum rs_poll_flag */
	__u64 start_lo, start_hi; /* it began within */
	__u64 seen; /* last instant known to be inside */
	/* Tokio's current task was first found to be another one: it has ended then, unless it is seen again; 0 = not */
	__u64 left_ns;
	__u64 off_ns; /* off CPU, run queue included */
	__u64 runq_ns;
	__u64 throttled_ns; /* of the cgroup, while the poll lasted */
	/* outer poll: time of inner polls that surely, or perhaps, are blocks of their own */
	__u64 excluded_min, excluded_max;
	__u64 sp; /* exact: at the entry; finds the return */
	__u64 header; /* exact: task header, and its scheduler */
	__u64 scheduler;
	__u64 site; /* exact: the probe's cookie, see RS_SITE_* */
	struct rs_local local;
	__s32 worker;
	__u16 epoch; /* of the layout that `tick` was read by */
	__u16 user_flags; /* user space: enum rs_poll_flag found by inspection */
	struct rs_spell spells[RS_SPELLS];
	struct rs_stack_use stacks[RS_STACKS];
	__u64 longest_ns; /* its longest sleep, and who ended that */
	struct rs_waker waker;
};

enum rs_out { RS_OUT_NONE = 0, RS_OUT_ASLEEP = 1, RS_OUT_PREEMPTED = 2 };

/* A place where a thread sleeps between polls. */
struct rs_park {
	__u64 ip, sp, arg;
};

/* A watched thread; slot of the mapped table. Written by the kernel side under an odd `seq`. */
struct rs_thread {
	/* What every switch looks at comes first: two or three cache lines. */
	__u32 seq;
	__u32 tid; /* as the reader's pid namespace numbers it; 0 = free slot */
	__u8 depth; /* polls under way */
	__u8 is_parked; /* asleep at a known place, or awake since and not yet looked at */
	__u8 out_kind; /* enum rs_out */
	__u8 look_kind; /* enum rs_look_kind of the last look */
	__u8 idle_copy; /* copy the thread was last seen in */
	__u8 writes; /* of the task id word that is watched, in this poll */
	__u16 out_mode;
	__u64 out_ns; /* switched out since; 0 = on CPU */
	__u64 switches, sleeps; /* nvcsw + nivcsw, and nvcsw alone, at the last look */
	__u64 run_delay; /* sched_info.run_delay at the last look */
	__u64 pending_off; /* off-CPU time of the last spell, not yet booked */
	__u64 traced_in_ns; /* switched in at, when that is to be compared with the scheduler's clock */
	__u64 parks_epoch; /* of the configuration when the parks were found */
	struct rs_park parks[RS_PARKS]; /* where it was last found asleep outside any poll */
	__u64 last_ns; /* last look, or switch-in */
	__u64 in_ns; /* switched in at, last time */
	__u64 task_id; /* user space: this id has been found to be an async task's */
	__u64 base_id; /* user space: id of the blocking task that the thread itself runs in */
	__u64 context; /* address of CONTEXT, of the copy seen last */
	__u64 entered_ns; /* exact: a probe saw a poll begin, last time */
	/* the scheduler's turn at the last look, when that was, and when it was last known not to have begun */
	__u64 turn_sched, turn_seen_ns, turn_lo;
	__u32 turn_tick;
	__u32 row; /* its own number */
	__u64 walk_ns,
		walk_arrival; /* when on_walk last met it asleep, and its last arrival on a CPU */
	__u64 preempted_ns; /* switched out by force at, last time */
	__u64 suspect_ns; /* start of the poll that RS_EVENT_SUSPECT was sent for */
	__u64 throttled; /* cfs_bandwidth.throttled_time at the last look */
	__u64 out_stack; /* hash of the stack it fell asleep in; 0 = not taken */
	__s32 out_nr;
	__u32 out_fd;
	__u64 out_object; /* RS_OBJECT_*; 0 = the call is about no file */
	__u64 sp; /* user stack pointer at the last look inside a poll */
	/* the id in CONTEXT at the last look outside a poll */
	__u64 idle_id;
	__u64 idle_sp;
	struct rs_poll polls[RS_DEPTH];
	__u8 raw[RS_CONTEXT]; /* scratch of the look */
	__u8 ctx[RS_SCHED];
};

enum rs_look_kind {
	RS_LOOK_NONE = 0,
	RS_LOOK_NOT_TOKIO = 1,
	RS_LOOK_IDLE = 2, /* executor thread between polls or parked */
	RS_LOOK_POLL = 3,
	RS_LOOK_IN_PLACE = 4, /* inside block_in_place */
	RS_LOOK_BLOCKING = 5, /* spawn_blocking closure */
	RS_LOOK_UNREADABLE = 6,
};

enum rs_event_kind {
	RS_EVENT_BLOCK = 1,
	RS_EVENT_EXEC = 2,
	RS_EVENT_MARKER = 4,
	RS_EVENT_TASK_ID = 5,
	RS_EVENT_SUSPECT = 6, /* a poll gets long: only a head, wakes the reader */
	RS_EVENT_STACK = 7,
};

/* What is marked lies between the return of the one function and the call of the other. */
enum rs_marker { RS_MARKER_START = 1, RS_MARKER_END = 2 };

struct rs_event_head {
	__u32 kind;
	__u32 tid;
	__u64 at_ns;
};

struct rs_event_block {
	struct rs_event_head head;
	__u64 end_lo, end_hi;
	__u64 end_sure; /* at most end_lo: it has surely lasted until then */
	char comm[16];
	struct rs_poll poll;
};

/* The addresses of a stack, innermost first. Sent once while the kernel side remembers it, whether a block follows or not. */
struct rs_event_stack {
	struct rs_event_head head;
	__u64 hash;
	__u64 exact[2]; /* bits: user[i] is an instruction that was executing, else a return address */
	__u32 n, n_kernel;
	__u32 end; /* enum rs_unwind_end */
	__u32 pad;
	__u64 user[RS_FRAMES + 1];
	__u64 kernel[RS_KERNEL_FRAMES];
};

struct rs_event_exec {
	struct rs_event_head head;
	__u32 pid;
	__u32 pad;
};

struct rs_event_marker {
	struct rs_event_head head;
	__u32 marker; /* enum rs_marker */
	__u32 pad;
	__u64 id; /* task id of the poll under way, 0 = none */
	__u64 arg;
};

/* Losses and totals, counted per CPU. Names for the reader are in cli/session_report.c. */
enum rs_counter {
	RS_COUNT_LOOKS = 0,
	RS_COUNT_POLLS = 1, /* entries seen by probes */
	RS_COUNT_RING_FULL = 2, /* lost: record did not fit */
	RS_COUNT_NO_SLOT = 3, /* lost: more than RS_THREADS threads */
	RS_COUNT_UNREADABLE = 4, /* lost: thread-local memory not present */
	RS_COUNT_DEPTH = 5, /* lost: polls nested deeper than RS_DEPTH */
	RS_COUNT_SPELLS = 6, /* lost: reasons of one poll beyond RS_SPELLS, the shortest */
	RS_COUNT_INDEX = 7, /* lost: no free place in the index of threads */
	RS_COUNT_TIMED_RUNS = 8, /* runs whose own time was taken */
	RS_COUNT_TIMED_NS = 9,
	RS_COUNT_RUNS = 10, /* runs that got past the filter */
	RS_COUNT_SWITCHES = 11,
	RS_COUNT_SKIPPED = 12, /* switches not looked at, to keep the budget */
	RS_COUNT_BUSY = 13, /* looks that met a probe at work on the same thread */
	RS_COUNT_RETURNS = 14, /* polls whose return is seen by a probe, too */
	RS_COUNT_TICKS = 15, /* interrupts that hit the target */
	RS_COUNT_VAGUE = 16, /* user space: decoder.vague */
	RS_COUNT_NO_STACK = 17, /* sleeps of half the threshold or more in polls, without a stack */
	RS_COUNT_STACKS = 18, /* user space: stacks that there was no room for */
	RS_COUNT_MAX = 19,
};

/* What one CPU counts for itself. */
struct rs_cpu {
	__u64 counts[RS_COUNT_MAX];
	__u64 suspects_ns; /* last RS_EVENT_SUSPECT */
	__s64 tokens; /* switches that may be looked at; refilled at each tick */
	__u64 refilled_ns, refilled_jiffies;
	struct rs_ration returns; /* of all functions that are not slow */
	struct rs_ration stacks; /* of threads that fall asleep */
};

/* One thread as the task iterator reports it (learn.bpf.c). */
struct rs_thread_info {
	__u32 tid, tid_global, tgid_global, state;
	__u32 level; /* of the reader's pid namespace */
	__u32 pad;
	__u64 fsbase, sp, ip;
	__u64 switches; /* voluntary and not */
	char comm[16];
};
_Static_assert(sizeof(struct rs_thread_info) == 72, "rs_thread_info is shared");

/* A socket, and whom it talks to. */
struct rs_socket {
	__u16 family, type, protocol; /* family 0 = no socket */
	__u8 state; /* of struct sock; TCP's numbers */
	__u8 pad;
	__u16 local_port, peer_port; /* host order */
	__u8 local[16], peer[16]; /* addresses of AF_INET (4 bytes) or AF_INET6 */
	/* AF_UNIX: bytes of each name, of which abstract ones begin with a NUL; 0 = it has none */
	__u16 local_size, peer_size;
	char local_name[108], peer_name[108];
};

/* What one thread does, and the file behind one of its descriptors (sleep.bpf.c). */
struct rs_sleep {
	__u32 tid; /* 0 = no such thread */
	__u32 is_asleep;
	__u64 switches; /* voluntary and not: it is the same sleep while they are the same */
	__s32 nr; /* of the system call; -1 = an exception. Of a thread asleep, like the registers */
	__u32 mode; /* i_mode of the file, 0 = none */
	__u64 args[6];
	__u64 regs[16]; /* as instructions number them: rax, rcx, rdx, rbx, rsp, … */
	__u64 ip, fs_base;
	__u64 object; /* RS_OBJECT_FILE and which; 0 = none */
	struct rs_socket socket;
};
_Static_assert(sizeof(struct rs_socket) == 264, "rs_socket is shared");
_Static_assert(sizeof(struct rs_sleep) == 488, "rs_sleep is shared");

#endif
