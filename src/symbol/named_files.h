/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Other files that debuginfo names, and that libdw opens by itself when it is asked for what is in them. The names are
 * hostile: a FIFO would hold it for ever, and a device may do anything when it is opened.
 */
#ifndef RS_SYMBOL_NAMED_FILES_H
#define RS_SYMBOL_NAMED_FILES_H

#include <elfutils/libdw.h>
#include <stdbool.h>

/* True when there is a regular file under the name, or nothing. `fd` is the file that names it. */
bool named_dwo_is_harmless(Dwarf_Die *skeleton, int fd);
bool named_alt_is_harmless(Dwarf *dwarf, int fd);

#endif
