/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/uprobe.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"

#define UPROBE_MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

struct probe_group {
	int multi_fd; /* -1 when the sites have a link each */
	struct bpf_link **links;
	size_t n_links;
	struct probe_group *other; /* goes with this one */
};

static int link_create(const struct uprobe_multi_attr *attr)
{
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, attr, sizeof(*attr));

	return fd < 0 ? -errno : fd;
}

static int new_group(struct probe_group **ret)
{
	struct probe_group *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->multi_fd = -1;
	*ret = g;
	return 0;
}

struct probe_group *probe_group_free(struct probe_group *g)
{
	if (!g)
		return NULL;
	if (g->multi_fd >= 0)
		close(g->multi_fd);
	for (size_t i = 0; i < g->n_links; i++)
		bpf_link__destroy(g->links[i]);
	free(g->links);
	probe_group_free(g->other);
	free(g);
	return NULL;
}

void probe_group_join(struct probe_group *g, struct probe_group *other)
{
	g->other = other;
}

static int attach_failed(const struct uprobe_request *q, int r, struct rs_error *err)
{
	snprintf(
		err->text, sizeof(err->text),
		"Cannot probe %zu functions of the target: %s. Sampled timing without markers needs no probe.",
		q->n_sites, strerror(-r));
	return r;
}

int uprobe_attach_multi(const struct uprobe_request *q, struct probe_group **ret,
			struct rs_error *err)
{
	_cleanup_free_
	uint64_t *offsets = calloc(q->n_sites, sizeof(*offsets));
	_cleanup_free_
	uint64_t *cookies = calloc(q->n_sites, sizeof(*cookies));
	struct probe_group *g;
	int r = offsets && cookies ? new_group(&g) : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < q->n_sites; i++) {
		offsets[i] = q->sites[i].offset;
		cookies[i] = q->sites[i].cookie;
	}
	g->multi_fd = link_create(&(struct uprobe_multi_attr){
		.prog_fd = bpf_program__fd(q->program),
		.attach_type = q->attach_type,
		.path = (uintptr_t)q->path,
		.offsets = (uintptr_t)offsets,
		.cookies = (uintptr_t)cookies,
		.cnt = q->n_sites,
		.multi_flags = q->at_return ? UPROBE_MULTI_RETURN : 0,
		.pid = q->pid,
	});
	if (g->multi_fd < 0) {
		r = attach_failed(q, g->multi_fd, err);
		probe_group_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

int uprobe_attach_each(const struct uprobe_request *q, struct probe_group **ret,
		       struct rs_error *err)
{
	struct probe_group *g;
	int r = new_group(&g);

	if (r < 0)
		return r;
	g->links = calloc(q->n_sites, sizeof(*g->links));
	for (size_t i = 0; g->links && i < q->n_sites; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = q->sites[i].cookie,
			    .retprobe = q->at_return);

		g->links[i] = bpf_program__attach_uprobe_opts(q->program, q->pid, q->path,
							      q->sites[i].offset, &opts);
		if (!g->links[i]) {
			r = attach_failed(q, -errno, err);
			probe_group_free(g);
			return r;
		}
		g->n_links++;
	}
	*ret = g;
	return 0;
}
