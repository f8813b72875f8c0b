/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "samples.h"

#include <asm/perf_regs.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define RING_BYTES (32u << 20)
#define STACK_BYTES (56u << 10) /* a record has to stay below 64 KB */
#define HERTZ 199
#define EACH_SWITCH 5
#define CPUS 256
#define FDS 8192

/* Of each DWARF register, its number in perf's order. */
static const uint8_t perf_number[SAMPLE_REGISTERS] = {
	PERF_REG_X86_AX,  PERF_REG_X86_DX,  PERF_REG_X86_CX,  PERF_REG_X86_BX,	PERF_REG_X86_SI,
	PERF_REG_X86_DI,  PERF_REG_X86_BP,  PERF_REG_X86_SP,  PERF_REG_X86_R8,	PERF_REG_X86_R9,
	PERF_REG_X86_R10, PERF_REG_X86_R11, PERF_REG_X86_R12, PERF_REG_X86_R13, PERF_REG_X86_R14,
	PERF_REG_X86_R15, PERF_REG_X86_IP,
};

struct ring {
	struct perf_event_mmap_page *page;
	int fd;
};

struct watch {
	struct ring rings[CPUS];
	int fds[FDS];
	size_t n_cpus, n_fds;
	pid_t pid;
	uint64_t mask; /* of perf's registers */
	uint8_t record[1 << 16];
};

static int switch_event(void)
{
	FILE *f = fopen("/sys/kernel/tracing/events/sched/sched_switch/id", "re");
	int id = -1;

	if (f && fscanf(f, "%d", &id) != 1)
		id = -1;
	if (f)
		fclose(f);
	return id;
}

/* One event of one thread and its children on one CPU. The first on a CPU has its ring. */
static int add_event(struct watch *w, struct perf_event_attr *attr, pid_t tid, size_t cpu)
{
	struct ring *r = &w->rings[cpu];
	int fd = (int)syscall(SYS_perf_event_open, attr, tid, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0 || w->n_fds == FDS)
		return errno == ESRCH ? 0 : -1; /* it has ended */
	w->fds[w->n_fds++] = fd;
	if (r->page)
		return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, r->fd);
	r->page = mmap(NULL, RING_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	r->fd = fd;
	if (r->page != MAP_FAILED)
		return 0;
	r->page = NULL;
	return -1;
}

static int add_thread(struct watch *w, pid_t tid)
{
	struct perf_event_attr tick = {
		.size = sizeof(tick),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = HERTZ,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
		.sample_regs_user = w->mask,
		.sample_stack_user = STACK_BYTES,
		.inherit = 1,
	};
	struct perf_event_attr at_switch = tick;

	at_switch.type = PERF_TYPE_TRACEPOINT;
	at_switch.config = switch_event();
	at_switch.freq = 0;
	at_switch.sample_period = EACH_SWITCH;
	for (size_t cpu = 0; cpu < w->n_cpus; cpu++) {
		if (add_event(w, &tick, tid, cpu) || add_event(w, &at_switch, tid, cpu))
			return -1;
	}
	return 0;
}

static int add_threads(struct watch *w, pid_t pid)
{
	struct dirent *entry;
	char path[64];
	int r = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && !r && (entry = readdir(d))) {
		if (entry->d_name[0] != '.')
			r = add_thread(w, atoi(entry->d_name));
	}
	if (d)
		closedir(d);
	return d ? r : -1;
}

static void keep(struct watch *w, const uint8_t *body, size_t max, struct samples *ret)
{
	const uint64_t *words = (const uint64_t *)body;
	uint64_t abi = words[1], n_registers = (uint64_t)__builtin_popcountll(w->mask), room, used;
	struct sample *s = &ret->at[ret->n];

	if ((uint32_t)words[0] != (uint32_t)w->pid || abi != PERF_SAMPLE_REGS_ABI_64 || ret->n >= max)
		return; /* a child, a thread of the kernel, or on its way out */
	for (size_t i = 0; i < SAMPLE_REGISTERS; i++)
		s->registers[i] = words[2 + __builtin_popcountll(
						    w->mask & ((1ULL << perf_number[i]) - 1))];
	room = words[2 + n_registers];
	used = room ? *(const uint64_t *)((const uint8_t *)&words[3 + n_registers] + room) : 0;
	s->tid = (uint32_t)(words[0] >> 32);
	s->size = (uint32_t)used;
	s->stack = malloc(used + 1);
	if (!s->stack)
		return;
	memcpy(s->stack, &words[3 + n_registers], used);
	ret->n++;
}

static void copy_out(const struct ring *r, uint64_t at, void *to, size_t size)
{
	const uint8_t *data = (const uint8_t *)r->page + r->page->data_offset;

	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = data[(at + i) % RING_BYTES];
}

static void drain(struct watch *w, const struct ring *r, size_t max, struct samples *ret)
{
	uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t at = r->page->data_tail;

	while (at < head) {
		struct perf_event_header h;

		copy_out(r, at, &h, sizeof(h));
		copy_out(r, at + sizeof(h), w->record, h.size - sizeof(h));
		if (h.type == PERF_RECORD_SAMPLE)
			keep(w, w->record, max, ret);
		else if (h.type == PERF_RECORD_LOST)
			ret->n_lost += ((uint64_t *)w->record)[1];
		at += h.size;
	}
	__atomic_store_n(&r->page->data_tail, at, __ATOMIC_RELEASE);
}

static void watch_for(struct watch *w, double seconds, size_t max, struct samples *ret)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);

	while (now_ns() < end && ret->n < max) {
		nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
		for (size_t cpu = 0; cpu < w->n_cpus; cpu++)
			drain(w, &w->rings[cpu], max, ret);
	}
}

static void end_watch(struct watch *w)
{
	for (size_t i = 0; i < w->n_fds; i++)
		close(w->fds[i]);
	for (size_t cpu = 0; cpu < w->n_cpus; cpu++) {
		if (w->rings[cpu].page)
			munmap(w->rings[cpu].page, RING_BYTES + 4096);
	}
	free(w);
}

int samples_take(pid_t pid, double seconds, size_t max, struct samples *ret)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r = -1;

	*ret = (struct samples){ .at = calloc(max, sizeof(*ret->at)), .capacity = max };
	if (!w || !ret->at)
		goto out;
	w->pid = pid;
	w->n_cpus = (size_t)sysconf(_SC_NPROCESSORS_CONF);
	for (size_t i = 0; i < SAMPLE_REGISTERS; i++)
		w->mask |= 1ULL << perf_number[i];
	if (w->n_cpus > CPUS || add_threads(w, pid)) {
		perror("perf_event_open");
		goto out;
	}
	watch_for(w, seconds, max, ret);
	r = 0;
out:
	if (w)
		end_watch(w);
	return r;
}

void samples_clear(struct samples *x)
{
	for (size_t i = 0; i < x->n; i++)
		free(x->at[i].stack);
	free(x->at);
	*x = (struct samples){};
}
