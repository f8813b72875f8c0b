/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How much there is to read before a line of a unit is known. */
#ifndef RS_SYMBOL_LINE_PROGRAM_H
#define RS_SYMBOL_LINE_PROGRAM_H

#include <elfutils/libdw.h>
#include <stdbool.h>

/*
 * Bytes of the line program of a compilation unit, uncompressed; of a unit in a .dwo file, of all that are there. libdw takes
 * 100 times as much memory for it, all at once. 0: none.
 */
uint64_t line_program_size(Dwarf_Die *die, bool is_split);

#endif
