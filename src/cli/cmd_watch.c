/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* watch: attaches to processes and prints their blocks until there is a reason to stop. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/select.h"
#include "cli/session.h"
#include "probe/features.h"

#define NAME_FIRST_NS 200000000ULL /* --name looks for the next process that soon again, */
#define NAME_LAST_NS 1000000000ULL /* and ever more seldom, down to this */
#define CHILD_POLL_NS 50000000ULL /* how often the command's own processes are looked for */
#define SECOND_NS 1000000000ULL

struct watched {
	pid_t pid;
	int pidfd;
	struct session *session;
	bool is_gone;
};

struct watcher {
	struct session_setup setup;
	struct watched targets[OPT_MAX_PIDS];
	size_t n_targets;
	struct child *child; /* -- COMMAND */
	int nice; /* before the tool raised its own */
	int signal_fd;
	uint64_t stop_ns; /* 0 = never */
	uint64_t next_look_ns, name_pause_ns; /* for processes to watch */
	bool has_output; /* an older report is no longer in the output file */
	const char *reason;
	int exit_code;
	bool has_watched; /* something under the command was a target */
	struct rs_error last_error; /* why the last process --name or the command gave was none */
	int last_result;
};

/* What failed for lack of a privilege or a kernel feature is said in one voice, with the exact remedy. */
static int blame_features(const struct options *o, int r, pid_t pid, struct rs_error *err)
{
	bool wants_probes = o->mode == MODE_EXACT || o->marker_validation;
	struct features f;

	if (r != -EPERM && r != -EACCES && r != -ENOEXEC && r != -EOPNOTSUPP)
		return r;
	features_try(&f);
	if (pid > 0)
		features_try_target(&f, pid);
	if (f.facts[FEATURE_READ_TARGET].error == -ESRCH)
		return r; /* it has ended meanwhile, which is no lack */
	return features_require(&f, wants_probes ? NEED_EXACT : NEED_ALL, err) < 0 ? -EACCES : r;
}

static void complain(int r, const struct rs_error *err)
{
	fprintf(stderr, "runtime-scope: %s\n", err->text[0] ? err->text : strerror(-r));
}

static int open_target(struct watcher *w, pid_t pid, struct rs_error *err)
{
	struct watched *t = &w->targets[w->n_targets];
	int r;

	if (w->n_targets == OPT_MAX_PIDS)
		return -E2BIG;
	*t = (struct watched){ .pid = pid, .pidfd = syscall(SYS_pidfd_open, pid, 0) };
	if (t->pidfd < 0) {
		snprintf(err->text, sizeof(err->text),
			 "Cannot attach to process %d: %s. Look with ps -e for the right pid.", pid,
			 strerror(errno));
		return -errno;
	}
	r = session_open(&w->setup, pid, &t->session, err);
	if (r < 0) {
		close(t->pidfd);
		return blame_features(w->setup.options, r, pid, err);
	}
	w->n_targets++;
	return 0;
}

static void close_target(struct watcher *w, size_t i)
{
	session_free(w->targets[i].session);
	close(w->targets[i].pidfd);
	w->targets[i] = w->targets[--w->n_targets];
}

static void stop(struct watcher *w, const char *reason, int exit_code)
{
	if (w->reason)
		return;
	w->reason = reason;
	w->exit_code = exit_code;
}

static void output_failed(struct watcher *w, int r)
{
	if (r == -EPIPE) {
		stop(w, "output_closed", EXIT_OK);
		return;
	}
	fprintf(stderr,
		"runtime-scope: Cannot write the report: %s. What was written so far is complete.\n",
		strerror(-r));
	stop(w, "output_failed", EXIT_INTERNAL);
}

/* The process became another program: watch that one, if it is one for us. */
static void reopen(struct watcher *w, size_t i)
{
	struct rs_error err = { 0 };
	pid_t pid = w->targets[i].pid;

	session_bye(w->targets[i].session, "target_exec");
	close_target(w, i);
	if (open_target(w, pid, &err) < 0 && w->setup.options->n_pids)
		fprintf(stderr, "runtime-scope: %s\n", err.text);
}

/* The older report goes when there is something to report, so that it survives a target that is none. */
static int empty_output(struct watcher *w)
{
	if (w->has_output || !w->n_targets)
		return 0;
	w->has_output = true;
	return output_empty(w->setup.out.out);
}

static void step_targets(struct watcher *w)
{
	int failed = empty_output(w);

	if (failed < 0) {
		output_failed(w, failed);
		return;
	}
	for (size_t i = w->n_targets; i-- > 0;) {
		enum session_state state;
		int r = session_step(w->targets[i].session, &state);

		if (r < 0) {
			output_failed(w, r);
			return;
		}
		if (w->targets[i].is_gone) {
			session_bye(w->targets[i].session, "target_exited");
			close_target(w, i);
		} else if (state == SESSION_EXEC) {
			reopen(w, i);
		}
	}
}

/* None yet, or it has ended meanwhile or is becoming another program: to be looked at again, and not worth a word. */
static bool is_passing(int r)
{
	return r == -ESRCH || r == -EAGAIN;
}

