/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What an ELF file looks like in memory as far as constants with pointers go: .data.rel.ro, .got
 * (and .rodata of a file loaded at a fixed address) with relocations applied. All addresses are ELF
 * virtual addresses.
 */
#ifndef RS_TARGET_IMAGE_H
#define RS_TARGET_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/elf_file.h"

struct address_range {
	uint64_t start, end;
};

/* Constants, as 8-byte words: relocated in memory, or (words NULL) as they stand in the file. */
struct image_data {
	uint64_t addr, offset;
	uint64_t *words;
	size_t n_words;
	bool got; /* a table of pointers, no constants */
};

struct image {
	const struct elf_file *file;
	struct address_range *code;
	size_t n_code;
	struct image_data *data;
	size_t n_data;
	bool by_segment; /* no section headers: ranges are segments, which hold more than code or
			    constants */
};

/* `file` must outlive the image. */
int image_load(const struct elf_file *file, struct image *ret);
void image_clear(struct image *img);

bool image_is_code(const struct image *img, uint64_t addr);
/* Words [first, first + n) of a region, relocated. 0 or negative errno. */
int image_words(const struct image *img, const struct image_data *d, size_t first, size_t n,
		uint64_t *ret);
/* The word at an address, relocated. False where the image has none. */
bool image_word(const struct image *img, uint64_t addr, uint64_t *ret);

#endif
