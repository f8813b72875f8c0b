/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Attaching one program to many functions of a file. */
#ifndef RS_PROBE_UPROBE_H
#define RS_PROBE_UPROBE_H

#include "probe/watch.h"

/* BPF_TRACE_UPROBE_MULTI of linux/bpf.h; headers before 6.6 and libbpf before 1.3 do not know it. */
#define UPROBE_MULTI_ATTACH_TYPE 48
/* BPF_TRACE_UPROBE_SESSION, since 6.13: the program at the entry decides whether it also runs at the return. */
#define UPROBE_SESSION_ATTACH_TYPE 57

struct bpf_program;

struct uprobe_request {
	struct bpf_program *program;
	uint32_t attach_type; /* of a multi link */
	bool at_return;
	pid_t pid;
	const char *path;
	const struct probe_site *sites;
	size_t n_sites;
};

/* Found by trial: loads and links a program of one instruction. `attach_type`: one of the above. */
bool uprobe_multi_supported(uint32_t attach_type);
/* Kernel >= 6.6, CAP_BPF + CAP_PERFMON. */
int uprobe_attach_multi(const struct uprobe_request *q, struct probe_group **ret,
			struct rs_error *err);
/* Any kernel; needs CAP_SYS_ADMIN since the fix of CVE-2025-38466. Slow to detach: one RCU grace period a site. */
int uprobe_attach_each(const struct uprobe_request *q, struct probe_group **ret,
		       struct rs_error *err);
/* `g` now owns `other`, too. */
void probe_group_join(struct probe_group *g, struct probe_group *other);

#endif
