/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The functions of one compilation unit, those that were inlined too, sorted by how deep they are and where they begin. */
#ifndef RS_SYMBOL_SCOPES_H
#define RS_SYMBOL_SCOPES_H

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

/* The code of a function, or of a copy of it that was inlined. There are millions: offsets are enough. */
struct scope {
	uint32_t start, size; /* from the base on */
	uint32_t entry; /* from the unit's own entry on */
	uint32_t depth; /* 0: a function of its own */
};

struct scopes {
	uint64_t base; /* address that they count from; set before they are read */
	size_t left; /* ranges that may still be looked at; set before, too */
	char *unit; /* the unit's own entry */
	struct scope *rows;
	size_t n, capacity;
};

/* Walks the whole unit. */
void scopes_read(struct scopes *u, Dwarf_Die *unit);
void scopes_clear(struct scopes *u);
/* The one of that depth around an address, or NULL. */
const struct scope *scopes_at(const struct scopes *u, uint32_t depth, uint64_t addr);

#endif
