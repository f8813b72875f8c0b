/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/detail.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/utf8.h"
#include "model/peer.h"
#include "model/syscalls.h"
#include "target/children.h"
#include "target/fault.h"
#include "target/proc.h"
#include "target/target.h"

#define PAGE 4096
#define NAME_SIZE 48 /* of a program and its pid */

static void link_name(const struct detail_source *from, int64_t fd, char *ret, size_t size)
{
	snprintf(ret, size, "/proc/%d/task/%d/fd/%d", from->pid, from->tid, (int)fd);
}

static int read_link(const struct detail_source *from, int64_t fd, char ret[PATH_MAX])
{
	char link[80];
	ssize_t n;

	link_name(from, fd, link, sizeof(link));
	n = readlink(link, ret, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	ret[n] = 0;
	return 0;
}

/* "sleep (pid 4711)" */
static int program_text(pid_t pid, char *ret, size_t size)
{
	struct proc_stat stat;
	int r = proc_read_stat(pid,
			       &stat); /* its arguments would have to be read from its memory */

	if (r >= 0)
		snprintf(ret, size, "%s (pid %d)", stat.comm, pid);
	return r;
}

/* Who has the other end is known where it is a child: of all others there are too many to look at. */
static void pipe_text(const struct detail_source *from, const char *pipe, char ret[BLOCK_DETAIL])
{
	char link[80], program[NAME_SIZE];
	struct stat st;
	bool is_reader;
	pid_t child;

	snprintf(ret, BLOCK_DETAIL, "pipe");
	link_name(from, from->fd, link, sizeof(link));
	if (lstat(link, &st)) /* of the link itself: how the descriptor is open */
		return;
	is_reader = st.st_mode & S_IRUSR;
	child = children_with_pipe(from->pid, pipe, is_reader);
	if (child && !program_text(child, program, sizeof(program)))
		snprintf(ret, BLOCK_DETAIL, "pipe %s %s", is_reader ? "from" : "to", program);
}

/* "anon_inode:[eventfd]" and "anon_inode:inotify", without what is the same in all. */
static int anonymous_text(const char *name, char ret[BLOCK_DETAIL])
{
	size_t n = strcspn(name += *name == '[', "]");

	snprintf(ret, BLOCK_DETAIL, "%.*s", (int)n, name);
	return n ? 0 : -ENODATA;
}

int detail_of_file(const struct detail_source *from, char ret[BLOCK_DETAIL])
{
	static const char anonymous[] = "anon_inode:";
	char path[PATH_MAX];
	int r;

	if (from->fd < 0 || !from->sleep->object)
		return -ENODATA;
	if (from->sleep->socket.family)
		return peer_text(&from->sleep->socket, ret, BLOCK_DETAIL);
	r = read_link(from, from->fd, path);
	if (r < 0)
		return r;
	if (!strncmp(path, anonymous, strlen(anonymous)))
		return anonymous_text(path + strlen(anonymous), ret);
	if (!strncmp(path, "pipe:[", 6)) {
		pipe_text(from, path, ret);
		return 0;
	}
	if (path[0] != '/')
		return -ENODATA;
	utf8_shorten(ret, BLOCK_DETAIL, path);
	return 0;
}

static int peer_of_connect(const struct detail_source *from, char ret[BLOCK_DETAIL])
{
	struct rs_socket socket = from->sleep->socket;
	struct sockaddr_storage addr;
	size_t len = from->sleep->args[2];
	int r;

	if (!len || len > sizeof(addr))
		return -ENODATA;
	r = process_read(from->pid, from->sleep->args[1], &addr, len);
	if (r >= 0)
		r = peer_set(&socket, &addr, len);
	return r < 0 ? r : peer_text(&socket, ret, BLOCK_DETAIL);
}

/* It waits for all of them: the first is named. */
static int polled_text(const struct detail_source *from, char ret[BLOCK_DETAIL])
{
	uint64_t more = from->sleep->args[1] - 1;
	char first[BLOCK_DETAIL], whole[BLOCK_DETAIL + 40], end[40] = "";
	int r = detail_of_file(from, first);

	if (r < 0)
		return r;
	if (more)
		snprintf(end, sizeof(end), " and %s more", FMT_COUNT(more));
	snprintf(whole, sizeof(whole), "%s%s", first, end);
	utf8_shorten(ret, BLOCK_DETAIL, whole);
	return 0;
}

/* Up to the NUL, in pieces that do not reach into a page that may not be there. */
static int read_string(pid_t pid, uint64_t addr, char *ret, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t n = PAGE - (addr + done) % PAGE;
		int r;

		if (n > size - done)
			n = size - done;
		r = process_read(pid, addr + done, ret + done, n);
		if (r < 0)
			return r;
		if (memchr(ret + done, 0, n))
			return 0;
		done += n;
	}
	return -ENAMETOOLONG;
}

