/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "learn.skel.h"

#define MAX_THREADS 65536

struct thread_lister {
	struct learn_bpf *skel;
	struct bpf_link *link;
};

struct thread_lister *thread_lister_free(struct thread_lister *l)
{
	if (!l)
		return NULL;
	bpf_link__destroy(l->link);
	learn_bpf__destroy(l->skel);
	free(l);
	return NULL;
}

/* The iterator can be told the process since 6.1 (f0d74c4da1f0); before, it walks all and the program filters. */
static struct bpf_link *attach_iterator(struct bpf_program *program, pid_t pid)
{
	union bpf_iter_link_info info = { .task = { .pid = pid } };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__attach_iter(program, &opts);

	return link ? link : bpf_program__attach_iter(program, NULL);
}

int thread_lister_new(pid_t pid, struct thread_lister **ret, struct rs_error *err)
{
	struct thread_lister *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (!l)
		return r;
	l->skel = learn_bpf__open();
	if (l->skel) {
		l->skel->rodata->target_pid = pid;
		r = learn_bpf__load(l->skel);
	}
	if (!r) {
		l->link = attach_iterator(l->skel->progs.list_threads, pid);
		r = l->link ? 0 : -errno;
	}
	if (r) {
		snprintf(
			err->text, sizeof(err->text),
			"Cannot list the target's threads through BPF: %s. Run runtime-scope doctor to see what this "
			"kernel and these privileges lack.",
			strerror(-r));
		thread_lister_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

int thread_list(struct thread_lister *l, struct rs_thread_info **ret)
{
	_cleanup_close_
	int fd = bpf_iter_create(bpf_link__fd(l->link));
	_cleanup_free_
	struct rs_thread_info *infos = NULL;
	size_t used = 0, size = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (size - used < sizeof(*infos) * 16) {
			void *larger;

			size = size ? size * 2 : sizeof(*infos) * 64;
			if (size > MAX_THREADS * sizeof(*infos))
				return -E2BIG;
			larger = realloc(infos, size);
			if (!larger)
				return -ENOMEM;
			infos = larger;
		}
		n = read(fd, (char *)infos + used, size - used);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += n;
	}
	*ret = take_ptr(infos);
	return used / sizeof(*infos);
}
