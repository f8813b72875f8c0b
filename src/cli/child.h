/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command that runs under the tool (-- COMMAND), and the processes it starts. */
#ifndef RS_CLI_CHILD_H
#define RS_CLI_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "target/target.h"

struct child;

/* Starts the command at this nice value; -ESRCH when it cannot be executed. */
int child_start(char **argv, int nice, struct child **ret, struct rs_error *err);
/* It and its descendants that are worth a look now; those set aside come back after a while or after an exec. */
size_t child_processes(struct child *c, pid_t *ret, size_t max);
/* Not a program for us, as it is now. */
void child_set_aside(struct child *c, pid_t pid);
bool child_has_exited(struct child *c);
void child_signal(struct child *c, int signal);
pid_t child_pid(const struct child *c);
/* Once it has exited: its exit code, 128 + signal when it was killed. */
int child_exit_code(const struct child *c);
struct child *child_free(struct child *c);

#endif