/* As the program gave it; below the folder where that is given by its descriptor. */
static int path_text(const struct detail_source *from, uint64_t addr, bool is_below_fd,
		     char ret[BLOCK_DETAIL])
{
	char path[PATH_MAX], whole[2 * PATH_MAX], folder[PATH_MAX];
	int r = addr ? read_string(from->pid, addr, path, sizeof(path)) : -ENODATA;

	if (r < 0)
		return r;
	if (!is_below_fd || path[0] == '/') {
		utf8_shorten(ret, BLOCK_DETAIL, path);
		return 0;
	}
	if (from->fd < 0 || !S_ISDIR(from->sleep->mode))
		return -ENODATA;
	r = read_link(from, from->fd, folder);
	if (r < 0)
		return r;
	snprintf(whole, sizeof(whole), "%s%s%s", folder, path[0] ? "/" : "", path);
	utf8_shorten(ret, BLOCK_DETAIL, whole);
	return 0;
}

static int time_text(pid_t pid, uint64_t addr, char ret[BLOCK_DETAIL])
{
	struct timespec t;
	int r = process_read(pid, addr, &t, sizeof(t));

	if (r < 0)
		return r;
	if (t.tv_sec < 0 || t.tv_sec > UINT32_MAX || t.tv_nsec < 0 || t.tv_nsec >= 1000000000)
		return -ENODATA;
	snprintf(ret, BLOCK_DETAIL, "%s asked for",
		 FMT_DURATION((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec));
	return 0;
}

/* 0: any child, which is a certain one where there is only one. */
static int child_text(pid_t pid, uint64_t number, char ret[BLOCK_DETAIL])
{
	pid_t children[CHILDREN_MAX], child;

	if (number)
		child = children_find(pid, number);
	else
		child = children_list(pid, children) == 1 ? children[0] : -ENODATA;
	return child < 0 ? child : program_text(child, ret, BLOCK_DETAIL);
}

static int child_of_wait(const struct detail_source *from, bool has_type, char ret[BLOCK_DETAIL])
{
	const __u64 *args = from->sleep->args;
	int32_t pid = (int32_t)args[0];

	if (has_type && args[0] == P_PID)
		return child_text(from->pid, args[1], ret);
	if (has_type)
		return args[0] == P_ALL ? child_text(from->pid, 0, ret) : -ENODATA;
	/* 0 and below -1 are process groups */
	return pid > 0 || pid == -1 ? child_text(from->pid, pid > 0 ? pid : 0, ret) : -ENODATA;
}

static int fault_text(const struct detail_source *from, char ret[BLOCK_DETAIL])
{
	struct fault_registers r = { .ip = from->sleep->ip, .fs_base = from->sleep->fs_base };

	for (size_t i = 0; i < FAULT_REGISTERS; i++)
		r.general[i] = from->sleep->regs[i];
	return fault_mapping(from->pid, &r, ret, BLOCK_DETAIL);
}

int detail_of_sleep(const struct detail_source *from, char ret[BLOCK_DETAIL])
{
	const struct rs_sleep *s = from->sleep;

	switch (syscall_about(s->nr)) {
	case ABOUT_FD:
		return detail_of_file(from, ret);
	case ABOUT_CONNECT:
		return peer_of_connect(from, ret);
	case ABOUT_POLLED:
		return polled_text(from, ret);
	case ABOUT_PATH:
		return path_text(from, s->args[0], false, ret);
	case ABOUT_PATH_AT:
		return path_text(from, s->args[1], (int32_t)s->args[0] != AT_FDCWD, ret);
	case ABOUT_TIME:
		return time_text(from->pid, s->args[0], ret);
	case ABOUT_CLOCK:
		/* an absolute time would say nothing */
		return s->args[1] & TIMER_ABSTIME ? -ENODATA
						  : time_text(from->pid, s->args[2], ret);
	case ABOUT_CHILD:
		return child_of_wait(from, false, ret);
	case ABOUT_CHILD_ID:
		return child_of_wait(from, true, ret);
	case ABOUT_MEMORY:
		return fault_text(from, ret);
	default:
		return -ENODATA;
	}
}

/* glibc's own name resolution: from there, the program asks nobody else. */
static bool is_resolution(const struct block_stack *s)
{
	static const char *const names[] = { "getaddrinfo", "getnameinfo", "gethostbyname_r",
					     "gethostbyname2_r", "gethostbyaddr_r" };

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; s->frames[i].function && k < sizeof(names) / sizeof(names[0]);
		     k++)
			if (s->frames[i].kind == FRAME_LIBC &&
			    !strcmp(s->frames[i].function, names[k]))
				return true;
	return false;
}

