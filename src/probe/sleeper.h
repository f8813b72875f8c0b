/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a thread of the target is asleep in, asked of the kernel: the target does not notice. */
#ifndef RS_PROBE_SLEEPER_H
#define RS_PROBE_SLEEPER_H

#include <stdint.h>
#include <sys/types.h>

#include "bpf/wire.h"

struct sleeper;

/* For the threads of one process. 0 or negative errno: what this kernel and these privileges do not allow. */
int sleeper_new(pid_t pid, struct sleeper **ret);
struct sleeper *sleeper_free(struct sleeper *s);
/* One thread, and the file behind that descriptor (-1: none). -ESRCH when it is gone. Costs 0.1 us for each thread of the
 * process (before Linux 6.1, of the machine). */
int sleeper_look(struct sleeper *s, uint32_t tid, int64_t fd, struct rs_sleep *ret);

#endif
