/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where functions start and end, from the sorted table of .eh_frame_hdr: present in stripped files
 * too. */
#ifndef RS_TARGET_EH_FRAME_H
#define RS_TARGET_EH_FRAME_H

#include "target/elf_file.h"

struct unwind_index {
	const struct elf_file *file;
	uint64_t base; /* of the header: the table is relative to it */
	struct {
		int32_t start, fde;
	} * rows;
	size_t n;
};

/* Takes the contents of .eh_frame_hdr, which is loaded at vaddr. As unwind_index_load(), without a file. */
int unwind_index_parse(const void *data, size_t size, uint64_t vaddr, struct unwind_index *ret);
/* An absent or unknown table is an empty index, not an error. `file` must outlive the index. */
int unwind_index_load(const struct elf_file *file, struct unwind_index *ret);
void unwind_index_clear(struct unwind_index *x);
bool unwind_index_has(const struct unwind_index *x, uint64_t start);
/* The function that contains addr. -ENOENT when there is none. */
int unwind_index_function(const struct unwind_index *x, uint64_t addr, uint64_t *ret_start,
			  uint64_t *ret_end);

#endif
