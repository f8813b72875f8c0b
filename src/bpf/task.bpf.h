/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
#ifndef RS_BPF_TASK_H
#define RS_BPF_TASK_H

/* The pid or tid of a task as the pid namespace of that depth numbers it; 0 when it is not visible there. */
static __always_inline __u32 pid_at_level(struct task_struct *task, unsigned int level)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid upid = {};

	if (!pid || BPF_CORE_READ(pid, level) < level)
		return 0;
	/* numbers[] is a flexible array (declared with one entry before kernel b69f0aeb0689, 6.6) */
	bpf_probe_read_kernel(&upid.nr, sizeof(upid.nr),
			      (void *)((__u64)pid + bpf_core_field_offset(struct pid, numbers) +
				       level * bpf_core_type_size(struct upid)));
	return upid.nr;
}

/* Off the CPU, too: one that is about to sleep still works on its way there. */
static __always_inline bool is_asleep(const struct task_struct *task)
{
	return task->__state && !(bpf_core_field_exists(task->on_cpu) && task->on_cpu);
}

#endif
