/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A small ELF file made by hand, with what the tool looks for in a Tokio program. */
#ifndef RS_TESTS_ELF_FIXTURE_H
#define RS_TESTS_ELF_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fixture_relocations { RELOCATIONS_RELA, RELOCATIONS_IN_PLACE };

struct fixture_options {
	bool fixed; /* ET_EXEC with its vtables in .rodata, else ET_DYN */
	enum fixture_relocations relocations;
	bool no_sections; /* as sstrip leaves a file */
	bool no_symbols;
	bool v0; /* symbol mangling, else legacy */
	bool old_tokio; /* 1.20.1: no offsets in the vtables */
	bool no_vtables;
	bool no_tls;
	bool no_version;
};

#define FIXTURE_SIZE 0x8000
#define FIXTURE_FIXED_BASE 0x400000
#define FIXTURE_TEXT 0x2000
#define FIXTURE_FUNCTION_SIZE 32
#define FIXTURE_VTABLES 3
/* Function k of the text; vtable i uses 7 * i to 7 * i + 6 */
#define FIXTURE_FUNCTION(k) (FIXTURE_TEXT + (k)*FIXTURE_FUNCTION_SIZE)
#define FIXTURE_BLOCKING 2 /* this vtable is a blocking task's */
#define FIXTURE_MARKER_START FIXTURE_FUNCTION(30)
#define FIXTURE_MARKER_END FIXTURE_FUNCTION(31)
#define FIXTURE_SET_TASK_ID FIXTURE_FUNCTION(32)

/* Writes the file image to buf (FIXTURE_SIZE bytes). */
void fixture_build(uint8_t *buf, const struct fixture_options *o);
/* Writes bytes to a new temporary file; its name goes to path. Returns 0 or -1. */
int fixture_write(const void *bytes, size_t n, char path[32]);

#endif
