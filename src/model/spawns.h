/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where tasks were spawned: programs built with `tokio_unstable` (Tokio 1.46) keep that in each task. */
#ifndef RS_MODEL_SPAWNS_H
#define RS_MODEL_SPAWNS_H

#include "target/target.h"

struct spawn_place {
	char file[256]; /* hostile text */
	uint32_t line;
};

struct spawns;

struct spawns *spawns_new(void);
struct spawns *spawns_free(struct spawns *s);
/* Reads it of the task with that header while it lives. NULL where it keeps none. Owned by s, valid until spawns_free. */
const struct spawn_place *spawns_read(struct spawns *s, pid_t pid, const struct tokio_copy *c,
				      uint32_t vtable, uint64_t header);

#endif
