/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/sleeper.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "probe/quiet.h"
#include "sleep.skel.h"

#define TRIES 4 /* a process has no more threads than that many million */

struct sleeper {
	struct sleep_bpf *skel;
	struct bpf_link *link;
};

struct sleeper *sleeper_free(struct sleeper *s)
{
	if (!s)
		return NULL;
	bpf_link__destroy(s->link);
	sleep_bpf__destroy(s->skel);
	free(s);
	return NULL;
}

/* The iterator can be told the process since 6.1 (f0d74c4da1f0); before, it walks all and the program filters. */
static int attach(struct sleeper *s, pid_t pid)
{
	union bpf_iter_link_info info = { .task = { .pid = pid } };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	s->link = bpf_program__attach_iter(s->skel->progs.tell_sleep, &opts);
	if (!s->link)
		s->link = bpf_program__attach_iter(s->skel->progs.tell_sleep, NULL);
	return s->link ? 0 : -errno;
}

int sleeper_new(pid_t pid, struct sleeper **ret)
{
	struct sleeper *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (!s)
		return r;
	probe_quiet();
	s->skel = sleep_bpf__open();
	if (s->skel) {
		s->skel->rodata->target_pid = pid;
		r = sleep_bpf__load(s->skel);
	}
	if (!r)
		r = attach(s, pid);
	if (r < 0) {
		sleeper_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int sleeper_look(struct sleeper *s, uint32_t tid, int64_t fd, struct rs_sleep *ret)
{
	_cleanup_close_
	int iter = -1;
	struct rs_sleep told;
	ssize_t n;

	s->skel->bss->wanted_tid = tid;
	s->skel->bss->wanted_fd = fd;
	iter = bpf_iter_create(bpf_link__fd(s->link));
	if (iter < 0)
		return -errno;
	/* EAGAIN: it has looked at a million threads, and not found it yet. */
	for (int i = 0; i < TRIES; i++) {
		n = read(iter, &told, sizeof(told));
		if (n >= 0 || errno != EAGAIN)
			break;
	}
	if (n < 0)
		return -errno;
	if (n != sizeof(told))
		return -ESRCH;
	*ret = told;
	return 0;
}
