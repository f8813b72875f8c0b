/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a future is called and where it is written, from the best source there is for its type. */
#ifndef RS_SYMBOL_FUTURES_H
#define RS_SYMBOL_FUTURES_H

#include "symbol/object.h"
#include "target/code.h"
#include "target/name.h"

struct tokio_copy;

#define FUTURE_DOUBT "\xe2\x89\x88" /* before a name that is likely, not sure: "≈" */

struct future {
	char name[sizeof(FUTURE_DOUBT) + 600]; /* hostile text */
	const char *source; /* "v0", "dwarf", "symbol", "location", "address" */
	char file[512]; /* of its async body; "": not known; hostile text */
	uint32_t line;
	char *type; /* the whole type as the compiler writes it; NULL: not known */
};

/*
 * The future behind a vtable. `o` is the module's object (NULL: there is none), `code` the same file. Takes milliseconds.
 * Free ret->type.
 */
void future_describe(struct object *o, const struct code_file *code, const struct tokio_copy *c,
		     size_t vtable, struct future *ret);

/*
 * The future whose poll a stack is in (frames innermost first): the outermost one below Tokio's poll of a task or its
 * block_on. Marked as doubtful where inlined functions are not known. False when the stack does not tell.
 */
#define FUTURE_STACK_NAME (FUTURE_NAME_SIZE + sizeof(FUTURE_DOUBT))
bool future_of_stack(const struct frame *frames, size_t n, char ret[FUTURE_STACK_NAME]);

#endif
