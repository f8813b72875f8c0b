/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The decoded facts that sinks print. Field by field as doc/JSON.md describes; times are ns of CLOCK_MONOTONIC. */
#ifndef RS_MODEL_BLOCK_H
#define RS_MODEL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbol/frame.h"

enum role { ROLE_UNKNOWN, ROLE_WORKER, ROLE_CURRENT_THREAD, ROLE_LOCAL_SET, ROLE_BLOCK_ON };
enum phase { PHASE_POLL, PHASE_DROP };
enum severity { SEVERITY_NONE, SEVERITY_SLOW, SEVERITY_CRITICAL };
enum detection { DETECTION_EXACT, DETECTION_SAMPLED, DETECTION_MARKER, DETECTION_BOTH };
enum cause {
	CAUSE_CPU,
	CAUSE_SLEEP,
	CAUSE_LOCK,
	CAUSE_FILE,
	CAUSE_SOCKET,
	CAUSE_PIPE,
	CAUSE_PROCESS,
	CAUSE_PAGE_FAULT,
	CAUSE_STARVED,
	CAUSE_THROTTLED,
	CAUSE_OTHER,
	CAUSE_MAX
};

#define BLOCK_SYSCALLS 4
#define BLOCK_DETAIL 512 /* bytes; what is longer loses its middle */
#define BLOCK_STACKS 8
#define BLOCK_FRAMES 512 /* of one stack, inlined ones included */
#define SITE_SIZE \
	256 /* of the string that names a call site; longer ones are cut, and end in a hash */
#define BLOCK_ERROR_UNKNOWN \
	UINT64_MAX /* the block began before anyone looked: its duration is a minimum */

struct syscall_use {
	const char *name; /* static string */
	uint64_t ns;
	uint32_t count;
	char detail[BLOCK_DETAIL]; /* what it was about, hostile text; "" = null */
};

struct task_name {
	const char *name; /* NULL = unknown; hostile text, as are the others */
	const char *file; /* NULL = unknown */
	uint32_t line;
	const char *
		source; /* "v0", "dwarf", "location", "symbol", "stack", "address"; NULL when name is */
	const char *type; /* the future's whole type; NULL = unknown */
};

/* What to do instead of what blocked. */
struct advice {
	const char *kind; /* what it is: "std::fs", "mutex" */
	const char *text; /* one line; the user's own where they have given a file of them */
};

/* One stack that a block was seen in. */
struct block_stack {
	const struct frame *frames; /* innermost first */
	size_t n;
	uint64_t ns; /* of the block's time */
	bool is_asleep; /* taken where the thread fell asleep, else while it ran */
	bool is_complete; /* to the start of the thread, or to the runtime's poll of the task */
	uint8_t end; /* enum rs_unwind_end: where or why there are no more frames */
	size_t n_to_root; /* frames up to that by which the runtime polls the task; 0: not known */
};

/* The thread that ended a sleep, and the task that it polled then. */
struct waker {
	int32_t tid; /* 0 = not known */
	char thread[16];
	uint64_t task_id; /* 0 = none, or not known */
};

/* One block, ended or (is_ongoing) still lasting. Strings are borrowed for the time of the call. */
struct block {
	bool is_ongoing;
	int32_t pid, tid;
	char thread[16];
	enum role role;
	int32_t runtime, worker; /* -1 = null */
	uint64_t task_id; /* 0 = null (root future) */
	struct task_name task;
	const char *spawn_file; /* where the task was spawned; NULL = unknown; hostile text */
	uint32_t spawn_line;
	uint64_t start_ns, duration_ns; /* duration: the age so far when is_ongoing */
	uint64_t error_ns; /* bound of the duration's error, or BLOCK_ERROR_UNKNOWN (null) */
	enum phase phase;
	uint32_t polls; /* 0 = null */
	bool parts_known;
	uint64_t oncpu_ns, offcpu_ns, runq_ns;
	enum cause cause;
	enum severity severity;
	struct syscall_use syscalls[BLOCK_SYSCALLS]; /* longest first */
	size_t n_syscalls;
	struct block_stack stacks[BLOCK_STACKS]; /* heaviest first */
	size_t n_stacks; /* 0: none was taken */
	struct waker woken_by; /* from its longest sleep */
	int culprit; /* index into stacks[0].frames; -1 = none */
	char site[SITE_SIZE]; /* "" = null; hostile text; see model/callsite.h */
	int site_frame; /* index into stacks[0].frames of the function that site names; -1 = none */
	const struct advice *advice; /* NULL = none is known */
	enum detection detection;
};

