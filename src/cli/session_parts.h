/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of a session share. Not for others. */
#ifndef RS_CLI_SESSION_PARTS_H
#define RS_CLI_SESSION_PARTS_H

#include "base/clock.h"
#include "cli/session.h"
#include "model/decode.h"
#include "model/markers.h"
#include "model/sites.h"
#include "model/spawns.h"
#include "model/stacks.h"
#include "model/tasks.h"
#include "plan/calibrate.h"
#include "plan/doubt.h"
#include "plan/local.h"
#include "probe/entry.h"
#include "probe/sleeper.h"
#include "probe/threads.h"
#include "probe/watch.h"
#include "symbol/symbolizer.h"

/* What is known of one copy of Tokio; same index as in session.copies and rs_config.copies. */
struct copy_state {
	struct vtable_index *vtables;
	bool is_calibrated, has_tick_mt, has_tick_ct;
	struct calibration calibration;
	struct tick_watch ticks_mt, ticks_ct;
	struct local_search local;
	struct probe_group *polls;
	bool is_strange; /* runtimes are there, but no known layout fits */
	struct doubt doubt; /* whether it is the right layout after all */
};

/* What a session may spend on long polls, beside what the kernel side does. */
#define WATCHES_PER_SECOND 50 /* opening and closing one costs about 100 us */
#define DETAILS_PER_SECOND \
	100 /* each some 50 us; ten times that where children have to be looked through */
#define INSPECTIONS_PER_SECOND 200 /* each reads a stack of the target: 20-100 us */

/* Bits of the task state word, all Tokio 1.x. */
enum { TASK_RUNNING = 1, TASK_COMPLETE = 2, TASK_NOTIFIED = 4, TASK_CANCELLED = 32 };

/* Which poll functions are probed. */
enum probing { PROBE_NONE, PROBE_OFFENDERS, PROBE_ALL };
#define OFFENDERS_MAX 64

/* What this side remembers of a thread's row. */
struct row_state {
	uint64_t poll_start; /* start_hi of the poll the rest is about */
	uint32_t reported; /* ongoing reports made */
	uint64_t detailed_ns; /* the sleep that began then has been asked about */
	uint32_t file_tries; /* to name the files of this poll */
	uint32_t inspections;
	int watch_fd; /* -1 none */
	uint32_t resting_tid; /* the thread and the id that resting_tries is about */
	uint64_t resting_id;
	uint32_t tick; /* of the scheduler, when auto mode looked last */
	uint32_t resting_tries;
};

struct session {
	const struct options *options;
	const struct sink *sink;
	const struct sink_options *out;
	const struct catalogue *catalogue;
	int sink_error; /* first failure of the output */

	struct process *process;
	struct tokio_copy copies[RS_COPIES];
	size_t n_copies;
	struct copy_state state[RS_COPIES];
	struct thread_lister *lister;
	struct watch *watch;
	struct decoder decoder;
	struct sites *sites;
	struct spawns *spawns;
	struct markers *markers;
	struct session_stacks *stacks;
	struct sleeper *sleeper; /* NULL: not to be had */
	bool has_wakes; /* who ends long sleeps is being traced, */
	uint64_t wakes_until_ns; /* and worth it until then */
	struct probe_group *marker_probes[3 * RS_COPIES];
	size_t n_marker_probes;

	struct row_state rows[RS_THREADS];
	int watch_tokens, inspect_tokens, detail_tokens; /* refilled every second */
	bool is_auto; /* exact timing comes and goes with the budget */
	enum probing probing; /* PROBE_NONE: all polls are sampled */
	struct task_type offenders[OFFENDERS_MAX]; /* types that were seen to block */
	size_t n_offenders;
	uint32_t freq; /* of sampling, Hz: what is asked for, or less where that would cost too much */
	uint64_t tick_ns; /* price of one sampling interrupt */
	uint64_t price_ns; /* of one hit of a probe, the dearest in use */
	uint64_t prices[ENTRY_KINDS]; /* by how the function begins */
	bool is_priced[ENTRY_KINDS];
	size_t n_left_out; /* functions whose probe is dear, and that have none therefore */
	uint64_t auto_ns, auto_probed;
	unsigned int calm_checks, calm_needed;
	bool has_hello;
	bool has_exec;

	/* Context switches: as of switches_ns, and what is done about them. */
	uint64_t switches, switches_ns, skipped, rationed, next_walk_ns, walk_until_ns,
		stacks_until_ns;
	bool is_unhooked, can_walk;
	unsigned int switch_calm;

	double cpu_percent; /* of the tool itself, in the last second */
	uint64_t alert_ns; /* until then the kernel side does not wake the tool again */
	uint64_t rows_due_ns; /* a poll reaches the age at which something is done about it */
	uint64_t opened_ns, stepped_ns, next_refresh_ns, next_learn_ns, next_stats_ns, stats_ns;
	uint64_t counters[RS_COUNT_MAX]; /* as of the last stats */
	uint64_t cpu_ns; /* own CPU time, as of the last stats */
	uint64_t blocks, ongoing, slow, critical, blocked_ns;
	const char *warnings[8];
	size_t n_warnings;
	char warning_text[8][160];
	char news[256]; /* for the next stats */
};

