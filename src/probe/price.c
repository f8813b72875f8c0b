/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/price.h"

#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define CALLS 500
#define BODY_NS \
	150 /* what the programs do for a thread of the target beyond the filter (measured) */

#define SPIN_NS 1000000 /* shorter than the kernel's own tick period: not every try is hit by one */
#define TICK_NS 40000
#define SPINS 10

/* One function for each kind of beginning. Nearly all poll functions begin with a push or a jump. */
__attribute__((naked, noinline, used)) static void scratch_simple(void)
{
	__asm__ volatile("push %rbp\n\tpop %rbp\n\tret");
}

__attribute__((naked, noinline, used)) static void scratch_sub(void)
{
	__asm__ volatile("sub $8,%rsp\n\tadd $8,%rsp\n\tret");
}

__attribute__((naked, noinline, used)) static void scratch_other(void)
{
	__asm__ volatile("mov %rdi,%rsi\n\tret");
}

static void (*const scratches[ENTRY_KINDS])(void) = {
	[ENTRY_SIMPLE] = scratch_simple,
	[ENTRY_SUB] = scratch_sub,
	[ENTRY_OTHER] = scratch_other,
};

/* Offset of the function in this program's file, from the mapping that holds it. */
static uint64_t offset_in_file(const void *function)
{
	uint64_t addr = (uintptr_t)function, start, end, off;
	_cleanup_fclose_
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &off) == 3 &&
		    addr >= start && addr < end)
			return addr - start + off;
	return 0;
}

static uint64_t time_calls(void (*function)(void))
{
	void (*volatile call)(void) = function;
	uint64_t from = now_ns();

	for (int i = 0; i < CALLS; i++)
		call();
	return now_ns() - from;
}

/* The least of a few tries: what else the machine did meanwhile is not the probe's price. */
static uint64_t least_time(void (*function)(void))
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t ns = time_calls(function);

		least = ns < least ? ns : least;
	}
	return least;
}

uint64_t probe_price_ns(struct watch *w, enum entry_kind kind, struct rs_error *err)
{
	void (*function)(void) = scratches[kind];
	struct probe_site site = { .offset = offset_in_file((const void *)function) };
	struct probe_group *group = NULL;
	uint64_t bare = least_time(function), probed = 0;

	if (site.offset &&
	    watch_probe_polls(w, getpid(), "/proc/self/exe", &site, 1, &group, err) >= 0)
		probed = least_time(function);
	probe_group_free(group);
	return probed > bare ? (probed - bare) / CALLS + BODY_NS : 0;
}

/* Rounds of clock reads in SPIN_NS: work that is interrupted gets less done. */
static uint64_t spin(void)
{
	uint64_t rounds = 0, until = now_ns() + SPIN_NS;

	while (now_ns() < until)
		rounds++;
	return rounds;
}

static uint64_t most_rounds(void)
{
	uint64_t most = 0;

	for (int i = 0; i < SPINS; i++) {
		uint64_t rounds = spin();

		most = rounds > most ? rounds : most;
	}
	return most;
}

uint64_t tick_price_ns(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = TICK_NS,
		.disabled = 1,
	};
	_cleanup_close_
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	uint64_t bare, ticked;

	if (fd < 0)
		return 0;
	bare = most_rounds();
	if (ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
		return 0;
	ticked = most_rounds();
	if (!bare || ticked >= bare)
		return 0;
	return (bare - ticked) * TICK_NS / bare;
}
