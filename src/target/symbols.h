/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the symbol tables say about Tokio. Tables are streamed: a debug build has tens of megabytes
 * of names. */
#ifndef RS_TARGET_SYMBOLS_H
#define RS_TARGET_SYMBOLS_H

#include "target/elf_file.h"
#include "target/target.h"

enum marker { MARKER_START, MARKER_END, MARKER_SET_TASK_ID, MARKER_COUNT };

struct symbol_name {
	uint64_t addr;
	char *name; /* mangled; hostile */
};

struct tokio_symbols {
	enum symbol_kind kind; /* how the symbols that mention tokio are mangled */
	int64_t context; /* st_value of the CONTEXT thread-local, or -1 */
	uint64_t context_size;
	int64_t local; /* likewise of task::local::CURRENT */
	uint64_t local_size;
	uint64_t markers[MARKER_COUNT]; /* virtual addresses, 0 = not there */
	struct symbol_name *names; /* in address order, one an address */
	size_t n_names;
};

/*
 * Names the functions at addrs (sorted, distinct). With n_addrs 0 it lists every instance of
 * tokio::runtime::task::raw::poll instead. 0 or negative errno; what is malformed is skipped.
 */
int symbols_read(const struct elf_file *f, const uint64_t *addrs, size_t n_addrs,
		 struct tokio_symbols *ret);
void symbols_clear(struct tokio_symbols *s);
/* The name at addr, or NULL. */
const char *symbols_name(const struct tokio_symbols *s, uint64_t addr);

#endif
