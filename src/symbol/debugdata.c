/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/debugdata.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/cleanup.h"

#define INPUT_MAX (32u << 20)
#define OUTPUT_MAX (64u << 20)
#define MEMORY_MAX (72u << 20) /* xz -9 asks for 65 MiB */
#define CHUNK 65536

/* What fits into one chunk. 1: there is more. */
static int decompress_chunk(lzma_stream *xz, int to, size_t *written)
{
	_cleanup_free_
	uint8_t *chunk = malloc(CHUNK);
	lzma_ret r;
	size_t n;

	if (!chunk)
		return -ENOMEM;
	xz->next_out = chunk;
	xz->avail_out = CHUNK;
	r = lzma_code(xz, LZMA_FINISH);
	n = CHUNK - xz->avail_out;
	if (r != LZMA_OK && r != LZMA_STREAM_END)
		return r == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
	*written += n;
	if (*written > OUTPUT_MAX)
		return -EFBIG;
	if (write(to, chunk, n) != (ssize_t)n)
		return -ENOMEM;
	return r == LZMA_OK;
}

static int decompress(const uint8_t *data, size_t size, int to)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	size_t written = 0;
	int r = 1;

	if (lzma_stream_decoder(&xz, MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	xz.next_in = data;
	xz.avail_in = size;
	while (r > 0)
		r = decompress_chunk(&xz, to, &written);
	lzma_end(&xz);
	return r;
}

int debugdata_open(const struct elf_file *file, struct elf_file **ret)
{
	const struct elf_section *s = elf_file_section(file, ".gnu_debugdata");
	_cleanup_free_
	uint8_t *data = NULL;
	_cleanup_close_
	int fd = -1;
	char path[32];
	int r;

	if (!s || !s->size)
		return -ENOENT;
	if (s->size > INPUT_MAX)
		return -EFBIG;
	data = malloc(s->size);
	fd = memfd_create("debugdata", MFD_CLOEXEC);
	if (!data || fd < 0)
		return -ENOMEM;
	r = elf_file_read(file, s->offset, data, s->size);
	if (!r)
		r = decompress(data, s->size, fd);
	if (r < 0)
		return r == -ENOMEM || r == -EFBIG ? r : -EBADMSG;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = elf_file_open(path, ret, NULL);
	return r == -ENOEXEC ? -EBADMSG : r;
}
