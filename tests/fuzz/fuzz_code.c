/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes as the machine code of a program's poll functions. */
#include <string.h>

#include "../unit/elf_fixture.h"
#include "base/cleanup.h"
#include "fuzz.h"
#include "target/code.h"
#include "target/location.h"

#define TEXT_MAX 0x1000

static int see(const struct code_refs *refs, void *arg)
{
	const struct image *img = arg;

	uint64_t callers[4];

	FUZZ_CHECK(refs->n <= CODE_MAX_REFS && code_callers(refs, callers, 4) <= 4);
	for (size_t i = 0; i < refs->n; i++) {
		struct code_location at;

		if (code_read_location(img, refs->addrs[i], &at))
			FUZZ_CHECK(strlen(at.file) < sizeof(at.file) && at.line);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct code_limits limits = { .depth = 8, .functions = 64, .bytes = 65536 };
	static uint8_t buf[FIXTURE_SIZE];
	struct fixture_options o = { .fixed = size && data[0] & 1 };
	uint64_t text = FIXTURE_TEXT + (o.fixed ? FIXTURE_FIXED_BASE : 0);
	_cleanup_(elf_file_closep) struct elf_file *f = NULL;
	struct unwind_index functions = { 0 };
	struct image img = { 0 };

	fixture_build(buf, &o);
	if (size)
		memcpy(buf + FIXTURE_TEXT, data + 1, size - 1 < TEXT_MAX ? size - 1 : TEXT_MAX);
	fuzz_file_begin(sizeof(buf));
	fuzz_file_put(0, buf, sizeof(buf));
	FUZZ_CHECK(!elf_file_open(fuzz_file_end(), &f, NULL));
	FUZZ_CHECK(!image_load(f, &img) && !unwind_index_load(f, &functions));
	code_walk(&img, &functions, text, &limits, see, &img);
	code_walk(&img, &functions, text + FIXTURE_FUNCTION_SIZE, &limits, see, &img);
	location_is_blocking_schedule(&img, &functions, text);
	image_clear(&img);
	unwind_index_clear(&functions);
	return 0;
}
