/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RS_UNWIND_HARMLESS_H
#define RS_UNWIND_HARMLESS_H

#include <elfutils/libdw.h>
#include <stdbool.h>

#include "target/eh_frame.h"

/*
 * Whether libdw may execute the call frame information of a file. It makes room for whatever register an instruction names
 * (two gigabytes for the highest), copies that each time registers are remembered, and keeps each expression at a hundred
 * times its size. False for what no compiler for x86-64 writes: such a file has no rows.
 */
bool frames_are_harmless(Elf *elf, const struct unwind_index *functions);

#endif
