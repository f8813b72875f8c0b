/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a system call is about, in words: the path of a file, the peer of a socket, the child that is waited for. Only
 * what is certain while the thread sleeps in it; whoever asks has to make sure afterwards that it still did.
 */
#ifndef RS_MODEL_DETAIL_H
#define RS_MODEL_DETAIL_H

#include <stdint.h>
#include <sys/types.h>

#include "bpf/wire.h"
#include "model/block.h"

/* The thread, and the descriptor that `sleep` tells the file of (-1: none). */
struct detail_source {
	pid_t pid, tid;
	int64_t fd;
	const struct rs_sleep *sleep;
};

/* Of the call that the thread sleeps in. Hostile text. -ENODATA: nothing certain can be said. */
int detail_of_sleep(const struct detail_source *from, char ret[BLOCK_DETAIL]);
/* Of a call that is about the descriptor alone, whatever the thread does now. */
int detail_of_file(const struct detail_source *from, char ret[BLOCK_DETAIL]);
/* Says so where the longest call of a block is glibc's own, in name resolution. Needs the block's stacks. */
void detail_name_resolution(struct block *b);
/* The thread that holds the pthread_mutex which is waited for; 0: it is none, or nobody knows. */
pid_t detail_lock_owner(const struct detail_source *from);

#endif
