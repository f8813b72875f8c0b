/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finds where a copy of Tokio keeps its thread-local CONTEXT, and which known layout it has, without symbols and
 * without a probe: CONTEXT's handle pointer must equal the handle that the scheduler's own context, on the same
 * thread's stack, leads to. One wrong offset breaks that equality of two pointers.
 */
#ifndef RS_PLAN_CALIBRATE_H
#define RS_PLAN_CALIBRATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/wire.h"
#include "plan/headers.h"
#include "plan/layouts.h"
#include "target/target.h"

struct calibration {
	struct rs_layout layout; /* tick offsets RS_UNKNOWN until ticks_settle() */
	const struct tokio_layout *row;
	unsigned int threads; /* threads on which the layout was verified */
	unsigned int ids_checked; /* of those: with a task header of theirs on the stack … */
	unsigned int ids_right; /* … whose id equals the one in CONTEXT */
	bool is_by_symbol; /* CONTEXT lies where its symbol says */
};

/* 0 found; -EAGAIN no thread shows a runtime yet (try again later); -ENOENT runtimes are there, no layout fits. */
int calibrate(pid_t pid, const struct tokio_copy *c, const struct vtable_index *x,
	      const struct rs_thread_info *threads, size_t n_threads, struct calibration *ret);

/*
 * Which word of the scheduler's Core counts its turns: candidates come from all layouts that agree on CONTEXT (features
 * and build flags move the fields of Core alone), the choice from watching them. Feed it Cores while the program runs;
 * a counter never falls and moves by less than any clock would. A layout that has an Instant of the turn's batch is
 * believed only if that is one, too: the words of other layouts' ticks may be counters of their own (parks, for example).
 */
#define TICK_CANDIDATES 24
#define TICK_CORES 8

struct tick_candidate {
	int16_t tick; /* u32 */
	int16_t started, batch; /* of the same layout; RS_UNKNOWN where not kept */
	unsigned int rises; /* times it had moved on */
	unsigned int instants; /* times `started` was a recent time */
	bool is_out; /* moved as no counter does */
};

struct tick_watch {
	struct tick_candidate candidates[TICK_CANDIDATES];
	size_t n_candidates;
	struct {
		uint64_t addr, fed_ns;
		uint32_t last[TICK_CANDIDATES];
	} cores[TICK_CORES]; /* those fed last */
	size_t next_core;
};

/* For calibrated copies; `version` is Tokio's own word for it, "" = unknown. */
void tick_watch_init(struct tick_watch *w, const struct calibration *c, const char *version,
		     bool is_mt);
/* Reads the candidates in the Core at that address once more. */
void tick_watch_feed(struct tick_watch *w, pid_t pid, uint64_t core);
/* What to go by until it is clear: any of these changing means another turn. Those that move come first. */
void tick_watch_prior(const struct tick_watch *w, int16_t ret[RS_TICKS]);
/* The right one, or NULL while it is not clear. */
const struct tick_candidate *tick_watch_settled(const struct tick_watch *w);

#endif