/* Before the hello, a line of that; after it, the same as session_tell(). */
void session_warn(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What has changed, for people: a note of the next stats. */
void session_tell(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* session_learn.c: copies of Tokio, their layouts, exact probes. */
int learn_open(struct session *s, struct rs_error *err);
/* New modules, calibration of what is not yet, scheduler ticks. True when something new was learned. */
bool learn_step(struct session *s, uint64_t now);
/* Takes some ms. */
void learn_settle(struct session *s);
bool learn_is_complete(const struct session *s);
/* Why nothing, or not all, is watched; false = all is. */
bool learn_gap(const struct session *s, char *ret, size_t size);
/* A long poll was inspected: was its task's header found where this copy's layout says it is? */
void learn_note_inspection(struct session *s, size_t copy, bool is_found);
/* Whether the tick of that poll is the scheduler's own counter. */
bool learn_knows_tick(const struct session *s, const struct rs_poll *p);
int learn_attach_exact(struct session *s, struct rs_error *err);
/* Polls under way go on as sampled ones. */
void learn_detach_exact(struct session *s);
int learn_attach_markers(struct session *s, struct rs_error *err);

/* session_sites.c: functions to probe. */
/* Those of one copy that are wanted and affordable; ret has room for two a vtable. */
size_t sites_list(struct session *s, size_t copy, struct probe_site *ret);
/* ns a hit where the function begins as nearly all do; 0 = cannot be measured. */
uint64_t sites_typical_price(struct session *s);

/* session_auto.c: sampling and exact timing within the budget. */
void auto_choose_freq(struct session *s);
bool auto_wants_exact(const struct options *o);
void auto_start(struct session *s);
void auto_step(struct session *s, uint64_t now);
uint64_t auto_due(const struct session *s);
void auto_note_block(struct session *s, const struct rs_poll *p);

/* session_switches.c: whether context switches are traced. */
void switches_step(struct session *s, uint64_t now);
/* When that must be called again. */
uint64_t switches_due(const struct session *s);
/* There may be sleepers without a stack. */
void switches_want_stacks(struct session *s, uint64_t now);

/* session_rows.c: threads inside long polls. Sets rows_due_ns. */
void rows_step(struct session *s, uint64_t now);
/* Polls that have reached the threshold and still last. */
uint64_t rows_count_ongoing(struct session *s, uint64_t now);
void rows_close(struct session *s);
/* Nobody knows whether that is a poll at all. */
bool rows_is_in_doubt(const struct rs_thread *t);
/* "" when it is gone. */
void rows_read_comm(pid_t pid, uint32_t tid, char ret[16]);

/* session_details.c: what system calls are about. */
int details_open(struct session *s);
void details_close(struct session *s);
/* Of a thread in a long poll. */
void details_step(struct session *s, const struct rs_thread *t, struct row_state *r, uint64_t now);
/* When the sleep that it is in has lasted so long that it is to be asked about. */
uint64_t details_due(const struct session *s, const struct rs_thread *t, const struct row_state *r);
/* Traces who ends sleeps where there have been long ones lately. */
void details_hook_wakes(struct session *s, uint64_t now);
/* The files that are still open. */
void details_of_ended(struct session *s, const struct rs_event_block *e);

/* session_local.c: LocalSets. */
/* That header belongs to the task polled on the thread; the thread is outside any poll. */
void local_inspect(struct session *s, const struct rs_thread *t, const struct rs_poll *p,
		   const struct found_header *h);
void local_rest(struct session *s, size_t slot, const struct rs_thread *t);

/* session_stacks.c: stacks and their names. */
int stacks_open(struct session *s);
/* Nothing is looked for any more: places, which wait for that, can be freed. */
void stacks_stop(struct session *s);
void stacks_close(struct session *s);
/* Valid until then. */
struct symbolizer *stacks_symbolizer(const struct session *s);
void stacks_step(struct session *s, uint64_t now);
/* When that must be called again. */
uint64_t stacks_due(const struct session *s);
void stacks_add_record(struct session *s, const void *record, size_t size);
/* Records that there was no room for. */
uint64_t stacks_lost(const struct session *s);
uint64_t stacks_table_bytes(const struct session *s);
/* Asks for the names of what a poll was seen in. */
void stacks_want(struct session *s, const struct rs_poll *p);
/* Gives a block the stacks of its poll, and the task the name that they tell, as far as that is known; valid until the next
 * call. */
void stacks_attach(struct session *s, const struct rs_poll *p, struct block *b);
/* Tells an ended block once its frames are known. */
void stacks_hold(struct session *s, const struct rs_event_block *e);
/* Tells all that are still held. Takes a second at most. */
void stacks_finish(struct session *s);

/* session_report.c: hello, stats, bye and the records of the ring. */
void report_record(void *session, const void *record, size_t size);
/* Finds its site, counts it and tells it. */
void report_block(struct session *s, struct block *b);
/* A block that has ended. */
void report_ended(struct session *s, const struct rs_event_block *e);
void report_hello(struct session *s, uint64_t now);
void report_stats(struct session *s, uint64_t now);
void report_validation(struct session *s, uint64_t now);
void report_bye(struct session *s, uint64_t now, const char *reason);

#endif
