/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Attaching one program to many functions of a file. */
#ifndef RS_PROBE_UPROBE_H
#define RS_PROBE_UPROBE_H

#include "probe/watch.h"

/* BPF_TRACE_UPROBE_MULTI of linux/bpf.h; headers before 6.6 and libbpf before 1.3 do not know it. */
#define UPROBE_MULTI_ATTACH_TYPE 48
/* BPF_TRACE_UPROBE_SESSION, since 6.13: the program at the entry decides whether it also runs at the return. */
#define UPROBE_SESSION_ATTACH_TYPE 57

/* The link_create part of union bpf_attr for uprobe_multi links, as linux/bpf.h of 6.6 lays it out. */
struct uprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t cnt, multi_flags, pid, pad;
};

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

/* Kernel >= 6.6, CAP_BPF + CAP_PERFMON. */
int uprobe_attach_multi(const struct uprobe_request *q, struct probe_group **ret,
			struct rs_error *err);
/* Any kernel; needs CAP_SYS_ADMIN since the fix of CVE-2025-38466. Slow to detach: one RCU grace period a site. */
int uprobe_attach_each(const struct uprobe_request *q, struct probe_group **ret,
		       struct rs_error *err);
/* `g` now owns `other`, too. */
void probe_group_join(struct probe_group *g, struct probe_group *other);

#endif
