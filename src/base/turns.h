/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How soon this thread gets a CPU when it wakes up on a busy machine. */
#ifndef RS_BASE_TURNS_H
#define RS_BASE_TURNS_H

#include <stdbool.h>

/*
 * Asks for short turns, which come soon, and lets them begin at once or (is_patient: SCHED_BATCH never preempts on
 * wake-up, sched(7)) only when the CPU is free or the running thread's turn is over. Takes no larger share of the CPU,
 * needs no privilege, and is not passed on to children. Kernels before 6.12 do not know short turns
 * (857b158dc5e8) and leave them out.
 */
void turns_ask(bool is_patient);

#endif
