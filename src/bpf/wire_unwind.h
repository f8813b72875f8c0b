/* SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only */
/*
 * Unwinding, shared by kernel and user space: the tables that user space compiles from call frame information, and what a
 * stack looks like.
 */
#ifndef RS_BPF_WIRE_UNWIND_H
#define RS_BPF_WIRE_UNWIND_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define RS_FRAMES 127 /* of user space */
#define RS_KERNEL_FRAMES 32
#define RS_TABLES 512 /* files with code, in one process */
#define RS_CHUNK_ROWS 2048 /* a power of two */
#define RS_CHUNKS 4096 /* of one file's table; a power of two */
#define RS_UNWIND_ROWS_MAX (RS_CHUNK_ROWS * (RS_CHUNKS - 1))
#define RS_MAPPINGS 1024 /* of code, in one process; a power of two */
#define RS_PC_NONE 0xffffffff /* fills the unused ends of tables */

/* How the caller's stack pointer is found (the CFA: what rsp is after the return). The offset counts words of 8 bytes. */
enum rs_cfa {
	RS_CFA_GAP = 0, /* nothing is known of the code here */
	RS_CFA_END = 1, /* nobody called this: the start of the thread */
	RS_CFA_UNSUPPORTED = 2, /* it is known, but not in these terms */
	RS_CFA_SP = 3,
	RS_CFA_BP = 4,
	RS_CFA_AT_SP = 5, /* saved in memory at rsp + offset */
	RS_CFA_AT_BP = 6,
	RS_CFA_AT_SP_8 = 7, /* the same, plus 8 */
	RS_CFA_AT_BP_8 = 8,
	RS_CFA_PLT = 9, /* a stub of 16 bytes: one push more from the byte `offset` on */
	RS_CFA_SIGNAL = 10, /* all registers are in the signal frame */
};

/* Where the caller's rbp is: at CFA - 8 * bp, or one of these. */
enum rs_bp {
	RS_BP_SAME = 0,
	RS_BP_AT_BP = 254, /* in memory where rbp points to */
	RS_BP_LOST = 255,
};

struct rs_unwind_row {
	__u32 pc; /* from here on; ELF virtual address */
	__s16 offset;
	__u8 cfa; /* enum rs_cfa */
	__u8 bp; /* enum rs_bp */
};
_Static_assert(sizeof(struct rs_unwind_row) == 8, "rs_unwind_row is shared");

/*
 * A table is an array of these: first a directory, the pc of the first row of each chunk of rows, then the chunks. Unused
 * places hold RS_PC_NONE.
 */
union rs_unwind_part {
	__u32 firsts[RS_CHUNKS];
	struct rs_unwind_row rows[RS_CHUNK_ROWS];
};
_Static_assert(sizeof(union rs_unwind_part) == 16384, "rs_unwind_part is shared");

/* A mapping of code. Sorted by start; unused places start at ~0. */
struct rs_mapping {
	__u64 start, end;
	__u64 bias; /* address in memory less ELF virtual address */
	__u32 table;
	__u32 pad;
};

struct rs_mappings {
	struct rs_mapping at[RS_MAPPINGS];
};

/* Why a stack has no more frames. */
enum rs_unwind_end {
	RS_UNWIND_COMPLETE = 0, /* the thread's start */
	RS_UNWIND_DEEP = 1, /* RS_FRAMES is not enough */
	RS_UNWIND_NO_MAPPING =
		2, /* the address is in no known code: JIT, or a module that has just been loaded */
	RS_UNWIND_NO_TABLE = 3, /* the module has no call frame information there */
	RS_UNWIND_RULE = 4, /* RS_CFA_UNSUPPORTED */
	RS_UNWIND_BP = 5, /* rbp is needed, but lost on the way */
	RS_UNWIND_MEMORY = 6, /* the stack could not be read */
	RS_UNWIND_LOOP = 7, /* the stack does not get shorter: what was read was no stack */
	RS_UNWIND_GUESSED =
		8, /* the thread's start, but by frame pointers through code without a table */
};

#endif
