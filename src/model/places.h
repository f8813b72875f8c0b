/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What future types are called and where they are written, found by a thread of its own: reading a poll function's code takes
 * milliseconds, and the thread that empties the ring must not wait for it. Asked for when a poll gets long, known when the
 * block ends. */
#ifndef RS_MODEL_PLACES_H
#define RS_MODEL_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/tasks.h"
#include "symbol/symbolizer.h"
#include "target/poll_index.h"
#include "target/target.h"

struct places;

/* `copies` is an array that stays where it is; entries may be added at its end. NULL when out of memory. */
struct places *places_new(const struct tokio_copy *copies, struct symbolizer *symbolizer);
struct places *places_free(struct places *p);
/* Asks for a vtable's future; repeated requests cost nothing. False when there is no room for more. */
bool places_want(struct places *p, uint32_t copy, uint32_t vtable);
/* NULL while it is not known yet. Owned by p, valid until places_free. */
const struct future *places_find(struct places *p, uint32_t copy, uint32_t vtable);
/* Whether the poll functions of a copy are known by their addresses; asks for that otherwise. */
bool places_know_polls(struct places *p, uint32_t copy);
/* The type whose poll function an address is in. POLL_NOWHERE as long as that is not known. */
enum poll_place places_poll_at(struct places *p, uint32_t copy, uint64_t addr,
			       uint32_t *ret_vtable);

#endif
