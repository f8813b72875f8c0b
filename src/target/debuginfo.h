/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef RS_TARGET_DEBUGINFO_H
#define RS_TARGET_DEBUGINFO_H

#include "target/elf_file.h"
#include "target/target.h"

/*
 * How much DWARF the program's own Rust code carries, from the first compilation units only
 * (about a millisecond):
 *   none     no .debug_info, or only units of the standard library, which every program is
 *            linked with
 *   lines    units without names of modules (debug = "line-tables-only")
 *   limited  DW_TAG_namespace, but neither variables nor parameters (debug = 1)
 *   full     DW_TAG_variable or DW_TAG_formal_parameter (debug = 2)
 * The best of the first units counts. Compressed sections are not opened: there, location lists
 * mean full, their absence limited.
 */
enum debuginfo_kind debuginfo_level(const struct elf_file *f);

#endif
