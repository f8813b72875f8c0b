/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How libFuzzer changes the inputs of sections.h: mostly the contents of one chunk, so that the others stay what they are. */
#include <string.h>

#include "sections.h"

#define CHUNKS_MAX 64

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static size_t list_chunks(const uint8_t *data, size_t size, size_t starts[CHUNKS_MAX + 1])
{
	size_t n = 0, at = 0;

	while (n < CHUNKS_MAX && at + CHUNK_HEAD <= size) {
		size_t length = (size_t)data[at + 1] | (size_t)data[at + 2] << 8;

		starts[n++] = at;
		at += CHUNK_HEAD + length;
	}
	starts[n] = at < size ? at : size;
	return n;
}

static void set_length(uint8_t *chunk, size_t length)
{
	chunk[1] = (uint8_t)length;
	chunk[2] = (uint8_t)(length >> 8);
}

/* Changes the contents of the chunk in [start, end); what follows moves. */
static size_t change_contents(uint8_t *data, size_t size, size_t max_size, size_t start, size_t end)
{
	static uint8_t contents[SECTION_ROOM];
	size_t n = end - start - CHUNK_HEAD, room = max_size - (size - n), more;

	if (n > sizeof(contents))
		n = sizeof(contents);
	if (room > sizeof(contents))
		room = sizeof(contents);
	if (!room)
		return size;
	memcpy(contents, data + start + CHUNK_HEAD, n);
	more = LLVMFuzzerMutate(contents, n, room);
	memmove(data + start + CHUNK_HEAD + more, data + end, size - end);
	memcpy(data + start + CHUNK_HEAD, contents, more);
	set_length(data + start, more);
	return size - (end - start - CHUNK_HEAD) + more;
}

static size_t add_chunk(uint8_t *data, size_t size, size_t max_size, uint8_t kind)
{
	if (size + CHUNK_HEAD + 4 > max_size)
		return size;
	memset(data + size, 0, CHUNK_HEAD + 4);
	data[size] = kind;
	set_length(data + size, 4);
	return change_contents(data, size + CHUNK_HEAD + 4, max_size, size, size + CHUNK_HEAD + 4);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t starts[CHUNKS_MAX + 1], n = list_chunks(data, size, starts), i;

	if (!n || seed % 32 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	i = (seed >> 8) % n;
	if (seed % 32 == 1)
		return add_chunk(data, size, max_size, seed & 0x1000 ? CHUNK_PATCH : CHUNK_LENGTH);
	if (seed % 32 == 2 && n > 1) {
		memmove(data + starts[i], data + starts[i + 1], size - starts[i + 1]);
		return size - (starts[i + 1] - starts[i]);
	}
	if (seed % 32 == 3) {
		data[starts[i]] ^= CHUNK_COMPRESSED;
		return size;
	}
	if (starts[i] + CHUNK_HEAD > size)
		return LLVMFuzzerMutate(data, size, max_size);
	return change_contents(data, size, max_size, starts[i], starts[i + 1]);
}
