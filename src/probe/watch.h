/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel programs that watch one process: one owner of all their maps and links. */
#ifndef RS_PROBE_WATCH_H
#define RS_PROBE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/wire.h"
#include "target/target.h"

struct watch;

struct watch_options {
	uint32_t freq; /* Hz per CPU */
	uint64_t threshold_ns;
};

/* Called for each record of the ring, in order. */
typedef void (*watch_handler)(void *context, const void *record, size_t size);

/* Whether this kernel accepts the programs: 0 or a negative errno. Takes some 0.2 s. */
int watch_try(void);
/* Loads the programs; nothing runs yet. -EPERM or -EACCES: privileges, -EOPNOTSUPP: the kernel lacks something. */
int watch_new(const struct watch_options *o, watch_handler handler, void *context,
	      struct watch **ret, struct rs_error *err);
/* Detaches and frees everything. Returns NULL. */
struct watch *watch_free(struct watch *w);

/* Ticks and switches start to be looked at, for threads of config->tgid. */
int watch_attach(struct watch *w, struct rs_error *err);
/* Looks at the threads that sleep since before watch_attach(), for one copy of Tokio. -EOPNOTSUPP before Linux 5.18. */
int watch_walk(struct watch *w, pid_t pid, unsigned int copy);
/* Walks from now on look at no thread, and only take the stacks of sleepers that lack one. */
void watch_walk_for_stacks(struct watch *w, bool is_on);
/* Tracing of context switches on and off: at hundreds of thousands a second even a filter costs some per cent. While it is
 * off, watch_walk() must be called often. */
int watch_hook_switches(struct watch *w, bool is_on);
/* Tracing of who ends long sleeps, on and off. 0 or negative errno. */
int watch_hook_wakes(struct watch *w, bool is_on);
/* Switches not looked at so far, to keep the budget; for every step. */
uint64_t watch_skipped(const struct watch *w);
/* Changes when a sleep in a poll is left without its stack, to keep the budget; a walk takes it once the sleep is long. */
uint64_t watch_rationed(const struct watch *w);
/* Context switches of the process so far, as the last walk found them. */
uint64_t watch_walked_switches(const struct watch *w);
/* The map of that name, for those who fill it. */
int watch_map_fd(const struct watch *w, const char *name);
/* The live configuration, shared with the kernel side. */
struct rs_config *watch_config(struct watch *w);
/* RS_THREADS rows, live. Read with watch_row(). */
struct rs_thread *watch_threads(struct watch *w);
/* Copies a row in a state that holds together; false when the slot is free or keeps changing. */
bool watch_row(struct watch *w, size_t slot, struct rs_thread *ret);
/* Slots in use are below this. */
size_t watch_n_slots(struct watch *w);
/* Hands all waiting records to the handler. */
int watch_consume(struct watch *w);
/* Becomes readable when a poll is half way to being a block, and soon after a block. */
int watch_fd(const struct watch *w);
/* Totals over all CPUs, RS_COUNT_MAX of them. */
int watch_counters(struct watch *w, uint64_t ret[RS_COUNT_MAX]);

/* One function to probe. */
struct probe_site {
	uint64_t offset; /* in the file */
	uint64_t cookie;
};

enum probe_program { PROBE_MARKER, PROBE_SET_TASK_ID };

struct probe_group;
/* Puts a program on all sites of a file, for one process: one uprobe_multi link where the kernel has it (6.6),
 * else one perf uprobe a site. `path` is how the file is opened. */
int watch_probe(struct watch *w, enum probe_program program, bool at_return, pid_t pid,
		const char *path, const struct probe_site *sites, size_t n_sites,
		struct probe_group **ret, struct rs_error *err);
/* Times the polls of these functions: one session link where the kernel has it (6.13), else entries and returns. */
int watch_probe_polls(struct watch *w, pid_t pid, const char *path, const struct probe_site *sites,
		      size_t n_sites, struct probe_group **ret, struct rs_error *err);
struct probe_group *probe_group_free(struct probe_group *g);

/* A one-shot hardware watchpoint on a word of one thread: the kernel side ends that thread's poll exactly when the
 * word changes. Returns a descriptor to close, or negative errno. */
int watch_word(struct watch *w, pid_t tid, uint64_t addr);

#endif
