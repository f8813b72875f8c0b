/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finds the thread-local task::local::CURRENT of a calibrated copy of Tokio, which says whether a LocalSet is being
 * polled, and in that set the words that move with each task it takes from its queues. Without symbols and without a
 * probe: CURRENT leads to the very set that the header of a local task, polled on the same thread, names as its
 * scheduler; and it is empty when the thread rests, which tells it from a LocalSet that the program itself keeps in a
 * thread-local.
 */
#ifndef RS_PLAN_LOCAL_H
#define RS_PLAN_LOCAL_H

#include "plan/calibrate.h"

/* Where a LocalSet's Shared has its two queues. Offsets as in rs_layout. */
struct local_queues {
	int16_t pops[RS_LOCAL_QUEUES], capacity;
};

/*
 * Finds both queues in the words of an Arc<Shared>, the first of them where `pop` says: neither a size nor an index may
 * be out of its range. 0 or -ENOENT.
 */
int local_queues_find(const uint64_t *words, size_t n_words, int16_t pop, struct local_queues *ret);
/* The set rests, so nothing waits in its own queue: a queue's length is 0 then (`has_length`), or both its ends meet
 * (up to Rust 1.66). False where the index could be taken for the length, too. */
bool local_queues_prove(const uint64_t *words, size_t n_words, const struct local_queues *q,
			bool has_length);

#define LOCAL_CANDIDATES 8

/* A TLS word that has led to the LocalSet of a task found on the same thread. */
struct local_candidate {
	int64_t offset; /* from the thread pointer, or in the module's TLS block */
	uint64_t block; /* the thread it was seen on last, */
	uint64_t set; /* and the set's Arc<Shared> */
	unsigned int hits;
	bool is_null_at_rest;
};

struct local_search {
	struct local_candidate candidates[LOCAL_CANDIDATES];
	size_t n_candidates;
	bool has_local, has_queues;
	unsigned int sleeps; /* threads found asleep outside any poll and any set */
	bool is_entered; /* some set was only entered, in a Tokio that does not say so */
	bool is_refuted; /* a task was found that is polled inside a set which is not its own */
};

/* What a search is about. `block`: rs_layout.context's origin on the thread in question. */
struct local_target {
	pid_t pid;
	const struct tokio_copy *copy;
	const struct calibration *calibration;
	uint64_t block;
};

/* A task of that set (its header's scheduler) is being polled on the thread. */
void local_search_feed(struct local_search *s, const struct local_target *t, uint64_t set);
/* The thread is said to be outside any poll. */
void local_search_rest(struct local_search *s, const struct local_target *t);
/*
 * Tokio up to 1.34 does not say that a set is only entered (LocalSet::enter). But a thread asleep outside any poll
 * polls none; being inside a set counts for nothing before enough of them have been found outside.
 */
bool local_search_wants_asleep(struct local_search *s, const struct rs_layout *l);
void local_search_asleep(struct local_search *s, struct rs_layout *l, bool is_inside);
/* Writes what is known by now into the layout, which the kernel side reads meanwhile. */
void local_search_publish(struct local_search *s, const struct local_target *t,
			  struct rs_layout *l);
/*
 * A task was found that is polled inside a set which is not its own. If it is the runtime's and the set may be entered
 * only, then being inside one says nothing about a task; else a task runs a set of its own, and all is taken back.
 */
void local_search_doubt(struct local_search *s, struct rs_layout *l, bool is_runtimes);

#endif
