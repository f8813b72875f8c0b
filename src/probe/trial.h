/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One trial per kernel feature: the real system call, made in its smallest form and undone at once. Each returns 0
 * when the feature can be used by this process, else the negative errno that the kernel gave. */
#ifndef RS_PROBE_TRIAL_H
#define RS_PROBE_TRIAL_H

#include <sys/types.h>

int trial_btf(void);
int trial_bpf(void);
int trial_read_kernel(void);
int trial_ringbuf(void);
int trial_sched_switch(void);
int trial_cpu_clock(void);
int trial_uprobe_multi(void);
int trial_uprobe_session(void);
int trial_uprobe_multi_pid(void);
int trial_perf_uprobe(void);
int trial_breakpoint(void);
int trial_read_process(pid_t pid);

#endif
