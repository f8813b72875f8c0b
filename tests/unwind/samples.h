/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Instants of a running process: registers and a copy of the stack, taken by the kernel at ticks and at context switches. */
#ifndef RS_TESTS_SAMPLES_H
#define RS_TESTS_SAMPLES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* In the order of DWARF's register numbers. */
enum { SAMPLE_BP = 6, SAMPLE_SP = 7, SAMPLE_IP = 16, SAMPLE_REGISTERS = 17 };

struct sample {
	uint64_t registers[SAMPLE_REGISTERS];
	uint32_t tid;
	uint32_t size; /* of the stack, from rsp on */
	uint8_t *stack;
};

struct samples {
	struct sample *at;
	size_t n, capacity;
	uint64_t n_lost; /* no room for them in the kernel's buffer */
};

/* Watches all threads of pid for so long. Returns 0, or -1 when that has been said why not. */
int samples_take(pid_t pid, double seconds, size_t max, struct samples *ret);
void samples_clear(struct samples *x);

#endif
