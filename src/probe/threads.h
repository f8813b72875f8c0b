/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The threads of a process as the kernel sees them: thread pointer, stack pointer, state. */
#ifndef RS_PROBE_THREADS_H
#define RS_PROBE_THREADS_H

#include <stddef.h>
#include <sys/types.h>

#include "bpf/wire.h"
#include "target/target.h"

struct thread_lister;

int thread_lister_new(pid_t pid, struct thread_lister **ret, struct rs_error *err);
struct thread_lister *thread_lister_free(struct thread_lister *l);
/* One pass over the threads of the process. *ret is the caller's to free. Returns their number or negative errno. */
int thread_list(struct thread_lister *l, struct rs_thread_info **ret);

#endif
