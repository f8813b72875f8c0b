/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/watch.h"

#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "model/syscalls.h"
#include "probe/quiet.h"
#include "probe/trial.h"
#include "probe/uprobe.h"
#include "watch.skel.h"

struct watch {
	struct watch_bpf *skel;
	struct ring_buffer *ring;
	struct rs_thread *threads;
	watch_handler handler;
	void *context;
	struct bpf_link **ticks; /* one per CPU */
	struct bpf_link *walk; /* made on first use */
	int keeper_fd; /* -1 = not open */
	int n_cpus;
	uint32_t freq;
	bool has_uprobe_multi, has_session, has_walk;
};

static int on_record(void *context, void *record, size_t size)
{
	struct watch *w = context;

	w->handler(w->context, record, size);
	return 0;
}

/* Number of arguments of the sched_switch tracepoint: 3, or 4 with the previous state (since 5.18). */
static int sched_switch_arguments(const struct btf *btf)
{
	const struct btf_type *t;
	int id = btf__find_by_name_kind(btf, "btf_trace_sched_switch", BTF_KIND_TYPEDEF);

	if (id < 0)
		return id;
	t = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	if (!t || !btf_is_ptr(t))
		return -EINVAL;
	t = btf__type_by_id(btf, t->type);
	if (!t || !btf_is_func_proto(t))
		return -EINVAL;
	return btf_vlen(t) - 1; /* the first one is the probe's own data pointer */
}

static bool struct_has_member(const struct btf *btf, const char *name, const char *member)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);

	for (int i = 0; t && i < btf_vlen(t); i++) {
		const char *n = btf__name_by_offset(btf, btf_members(t)[i].name_off);

		if (n && !strcmp(n, member))
			return true;
	}
	return false;
}

static int set_kernel_facts(struct watch *w, struct rs_error *err)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int n;

	if (!btf) {
		snprintf(
			err->text, sizeof(err->text),
			"Cannot read the kernel's type information: /sys/kernel/btf/vmlinux is missing. "
			"Use a kernel built with CONFIG_DEBUG_INFO_BTF.");
		return -EOPNOTSUPP;
	}
	n = sched_switch_arguments(btf);
	w->skel->rodata->has_prev_state = n >= 4;
	w->skel->rodata->has_throttled_time = struct_has_member(btf, "cfs_bandwidth",
								"throttled_time");
	/* With it the walk reads a sleeping thread. Since 5.18 (376040e47334). */
	w->has_walk = btf__find_by_name_kind(btf, "bpf_copy_from_user_task", BTF_KIND_FUNC) > 0;
	btf__free(btf);
	if (n < 3) {
		snprintf(
			err->text, sizeof(err->text),
			"Cannot watch context switches: the kernel has no sched_switch tracepoint with types. "
			"Use a kernel of version 5.15 or newer.");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int map_threads(struct watch *w)
{
	void *p = mmap(NULL, sizeof(struct rs_thread) * RS_THREADS, PROT_READ | PROT_WRITE,
		       MAP_SHARED, bpf_map__fd(w->skel->maps.threads), 0);

	if (p == MAP_FAILED)
		return -errno;
	w->threads = p;
	return 0;
}

static int load_failed(int r, struct rs_error *err)
{
	if (r == -EPERM || r == -EACCES)
		snprintf(
			err->text, sizeof(err->text),
			"Cannot load the kernel programs: not permitted. Run as root, or give the tool what it needs: "
			"setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep $(command -v runtime-scope)");
	else
		snprintf(
			err->text, sizeof(err->text),
			"Cannot load the kernel programs: %s. Run runtime-scope doctor to see what this kernel lacks.",
			strerror(-r));
	return r;
}

static void set_syscalls(struct watch *w)
{
	for (int nr = 0; nr < RS_SYSCALLS; nr++)
		if (syscall_about(nr) == ABOUT_FD)
			w->skel->rodata->fd_syscalls[nr / 64] |= 1ULL << nr % 64;
}

static void set_probe_types(const struct watch *w)
{
	struct watch_bpf *skel = w->skel;
	struct bpf_program *programs[] = { skel->progs.on_poll_enter, skel->progs.on_poll_return,
					   skel->progs.on_marker, skel->progs.on_set_task_id };

	bpf_program__set_autoload(skel->progs.on_poll, w->has_session);
	bpf_program__set_autoload(skel->progs.on_poll_enter, !w->has_session);
	bpf_program__set_autoload(skel->progs.on_poll_return, !w->has_session);
	bpf_program__set_expected_attach_type(skel->progs.on_poll, UPROBE_SESSION_ATTACH_TYPE);
	for (size_t i = 0; w->has_uprobe_multi && i < sizeof(programs) / sizeof(programs[0]); i++)
		bpf_program__set_expected_attach_type(programs[i], UPROBE_MULTI_ATTACH_TYPE);
}

static int load_programs(struct watch *w, struct rs_error *err)
{
	int r;

	w->skel = watch_bpf__open();
	if (!w->skel)
		return -errno;
	r = set_kernel_facts(w, err);
	if (r < 0)
		return r;
	set_probe_types(w);
	set_syscalls(w);
	bpf_program__set_autoload(w->skel->progs.on_walk, w->has_walk);
	return watch_bpf__load(w->skel);
}

static int load(struct watch *w, struct rs_error *err)
{
	int r;

	w->has_uprobe_multi = !trial_uprobe_multi();
	w->has_session = !trial_uprobe_session();
	r = load_programs(w, err);
	if (r < 0)
		return err->text[0] ? r : load_failed(r, err);
	r = map_threads(w);
	if (r < 0)
		return load_failed(r, err);
	w->ring = ring_buffer__new(bpf_map__fd(w->skel->maps.events), on_record, w, NULL);
	return w->ring ? 0 : load_failed(-errno, err);
}

int watch_new(const struct watch_options *o, watch_handler handler, void *context,
	      struct watch **ret, struct rs_error *err)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	probe_quiet();
	w->handler = handler;
	w->context = context;
	w->freq = o->freq;
	w->keeper_fd = -1;
	w->n_cpus = libbpf_num_possible_cpus();
	w->ticks = calloc(w->n_cpus > 0 ? w->n_cpus : 1, sizeof(*w->ticks));
	r = w->ticks && w->n_cpus > 0 ? load(w, err) : -ENOMEM;
	if (r < 0) {
		watch_free(w);
		return r;
	}
	watch_config(w)->threshold_ns = o->threshold_ns;
	*ret = w;
	return 0;
}

