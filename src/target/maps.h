/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* /proc/PID/maps, line by line. */
#ifndef RS_TARGET_MAPS_H
#define RS_TARGET_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "target/target.h"

/* A mapping of a file. */
struct file_map {
	struct mapping map;
	uint64_t dev, inode;
	char *path; /* as the kernel prints it, newline as \012, " (deleted)" kept; hostile */
};

struct file_maps {
	struct file_map *rows;
	size_t n;
};

/*
 * Parses one line without its newline, in place; ret->path points into it. False for what is not a
 * mapping of a file
 * ([heap], [vdso], anonymous memory) or not well-formed.
 */
bool maps_parse_line(char *line, struct file_map *ret);
/* All file mappings in the stream. 0 or negative errno; -E2BIG: more than any honest program has. */
int maps_read(FILE *in, struct file_maps *ret);
void file_maps_free(struct file_maps *m);

/* "\012" back to a newline, in place. */
void maps_unescape(char *path);
/* Cuts " (deleted)" off; returns whether it was there. */
bool maps_cut_deleted(char *path);

#endif
