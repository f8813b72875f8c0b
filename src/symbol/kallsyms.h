/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel's own functions, from /proc/kallsyms. */
#ifndef RS_SYMBOL_KALLSYMS_H
#define RS_SYMBOL_KALLSYMS_H

#include <stdint.h>
#include <stdio.h>

#define KERNEL_START 0x8000000000000000ULL /* addresses from here on are the kernel's */

struct kallsyms;

/* Parses the whole of it. NULL: out of memory, or all addresses are hidden (kernel.kptr_restrict). */
struct kallsyms *kallsyms_read(FILE *in);
struct kallsyms *kallsyms_free(struct kallsyms *k);
/* The function around an address, NULL when there is none. Owned by k. */
const char *kallsyms_name(const struct kallsyms *k, uint64_t addr);

#endif
