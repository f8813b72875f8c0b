/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "target/error.h"
#include "target/maps.h"
#include "target/modules.h"
#include "target/proc.h"

/* Reserved at once, so that pointers to modules stay valid while the process loads more; untouched
 * pages cost nothing. */
#define MAX_MODULES 4096

int process_read(pid_t pid, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct iovec local = { (char *)buf + done, len - done };
		struct iovec remote = { (void *)(uintptr_t)(addr + done), len - done };
		ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

static uint64_t read_auxv(pid_t pid, uint64_t type)
{
	_cleanup_close_
	int fd = proc_open_file(pid, "auxv");
	Elf64_auxv_t av;

	while (fd >= 0 && read(fd, &av, sizeof(av)) == sizeof(av)) {
		if (av.a_type == type)
			return av.a_un.a_val;
	}
	return 0;
}

static int by_file(const void *a, const void *b)
{
	const struct file_map *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->map.start < y->map.start ? -1 : x->map.start > y->map.start;
}

static bool is_known(const struct process *p, const struct module *m)
{
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct module *k = &p->modules[i];

		if (k->dev == m->dev && k->inode == m->inode && k->bias == m->bias)
			return true;
	}
	return false;
}

/* True when a known module starts at one of these mappings: nothing new, the file need not be
 * opened again. */
static bool file_is_known(const struct process *p, const struct file_map *rows, size_t n)
{
	size_t exec = 0, known = 0;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].map.perms[2] != 'x')
			continue;
		exec++;
		for (size_t k = 0; k < p->n_modules; k++) {
			const struct module *m = &p->modules[k];

			if (m->dev == rows[i].dev && m->inode == rows[i].inode &&
			    rows[i].map.start >= m->start && rows[i].map.end <= m->end) {
				known++;
				break;
			}
		}
	}
	return exec == known;
}

/* The mappings of one file. Returns how many new modules they made. */
static int add_file(struct process *p, const struct module_source *src, const struct file_map *rows,
		    size_t n, struct rs_error *err)
{
	struct module found[16];
	int count, added = 0;

	if (file_is_known(p, rows, n))
		return 0;
	count = modules_from_file(src, rows, n, found, sizeof(found) / sizeof(found[0]), err);
	for (int i = 0; i < count; i++) {
		if (is_known(p, &found[i]) || p->n_modules == MAX_MODULES) {
			module_clear(&found[i]);
			continue;
		}
		p->modules[p->n_modules++] = found[i];
		added++;
	}
	return count < 0 ? count : added;
}

static int add_modules(struct process *p, const char *binary, struct rs_error *err)
{
	_cleanup_(file_maps_free) struct file_maps maps = { 0 };
	struct module_source src = { p->pid, read_auxv(p->pid, AT_PHDR), p->exe, binary };
	int r, added = 0;

	r = proc_read_maps(p->pid, &maps);
	if (r < 0)
		return r;
	if (maps.n)
		qsort(maps.rows, maps.n, sizeof(*maps.rows), by_file);
	for (size_t i = 0, end; i < maps.n; i = end) {
		for (end = i; end < maps.n && maps.rows[end].dev == maps.rows[i].dev &&
			      maps.rows[end].inode == maps.rows[i].inode;)
			end++;
		r = add_file(p, &src, &maps.rows[i], end - i, err);
		if (r < 0)
			return r;
		added += r;
	}
	return added;
}

/* The executable first: most often it is the one that holds Tokio. */
static void executable_first(struct process *p)
{
	for (size_t i = 1; i < p->n_modules; i++) {
		if (!p->modules[i].is_exe)
			continue;
		struct module exe = p->modules[i];

		memmove(&p->modules[1], &p->modules[0], i * sizeof(exe));
		p->modules[0] = exe;
		return;
	}
}

static int explain(struct rs_error *err, pid_t pid, int r)
{
	switch (r) {
	case -ENOENT:
	case -ESRCH:
		return error_set(err, -ESRCH, "there is no process %d", pid);
	case -EACCES:
	case -EPERM:
		return error_set(
			err, -EACCES,
			"cannot read /proc/%d/maps: permission denied; run as root, or as the same "
			"user with CAP_SYS_PTRACE",
			pid);
	default:
		return error_set(err, r, "cannot read /proc/%d/maps: %s", pid, strerror(-r));
	}
}

static int fill_identity(struct process *p, struct rs_error *err)
{
	struct proc_stat st;
	pid_t leader;
	int r;

	r = proc_read_stat(p->pid, &st);
	if (r < 0)
		return explain(err, p->pid, r);
	leader = proc_thread_group(p->pid);
	if (leader > 0 && leader != p->pid)
		return error_set(err, -ESRCH,
				 "%d is a thread of process %d, not a process; give the process",
				 p->pid, leader);
	if (st.kernel_thread)
		return error_set(err, -ESRCH, "%d is a thread of the kernel, not a program",
				 p->pid);
	if (st.state == 'Z' || st.state == 'X')
		return error_set(err, -ESRCH, "process %d has ended already", p->pid);
	p->start_time = st.start_time;
	memcpy(p->comm, st.comm, sizeof(p->comm));
	p->vdso = read_auxv(p->pid, AT_SYSINFO_EHDR);
	p->exe = proc_exe(p->pid);
	return p->exe ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static void process_freep(struct process **p)
{
	process_free(*p);
}

int process_check_program(const struct process *p, struct rs_error *err)
{
	_cleanup_free_
	char *exe = proc_exe(p->pid);

	if (!exe)
		return error_set(err, -ENOMEM, "out of memory");
	if (strcmp(exe, p->exe))
		return error_set(err, -EAGAIN,
				 "process %d is just becoming another program; try again", p->pid);
	return 0;
}

int process_open(pid_t pid, const char *binary, struct process **ret, struct rs_error *err)
{
	_cleanup_(process_freep) struct process *p = calloc(1, sizeof(*p));
	struct rs_error why = { "" };
	int r;

	if (!p || !(p->modules = calloc(MAX_MODULES, sizeof(*p->modules))))
		return error_set(err, -ENOMEM, "out of memory");
	p->pid = pid;
	if (pid <= 0)
		return error_set(err, -ESRCH, "there is no process %d", pid);
	r = fill_identity(p, err);
	if (r < 0)
		return r;
	r = add_modules(p, binary, &why);
	if (r < 0 && why.text[0])
		return error_set(err, r, "%s", why.text);
	if (r < 0)
		return explain(err, pid, r);
	if (!p->n_modules)
		return error_set(
			err, -ESRCH,
			"process %d has no executable file mapped: it has ended, or this is no "
			"program of an ELF file",
			pid);
	executable_first(p);
	*ret = take_ptr(p);
	return 0;
}

int process_refresh(struct process *p)
{
	struct proc_stat st;
	int r;

	r = proc_read_stat(p->pid, &st);
	if (r == -ENOENT ||
	    (!r && (st.start_time != p->start_time || st.state == 'Z' || st.state == 'X')))
		return -ESRCH;
	if (r < 0)
		return r;
	r = add_modules(p, NULL, NULL);
	return r == -ENOENT ? -ESRCH : r;
}

struct process *process_free(struct process *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; p->modules && i < p->n_modules; i++)
		module_clear(&p->modules[i]);
	free(p->modules);
	free(p->exe);
	free(p);
	return NULL;
}
