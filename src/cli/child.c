/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define ASIDE_MAX 64
#define RETRY_FIRST_S 1
#define RETRY_LAST_S 30

struct aside {
	pid_t pid;
	dev_t dev;
	ino_t ino;
	time_t retry, wait;
};

struct child {
	pid_t pid;
	bool has_exited;
	int status;
	struct aside aside[ASIDE_MAX];
	size_t n_aside;
};

static time_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* In the child: the error of a failed exec goes back through the pipe, which a successful exec closes. */
static void execute(char **argv, int nice, int pipe_fd)
{
	sigset_t none;
	int e;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpriority(PRIO_PROCESS, 0, nice);
	execvp(argv[0], argv);
	e = errno;
	if (write(pipe_fd, &e, sizeof(e)) < 0)
		_exit(126);
	_exit(127);
}

int child_start(char **argv, int nice, struct child **ret, struct rs_error *err)
{
	struct child *c = calloc(1, sizeof(*c));
	int fds[2], e = 0;

	if (!c || pipe2(fds, O_CLOEXEC) < 0) {
		free(c);
		return -ENOMEM;
	}
	c->pid = fork();
	if (c->pid == 0)
		execute(argv, nice, fds[1]);
	close(fds[1]);
	if (c->pid < 0)
		e = EAGAIN;
	else if (read(fds[0], &e, sizeof(e)) < 0)
		e = errno;
	close(fds[0]);
	if (e) {
		snprintf(err->text, sizeof(err->text),
			 "Cannot start %s: %s. Check the command after --.", argv[0], strerror(e));
		if (c->pid > 0)
			waitpid(c->pid, NULL, 0);
		free(c);
		return -ESRCH; /* there will be no target */
	}
	*ret = c;
	return 0;
}

static size_t add_children(pid_t pid, pid_t *ret, size_t n, size_t max)
{
	char path[64];
	DIR *d;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		char file[sizeof(path) + sizeof(entry->d_name) + 16];
		_cleanup_fclose_
		FILE *f = NULL;
		int child;

		snprintf(file, sizeof(file), "%s/%s/children", path, entry->d_name);
		f = entry->d_name[0] == '.' ? NULL : fopen(file, "re");
		while (f && n < max && fscanf(f, "%d", &child) == 1)
			ret[n++] = child;
	}
	if (d)
		closedir(d);
	return n;
}

static bool exe_of(pid_t pid, struct stat *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, ret) == 0;
}

static struct aside *find_aside(struct child *c, pid_t pid)
{
	for (size_t i = 0; i < c->n_aside; i++)
		if (c->aside[i].pid == pid)
			return &c->aside[i];
	return NULL;
}

static bool is_aside(struct child *c, pid_t pid)
{
	const struct aside *a = find_aside(c, pid);
	struct stat st;

	return a && exe_of(pid, &st) && st.st_dev == a->dev && st.st_ino == a->ino &&
	       seconds() < a->retry;
}

size_t child_processes(struct child *c, pid_t *ret, size_t max)
{
	pid_t all[256];
	size_t n = 0, found = 0;

	if (c->has_exited)
		return 0;
	all[n++] = c->pid;
	for (size_t i = 0; i < n; i++) {
		n = add_children(all[i], all, n, sizeof(all) / sizeof(all[0]));
		if (found < max && !is_aside(c, all[i]))
			ret[found++] = all[i];
	}
	return found;
}

void child_set_aside(struct child *c, pid_t pid)
{
	struct aside *a = find_aside(c, pid);
	struct stat st = { 0 };

	if (!a)
		a = &c->aside[c->n_aside < ASIDE_MAX ? c->n_aside++ : (size_t)pid % ASIDE_MAX];
	exe_of(pid, &st);
	if (a->pid != pid || a->dev != st.st_dev || a->ino != st.st_ino)
		*a = (struct aside){ .pid = pid, .dev = st.st_dev, .ino = st.st_ino };
	a->wait = a->wait ? a->wait * 2 : RETRY_FIRST_S;
	if (a->wait > RETRY_LAST_S)
		a->wait = RETRY_LAST_S;
	a->retry = seconds() + a->wait;
}

bool child_has_exited(struct child *c)
{
	/* An error says that there is nothing left to wait for. */
	if (!c->has_exited && waitpid(c->pid, &c->status, WNOHANG))
		c->has_exited = true;
	return c->has_exited;
}

void child_signal(struct child *c, int signal)
{
	if (!child_has_exited(c))
		kill(c->pid, signal);
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}

int child_exit_code(const struct child *c)
{
	return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

struct child *child_free(struct child *c)
{
	free(c);
	return NULL;
}
