/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes as DWARF: the index of units and functions, lines, inlined frames. */
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "sections.h"
#include "symbol/lines.h"

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_
	int fd = open(sections_file(data, size), O_RDONLY | O_CLOEXEC);
	struct line_frame frames[LINES_DEPTH];
	struct lines *l = NULL;

	FUZZ_CHECK(fd >= 0);
	if (lines_open(&(struct lines_source){ .fd = fd }, &l))
		return 0;
	for (uint64_t at = 0; at < 300; at += 6) {
		size_t n = lines_find(l, SECTION_ADDR(SECTION_TEXT) - 6 + at, frames), total = 0;

		FUZZ_CHECK(n <= LINES_DEPTH);
		for (size_t i = 0; i < n; i++)
			total += length(frames[i].function) + length(frames[i].file) +
				 length(frames[i].directory);
		FUZZ_CHECK(total < (size_t)1 << 40);
	}
	lines_close(l);
	return 0;
}
