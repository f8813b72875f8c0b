/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * /tmp/perf-PID.map: where a JIT compiler tells profilers what the code is called that it makes. Lines "START SIZE name", in
 * hexadecimal; the target writes it, also while it is read.
 */
#ifndef RS_SYMBOL_PERFMAP_H
#define RS_SYMBOL_PERFMAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct perfmap;

/* Of a process, in its own file system and by its own pid there. NULL: out of memory. The file need not be there yet. */
struct perfmap *perfmap_new(pid_t pid);
/* The same of that file below `root`, for tests. */
struct perfmap *perfmap_new_at(const char *root, const char *path);
struct perfmap *perfmap_free(struct perfmap *m);
/*
 * The function around an address, NULL when there is none. Owned by m, valid until the next call. The file is read when it is
 * there, a regular one and not over 32 MiB, and again when it has changed; at most a million lines count.
 */
const char *perfmap_name(struct perfmap *m, uint64_t addr);

#endif
