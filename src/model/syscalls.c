/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/syscalls.h"

#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SYSCALLS_MAX 1024

const char *syscall_name(int nr)
{
	static const char *names
		[SYSCALLS_MAX]; /* filled on first use, never freed: names live as long as the program */

	if (nr == -1)
		return "page_fault";
	if (nr < 0 || nr >= SYSCALLS_MAX)
		return "unknown";
	if (!names[nr]) {
		char *text = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

		if (!text && asprintf(&text, "syscall_%d", nr) < 0)
			return "unknown";
		names[nr] = text;
	}
	return names[nr];
}

/* CAUSE_MAX: it depends on the file behind the first argument. */
static const struct {
	int nr;
	enum cause cause;
	enum syscall_about about;
} table[] = {
	{ SYS_nanosleep, CAUSE_SLEEP, ABOUT_TIME },
	{ SYS_clock_nanosleep, CAUSE_SLEEP, ABOUT_CLOCK },
	{ SYS_pause, CAUSE_SLEEP },
	{ SYS_rt_sigtimedwait, CAUSE_SLEEP },
	{ SYS_rt_sigsuspend, CAUSE_SLEEP },
	{ SYS_sched_yield, CAUSE_CPU },
	{ SYS_futex, CAUSE_LOCK, ABOUT_FUTEX },
	{ 449 /* futex_waitv */, CAUSE_LOCK },
	{ 455 /* futex_wait */, CAUSE_LOCK },
	{ SYS_flock, CAUSE_LOCK, ABOUT_FD },
	{ SYS_fcntl, CAUSE_LOCK, ABOUT_FD }, /* F_SETLKW is its only sleep */
	{ SYS_semop, CAUSE_LOCK },
	{ SYS_semtimedop, CAUSE_LOCK },
	{ SYS_wait4, CAUSE_PROCESS, ABOUT_CHILD },
	{ SYS_waitid, CAUSE_PROCESS, ABOUT_CHILD_ID },
	{ SYS_vfork, CAUSE_PROCESS },
	{ SYS_clone, CAUSE_PROCESS }, /* CLONE_VFORK waits for the child's exec */
	{ SYS_clone3, CAUSE_PROCESS },
	{ SYS_execve, CAUSE_PROCESS },
	{ SYS_connect, CAUSE_SOCKET, ABOUT_CONNECT },
	{ SYS_accept, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_accept4, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_recvfrom, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_recvmsg, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_recvmmsg, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_sendto, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_sendmsg, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_sendmmsg, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_shutdown, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_read, CAUSE_MAX, ABOUT_FD },
	{ SYS_pread64, CAUSE_MAX, ABOUT_FD },
	{ SYS_readv, CAUSE_MAX, ABOUT_FD },
	{ SYS_preadv, CAUSE_MAX, ABOUT_FD },
	{ SYS_preadv2, CAUSE_MAX, ABOUT_FD },
	{ SYS_write, CAUSE_MAX, ABOUT_FD },
	{ SYS_pwrite64, CAUSE_MAX, ABOUT_FD },
	{ SYS_writev, CAUSE_MAX, ABOUT_FD },
	{ SYS_pwritev, CAUSE_MAX, ABOUT_FD },
	{ SYS_pwritev2, CAUSE_MAX, ABOUT_FD },
	{ SYS_close, CAUSE_MAX },
	{ SYS_sendfile, CAUSE_MAX },
	{ SYS_splice, CAUSE_MAX },
	{ SYS_tee, CAUSE_PIPE },
	{ SYS_vmsplice, CAUSE_PIPE },
	{ SYS_poll, CAUSE_MAX, ABOUT_POLLED },
	{ SYS_ppoll, CAUSE_MAX, ABOUT_POLLED },
	{ SYS_select, CAUSE_SOCKET },
	{ SYS_pselect6, CAUSE_SOCKET },
	{ SYS_epoll_wait, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_epoll_pwait, CAUSE_SOCKET, ABOUT_FD },
	{ 441 /* epoll_pwait2 */, CAUSE_SOCKET, ABOUT_FD },
	{ SYS_ioctl, CAUSE_MAX, ABOUT_FD },
	{ SYS_open, CAUSE_FILE, ABOUT_PATH },
	{ SYS_openat, CAUSE_FILE, ABOUT_PATH_AT },
	{ 437 /* openat2 */, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_creat, CAUSE_FILE, ABOUT_PATH },
	{ SYS_stat, CAUSE_FILE, ABOUT_PATH },
	{ SYS_lstat, CAUSE_FILE, ABOUT_PATH },
	{ SYS_fstat, CAUSE_FILE, ABOUT_FD },
	{ SYS_newfstatat, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_statx, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_access, CAUSE_FILE, ABOUT_PATH },
	{ SYS_faccessat, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_readlink, CAUSE_FILE, ABOUT_PATH },
	{ SYS_readlinkat, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_getdents64, CAUSE_FILE, ABOUT_FD },
	{ SYS_rename, CAUSE_FILE, ABOUT_PATH },
	{ SYS_renameat, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_renameat2, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_mkdir, CAUSE_FILE, ABOUT_PATH },
	{ SYS_mkdirat, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_rmdir, CAUSE_FILE, ABOUT_PATH },
	{ SYS_unlink, CAUSE_FILE, ABOUT_PATH },
	{ SYS_unlinkat, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_link, CAUSE_FILE, ABOUT_PATH },
	{ SYS_linkat, CAUSE_FILE, ABOUT_PATH_AT },
	{ SYS_symlink, CAUSE_FILE, ABOUT_PATH },
	{ SYS_chmod, CAUSE_FILE, ABOUT_PATH },
	{ SYS_fchmod, CAUSE_FILE, ABOUT_FD },
	{ SYS_truncate, CAUSE_FILE, ABOUT_PATH },
	{ SYS_ftruncate, CAUSE_FILE, ABOUT_FD },
	{ SYS_fallocate, CAUSE_FILE, ABOUT_FD },
	{ SYS_fsync, CAUSE_FILE, ABOUT_FD },
	{ SYS_fdatasync, CAUSE_FILE, ABOUT_FD },
	{ SYS_sync, CAUSE_FILE },
	{ SYS_syncfs, CAUSE_FILE, ABOUT_FD },
	{ SYS_sync_file_range, CAUSE_FILE, ABOUT_FD },
	{ SYS_msync, CAUSE_FILE },
	{ SYS_readahead, CAUSE_FILE, ABOUT_FD },
	{ SYS_copy_file_range, CAUSE_FILE },
	{ SYS_io_getevents, CAUSE_FILE },
	{ SYS_io_submit, CAUSE_FILE },
	{ 426 /* io_uring_enter */, CAUSE_FILE },
	{ SYS_lseek, CAUSE_FILE, ABOUT_FD },
	{ SYS_statfs, CAUSE_FILE, ABOUT_PATH },
	{ SYS_mount, CAUSE_FILE },
	{ SYS_umount2, CAUSE_FILE },
	{ SYS_mmap, CAUSE_PAGE_FAULT }, /* MAP_POPULATE, or waiting for the address space's lock */
	{ SYS_munmap, CAUSE_PAGE_FAULT },
	{ SYS_mprotect, CAUSE_PAGE_FAULT },
	{ SYS_mremap, CAUSE_PAGE_FAULT },
	{ SYS_madvise, CAUSE_PAGE_FAULT },
	{ SYS_brk, CAUSE_PAGE_FAULT },
};

static enum cause cause_of_file(uint16_t mode)
{
	if (S_ISSOCK(mode))
		return CAUSE_SOCKET;
	if (S_ISFIFO(mode))
		return CAUSE_PIPE;
	if (S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode) || S_ISCHR(mode))
		return CAUSE_FILE;
	return CAUSE_OTHER;
}

static int row_of(int nr)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].nr == nr)
			return (int)i;
	return -1;
}

enum syscall_about syscall_about(int nr)
{
	int row = row_of(nr);

	if (nr == -1)
		return ABOUT_MEMORY;
	return row < 0 ? ABOUT_UNKNOWN : table[row].about;
}

enum cause syscall_cause(int nr, uint16_t mode)
{
	int row = row_of(nr);

	if (nr == -1)
		return CAUSE_PAGE_FAULT;
	if (row < 0)
		return CAUSE_OTHER;
	if (table[row].cause != CAUSE_MAX)
		return table[row].cause;
	/* poll() of no descriptor is a sleep */
	return (nr == SYS_poll || nr == SYS_ppoll) && !mode ? CAUSE_SLEEP : cause_of_file(mode);
}
