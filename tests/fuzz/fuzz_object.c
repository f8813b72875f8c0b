/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* All that a file says of an address, through the same door as the program's. */
#include <string.h>

#include "sections.h"
#include "symbol/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct object_source from = {
		.open_path = sections_file(data, size),
		.name = "program",
		.root = "/proc/self/fdinfo", /* where no debug file is */
		.directory = "/",
		.my_crates = "app,mine",
	};
	struct strings *strings = strings_new(1 << 20);
	struct frame frames[OBJECT_FRAMES];
	struct object *o = NULL;

	FUZZ_CHECK(strings);
	if (!object_open(&from, &o)) {
		for (uint64_t at = 0; at < 300; at += 6) {
			size_t n = object_find(o, SECTION_ADDR(SECTION_TEXT) - 6 + at, strings,
					       frames);

			FUZZ_CHECK(n <= OBJECT_FRAMES && (!n || !frames[n - 1].is_inlined));
		}
		object_close(o);
	}
	strings_free(strings);
	return 0;
}
