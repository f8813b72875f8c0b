/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Other files that debuginfo names, and that libdw opens by itself when it is asked for what is in them. The names are
 * hostile: a FIFO would hold it for ever, and a device may do anything when it is opened.
 */
#ifndef RS_SYMBOL_NAMED_FILES_H
#define RS_SYMBOL_NAMED_FILES_H

#include <elfutils/libdw.h>
#include <stdbool.h>

/* A text of an entry; NULL: it has none. */
const char *entry_text(Dwarf_Die *die, unsigned int attribute);
/* The name of the .dwo file that a skeleton has its functions in, as DWARF 5 or GNU has it; NULL: none. */
const char *named_dwo(Dwarf_Die *skeleton);
/* True when there is a regular file under the name, or nothing. `fd` is the file that names it. */
bool named_dwo_is_harmless(Dwarf_Die *skeleton, int fd);
bool named_alt_is_harmless(Dwarf *dwarf, int fd);

#endif
