/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file = -1;
static uint64_t file_length;
static char file_path[32];

uint64_t fuzz_take(struct fuzz_input *in, size_t bytes)
{
	uint64_t ret = 0;

	fuzz_fill(in, &ret, bytes < sizeof(ret) ? bytes : sizeof(ret));
	return ret;
}

struct fuzz_input fuzz_take_part(struct fuzz_input *in, size_t n)
{
	size_t left = (size_t)(in->end - in->p);
	struct fuzz_input ret = { in->p, in->p + (n < left ? n : left) };

	in->p = ret.end;
	return ret;
}

void fuzz_fill(struct fuzz_input *in, void *to, size_t n)
{
	struct fuzz_input part = fuzz_take_part(in, n);

	memset(to, 0, n);
	memcpy(to, part.p, (size_t)(part.end - part.p));
}

char *fuzz_text(const uint8_t *data, size_t size)
{
	char *ret = malloc(size + 1);

	FUZZ_CHECK(ret);
	memcpy(ret, data, size);
	ret[size] = 0;
	return ret;
}

void fuzz_file_begin(uint64_t length)
{
	if (file < 0) {
		file = memfd_create("fuzz", MFD_CLOEXEC);
		FUZZ_CHECK(file >= 0);
		snprintf(file_path, sizeof(file_path), "/proc/self/fd/%d", file);
	}
	/* emptied first, so that nothing of the last one is left */
	FUZZ_CHECK(!ftruncate(file, 0) && !ftruncate(file, (off_t)length));
	file_length = length;
}

void fuzz_file_put(uint64_t offset, const void *bytes, size_t n)
{
	if (offset >= file_length)
		return;
	if (n > file_length - offset)
		n = (size_t)(file_length - offset);
	FUZZ_CHECK(pwrite(file, bytes, n, (off_t)offset) == (ssize_t)n);
}

const char *fuzz_file_end(void)
{
	return file_path;
}
