/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where future types are written, found by a thread of its own: reading a poll function's code takes milliseconds, and
 * the thread that empties the ring must not wait for it. Asked for when a poll gets long, known when the block ends. */
#ifndef RS_MODEL_PLACES_H
#define RS_MODEL_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/target.h"

struct place {
	char file[256]; /* hostile text */
	uint32_t line;
	char name[280]; /* "file:line" */
};

struct places;

/* `copies` is an array that stays where it is; entries may be added at its end. NULL when out of memory. */
struct places *places_new(const struct tokio_copy *copies);
struct places *places_free(struct places *p);
/* Asks for a vtable's place; repeated requests cost nothing. */
void places_want(struct places *p, uint32_t copy, uint32_t vtable);
/* NULL while it is not known (yet). Owned by p, valid until places_free. */
const struct place *places_find(struct places *p, uint32_t copy, uint32_t vtable);

#endif
