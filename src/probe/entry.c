/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "probe/entry.h"

#include <stdbool.h>

static bool is_push(const uint8_t *c)
{
	return (c[0] & 0xf8) == 0x50 || (c[0] == 0x41 && (c[1] & 0xf8) == 0x50);
}

static bool is_branch(const uint8_t *c)
{
	return c[0] == 0xe8 || c[0] == 0xe9 || c[0] == 0xeb; /* call, jmp, jmp short */
}

static bool is_nop(const uint8_t *c)
{
	return c[0] == 0x90 || (c[0] == 0x66 && c[1] == 0x90) || (c[0] == 0x0f && c[1] == 0x1f);
}

static bool is_sub_rsp(const uint8_t *c)
{
	return c[0] == 0x48 && (c[1] == 0x83 || c[1] == 0x81) && c[2] == 0xec;
}

enum entry_kind entry_kind(const uint8_t code[ENTRY_BYTES])
{
	if (is_push(code) || is_branch(code) || is_nop(code))
		return ENTRY_SIMPLE;
	return is_sub_rsp(code) ? ENTRY_SUB : ENTRY_OTHER;
}
