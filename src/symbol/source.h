/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The text of a source line, where the file is at hand. Which file is asked for is hostile: a program's debuginfo says so. */
#ifndef RS_SYMBOL_SOURCE_H
#define RS_SYMBOL_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#define SOURCE_LINE_SIZE 256

/* A file as debuginfo names it. */
struct source_file {
	const char *root; /* of the file system that path belongs to; "" or NULL: this tool's own */
	const char *path; /* absolute, or nothing is found */
	int64_t built; /* when the program was, in s since 1970: a file changed later is of another one; 0 unknown */
};

/*
 * Without its indentation; of what is too long the middle is missing. False: no such line, nothing in it, or the file is not
 * one to be read: by its name no source file, not a regular one, larger than 16 MiB, changed since the program was built.
 * Nothing is kept; costs some ten microseconds.
 */
bool source_read(const struct source_file *file, uint32_t line, char ret[static SOURCE_LINE_SIZE]);
/* The same of a path in this tool's own file system, whenever it was changed. */
bool source_line(const char *path, uint32_t line, char ret[static SOURCE_LINE_SIZE]);

#endif
