/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The functions that an ELF file's symbol table names, by address. Names stay in the file until they are asked for. */
#ifndef RS_SYMBOL_SYMTAB_H
#define RS_SYMBOL_SYMTAB_H

#include "target/elf_file.h"

struct symtab_row {
	uint64_t addr;
	uint32_t size; /* of one without a size: to the end of its section; 0 unknown */
	uint32_t name; /* offset in the string table */
};

struct symtab {
	const struct elf_file *file;
	uint64_t strings, strings_end; /* in the file */
	struct symtab_row *rows; /* one an address, in their order */
	size_t n;
};

/* .symtab, or .dynsym where that is stripped. An absent or malformed table is empty. 0 or -ENOMEM. `file` must outlive it. */
int symtab_load(const struct elf_file *file, struct symtab *ret);
void symtab_clear(struct symtab *s);
/* The mangled name of the function around a virtual address. Its length; -ENOENT: none. */
int symtab_name(const struct symtab *s, uint64_t addr, char *ret, size_t size);

#endif
