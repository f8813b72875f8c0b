/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The source lines of one compilation unit's code, in a quarter of the memory that libdw takes for them, and that can be freed. */
#ifndef RS_SYMBOL_LINE_TABLE_H
#define RS_SYMBOL_LINE_TABLE_H

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

struct line_row {
	uint32_t start; /* from the base on; until the next row's */
	uint32_t file; /* number of it; UINT32_MAX: no code */
	uint32_t line;
};

struct line_table {
	struct line_row *rows;
	size_t n;
	char **files; /* NULL where they have no name */
	size_t n_files;
	size_t bytes; /* of all that */
};

/* Of the unit whose entry is at that offset of .debug_info. 0; -ENOMEM; -EBADMSG: dwarf_errmsg(-1) says why. */
int line_table_read(Elf *elf, Dwarf_Off unit, uint64_t base, struct line_table *ret);
void line_table_clear(struct line_table *t);
/* NULL: none is known. `offset` is from the base on. */
const struct line_row *line_table_at(const struct line_table *t, uint64_t offset);

#endif