int watch_try(void)
{
	static const struct watch_options any = { .freq = 100, .threshold_ns = 5000000 };
	struct watch *w = NULL;
	struct rs_error err = { 0 };
	int r = watch_new(&any, NULL, NULL, &w, &err);

	watch_free(w);
	return r;
}

static void close_keeper(struct watch *w)
{
	if (w->keeper_fd >= 0)
		close(w->keeper_fd);
	w->keeper_fd = -1;
}

struct watch *watch_free(struct watch *w)
{
	if (!w)
		return NULL;
	for (int i = 0; w->ticks && i < w->n_cpus; i++)
		bpf_link__destroy(w->ticks[i]);
	free(w->ticks);
	bpf_link__destroy(w->walk);
	close_keeper(w);
	ring_buffer__free(w->ring);
	if (w->threads)
		munmap(w->threads, sizeof(struct rs_thread) * RS_THREADS);
	watch_bpf__destroy(w->skel);
	free(w);
	return NULL;
}

static int open_tick(int cpu, uint32_t freq)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000ULL / freq,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A per-CPU event: one per task would be armed and cancelled at every context switch (5x slower, mechanism.md). */
static int attach_ticks(struct watch *w, struct rs_error *err)
{
	int attached = 0;

	for (int cpu = 0; cpu < w->n_cpus; cpu++) {
		int fd = open_tick(cpu, w->freq);

		if (fd == -ENODEV)
			continue; /* the CPU is offline */
		if (fd < 0) {
			snprintf(
				err->text, sizeof(err->text),
				"Cannot sample CPU %d: %s. The tool needs CAP_PERFMON (or kernel.perf_event_paranoid "
				"<= 0): setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep $(command -v runtime-scope)",
				cpu, strerror(-fd));
			return fd;
		}
		w->ticks[cpu] = bpf_program__attach_perf_event(w->skel->progs.on_tick, fd);
		if (!w->ticks[cpu]) {
			close(fd);
			return load_failed(-errno, err);
		}
		attached++;
	}
	return attached ? 0 : -ENODEV;
}

