/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Attaching one program to many functions of a file. */
#ifndef RS_PROBE_UPROBE_H
#define RS_PROBE_UPROBE_H

#include "probe/watch.h"

/* BPF_TRACE_UPROBE_MULTI of linux/bpf.h; headers before 6.6 and libbpf before 1.3 do not know it. */
#define UPROBE_MULTI_ATTACH_TYPE 48

struct bpf_program;

struct uprobe_request {
	struct bpf_program *program;
	bool at_return;
	pid_t pid;
	const char *path;
	const struct probe_site *sites;
	size_t n_sites;
};

/* Found by trial: loads and links a program of one instruction. */
bool uprobe_multi_supported(void);
/* Kernel >= 6.6, CAP_BPF + CAP_PERFMON. */
int uprobe_attach_multi(const struct uprobe_request *q, struct probe_group **ret,
			struct rs_error *err);
/* Any kernel; needs CAP_SYS_ADMIN since the fix of CVE-2025-38466. Slow to detach: one RCU grace period a site. */
int uprobe_attach_each(const struct uprobe_request *q, struct probe_group **ret,
		       struct rs_error *err);

#endif
