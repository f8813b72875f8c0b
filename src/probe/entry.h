/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a probed function begins: that decides what the kernel does at each hit, and so the price. */
#ifndef RS_PROBE_ENTRY_H
#define RS_PROBE_ENTRY_H

#include <stdint.h>

enum entry_kind {
	ENTRY_SIMPLE, /* push, jmp, call, nop: emulated by every kernel */
	ENTRY_SUB, /* sub $n,%rsp: emulated by some */
	ENTRY_OTHER, /* stepped over out of line: 15-20 us in a virtual machine */
	ENTRY_KINDS
};

#define ENTRY_BYTES 4

/* From the function's first bytes. */
enum entry_kind entry_kind(const uint8_t code[ENTRY_BYTES]);

#endif
