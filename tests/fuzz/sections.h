/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An ELF file out of an input: random bytes would hardly ever be one. The input is a row of chunks, each
 *   kind (1 byte), length (2 bytes, little-endian), that many bytes (or as many as there are)
 * where the kind says which section the bytes are. Each section lies at an address of its own, which is its offset in the
 * file as well. Two kinds are no sections: patches of the headers, and the length that the file is cut off at or extended to.
 */
#ifndef RS_TESTS_FUZZ_SECTIONS_H
#define RS_TESTS_FUZZ_SECTIONS_H

#include "fuzz.h"

#define CHUNK_HEAD 3
#define CHUNK_COMPRESSED 0x80 /* added to a section's kind: SHF_COMPRESSED */
#define CHUNK_LENGTH 0x7e /* up to 8 bytes: the file's length */
#define CHUNK_PATCH \
	0x7f /* of the headers: offset (2 bytes), count (1 byte), so many bytes; again … */

/* Where a section is, and how large it can be. */
#define SECTION_ROOM 0x4000
#define SECTION_ADDR(kind) (((uint64_t)(kind) + 1) * SECTION_ROOM)
#define SECTION_TEXT 0 /* the kind of .text */

/* Names of the kinds, in order; NULL behind the last. */
const char *section_name(size_t kind);
/* Whether it is in memory when the program runs. */
bool section_is_loaded(size_t kind);
/* Makes the file and returns its path. */
const char *sections_file(const uint8_t *data, size_t size);

#endif
