/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/children.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/proc.h"

#define THREADS_MAX 256 /* of the parent, each of which has children of its own */
#define FDS_MAX 16 /* of a child */
#define PIPES_MAX 8 /* children whose descriptors are looked at */
#define LEVELS_MAX 32 /* of pid namespaces, in Linux */

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Children that one thread has made. Needs CONFIG_PROC_CHILDREN. */
static int list_of_thread(pid_t pid, const char *tid, pid_t *ret, int room)
{
	char path[64 + NAME_MAX];
	_cleanup_fclose_
	FILE *f = NULL;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (n < room && fscanf(f, "%d", &ret[n]) == 1)
		n++;
	return n;
}

int children_list(pid_t pid, pid_t ret[CHILDREN_MAX])
{
	char path[64];
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *e;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return -errno;
	for (int threads = 0; (e = readdir(d));) {
		int r;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		if (threads++ == THREADS_MAX)
			return -E2BIG;
		r = list_of_thread(pid, e->d_name, ret + n, CHILDREN_MAX - n);
		if (r < 0 && r != -ENOENT)
			return r;
		n += r > 0 ? r : 0;
	}
	return n;
}

/* A process or thread, by its status. */
struct status {
	pid_t parent;
	uint64_t numbers[LEVELS_MAX]; /* from this tool's pid namespace down to its own */
	int n_numbers; /* 0: cannot be read */
};

static void read_numbers(char *words, struct status *s)
{
	char *rest = NULL;

	for (char *word = strtok_r(words, "\t \n", &rest); word && s->n_numbers < LEVELS_MAX;
	     word = strtok_r(NULL, "\t \n", &rest))
		s->numbers[s->n_numbers++] = strtoull(word, NULL, 10);
}

static struct status read_status(pid_t pid)
{
	_cleanup_close_
	int fd = proc_open_file(pid, "status");
	_cleanup_fclose_
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	struct status s = { 0 };
	char line[512];

	if (!f)
		return s;
	fd = -1;
	while (!s.n_numbers && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "PPid:", 5))
			s.parent = atoi(line + 5);
		else if (!strncmp(line, "NSpid:", 6))
			read_numbers(line + 6, &s);
	}
	return s;
}

/* Seen from the pid namespace that is so many levels below this tool's. */
static bool is_numbered(const struct status *s, int level, uint64_t number)
{
	return level > 0 && s->n_numbers >= level && s->numbers[level - 1] == number;
}

pid_t children_find(pid_t pid, uint64_t number)
{
	pid_t children[CHILDREN_MAX];
	int level = read_status(pid).n_numbers, n = 1;

	children[0] = (pid_t)number;
	if (level != 1)
		n = children_list(pid, children);
	for (int i = 0; i < n; i++) {
		struct status s = read_status(children[i]);

		if (s.parent == pid && is_numbered(&s, level, number))
			return children[i];
	}
	return -ESRCH;
}

pid_t children_thread(pid_t pid, pid_t number)
{
	int level = read_status(pid).n_numbers;
	char path[80];
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, number);
	if (level == 1)
		return access(path, F_OK) ? -ESRCH : number;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	for (int n = 0; d && (e = readdir(d)) && n < THREADS_MAX; n++) {
		struct status s = { 0 };

		if (isdigit((unsigned char)e->d_name[0]))
			s = read_status(atoi(e->d_name));
		if (is_numbered(&s, level, (uint64_t)number))
			return atoi(e->d_name);
	}
	return -ESRCH;
}

static bool is_pipe_end(pid_t pid, const char *fd, const char *wanted, mode_t bit)
{
	char path[64 + NAME_MAX], text[64];
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, fd);
	n = readlink(path, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	/* of the link itself: how the descriptor is open */
	return !strcmp(text, wanted) && !lstat(path, &st) && st.st_mode & bit;
}

static bool has_pipe(pid_t pid, const char *wanted, mode_t bit)
{
	char path[64];
	_cleanup_(closedirp) DIR *d = NULL;
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	for (int fds = 0; d && (e = readdir(d)) && fds < FDS_MAX; fds++)
		if (is_pipe_end(pid, e->d_name, wanted, bit))
			return true;
	return false;
}

pid_t children_with_pipe(pid_t pid, const char *pipe, bool is_writer)
{
	pid_t children[CHILDREN_MAX];
	int n = children_list(pid, children);

	for (int i = 0; i < n && i < PIPES_MAX; i++)
		if (has_pipe(children[i], pipe, is_writer ? S_IWUSR : S_IRUSR))
			return children[i];
	return 0;
}
