/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a sleep inside a system call means: its name and the cause it stands for. */
#ifndef RS_MODEL_SYSCALLS_H
#define RS_MODEL_SYSCALLS_H

#include <stdint.h>

#include "model/block.h"

/* Static string; "syscall_N" for a number that libseccomp does not know. x86-64. */
const char *syscall_name(int nr);
/* `mode` is i_mode of the file behind the first argument, 0 when there is none; nr -1 is a page fault. */
enum cause syscall_cause(int nr, uint16_t mode);

#endif
