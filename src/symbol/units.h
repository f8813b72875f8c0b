/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The compilation units of a file with debuginfo, and which of them has the code at an address. A unit is read when it is
 * asked for, and forgotten when there are too many others.
 */
#ifndef RS_SYMBOL_UNITS_H
#define RS_SYMBOL_UNITS_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbol/line_table.h"
#include "symbol/lines.h"
#include "symbol/scopes.h"

#define UNITS_CODE 16 /* segments */

struct unit {
	Dwarf_Die die; /* of the file itself: lines */
	Dwarf_Die functions; /* the same, or of a .dwo */
	struct scopes scopes;
	struct line_table lines;
	uint64_t asked; /* when it was needed last, by units.n_asked */
	bool is_read;
	bool has_lines; /* that may be read */
};

struct range {
	uint64_t start, end;
	uint64_t reach; /* the highest end of this one and those before it: they may overlap */
	uint32_t unit;
};

struct units {
	struct lines_source from;
	Elf *elf;
	Dwarf *dwarf;
	struct unit *rows;
	size_t n, capacity;
	struct range *ranges;
	size_t n_ranges, ranges_capacity;
	struct {
		uint64_t start, end;
	} code[UNITS_CODE];
	size_t n_code;
	size_t used; /* bytes of units that are read */
	uint64_t n_asked;
	size_t n_split_missing;
	size_t scopes_left; /* of SCOPES_MAX */
	uint64_t programs_left; /* of PROGRAMS_MAX */
	bool is_listed; /* by all units, not by the table alone */
};

/*
 * Lists the units of from->fd. 0; -ENOENT: there are none, or none that can be read, and that has been told; -EFBIG: it would
 * take too much memory; -ENOMEM. To be cleared in any case.
 */
int units_open(struct units *l, const struct lines_source *from);
void units_clear(struct units *l);
/* The unit that has the code at addr, read; NULL: none. */
struct unit *units_at(struct units *l, uint64_t addr);

#endif
