/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the fuzz targets share. Each of them defines LLVMFuzzerTestOneInput; libFuzzer calls it, or replay.c. */
#ifndef RS_TESTS_FUZZ_H
#define RS_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input is. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : abort())

/* An input, read from its start. Behind its end are zeros. */
struct fuzz_input {
	const uint8_t *p, *end;
};

uint64_t fuzz_take(struct fuzz_input *in, size_t bytes);
void fuzz_fill(struct fuzz_input *in, void *to, size_t n);
/* The next `n` bytes, or as many as there are. */
struct fuzz_input fuzz_take_part(struct fuzz_input *in, size_t n);

/* A copy with a NUL behind it, so that a sanitizer sees who reads on. The caller frees it. */
char *fuzz_text(const uint8_t *data, size_t size);

/* A file in memory, one at a time: so long, filled piece by piece (what lies behind its end is left out), opened by its path. */
void fuzz_file_begin(uint64_t length);
void fuzz_file_put(uint64_t offset, const void *bytes, size_t n);
const char *fuzz_file_end(void);

#endif
