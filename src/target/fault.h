/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which memory a thread waits for that sleeps in a page fault. */
#ifndef RS_TARGET_FAULT_H
#define RS_TARGET_FAULT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FAULT_REGISTERS 16
#define FAULT_CODE 16 /* bytes: no instruction of x86-64 is longer than 15 */
#define FAULT_OPERANDS 2 /* in memory, of one instruction */

struct fault_registers {
	uint64_t general[FAULT_REGISTERS]; /* as instructions number them: rax, rcx, rdx, rbx, rsp, … */
	uint64_t ip, fs_base;
};

/* The addresses that the instruction at ip reads and writes. Returns how many, or -ENODATA: they cannot be told. */
int fault_addresses(const struct fault_registers *r, const uint8_t code[FAULT_CODE], size_t n,
		    uint64_t ret[FAULT_OPERANDS]);
/* Names the mapping that is waited for: the path of a file, "heap", "stack", "anonymous memory", or what else
 * /proc/PID/maps says. Hostile text. -ENODATA: nothing certain can be said. */
int fault_mapping(pid_t pid, const struct fault_registers *r, char *ret, size_t size);

#endif
