/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One process being watched, from attach to bye. */
#ifndef RS_CLI_SESSION_H
#define RS_CLI_SESSION_H

#include "cli/options.h"
#include "model/block.h"
#include "model/catalogue.h"
#include "sink/sink.h"
#include "target/target.h"

struct session;

enum session_state {
	SESSION_RUNNING,
	SESSION_EXEC, /* the process became another program: open a new session for it */
	SESSION_EXITED, /* the process is gone */
};

/* What all sessions share; it outlives them. */
struct session_setup {
	const struct options *options;
	const struct sink *sink;
	struct sink_options out;
	struct catalogue *catalogue;
};

/* Finds Tokio in the process, loads and attaches. Nothing is written yet. -ESRCH no such process; -ENOEXEC not a
 * Tokio program; -EPERM, -EACCES, -EOPNOTSUPP something is lacking. */
int session_open(const struct session_setup *setup, pid_t pid, struct session **ret,
		 struct rs_error *err);
/* To be called at session_due(), and when session_fd() is readable: hands out what happened and starts what is due. Negative errno when the
 * output cannot be written any more. */
int session_step(struct session *s, enum session_state *ret_state);
/* ns of CLOCK_MONOTONIC. */
uint64_t session_due(const struct session *s);
/* Becomes readable when the session should be stepped at once. */
int session_fd(const struct session *s);
/* Last words: what is still in the ring, validation, the summary. */
int session_bye(struct session *s, const char *reason);
struct session *session_free(struct session *s);

#endif