static uint64_t longer_pause(uint64_t ns)
{
	if (!ns)
		return NAME_FIRST_NS;
	return 2 * ns < NAME_LAST_NS ? 2 * ns : NAME_LAST_NS;
}

/* --name: the next process of that name, once the last one is gone. One that cannot be watched may become one that can,
 * as a script does that ends in exec; why it cannot is said once. */
static void find_next(struct watcher *w, uint64_t now)
{
	pid_t pids[OPT_MAX_PIDS];
	struct rs_error err = { 0 };
	int r;

	if (now < w->next_look_ns)
		return;
	r = select_pids(w->setup.options, pids, &err);
	if (r == -ENOTUNIQ) {
		complain(r, &err);
		stop(w, "ambiguous", target_exit_code(r));
		return;
	}
	if (r > 0)
		r = open_target(w, pids[0], &err);
	if (r < 0 && !is_passing(r) && strcmp(err.text, w->last_error.text)) {
		complain(r, &err);
		w->last_error = err;
	}
	w->name_pause_ns = r < 0 ? longer_pause(w->name_pause_ns) : 0;
	w->next_look_ns = now + w->name_pause_ns;
}

static void find_in_child(struct watcher *w, uint64_t now)
{
	pid_t pids[OPT_MAX_PIDS];
	size_t n;

	if (now < w->next_look_ns)
		return;
	w->next_look_ns = now + CHILD_POLL_NS;
	n = child_processes(w->child, pids, OPT_MAX_PIDS);
	for (size_t i = 0; i < n; i++) {
		struct rs_error err = { 0 };
		bool is_known = false;
		int r;

		for (size_t j = 0; j < w->n_targets; j++)
			is_known = is_known || w->targets[j].pid == pids[i];
		if (is_known)
			continue;
		r = open_target(w, pids[i], &err);
		if (r >= 0) {
			w->has_watched = true;
			continue;
		}
		if (is_passing(r))
			continue;
		w->last_result = r;
		child_set_aside(w->child, pids[i]);
		if (err.text[0])
			w->last_error = err;
	}
}

static void step(struct watcher *w)
{
	uint64_t now = now_ns();

	step_targets(w);
	if (w->reason)
		return;
	if (w->stop_ns && now >= w->stop_ns)
		stop(w, "duration", EXIT_OK);
	else if (w->child && child_has_exited(w->child))
		stop(w, "target_exited", EXIT_OK);
	else if (w->child)
		find_in_child(w, now);
	else if (!w->n_targets && w->setup.options->name)
		find_next(w, now);
	else if (!w->n_targets)
		stop(w, "target_exited", EXIT_OK);
}

static uint64_t wait_ns(const struct watcher *w)
{
	uint64_t due = w->stop_ns ? w->stop_ns : UINT64_MAX, now = now_ns();

	if (w->child || (!w->n_targets && w->setup.options->name))
		due = w->next_look_ns < due ? w->next_look_ns : due;
	for (size_t i = 0; i < w->n_targets; i++) {
		uint64_t ns = session_due(w->targets[i].session);

		due = ns < due ? ns : due;
	}
	return due > now ? due - now : 0;
}

