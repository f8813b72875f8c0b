/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* For those who read a file through libelf, and not through elf_file.h: libdw wants it so. */
#ifndef RS_TARGET_ELF_SECTION_H
#define RS_TARGET_ELF_SECTION_H

#include <gelf.h>

/* The first section of that name, and its header; NULL: there is none. */
Elf_Scn *elf_section_named(Elf *elf, const char *name, GElf_Shdr *ret);

#endif
