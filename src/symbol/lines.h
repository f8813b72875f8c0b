/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Source lines and inlined functions of an address, from DWARF. */
#ifndef RS_SYMBOL_LINES_H
#define RS_SYMBOL_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINES_DEPTH 64 /* functions inlined into each other, in one place */

struct lines;

struct problems;

/* Borrowed from the file: valid until the next call. */
struct line_frame {
	const char *function; /* mangled where the file has it so; NULL unknown */
	uint32_t nth; /* of the closures in one function, 0 first; legacy names do not have it */
	const char *file;
	const char *directory; /* that `file` is relative to; NULL: it is not */
	uint32_t line; /* 0 unknown */
	bool is_plain; /* the name is as the source has it, without what it is part of */
};

struct lines_source {
	int fd; /* stays open until lines_close; not taken over */
	const char *name; /* of the file, for people; NULL: nothing is told */
	struct problems *problems; /* may be NULL */
};

/* The debuginfo in an ELF file. -ENOENT: it has none, or none that can be read, and that has been told; -EFBIG: it would
 * take too much memory. */
int lines_open(const struct lines_source *from, struct lines **ret);
struct lines *lines_close(struct lines *l);
/*
 * Who is at a virtual address: innermost first, each inlined into the next. Returns how many; 0: no unit has the address.
 * The first address of a compilation unit costs reading all of that unit. What has been read takes 32 MB at most, or one
 * unit: then the units that were not asked for the longest are forgotten.
 */
size_t lines_find(struct lines *l, uint64_t addr, struct line_frame ret[LINES_DEPTH]);
/*
 * The name of the function whose code is at addr as the source has it, generic arguments included ("poll<F, S>"). NULL: no
 * unit has the address. Costs as much.
 */
const char *lines_generic_name(struct lines *l, uint64_t addr);
/*
 * Where an async body is written: `type` is its type's path as debuginfo has it ("app::f::{async_fn_env#0}<u8>"), in the unit
 * of the code at addr. False where that unit does not have it.
 */
bool lines_body(struct lines *l, uint64_t addr, const char *type, size_t len,
		struct line_frame *ret);

#endif
