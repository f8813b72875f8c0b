/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stacks that the kernel side has told, by their hashes. Polls refer to them. */
#ifndef RS_MODEL_STACKS_H
#define RS_MODEL_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire.h"

struct stacks;

/* Addresses innermost first: the kernel's, then the program's. */
struct stack {
	uint32_t n_kernel, n_user;
	enum rs_unwind_end end;
	uint64_t exact[2]; /* bits, of the program's: the instruction itself, else a return address */
	uint64_t addrs[];
};

struct stacks *stacks_new(void);
struct stacks *stacks_free(struct stacks *s);
/* Keeps a copy. 0; -EBADMSG: a record that cannot be; -ENOMEM; -ENOSPC: STACKS_BYTES_MAX are used. */
int stacks_add(struct stacks *s, const struct rs_event_stack *e, size_t size);
/* NULL: unknown, lost or not taken. */
const struct stack *stacks_find(const struct stacks *s, uint64_t hash);
/* Whether addrs[i] is a return address. */
bool stack_is_return(const struct stack *s, size_t i);

#endif
