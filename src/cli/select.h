/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From what the user named to process ids. */
#ifndef RS_CLI_SELECT_H
#define RS_CLI_SELECT_H

#include "cli/options.h"
#include "target/target.h"

/* The pids of --pid, or the one process of --name. Returns how many, 0 when the options name neither, or negative
 * errno with a sentence in err: -ESRCH no process has the name, -ENOTUNIQ several have. Pids are not looked up. */
int select_pids(const struct options *o, pid_t ret[static OPT_MAX_PIDS], struct rs_error *err);
/* Whether a process with this pid exists; a zombie does not count. */
bool pid_alive(pid_t pid);
/* What the tool exits with when a target cannot be found, read or watched for this reason (negative errno). */
int target_exit_code(int r);

#endif
