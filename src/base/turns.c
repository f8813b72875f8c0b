/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/turns.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TURN_NS 100000 /* the least there is */
#define RESET_ON_FORK 1

void turns_ask(bool is_patient)
{
	/* struct sched_attr; linux/sched/types.h and sched.h of glibc 2.36 exclude each other */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = {
		.size = sizeof(a),
		.policy = is_patient ? SCHED_BATCH : SCHED_OTHER,
		.flags = RESET_ON_FORK,
		.nice = getpriority(PRIO_PROCESS, 0),
		.runtime = TURN_NS,
	};
	int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;

	/* Whoever chose another policy for the tool knows why. */
	if (policy == SCHED_OTHER || policy == SCHED_BATCH)
		syscall(SYS_sched_setattr, 0, &a, 0);
}
