/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* usage: print_frames FILE < ADDRESSES: each (hexadecimal) address, and its frames, "FUNCTION\tFILE\tLINE"; what cannot be read to stderr. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "symbol/object.h"
#include "symbol/problems.h"

int main(int argc, char **argv)
{
	struct strings *strings = strings_new(64 << 20);
	struct frame frames[OBJECT_FRAMES];
	struct problems *problems = problems_new();
	struct object *o = NULL;
	char directory[PATH_MAX], problem[PROBLEM_SIZE];
	uint64_t addr, start, opened, n_addrs = 0;

	if (argc != 2)
		return 2;
	start = now_ns();
	if (!realpath(argv[1], directory))
		return 1;
	*strrchr(directory, '/') = 0;
	if (object_open(&(struct object_source){ .open_path = argv[1],
						 .name = "it",
						 .root = "",
						 .directory = directory,
						 .problems = problems },
			&o))
		return 1;
	opened = now_ns();
	while (scanf("%" SCNx64, &addr) == 1) {
		size_t n = object_find(o, addr, strings, frames);

		n_addrs++;
		printf("%#" PRIx64 "\n", addr);
		for (size_t i = 0; i < n; i++)
			printf("%s\t%s\t%" PRIu32 "\n",
			       frames[i].function ? frames[i].function : "??",
			       frames[i].file ? frames[i].file : "??", frames[i].line);
	}
	fprintf(stderr, "open %.1f ms, %" PRIu64 " addresses %.3f ms each\n",
		(double)(opened - start) / 1e6, n_addrs,
		n_addrs ? (double)(now_ns() - opened) / 1e6 / (double)n_addrs : 0);
	while (problems_take(problems, problem))
		fprintf(stderr, "problem: %s\n", problem);
	object_close(o);
	problems_free(problems);
	strings_free(strings);
	return 0;
}
