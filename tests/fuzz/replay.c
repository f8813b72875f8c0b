/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs a target once on each of the files and folders given, for builds without libFuzzer. Each must end in time and in
 * bounded memory, as it must under `make fuzz`. A crash ends it: the line that names the input comes before that.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuzz.h"

#define INPUT_MAX (1 << 20)
#define SECONDS_MAX 10
#define RESIDENT_MAX_KB (512 * 1024)

static int n_run, n_failed;

static void run(const char *name, const uint8_t *bytes, size_t n)
{
	/* Of the size of the input, so that a sanitizer sees who reads on. */
	uint8_t *data = malloc(n ? n : 1);
	struct rusage used;
	bool is_small;

	FUZZ_CHECK(data);
	memcpy(data, bytes, n);
	printf("# %s\n", name);
	fflush(stdout);
	alarm(SECONDS_MAX);
	LLVMFuzzerTestOneInput(data, n);
	alarm(0);
	free(data);
	getrusage(RUSAGE_SELF, &used);
	is_small = used.ru_maxrss <= RESIDENT_MAX_KB;
	n_failed += !is_small;
	printf("%s %d - %s\n", is_small ? "ok" : "not ok", ++n_run, name);
}

/* Inputs one after the other, each behind its length (4 bytes, little-endian). */
static void run_pack(const char *name, const uint8_t *bytes, size_t n)
{
	struct fuzz_input in = { bytes, bytes + n };

	for (int i = 0; in.p < in.end; i++) {
		struct fuzz_input one = fuzz_take_part(&in, fuzz_take(&in, 4));
		char full[300];

		snprintf(full, sizeof(full), "%s#%d", name, i);
		run(full, one.p, (size_t)(one.end - one.p));
	}
}

static void run_file(const char *path)
{
	_cleanup_free_
	uint8_t *data = malloc(INPUT_MAX);
	_cleanup_fclose_
	FILE *in = fopen(path, "re");
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	const char *dot = strrchr(name, '.');
	size_t n;

	if (!data || !in) {
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	n = fread(data, 1, INPUT_MAX, in);
	if (dot && !strcmp(dot, ".pack"))
		run_pack(name, data, n);
	else
		run(name, data, n);
}

static int is_input(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void run_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_input, alphasort);

	for (int i = 0; i < n; i++) {
		char full[4096];

		snprintf(full, sizeof(full), "%s/%s", path, entries[i]->d_name);
		run_file(full);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	struct stat st;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		/* Git keeps no empty folders: one that is not there has no inputs. */
		if (stat(argv[i], &st))
			continue;
		if (S_ISDIR(st.st_mode))
			run_folder(argv[i]);
		else
			run_file(argv[i]);
	}
	printf("1..%d\n", n_run);
	return n_failed || !n_run;
}
