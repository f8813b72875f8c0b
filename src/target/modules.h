/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From the mappings of one file to the modules they are. */
#ifndef RS_TARGET_MODULES_H
#define RS_TARGET_MODULES_H

#include "target/maps.h"
#include "target/target.h"

/* What modules_add needs to know of the process. */
struct module_source {
	pid_t pid;
	uint64_t phdr; /* AT_PHDR: lies in the executable; 0 unknown */
	const char *exe; /* readlink of /proc/PID/exe, to know the executable by when phdr is 0 */
	const char *binary; /* override for the executable's open_path, or NULL */
};

/*
 * Makes modules of rows[0..n), all mappings of one file in address order, at least one executable.
 * Usually one; a file loaded twice is two; none when it is not an ELF file. Returns the count, at
 * most max, or negative errno (-ESTALE: `binary` has another build id than the executable, err says
 * so).
 */
int modules_from_file(const struct module_source *src, const struct file_map *rows, size_t n,
		      struct module *ret, size_t max, struct rs_error *err);
void module_clear(struct module *m);

#endif