/*
 * The first event of a task on a machine has to wait for all CPUs (synchronize_rcu in account_event, 8-25 ms), and with none
 * left for a second the next one is the first again. This one counts nothing: it saves watch_word that wait. While it
 * is there, each context switch of the machine costs some ns more, so it goes when switches are too dear to be traced.
 */
static void keep_task_events(struct watch *w, bool is_on)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	if (!is_on)
		close_keeper(w);
	else if (w->keeper_fd < 0)
		w->keeper_fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

int watch_attach(struct watch *w, struct rs_error *err)
{
	struct watch_bpf *s = w->skel;
	struct {
		struct bpf_program *program;
		struct bpf_link **link;
	} tracepoints[] = {
		{ s->progs.on_switch, &s->links.on_switch },
		{ s->progs.on_exit, &s->links.on_exit },
		{ s->progs.on_exec, &s->links.on_exec },
	};

	for (size_t i = 0; i < sizeof(tracepoints) / sizeof(*tracepoints); i++) {
		*tracepoints[i].link = bpf_program__attach(tracepoints[i].program);
		if (!*tracepoints[i].link)
			return load_failed(-errno, err);
	}
	keep_task_events(w, true);
	return attach_ticks(w, err);
}

int watch_hook_switches(struct watch *w, bool is_on)
{
	struct bpf_link **link = &w->skel->links.on_switch;

	watch_config(w)->is_unhooked = !is_on;
	keep_task_events(w, is_on);
	if (!is_on) {
		bpf_link__destroy(*link);
		*link = NULL;
	} else if (!*link) {
		*link = bpf_program__attach(w->skel->progs.on_switch);
	}
	return is_on && !*link ? -errno : 0;
}

int watch_hook_wakes(struct watch *w, bool is_on)
{
	struct bpf_link **link = &w->skel->links.on_waking;

	if (!is_on) {
		bpf_link__destroy(*link);
		*link = NULL;
	} else if (!*link) {
		*link = bpf_program__attach(w->skel->progs.on_waking);
	}
	return is_on && !*link ? -errno : 0;
}

uint64_t watch_skipped(const struct watch *w)
{
	return w->skel->bss->n_skipped;
}

uint64_t watch_rationed(const struct watch *w)
{
	return w->skel->bss->n_rationed;
}

uint64_t watch_walked_switches(const struct watch *w)
{
	return w->skel->bss->walked_switches;
}

int watch_map_fd(const struct watch *w, const char *name)
{
	return bpf_object__find_map_fd_by_name(w->skel->obj, name);
}

/* Before 6.1 an iterator cannot be told the process: it walks all, the program filters. */
static struct bpf_link *attach_walk(struct watch *w, pid_t pid)
{
	union bpf_iter_link_info info = { .task = { .pid = pid } };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__attach_iter(w->skel->progs.on_walk, &opts);

	return link ? link : bpf_program__attach_iter(w->skel->progs.on_walk, NULL);
}

void watch_walk_for_stacks(struct watch *w, bool is_on)
{
	w->skel->bss->walks_for_stacks = is_on;
}

int watch_walk(struct watch *w, pid_t pid, unsigned int copy)
{
	_cleanup_close_
	int fd = -1;
	char nothing[64];

	if (!w->has_walk)
		return -EOPNOTSUPP;
	if (!w->walk)
		w->walk = attach_walk(w, pid);
	if (!w->walk)
		return -errno;
	watch_config(w)->walk_copy = copy;
	w->skel->bss->walked_switches = 0;
	fd = bpf_iter_create(bpf_link__fd(w->walk));
	if (fd < 0)
		return -errno;
	while (read(fd, nothing, sizeof(nothing)) > 0)
		continue;
	return 0;
}

struct rs_config *watch_config(struct watch *w)
{
	return &w->skel->bss->config;
}

struct rs_thread *watch_threads(struct watch *w)
{
	return w->threads;
}

