/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* usage: print_frames FILE < ADDRESSES: frames of each (hexadecimal) address, "FUNCTION\tFILE\tLINE", and an empty line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "symbol/object.h"

int main(int argc, char **argv)
{
	struct strings *strings = strings_new(64 << 20);
	struct frame frames[OBJECT_FRAMES];
	struct object *o = NULL;
	uint64_t addr, start, opened, n_addrs = 0;

	if (argc != 2)
		return 2;
	start = now_ns();
	if (object_open(&(struct object_source){ .open_path = argv[1], .name = "it", .root = "" },
			&o))
		return 1;
	opened = now_ns();
	while (scanf("%" SCNx64, &addr) == 1) {
		size_t n = object_find(o, addr, strings, frames);

		n_addrs++;
		for (size_t i = 0; i < n; i++)
			printf("%s\t%s\t%" PRIu32 "\n",
			       frames[i].function ? frames[i].function : "??",
			       frames[i].file ? frames[i].file : "??", frames[i].line);
		puts("");
	}
	fprintf(stderr, "open %.1f ms, %" PRIu64 " addresses %.3f ms each\n",
		(double)(opened - start) / 1e6, n_addrs,
		n_addrs ? (double)(now_ns() - opened) / 1e6 / (double)n_addrs : 0);
	object_close(o);
	strings_free(strings);
	return 0;
}
