/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names of code made at run time; files that grow, and that are no files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbol/perfmap.h"
#include "target/proc.h"

static char folder[] = "/tmp/test_perfmap.XXXXXX";
static char path[64];

static void write_file(const char *mode, const char *text)
{
	struct timespec rest = { 0, 20000000 }; /* after a reading, in proportion */
	FILE *f = fopen(path, mode);

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	nanosleep(&rest, NULL);
}

static void names_by_address(void **state)
{
	struct perfmap *m = perfmap_new_at(folder, "/perf-1.map");

	assert_null(perfmap_name(m, 0x1000)); /* not there yet */
	write_file("w",
		   "2000 10 second one\n1000 20 first\nnonsense\n 5 5 x\n3000 0 empty\n"
		   "4000 zz x\nffffffffffffffff 2 wraps\n5000 10 \n1000000000000000000 1 long\n");
	assert_string_equal(perfmap_name(m, 0x1000), "first");
	assert_string_equal(perfmap_name(m, 0x101f), "first");
	assert_null(perfmap_name(m, 0x1020));
	assert_string_equal(perfmap_name(m, 0x2008), "second one");
	assert_null(perfmap_name(m, 0x3000));
	assert_null(perfmap_name(m, 0x5000));
	assert_null(perfmap_name(m, 0));
	assert_null(perfmap_name(m, UINT64_MAX));
	/* it grows, code is replaced, the last line is half written */
	write_file("a", "1000 8 newer\n6000 10 la");
	assert_string_equal(perfmap_name(m, 0x1004), "newer");
	assert_null(perfmap_name(m, 0x6000));
	write_file("a", "st\n");
	assert_string_equal(perfmap_name(m, 0x6000), "last");
	unlink(path);
	assert_null(perfmap_name(m, 0x6000));
	perfmap_free(m);
}

static void what_is_no_file(void **state)
{
	struct perfmap *m = perfmap_new_at(folder, "/perf-1.map");
	char other[80];

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(perfmap_name(m, 0x1000)); /* and it returns */
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(perfmap_name(m, 0x1000));
	rmdir(path);
	write_file("w", "1000 10 f\n");
	snprintf(other, sizeof(other), "%s/other", folder);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink("other", path), 0);
	assert_null(perfmap_name(m, 0x1000));
	unlink(path);
	assert_int_equal(rename(other, path), 0);
	assert_string_equal(perfmap_name(m, 0x1000), "f");
	assert_int_equal(truncate(path, 33 << 20), 0);
	assert_null(perfmap_name(m, 0x1000));
	perfmap_free(m);
}

static void the_pid_inside(void **state)
{
	assert_int_equal(proc_inner_pid(getpid()), getpid());
	assert_true(proc_inner_pid(0x7fffffff) < 0);
}

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/perf-1.map", folder);
	return 0;
}

static int remove_folder(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_by_address),
		cmocka_unit_test(what_is_no_file),
		cmocka_unit_test(the_pid_inside),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
