/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Children of a process, and its threads: which there are, what they are called, and which of them has the other end of a pipe. */
#ifndef RS_TARGET_CHILDREN_H
#define RS_TARGET_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILDREN_MAX 64

/* Numbered as this tool's pid namespace does. Returns how many there are, CHILDREN_MAX at most (then there may be more);
 * or negative errno. */
int children_list(pid_t pid, pid_t ret[CHILDREN_MAX]);
/* The child that the process itself knows by that number, in its own pid namespace; -ESRCH: none. */
pid_t children_find(pid_t pid, uint64_t number);
/* The same for one of its threads, of the first few hundred. */
pid_t children_thread(pid_t pid, pid_t number);
/* The first child that has that pipe ("pipe:[123]") open for writing, or for reading; 0: none of the first few has. */
pid_t children_with_pipe(pid_t pid, const char *pipe, bool is_writer);

#endif
