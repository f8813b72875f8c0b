/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What this kernel and these privileges allow, found by trying it, never by version numbers: distributions move
 * features and restrictions into older kernels, and containers take them away from newer ones. */
#ifndef RS_PROBE_FEATURES_H
#define RS_PROBE_FEATURES_H

#include <stdbool.h>
#include <sys/types.h>

#include "target/target.h"

enum feature {
	FEATURE_BTF,
	FEATURE_BPF, /* maps can be made and programs loaded at all */
	FEATURE_READ_KERNEL, /* a program that reads kernel memory is let in */
	FEATURE_RINGBUF,
	FEATURE_SCHED_SWITCH, /* tp_btf/sched_switch can be loaded */
	FEATURE_PROGRAMS, /* the tool's own programs can */
	FEATURE_CPU_CLOCK, /* one software clock per CPU, over all processes */
	FEATURE_UPROBE_MULTI,
	FEATURE_UPROBE_MULTI_PID, /* its pid filter means the process, not one thread (fixed in Linux 6.10) */
	FEATURE_UPROBE_SESSION, /* a return is trapped only where the entry asks for it (6.13) */
	FEATURE_PERF_UPROBE,
	FEATURE_BREAKPOINT,
	FEATURE_READ_TARGET, /* untried until features_try_target */
	FEATURE_CAP_BPF,
	FEATURE_CAP_PERFMON,
	FEATURE_CAP_SYS_PTRACE,
	FEATURE_CAP_SYS_ADMIN,
	FEATURE_COUNT
};

enum feature_state { FEATURE_UNTRIED, FEATURE_OK, FEATURE_MISSING };

/* What cannot be done without a feature; the stronger need first. */
enum feature_need {
	NEED_ALL, /* nothing works */
	NEED_EXACT, /* exact timing and markers */
	NEED_HELPS, /* works without, at a price */
};

struct feature_info {
	const char *name; /* plain words for a table, at most 32 columns */
	const char *purpose; /* "needed to …" */
	const char *remedy; /* a sentence, when privileges are not the reason */
	enum feature_need need;
	enum feature
		instead; /* when this one is there, the feature is not missed; itself: no such one */
};

struct features {
	struct {
		enum feature_state state;
		int error; /* negative errno of the trial; 0 when it succeeded or none was made */
	} facts[FEATURE_COUNT];
	char release[65]; /* for display only */
	int paranoid; /* kernel.perf_event_paranoid, or -2 when it cannot be read; for display only */
};

extern const struct feature_info feature_infos[FEATURE_COUNT];

/* Tries everything that needs no target. Takes some 0.3 s, and leaves nothing behind. */
void features_try(struct features *ret);
/* Tries what concerns one process: may its memory be read? */
void features_try_target(struct features *f, pid_t pid);

bool feature_ok(const struct features *f, enum feature which);
/* It is not there, and what could take its place was tried and is not there either. */
bool feature_missed(const struct features *f, enum feature which);
/* 0 when nothing of this need, or of a stronger one, is missed; else -EPERM or -EOPNOTSUPP, with what, why and what to do in err. */
int features_require(const struct features *f, enum feature_need need, struct rs_error *err);
/* The sentence to print beside a missing feature: it depends on why the trial failed. */
void feature_remedy(const struct features *f, enum feature which, struct rs_error *ret);

#endif