void detail_name_resolution(struct block *b)
{
	static const char *const calls[] = { "poll",	 "connect", "sendto", "sendmmsg",
					     "recvfrom", "recvmsg", "read" };
	struct syscall_use *use = &b->syscalls[0];
	char peer[BLOCK_DETAIL - 32];
	bool is_call = false;

	for (size_t i = 0; b->n_syscalls && i < sizeof(calls) / sizeof(calls[0]); i++)
		is_call |= !strcmp(use->name, calls[i]);
	if (!is_call || !b->n_stacks || !b->stacks[0].is_asleep || b->stacks[0].ns * 2 <= use->ns ||
	    !is_resolution(&b->stacks[0]))
		return;
	utf8_shorten(peer, sizeof(peer), use->detail);
	snprintf(use->detail, sizeof(use->detail), "name resolution%s%s", peer[0] ? ", " : "",
		 peer);
}

/*
 * glibc's pthread_mutex_t: lock, count, owner, users, kind. Locks of Rust's std and of parking_lot have no owner, and wait
 * in other ways (std: FUTEX_WAIT_BITSET; parking_lot: for the value 1).
 */
struct pthread_lock {
	int32_t lock;
	uint32_t count;
	int32_t owner;
	uint32_t users;
	uint32_t kind;
};
#define LOCK_CONTENDED 2
#define LOCK_KINDS \
	4 /* normal, recursive, error-checking, adaptive; the others wait in other ways */

pid_t detail_lock_owner(const struct detail_source *from)
{
	const __u64 *args = from->sleep->args;
	struct pthread_lock lock;
	pid_t owner;

	if (syscall_about(from->sleep->nr) != ABOUT_FUTEX ||
	    (args[1] & FUTEX_CMD_MASK) != FUTEX_WAIT || (uint32_t)args[2] != LOCK_CONTENDED ||
	    args[3])
		return 0;
	if (process_read(from->pid, args[0], &lock, sizeof(lock)) < 0 ||
	    lock.lock != LOCK_CONTENDED || !lock.users || lock.users > RS_THREADS ||
	    lock.kind >= LOCK_KINDS || lock.owner <= 0)
		return 0;
	owner = children_thread(from->pid, lock.owner);
	return owner > 0 && owner != from->tid ? owner : 0;
}
