/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What an ELF file says of unwinding its code (.eh_frame; .debug_frame for functions that it lacks), as rows that the kernel side can search. */
#ifndef RS_UNWIND_ROWS_H
#define RS_UNWIND_ROWS_H

#include <stddef.h>

#include "bpf/wire_unwind.h"
#include "target/elf_file.h"

/* Sorted by pc; each holds until the next one. Addresses are ELF virtual addresses. */
struct unwind_rows {
	struct rs_unwind_row *rows;
	size_t n;
	size_t n_unsupported; /* whose rules cannot be expressed: a stack ends there, and says so */
};

/*
 * Compiles the call frame information of a file. 0 with no rows when it has none that is known; -ENOMEM; -EFBIG when it
 * lies above 4 GB, has more than RS_UNWIND_ROWS_MAX, or would take too much memory to read;
 * -EBADMSG: see frames_are_harmless. What is malformed is left out: a stack ends there.
 */
int unwind_rows_read(const struct elf_file *file, struct unwind_rows *ret);
/* The same for an image in memory, such as the vDSO's. It is not changed, and not needed afterwards. */
int unwind_rows_of_image(void *image, size_t size, struct unwind_rows *ret);
void unwind_rows_clear(struct unwind_rows *x);

#endif
