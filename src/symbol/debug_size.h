/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How much of a file libdw would read and unpack at once: it has no bounds of its own. */
#ifndef RS_SYMBOL_DEBUG_SIZE_H
#define RS_SYMBOL_DEBUG_SIZE_H

#include <elfutils/libdw.h>
#include <stdbool.h>

/* Bytes of all compressed sections when they are unpacked, which dwarf_begin_elf does with each. */
uint64_t unpacked_size(Elf *elf);
/* Bytes of a section, unpacked, of a file that libdw has opened. 0: there is none. */
uint64_t debug_section_size(Elf *elf, const char *name);
/*
 * Bytes of the line program of a compilation unit, unpacked; of a unit in a .dwo file, of all that are there. libdw takes 100
 * times as much memory for it. 0: none.
 */
uint64_t line_program_size(Dwarf_Die *die, bool is_split);

#endif
