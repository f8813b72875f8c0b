/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a sleep inside a system call means: its name and the cause it stands for. */
#ifndef RS_MODEL_SYSCALLS_H
#define RS_MODEL_SYSCALLS_H

#include <stdint.h>

#include "model/block.h"

/* What its arguments say it is about. */
enum syscall_about {
	ABOUT_UNKNOWN,
	ABOUT_FD, /* the first is a descriptor */
	ABOUT_CONNECT, /* descriptor, address, size of that */
	ABOUT_POLLED, /* array of struct pollfd, how many */
	ABOUT_PATH, /* the first is a path */
	ABOUT_PATH_AT, /* descriptor of a folder, path */
	ABOUT_TIME, /* struct timespec */
	ABOUT_CLOCK, /* clock, flags, struct timespec */
	ABOUT_CHILD, /* pid */
	ABOUT_CHILD_ID, /* type of id, id */
	ABOUT_FUTEX, /* word, operation, value it had */
	ABOUT_MEMORY, /* no system call: a page fault, mostly */
};

/* Static string; "syscall_N" for a number that libseccomp does not know. x86-64. */
const char *syscall_name(int nr);
/* `mode` is i_mode of the file behind the first argument, 0 when there is none; nr -1 is a page fault. */
enum cause syscall_cause(int nr, uint16_t mode);
enum syscall_about syscall_about(int nr);

#endif
