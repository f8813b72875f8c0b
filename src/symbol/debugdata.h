/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* .gnu_debugdata: a compressed ELF file in a stripped one, with the symbols that .dynsym lacks (Fedora and its relatives). */
#ifndef RS_SYMBOL_DEBUGDATA_H
#define RS_SYMBOL_DEBUGDATA_H

#include "target/elf_file.h"

/* The file inside, in memory. -ENOENT: there is none. -EBADMSG: it is damaged. -EFBIG: more than 64 MiB. -ENOMEM. */
int debugdata_open(const struct elf_file *file, struct elf_file **ret);

#endif
