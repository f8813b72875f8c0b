/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reads machine code from a file: which constants a function and what it calls refer to. Needs no
 * symbols. */
#ifndef RS_TARGET_CODE_H
#define RS_TARGET_CODE_H

#include "target/eh_frame.h"
#include "target/image.h"

/* The constants of a file and its functions. Empty at first (zeroes); cleared also where opening failed. */
struct code_file {
	struct elf_file *file;
	struct image img;
	struct unwind_index functions;
};

int code_file_open(const char *path, struct code_file *ret);
void code_file_clear(struct code_file *c);

/* Constants whose addresses are loaded one after the other, up to a call or the end of a block. */
#define CODE_MAX_REFS 8

struct code_refs {
	unsigned int depth; /* 0: the entry function */
	uint64_t function; /* that they are in */
	uint64_t callee; /* what is called with them, 0 when it is not a direct call */
	uint64_t addrs[CODE_MAX_REFS];
	uint64_t at[CODE_MAX_REFS]; /* the instructions that load them */
	size_t n; /* 0 once for each function, before its first */
	const struct walk *walk;
};

struct code_limits {
	unsigned int depth; /* calls followed from the entry */
	unsigned int functions;
	unsigned int bytes; /* decoded in all */
};

/*
 * Walks breadth first from `entry` through direct calls, jumps out of a function and function
 * pointers. Stops when `see` returns nonzero and returns that; 0 at the end, negative errno on
 * failure.
 */
int code_walk(const struct image *img, const struct unwind_index *functions, uint64_t entry,
	      const struct code_limits *limits, int (*see)(const struct code_refs *refs, void *arg),
	      void *arg);

/* From where the function with these references was reached: the call in its caller, that in the caller's caller … up to the
 * entry. Only while `see` runs. Returns how many. */
size_t code_callers(const struct code_refs *refs, uint64_t *ret, size_t max);

/* A panic location {file, length, line, column} at a virtual address. False when there is none. */
struct code_location {
	char file[512]; /* hostile */
	uint32_t line, column;
};

bool code_read_location(const struct image *img, uint64_t addr, struct code_location *ret);

#endif