static void on_signal(struct watcher *w)
{
	struct signalfd_siginfo info;

	if (read(w->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		return; /* looked at in step() */
	stop(w, info.ssi_signo == SIGINT ? "interrupted" : "terminated", EXIT_OK);
}

/* Waits for a signal, for the reader of the output to go, for a poll that gets long, or for the next step. */
static void wait_for_work(struct watcher *w)
{
	struct pollfd fds[2 + 2 * OPT_MAX_PIDS] = {
		{ .fd = w->signal_fd, .events = POLLIN },
		{ .fd = fileno(w->setup.out.out) },
	};
	uint64_t ns = wait_ns(w);
	struct timespec wait = { ns / SECOND_NS, ns % SECOND_NS };
	int n;

	for (size_t i = 0; i < w->n_targets; i++) {
		fds[2 + 2 * i].fd = session_fd(w->targets[i].session);
		/* Readable once the last thread has ended, though nobody may have waited for the process yet. */
		fds[3 + 2 * i].fd = w->targets[i].pidfd;
		fds[2 + 2 * i].events = fds[3 + 2 * i].events = POLLIN;
	}
	n = ppoll(fds, 2 + 2 * w->n_targets, &wait, NULL);
	for (size_t i = 0; n > 0 && i < w->n_targets; i++)
		w->targets[i].is_gone = fds[3 + 2 * i].revents;
	if (n > 0 && fds[0].revents)
		on_signal(w);
	if (n > 0 && fds[1].revents & POLLERR)
		output_failed(w, -EPIPE);
}

static void run(struct watcher *w)
{
	while (!w->reason) {
		wait_for_work(w);
		step(w);
	}
}

static int open_signals(struct watcher *w)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, as it may be inherited, it tells of no child's end */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->signal_fd < 0 ? -errno : 0;
}

/*
 * The tool sleeps nearly all the time, but must be woken in time on a machine whose CPUs are all busy. Not permitted
 * without CAP_SYS_NICE; then ongoing blocks may be told later. Commands started by the tool do not inherit it.
 */
static void raise_priority(struct watcher *w)
{
	w->nice = getpriority(PRIO_PROCESS, 0);
	if (setpriority(PRIO_PROCESS, 0, -10) < 0 && errno != EACCES && errno != EPERM)
		perror("runtime-scope: setpriority");
}

static int open_targets(struct watcher *w, struct rs_error *err)
{
	pid_t pids[OPT_MAX_PIDS];
	int n, r = 0;

	if (w->setup.options->command) {
		struct features f;

		features_try(&f); /* before the command runs, not after */
		r = features_require(&f, NEED_ALL, err);
		return r < 0 ? -EACCES
			     : child_start(w->setup.options->command, w->nice, &w->child, err);
	}
	n = select_pids(w->setup.options, pids, err);
	for (int i = 0; i < n && r >= 0; i++)
		r = open_target(w, pids[i], err);
	return n < 0 ? n : r;
}

/* False when another signal came before it ended: who sends two will not wait. */
static bool wait_for_command(const struct watcher *w)
{
	struct pollfd fd = { .fd = w->signal_fd, .events = POLLIN };
	struct signalfd_siginfo info;

	while (!child_has_exited(w->child)) {
		poll(&fd, 1, -1);
		if (read(w->signal_fd, &info, sizeof(info)) == sizeof(info) &&
		    info.ssi_signo != SIGCHLD)
			return child_has_exited(w->child);
	}
	return true;
}

/* Without a reason of our own, the command decides about the exit code. */
static void finish_command(struct watcher *w)
{
	int code;

	child_signal(w->child, SIGTERM);
	if (!wait_for_command(w)) {
		fprintf(stderr,
			"runtime-scope: The command still runs, as process %d: SIGTERM has not ended it. "
			"Let it end by itself, or stop it with kill -KILL %d.\n",
			child_pid(w->child), child_pid(w->child));
		return;
	}
	code = child_exit_code(w->child);
	if (w->exit_code == EXIT_OK && !w->has_watched && !code) {
		int r = w->last_result ? w->last_result : -ENOEXEC;

		if (!w->last_result)
			snprintf(
				w->last_error.text, sizeof(w->last_error.text),
				"The command ended before a Tokio program was found in it. Give one that "
				"uses Tokio 1.x and runs for longer.");
		complain(r, &w->last_error);
		w->exit_code = target_exit_code(r);
	} else if (w->exit_code == EXIT_OK && !strcmp(w->reason, "target_exited")) {
		w->exit_code = code; /* the command's own failure comes first */
	}
}

/* The last words of each target, then the end of the command under us, if any. */
static int finish(struct watcher *w)
{
	for (size_t i = w->n_targets; i-- > 0;) {
		int r = session_bye(w->targets[i].session, w->reason);

		if (r < 0 && r != -EPIPE && w->exit_code == EXIT_OK)
			output_failed(w, r);
		close_target(w, i);
	}
	if (w->child)
		finish_command(w);
	w->child = child_free(w->child);
	return w->exit_code;
}

/* The table of advice with the user's rows, and where the report goes. Returns an exit code; what was opened is the caller's. */
static int open_setup(struct session_setup *setup)
{
	const struct options *o = setup->options;
	struct rs_error err = { 0 };
	int r;

	setup->catalogue = catalogue_new();
	if (!setup->catalogue)
		return EXIT_INTERNAL;
	if (o->advice) {
		r = catalogue_read(setup->catalogue, o->advice, err.text, sizeof(err.text));
		if (r < 0) {
			complain(r, &err);
			return EXIT_USAGE;
		}
	}
	r = output_open(o, &setup->out.out, &err);
	if (r < 0) {
		complain(r, &err);
		return EXIT_INTERNAL;
	}
	setup->out.color = output_color(o, setup->out.out);
	setup->out.enable_pids = o->n_pids > 1 || o->command;
	setup->out.stack_depth = o->stack_depth;
	return EXIT_OK;
}

static int watch(struct watcher *w)
{
	struct rs_error err = { 0 };
	int r, code;

	if (w->setup.options->duration_ns)
		w->stop_ns = now_ns() + w->setup.options->duration_ns;
	raise_priority(w);
	r = open_signals(w);
	if (r >= 0)
		r = open_targets(w, &err);
	if (r < 0) {
		complain(r, &err);
		code = target_exit_code(r);
		while (w->n_targets)
			close_target(w, 0);
	} else {
		run(w);
		code = finish(w);
	}
	r = output_close(w->setup.out.out);
	if (r < 0 && r != -EPIPE && code == EXIT_OK) {
		complain(r, &err);
		code = EXIT_INTERNAL;
	}
	close(w->signal_fd);
	return code;
}

int cmd_watch(const struct options *o)
{
	struct watcher w = {
		.setup = { .options = o, .sink = sink_find(o->format ? o->format : "text") },
		.signal_fd = -1,
	};
	int code = open_setup(&w.setup);

	if (code == EXIT_OK)
		code = watch(&w);
	catalogue_free(w.setup.catalogue);
	return code;
}
