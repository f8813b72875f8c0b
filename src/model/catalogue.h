/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What to do instead of what blocked: one table (catalogue.c), and rows that users add in a file. */
#ifndef RS_MODEL_CATALOGUE_H
#define RS_MODEL_CATALOGUE_H

#include "model/block.h"

#define CATALOGUE_ROWS_MAX 1000 /* of users */
#define CATALOGUE_LINE_MAX 1000 /* bytes of one line of their file */

/*
 * A pattern is what the shell takes for a file name (*, ? and […]; * stands for :: as well), and is held against the names of
 * functions, without generic arguments: "std::fs::*". "<app::T as app::Trait>::f" is app::T::f. One that begins with "syscall:"
 * or "cause:" is held against the longest system call or the cause; frames decide before the system call does, and that before
 * the cause.
 */
struct catalogue_row {
	const char *pattern;
	struct advice advice;
};

struct catalogue;

struct catalogue *catalogue_new(void);
struct catalogue *catalogue_free(struct catalogue *c);
/*
 * Adds the rows of a file: lines "PATTERN | KIND | ADVICE", empty ones and those that begin with #. They come before those of
 * the table. 0, or -EINVAL, -E2BIG, -errno of the file, -ENOMEM: then `error` says what is wrong, with file and line.
 */
int catalogue_read(struct catalogue *c, const char *path, char *error, size_t size);
/* NULL: nothing is known. The block's site has been found. Valid as long as the catalogue. */
const struct advice *catalogue_find(const struct catalogue *c, const struct block *b);

/* The table itself, for tests. */
extern const struct catalogue_row catalogue_rows[];
extern const size_t catalogue_n_rows;

#endif
