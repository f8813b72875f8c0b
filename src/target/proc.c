/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/maps.h"

#define PF_KTHREAD 0x00200000

int proc_open_file(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The first bytes of a small file, NUL-terminated. */
static int read_small(pid_t pid, const char *name, char *buf, size_t size)
{
	_cleanup_close_
	int fd = proc_open_file(pid, name);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

int proc_read_stat(pid_t pid, struct proc_stat *ret)
{
	struct proc_stat st = { "" };
	char buf[1024], *name, *end;
	unsigned int flags;
	size_t len;
	int r;

	r = read_small(pid, "stat", buf, sizeof(buf));
	if (r < 0)
		return r;
	/* comm may hold spaces and brackets: it ends at the last ')' */
	name = strchr(buf, '(');
	end = strrchr(buf, ')');
	if (!name || !end || end < name)
		return -EPROTO;
	len = (size_t)(end - name - 1);
	if (len >= sizeof(st.comm))
		len = sizeof(st.comm) - 1;
	memcpy(st.comm, name + 1, len);
	if (sscanf(end + 1,
		   " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
		   "%*d %" SCNu64,
		   &st.state, &flags, &st.start_time) != 3)
		return -EPROTO;
	st.kernel_thread = flags & PF_KTHREAD;
	*ret = st;
	return 0;
}

int proc_read_maps(pid_t pid, struct file_maps *ret)
{
	_cleanup_fclose_
	FILE *in = NULL;
	int fd = proc_open_file(pid, "maps");

	if (fd < 0)
		return fd;
	in = fdopen(fd, "r");
	if (!in) {
		close(fd);
		return -ENOMEM;
	}
	return maps_read(in, ret);
}

pid_t proc_thread_group(pid_t pid)
{
	char buf[512];
	const char *tgid;
	int r;

	r = read_small(pid, "status", buf, sizeof(buf));
	if (r < 0)
		return r;
	/* Name: is escaped, so a line of its own cannot be forged. */
	tgid = strstr(buf, "\nTgid:");
	return tgid ? (pid_t)strtol(tgid + 6, NULL, 10) : -EPROTO;
}

pid_t proc_inner_pid(pid_t pid)
{
	char buf[4096], *line, *last;
	int r;

	r = read_small(pid, "status", buf, sizeof(buf));
	if (r < 0)
		return r;
	line = strstr(buf, "\nNSpid:");
	if (!line)
		return -EPROTO;
	/* outermost namespace first */
	line[1 + strcspn(line + 1, "\n")] = 0;
	last = strrchr(line, '\t');
	return last ? (pid_t)strtol(last, NULL, 10) : -EPROTO;
}

char *proc_exe(pid_t pid)
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	return strdup(target);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* True when the process goes by that name. comm is cut to 15 bytes by the kernel; `name` is not cut
 * to match it. */
static bool goes_by(pid_t pid, const char *name, struct process_candidate *ret)
{
	_cleanup_free_
	char *exe = NULL;
	struct proc_stat st;

	if (proc_read_stat(pid, &st) < 0 || st.kernel_thread || st.state == 'Z' || st.state == 'X')
		return false;
	exe = proc_exe(pid);
	if (!exe)
		return false;
	maps_cut_deleted(exe);
	if (strcmp(st.comm, name) && strcmp(base_name(exe), name))
		return false;
	ret->pid = pid;
	memcpy(ret->comm, st.comm, sizeof(ret->comm));
	snprintf(ret->exe, sizeof(ret->exe), "%.255s", exe);
	return true;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int process_find_by_name(const char *name, struct process_candidate *ret, size_t max)
{
	_cleanup_(closedirp) DIR *dir = opendir("/proc");
	const struct dirent *e;
	int count = 0;

	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		struct process_candidate c;
		pid_t pid;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid == getpid() || !goes_by(pid, name, &c))
			continue;
		if ((size_t)count < max)
			ret[count] = c;
		count++;
	}
	return count;
}
