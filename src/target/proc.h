/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Small files of /proc/PID. All functions return negative errno on failure; -ENOENT or -ESRCH: no
 * such process. */
#ifndef RS_TARGET_PROC_H
#define RS_TARGET_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct file_maps;

struct proc_stat {
	char comm[16];
	char state;
	bool kernel_thread;
	uint64_t start_time;
};

int proc_open_file(pid_t pid, const char *name);
int proc_read_stat(pid_t pid, struct proc_stat *ret);
int proc_read_maps(pid_t pid, struct file_maps *ret);
/* Tgid of /proc/PID/status: /proc/TID exists for every thread, but is listed for leaders only. */
pid_t proc_thread_group(pid_t pid);
/* The number that the process has in its own pid namespace, where that is another one. */
pid_t proc_inner_pid(pid_t pid);
/* readlink of /proc/PID/exe, "" when it cannot be read; NULL: out of memory. To be freed. */
char *proc_exe(pid_t pid);

#endif
