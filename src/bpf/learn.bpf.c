// SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only
/* Tells user space where each thread of a process has its thread pointer and stack, without touching the process. */
/* The order matters: types, helpers that need them, then what is shared. */
#include "bpf/kern.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>

#include "bpf/wire.h"

#include "bpf/task.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u32 target_pid = 0; /* as the reader's pid namespace numbers it */

SEC("iter/task")
int list_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *self = (void *)bpf_get_current_task();
	struct rs_thread_info info = {};
	struct pt_regs *regs;
	unsigned int level;

	if (!task)
		return 0;
	level = BPF_CORE_READ(self, thread_pid, level);
	if (pid_at_level(BPF_CORE_READ(task, group_leader), level) != target_pid)
		return 0;
	info.tid = pid_at_level(task, level);
	info.tid_global = task->pid;
	info.tgid_global = task->tgid;
	info.state = task->__state;
	info.level = level;
	info.fsbase = task->thread.fsbase;
	info.switches = task->nvcsw + task->nivcsw;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (regs) {
		info.sp = BPF_CORE_READ(regs, sp);
		info.ip = BPF_CORE_READ(regs, ip);
	}
	bpf_probe_read_kernel_str(info.comm, sizeof(info.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &info, sizeof(info));
	return 0;
}
