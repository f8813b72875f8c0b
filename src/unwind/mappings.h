/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which table tells of the code at an address of the target. */
#ifndef RS_UNWIND_MAPPINGS_H
#define RS_UNWIND_MAPPINGS_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/wire_unwind.h"

struct process;

#define UNWIND_NO_TABLE UINT32_MAX

/* This kernel's vDSO, which every process of it has, in this one's memory. 0 and untouched: there is none. */
size_t unwind_vdso(void **ret_image);

/*
 * Writes the mappings of code of all modules with a table (tables[i] is that of modules[i], or UNWIND_NO_TABLE), and of the
 * vDSO. Returns how many did not fit into RS_MAPPINGS.
 */
size_t unwind_mappings(const struct process *p, const uint32_t *tables, uint32_t vdso_table,
		       struct rs_mappings *ret);

#endif
