/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A function that was being executed, as a reader sees it. */
#ifndef RS_SYMBOL_FRAME_H
#define RS_SYMBOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_kind {
	FRAME_UNKNOWN,
	FRAME_USER,
	FRAME_DEP,
	FRAME_RUNTIME,
	FRAME_STD,
	FRAME_LIBC,
	FRAME_KERNEL,
};

/* Strings are hostile text, NULL when unknown. */
struct frame {
	uint64_t addr; /* the instruction, or the one after the call */
	uint64_t offset; /* the same as the module's file has it (ELF virtual address) */
	const char *function; /* demangled */
	const char *file;
	uint32_t line; /* 0 unknown */
	const char *module; /* base name of the file it is in */
	enum frame_kind kind;
	bool is_inlined; /* into the next frame, which has the same addr */
	uint32_t nth; /* of the closures in one function, where debuginfo says it; 0 first or unknown */
	const char *text; /* of the line, if the file is at hand; of users' code and dependencies */
};

#endif
