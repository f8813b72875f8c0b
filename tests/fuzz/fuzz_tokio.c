/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finding Tokio in a file: relocations, vtables, the walk through machine code to the places that panics name. The input
 * patches a small program of unit/elf_fixture.c: which (1 byte), then offset (2 bytes), count (1 byte), bytes; again …
 */
#include <string.h>

#include "../unit/elf_fixture.h"
#include "fuzz.h"
#include "symbol/futures.h"
#include "target/poll_index.h"
#include "target/target.h"

static void build(struct fuzz_input *in, uint8_t buf[FIXTURE_SIZE])
{
	uint64_t kind = fuzz_take(in, 1);
	struct fixture_options o = {
		.fixed = kind & 1,
		.relocations = kind & 2 ? RELOCATIONS_IN_PLACE : RELOCATIONS_RELA,
		.no_sections = kind & 4,
		.v0 = kind & 8,
		.no_symbols = kind & 16,
	};

	fixture_build(buf, &o);
	while (in->p < in->end) {
		size_t at = fuzz_take(in, 2) % FIXTURE_SIZE, n = fuzz_take(in, 1);
		struct fuzz_input bytes = fuzz_take_part(in, n);

		n = (size_t)(bytes.end - bytes.p);
		if (n <= FIXTURE_SIZE - at)
			memcpy(buf + at, bytes.p, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buf[FIXTURE_SIZE];
	struct fuzz_input in = { data, data + size };
	struct tokio_copy *copy = NULL;
	struct rs_error err = { "" };
	struct code_file code = { 0 };
	struct poll_index polls = { 0 };
	struct object *o = NULL;
	const char *path;
	int n;

	build(&in, buf);
	fuzz_file_begin(sizeof(buf));
	fuzz_file_put(0, buf, sizeof(buf));
	path = fuzz_file_end();
	n = tokio_find_in_file(path, &copy, &err);
	FUZZ_CHECK(n >= 0 || err.text[0]);
	if (n > 0) {
		code_file_open(path, &code);
		object_open(&(struct object_source){ .open_path = path, .name = "it", .root = "" },
			    &o);
	}
	for (size_t i = 0; n > 0 && i < copy->n_vtables && i < 8; i++) {
		struct future f;

		FUZZ_CHECK(copy->vtables[i].name && copy->vtables[i].name_source);
		future_describe(o, &code, copy, i, &f);
		FUZZ_CHECK(f.name[0] && f.source);
		free(f.type);
	}
	if (n > 0 && !poll_index_build(&code, copy, &polls))
		poll_index_clear(&polls);
	code_file_clear(&code);
	object_close(o);
	if (n > 0)
		tokio_copies_free(copy, (size_t)n);
	return 0;
}
