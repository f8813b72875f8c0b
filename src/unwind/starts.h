/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where functions with call frame information start. */
#ifndef RS_UNWIND_STARTS_H
#define RS_UNWIND_STARTS_H

#include <libelf.h>
#include <stddef.h>
#include <stdint.h>

#include "target/eh_frame.h"

/* Whether the file has a .debug_frame: what compilers write with debuginfo where they were told not to write .eh_frame. */
bool unwind_has_debug_frame(Elf *elf);
/*
 * ELF virtual addresses, sorted, of the functions in the index and in .debug_frame. The caller's, with their number.
 * NULL: out of memory.
 */
uint64_t *unwind_starts(Elf *elf, const struct unwind_index *functions, size_t *ret_n);

#endif