struct hello {
	uint64_t at_ns;
	int32_t pid;
	const char *exe, *build_id, *tokio, *rustc; /* NULL = null */
	const char *mode; /* "exact" or "sampled" */
	uint64_t threshold_ns;
	uint32_t freq;
	uint32_t future_types;
	const char *symbols, *debuginfo, *unwinder; /* unwinder NULL = null */
	const char *const *warnings;
	size_t n_warnings;
};

struct loss {
	const char *name;
	uint64_t count; /* since attach */
	uint64_t recent; /* of these, in the last interval; only in stats */
	const char *consequence; /* a sentence for people; NULL where a later look makes up for it */
};

struct stats {
	uint64_t at_ns;
	int32_t pid;
	uint64_t blocks; /* since attach */
	uint64_t polls; /* since attach; meaningful when polls_known */
	bool polls_known;
	uint64_t samples;
	const struct loss *lost;
	size_t n_lost;
	uint64_t bpf_ns, user_ns; /* paid by the target, by the tool; in the last interval */
	double percent; /* of one CPU, in the last interval */
	uint64_t table_bytes; /* kernel memory of the tables for unwinding */
	const char *mode;
	const char *
		note; /* what became less, or again as accurate as before; NULL = nothing has changed */
};

struct validation {
	uint64_t at_ns;
	int32_t pid;
	uint64_t markers, detected, matched, missed, extra;
	uint64_t duration_diff_p50_ns, duration_diff_p99_ns;
	bool diff_known;
	uint64_t task_ids_agree, task_ids_differ; /* cross-check with set_current_task_id */
};

/* One row of the ranking at the end. Blocks of one site that are the machine's fault have a row of their own. */
struct site {
	char task[160]; /* of its longest block */
	enum cause cause; /* of most of its time */
	const char *syscall; /* static string or NULL */
	uint64_t count, total_ns, max_ns, p99_ns;
	enum severity severity; /* the worst seen */
	char site[SITE_SIZE]; /* "" = null: then blocks of one task, cause and syscall share the row */
	char function[160], file[160]; /* where its longest block was; "" = unknown */
	uint32_t line; /* 0 = unknown */
	const struct advice *advice; /* NULL = none is known */
};

/* Blocks of a site that were not told one by one. */
struct repeats {
	int32_t pid;
	const struct site *site;
	uint64_t count, total_ns, max_ns;
};

struct bye {
	uint64_t at_ns;
	int32_t pid;
	const char *
		reason; /* "interrupted", "duration", "target_exited", "target_exec", "output_closed", … */
	uint64_t blocks, ongoing, slow, critical, blocked_ns;
	uint64_t watched_ns; /* since the tool began to attach */
	uint64_t bpf_ns, user_ns; /* paid by the target since attach, by the tool since its start */
	const char *note; /* why nothing, or not all, was watched to the end; NULL = all was */
	const struct loss *lost;
	size_t n_lost;
	const struct site *sites; /* ranked by total_ns */
	size_t n_sites;
};

const char *role_name(enum role r); /* NULL for ROLE_UNKNOWN */
const char *cause_name(enum cause c);
const char *severity_name(enum severity s); /* "SLOW", "CRITICAL", NULL */
const char *phase_name(enum phase p);
const char *frame_kind_name(enum frame_kind k); /* NULL for FRAME_UNKNOWN */
const char *detection_name(enum detection d);
const char *stack_end_name(uint8_t end); /* of enum rs_unwind_end; NULL: unknown */
const char *stack_end_text(uint8_t end); /* why it is not complete: "it …" */

#endif
