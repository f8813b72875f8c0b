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
} table[] = {
	{ SYS_nanosleep, CAUSE_SLEEP },
	{ SYS_clock_nanosleep, CAUSE_SLEEP },
	{ SYS_pause, CAUSE_SLEEP },
	{ SYS_rt_sigtimedwait, CAUSE_SLEEP },
	{ SYS_rt_sigsuspend, CAUSE_SLEEP },
	{ SYS_sched_yield, CAUSE_CPU },
	{ SYS_futex, CAUSE_LOCK },
	{ 449 /* futex_waitv */, CAUSE_LOCK },
	{ 455 /* futex_wait */, CAUSE_LOCK },
	{ SYS_flock, CAUSE_LOCK },
	{ SYS_fcntl, CAUSE_LOCK }, /* F_SETLKW is its only sleep */
	{ SYS_semop, CAUSE_LOCK },
	{ SYS_semtimedop, CAUSE_LOCK },
	{ SYS_wait4, CAUSE_PROCESS },
	{ SYS_waitid, CAUSE_PROCESS },
	{ SYS_vfork, CAUSE_PROCESS },
	{ SYS_clone, CAUSE_PROCESS }, /* CLONE_VFORK waits for the child's exec */
	{ SYS_clone3, CAUSE_PROCESS },
	{ SYS_execve, CAUSE_PROCESS },
	{ SYS_connect, CAUSE_SOCKET },
	{ SYS_accept, CAUSE_SOCKET },
	{ SYS_accept4, CAUSE_SOCKET },
	{ SYS_recvfrom, CAUSE_SOCKET },
	{ SYS_recvmsg, CAUSE_SOCKET },
	{ SYS_recvmmsg, CAUSE_SOCKET },
	{ SYS_sendto, CAUSE_SOCKET },
	{ SYS_sendmsg, CAUSE_SOCKET },
	{ SYS_sendmmsg, CAUSE_SOCKET },
	{ SYS_shutdown, CAUSE_SOCKET },
	{ SYS_read, CAUSE_MAX },
	{ SYS_pread64, CAUSE_MAX },
	{ SYS_readv, CAUSE_MAX },
	{ SYS_preadv, CAUSE_MAX },
	{ SYS_preadv2, CAUSE_MAX },
	{ SYS_write, CAUSE_MAX },
	{ SYS_pwrite64, CAUSE_MAX },
	{ SYS_writev, CAUSE_MAX },
	{ SYS_pwritev, CAUSE_MAX },
	{ SYS_pwritev2, CAUSE_MAX },
	{ SYS_close, CAUSE_MAX },
	{ SYS_sendfile, CAUSE_MAX },
	{ SYS_splice, CAUSE_MAX },
	{ SYS_tee, CAUSE_PIPE },
	{ SYS_vmsplice, CAUSE_PIPE },
	{ SYS_poll, CAUSE_MAX },
	{ SYS_ppoll, CAUSE_MAX },
	{ SYS_select, CAUSE_SOCKET },
	{ SYS_pselect6, CAUSE_SOCKET },
	{ SYS_epoll_wait, CAUSE_SOCKET },
	{ SYS_epoll_pwait, CAUSE_SOCKET },
	{ 441 /* epoll_pwait2 */, CAUSE_SOCKET },
	{ SYS_ioctl, CAUSE_MAX },
	{ SYS_open, CAUSE_FILE },
	{ SYS_openat, CAUSE_FILE },
	{ 437 /* openat2 */, CAUSE_FILE },
	{ SYS_creat, CAUSE_FILE },
	{ SYS_stat, CAUSE_FILE },
	{ SYS_lstat, CAUSE_FILE },
	{ SYS_fstat, CAUSE_FILE },
	{ SYS_newfstatat, CAUSE_FILE },
	{ SYS_statx, CAUSE_FILE },
	{ SYS_access, CAUSE_FILE },
	{ SYS_faccessat, CAUSE_FILE },
	{ SYS_readlink, CAUSE_FILE },
	{ SYS_readlinkat, CAUSE_FILE },
	{ SYS_getdents64, CAUSE_FILE },
	{ SYS_rename, CAUSE_FILE },
	{ SYS_renameat, CAUSE_FILE },
	{ SYS_renameat2, CAUSE_FILE },
	{ SYS_mkdir, CAUSE_FILE },
	{ SYS_mkdirat, CAUSE_FILE },
	{ SYS_rmdir, CAUSE_FILE },
	{ SYS_unlink, CAUSE_FILE },
	{ SYS_unlinkat, CAUSE_FILE },
	{ SYS_link, CAUSE_FILE },
	{ SYS_linkat, CAUSE_FILE },
	{ SYS_symlink, CAUSE_FILE },
	{ SYS_chmod, CAUSE_FILE },
	{ SYS_fchmod, CAUSE_FILE },
	{ SYS_truncate, CAUSE_FILE },
	{ SYS_ftruncate, CAUSE_FILE },
	{ SYS_fallocate, CAUSE_FILE },
	{ SYS_fsync, CAUSE_FILE },
	{ SYS_fdatasync, CAUSE_FILE },
	{ SYS_sync, CAUSE_FILE },
	{ SYS_syncfs, CAUSE_FILE },
	{ SYS_sync_file_range, CAUSE_FILE },
	{ SYS_msync, CAUSE_FILE },
	{ SYS_readahead, CAUSE_FILE },
	{ SYS_copy_file_range, CAUSE_FILE },
	{ SYS_io_getevents, CAUSE_FILE },
	{ SYS_io_submit, CAUSE_FILE },
	{ 426 /* io_uring_enter */, CAUSE_FILE },
	{ SYS_lseek, CAUSE_FILE },
	{ SYS_statfs, CAUSE_FILE },
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

enum cause syscall_cause(int nr, uint16_t mode)
{
	if (nr == -1)
		return CAUSE_PAGE_FAULT;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].nr != nr)
			continue;
		if (table[i].cause != CAUSE_MAX)
			return table[i].cause;
		/* poll() of no descriptor is a sleep */
		return (nr == SYS_poll || nr == SYS_ppoll) && !mode ? CAUSE_SLEEP
								    : cause_of_file(mode);
	}
	return CAUSE_OTHER;
}
