/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/*
 * The kernel types the programs read, by name only: CO-RE relocates every field at load time, so neither kernel
 * headers nor a generated vmlinux.h is needed. Kernel >= 5.15.
 */
#ifndef RS_BPF_KERN_H
#define RS_BPF_KERN_H

#define __VMLINUX_H__ /* makes bpf_tracing.h use the kernel's names of pt_regs */

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

enum {
	BPF_ANY = 0,
	BPF_F_CURRENT_CPU = 0xffffffffULL,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum bpf_map_type {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};

#define BPF_F_MMAPABLE (1U << 10)
#define BPF_F_INNER_MAP (1U << 12)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_arrival; /* on a CPU, by the scheduler's clock */
};

struct thread_struct {
	unsigned long fsbase;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	__u32 i_generation;
};

struct file {
	struct inode *f_inode;
	const void *f_op;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct cfs_bandwidth {
	__u64 throttled_time;
};

struct task_group {
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};

/* A return probe has replaced a return address on the stack by that of a trampoline; here is what it was. */
struct return_instance {
	unsigned long orig_ret_vaddr;
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances; /* innermost first */
};

struct xol_area {
	unsigned long vaddr; /* begins with the trampoline */
};

struct uprobes_state {
	struct xol_area *xol_area;
};

struct mm_struct {
	struct uprobes_state uprobes_state;
};

struct task_struct {
	unsigned int __state;
	void *stack;
	int on_cpu; /* CONFIG_SMP */
	int pid;
	int tgid;
	unsigned int flags;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct sched_info sched_info;
	struct thread_struct thread;
	struct mm_struct *mm;
	struct uprobe_task *utask; /* CONFIG_UPROBES */
	struct files_struct *files;
	struct task_group *sched_task_group;
	unsigned long nvcsw, nivcsw;
	int softirq_disable_cnt; /* CONFIG_PREEMPT_RT */
	__u64 start_time;
	char comm[16];
};

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip,
		cs, flags, sp, ss;
};

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_perf_event_data {
	struct pt_regs regs;
};

#pragma clang attribute pop

#endif