bool watch_row(struct watch *w, size_t slot, struct rs_thread *ret)
{
	const struct rs_thread *t = &w->threads[slot];

	for (int tries = 0; tries < 3; tries++) {
		uint32_t seq = __atomic_load_n(&t->seq, __ATOMIC_ACQUIRE);

		if (!__atomic_load_n(&t->tid, __ATOMIC_RELAXED))
			return false;
		if (seq & 1)
			continue;
		memcpy(ret, t, sizeof(*ret));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&t->seq, __ATOMIC_RELAXED) == seq)
			return ret->depth <= RS_DEPTH;
	}
	return false;
}

size_t watch_n_slots(struct watch *w)
{
	uint32_t n = __atomic_load_n(&w->skel->bss->n_slots, __ATOMIC_RELAXED);

	return n < RS_THREADS ? n : RS_THREADS;
}

int watch_consume(struct watch *w)
{
	return ring_buffer__consume(w->ring);
}

int watch_counters(struct watch *w, uint64_t ret[RS_COUNT_MAX])
{
	_cleanup_free_
	struct rs_cpu *cpus = calloc(w->n_cpus, sizeof(*cpus));
	uint32_t zero = 0;

	if (!cpus)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(w->skel->maps.cpus), &zero, cpus))
		return -errno;
	memset(ret, 0, RS_COUNT_MAX * sizeof(*ret));
	for (int cpu = 0; cpu < w->n_cpus; cpu++)
		for (int i = 0; i < RS_COUNT_MAX; i++)
			ret[i] += cpus[cpu].counts[i];
	return 0;
}

int watch_fd(const struct watch *w)
{
	return ring_buffer__epoll_fd(w->ring);
}

static int attach(const struct watch *w, struct uprobe_request *q, struct probe_group **ret,
		  struct rs_error *err)
{
	if (!w->has_uprobe_multi)
		return uprobe_attach_each(q, ret, err);
	q->attach_type = UPROBE_MULTI_ATTACH_TYPE;
	return uprobe_attach_multi(q, ret, err);
}

int watch_probe(struct watch *w, enum probe_program program, bool at_return, pid_t pid,
		const char *path, const struct probe_site *sites, size_t n_sites,
		struct probe_group **ret, struct rs_error *err)
{
	struct bpf_program *programs[] = {
		[PROBE_MARKER] = w->skel->progs.on_marker,
		[PROBE_SET_TASK_ID] = w->skel->progs.on_set_task_id,
	};
	struct uprobe_request q = { .program = programs[program],
				    .at_return = at_return,
				    .pid = pid,
				    .path = path,
				    .sites = sites,
				    .n_sites = n_sites };

	return attach(w, &q, ret, err);
}

int watch_probe_polls(struct watch *w, pid_t pid, const char *path, const struct probe_site *sites,
		      size_t n_sites, struct probe_group **ret, struct rs_error *err)
{
	struct probe_group *returns, *enters;
	struct uprobe_request q = { .pid = pid, .path = path, .sites = sites, .n_sites = n_sites };
	int r;

	if (w->has_session) {
		q.program = w->skel->progs.on_poll;
		q.attach_type = UPROBE_SESSION_ATTACH_TYPE;
		return uprobe_attach_multi(&q, ret, err);
	}
	/* Returns first: an entry without its return would look like an endless poll. */
	q.program = w->skel->progs.on_poll_return;
	q.at_return = true;
	r = attach(w, &q, &returns, err);
	if (r < 0)
		return r;
	q.program = w->skel->progs.on_poll_enter;
	q.at_return = false;
	r = attach(w, &q, &enters, err);
	if (r < 0) {
		probe_group_free(returns);
		return r;
	}
	probe_group_join(enters, returns);
	*ret = enters;
	return 0;
}

int watch_word(struct watch *w, pid_t tid, uint64_t addr)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = addr,
		.bp_len = HW_BREAKPOINT_LEN_8,
		.sample_period = 1,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	_cleanup_close_
	int fd = syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(w->skel->progs.on_id_write)))
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_REFRESH, 1)) /* one shot; also enables it */
		return -errno;
	return take_fd(&fd);
}
