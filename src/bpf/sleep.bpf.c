// SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only
/*
 * Tells user space what one thread is asleep in, and which file or socket is behind a descriptor of it. The thread does
 * not notice, and the time is the tool's.
 */
/* The order matters: types, helpers that need them, then what is shared. */
#include "bpf/kern.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "bpf/wire.h"

#include "bpf/file.bpf.h"
#include "bpf/socket.bpf.h"
#include "bpf/task.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* As the reader's pid namespace numbers them. */
const volatile __u32 target_pid = 0;
__u32 wanted_tid;
__s64 wanted_fd; /* -1 = none */

static __always_inline void note_registers(const struct pt_regs *regs, struct rs_sleep *s)
{
	s->regs[0] = BPF_CORE_READ(regs, ax);
	s->regs[1] = BPF_CORE_READ(regs, cx);
	s->regs[2] = BPF_CORE_READ(regs, dx);
	s->regs[3] = BPF_CORE_READ(regs, bx);
	s->regs[4] = BPF_CORE_READ(regs, sp);
	s->regs[5] = BPF_CORE_READ(regs, bp);
	s->regs[6] = BPF_CORE_READ(regs, si);
	s->regs[7] = BPF_CORE_READ(regs, di);
	s->regs[8] = BPF_CORE_READ(regs, r8);
	s->regs[9] = BPF_CORE_READ(regs, r9);
	s->regs[10] = BPF_CORE_READ(regs, r10);
	s->regs[11] = BPF_CORE_READ(regs, r11);
	s->regs[12] = BPF_CORE_READ(regs, r12);
	s->regs[13] = BPF_CORE_READ(regs, r13);
	s->regs[14] = BPF_CORE_READ(regs, r14);
	s->regs[15] = BPF_CORE_READ(regs, r15);
	s->ip = BPF_CORE_READ(regs, ip);
}

static __always_inline void note_call(struct task_struct *task, struct rs_sleep *s)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 nr;

	if (!regs)
		return;
	nr = BPF_CORE_READ(regs, orig_ax);
	s->nr = (__s32)nr < 0 ? -1 : (__s32)nr;
	note_registers(regs, s);
	s->args[0] = s->regs[7];
	s->args[1] = s->regs[6];
	s->args[2] = s->regs[2];
	s->args[3] = s->regs[10];
	s->args[4] = s->regs[8];
	s->args[5] = s->regs[9];
}

static __always_inline void note_file(struct task_struct *task, struct rs_sleep *s)
{
	struct file *file = wanted_fd < 0 ? NULL : file_of_fd(task, wanted_fd);

	if (!file)
		return;
	s->mode = BPF_CORE_READ(file, f_inode, i_mode);
	s->object = identity_of(file);
	if ((s->mode & RS_S_IFMT) == RS_S_IFSOCK)
		note_socket(file, &s->socket);
}

/* Too large for the stack. */
static struct rs_sleep told;

SEC("iter/task")
int tell_sleep(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *self = (void *)bpf_get_current_task();
	unsigned int level;

	if (!task)
		return 0;
	level = BPF_CORE_READ(self, thread_pid, level);
	if (pid_at_level(task, level) != wanted_tid ||
	    pid_at_level(BPF_CORE_READ(task, group_leader), level) != target_pid)
		return 0;
	__builtin_memset(&told, 0, sizeof(told));
	told.tid = wanted_tid;
	told.switches = task->nvcsw + task->nivcsw;
	told.is_asleep = is_asleep(task);
	told.fs_base = task->thread.fsbase;
	note_call(task, &told);
	note_file(task, &told);
	bpf_seq_write(ctx->meta->seq, &told, sizeof(told));
	return 0;
}
