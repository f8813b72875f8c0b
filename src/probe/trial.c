/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/trial.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/uprobe.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define UPROBE_TYPE_PATH "/sys/bus/event_source/devices/uprobe/type"
#define N(array) (sizeof(array) / sizeof((array)[0]))

static void freep_btf(struct btf **btf)
{
	btf__free(*btf);
}

/* Whatever was opened shows that it can be; nothing of it is kept. */
static int close_trial(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int load(enum bpf_prog_type type, const struct bpf_insn *code, size_t n,
		const struct bpf_prog_load_opts *opts)
{
	int fd = bpf_prog_load(type, NULL, "GPL", code, n, opts);

	return fd < 0 ? -errno : fd;
}

static const struct bpf_insn return_zero[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

int trial_btf(void)
{
	return access(BTF_PATH, R_OK) ? -errno : 0;
}

int trial_bpf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL);

	return fd < 0 ? -errno : close_trial(fd);
}

/* Kernel lockdown does not refuse the load itself, but takes the helper away: so the trial calls it. */
int trial_read_kernel(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		return_zero[0],
		return_zero[1],
	};

	return close_trial(load(BPF_PROG_TYPE_RAW_TRACEPOINT, code, N(code), NULL));
}

int trial_ringbuf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, NULL, 0, 0, (__u32)sysconf(_SC_PAGESIZE),
				NULL);

	return fd < 0 ? -errno : close_trial(fd);
}

int trial_sched_switch(void)
{
	_cleanup_(freep_btf) struct btf *btf = btf__load_vmlinux_btf();
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id;

	if (!btf)
		return -errno;
	id = btf__find_by_name_kind(btf, "btf_trace_sched_switch", BTF_KIND_TYPEDEF);
	if (id < 0)
		return id;
	opts.attach_btf_id = (__u32)id;
	return close_trial(load(BPF_PROG_TYPE_TRACING, return_zero, N(return_zero), &opts));
}

static int perf_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd;

	attr->size = sizeof(*attr);
	fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int trial_cpu_clock(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.freq = 1,
					.sample_freq = 997,
					.disabled = 1 };
	long n = sysconf(_SC_NPROCESSORS_CONF);
	int r = -ENODEV;

	/* The first CPUs may be offline. */
	for (int cpu = 0; cpu < n && r == -ENODEV; cpu++)
		r = perf_open(&attr, -1, cpu);
	return close_trial(r);
}

/* Asks for a probe on "/", which is no file to put one on: how the kernel refuses says how far it got. */
static int refuse_uprobe_multi(__u32 type, __u32 pid, int *ret_refusal)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	_cleanup_close_
	int prog = load(BPF_PROG_TYPE_KPROBE, return_zero, N(return_zero), &opts);
	__u64 offset = 0;
	struct uprobe_multi_attr attr = { .attach_type = type,
					  .path = (__u64)(unsigned long)"/",
					  .offsets = (__u64)(unsigned long)&offset,
					  .cnt = 1,
					  .pid = pid };
	long fd;

	if (prog < 0)
		return prog;
	attr.prog_fd = (__u32)prog;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	*ret_refusal = fd < 0 ? -errno : close_trial((int)fd);
	return 0;
}

static int trial_multi(__u32 type)
{
	int refusal = 0, r = refuse_uprobe_multi(type, 0, &refusal);

	if (r < 0)
		return r;
	/* A kernel that knows it looks at the path, and finds no regular file. */
	return refusal == -EBADF ? 0 : refusal == -EINVAL || !refusal ? -EOPNOTSUPP : refusal;
}

int trial_uprobe_multi(void)
{
	return trial_multi(UPROBE_MULTI_ATTACH_TYPE);
}

int trial_uprobe_session(void)
{
	return trial_multi(UPROBE_SESSION_ATTACH_TYPE);
}

/* Until 6.10 (commit 46ba0e49b642) the pid filter meant a single thread. That series also refuses an impossible
 * pid before it looks at the path, which is what can be seen from outside. */
int trial_uprobe_multi_pid(void)
{
	int refusal = 0, r = refuse_uprobe_multi(UPROBE_MULTI_ATTACH_TYPE, (__u32)-1, &refusal);

	if (r < 0)
		return r;
	return refusal == -EINVAL ? 0 : -EOPNOTSUPP;
}

static int read_uprobe_type(__u32 *ret)
{
	_cleanup_fclose_
	FILE *f = fopen(UPROBE_TYPE_PATH, "re");

	if (!f)
		return -errno;
	return fscanf(f, "%u", ret) == 1 ? 0 : -EINVAL;
}

/* Privileges are checked before the path, so a path that does not exist tells without planting anything. */
int trial_perf_uprobe(void)
{
	struct perf_event_attr attr = {
		.disabled = 1, .config1 = (__u64)(unsigned long)"/proc/self/no-such-file"
	};
	__u32 type;
	int r = read_uprobe_type(&type);

	if (r < 0)
		return r;
	attr.type = type;
	r = perf_open(&attr, 0, -1);
	return r == -ENOENT ? 0 : close_trial(r);
}

int trial_breakpoint(void)
{
	static volatile unsigned long watched;
	struct perf_event_attr attr = { .type = PERF_TYPE_BREAKPOINT,
					.bp_type = HW_BREAKPOINT_W,
					.bp_addr = (__u64)(unsigned long)&watched,
					.bp_len = sizeof(watched),
					.sample_period = 1,
					.disabled = 1,
					.exclude_kernel = 1,
					.exclude_hv = 1 };

	return close_trial(perf_open(&attr, 0, -1));
}

int trial_read_process(pid_t pid)
{
	_cleanup_fclose_
	FILE *maps = NULL;
	char path[32], byte;
	unsigned long start;
	struct iovec local = { &byte, 1 }, remote;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	errno = 0;
	if (fscanf(maps, "%lx", &start) != 1)
		return errno ? -errno : -ESRCH;
	remote = (struct iovec){ (void *)start, 1 };
	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 ? 0 : -errno;
}
