/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rows in the form that the kernel side searches (bpf/wire_unwind.h). */
#ifndef RS_UNWIND_TABLE_H
#define RS_UNWIND_TABLE_H

#include <stddef.h>

#include "bpf/wire_unwind.h"
#include "unwind/rows.h"

/* parts[0] is the directory. The caller's; freed with unwind_table_clear. */
struct unwind_table {
	union rs_unwind_part *parts;
	size_t n;
};

/* -ENOMEM, or -ENOENT when there are no rows. */
int unwind_table_build(const struct unwind_rows *rows, struct unwind_table *ret);
void unwind_table_clear(struct unwind_table *t);

#endif
