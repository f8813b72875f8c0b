/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Text of source lines; files that must not be read. */
#include <fcntl.h>
#include <limits.h>
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

#include "symbol/source.h"

static char folder[] = "/tmp/test_source.XXXXXX";
static char path[128];

static void write_file(const char *name, const void *text, size_t size)
{
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, size, f), size);
	fclose(f);
}

static void the_line_that_is_asked_for(void **state)
{
	static const char text[] = "fn a() {\n\t    b(\"x\");  \r\n\n}";
	char line[SOURCE_LINE_SIZE] = "untouched";

	write_file("a.rs", text, strlen(text));
	assert_true(source_line(path, 1, line));
	assert_string_equal(line, "fn a() {");
	assert_true(source_line(path, 2, line));
	assert_string_equal(line, "b(\"x\");");
	assert_true(source_line(path, 4, line));
	assert_string_equal(line, "}");
	strcpy(line, "untouched");
	assert_false(source_line(path, 0, line));
	assert_false(source_line(path, 3, line));
	assert_false(source_line(path, 5, line));
	assert_false(source_line(path, UINT32_MAX, line));
	assert_string_equal(line, "untouched");
}

static void long_lines_and_other_bytes(void **state)
{
	char line[SOURCE_LINE_SIZE], text[1000];

	memset(text, 'x', sizeof(text));
	write_file("long.rs", text, sizeof(text));
	assert_true(source_line(path, 1, line));
	assert_in_range(strlen(line), SOURCE_LINE_SIZE - 8, SOURCE_LINE_SIZE - 1);
	assert_non_null(strstr(line, "…"));
	write_file("binary.c", "a\0b\nc", 5);
	assert_false(source_line(path, 1, line));
	assert_true(source_line(path, 2, line));
}

static void only_source_files(void **state)
{
	char line[SOURCE_LINE_SIZE], other[128];

	write_file("shadow", "root:x:0", 8);
	assert_false(source_line(path, 1, line));
	write_file("key.pem", "secret", 6);
	assert_false(source_line(path, 1, line));
	assert_false(source_line("", 1, line));
	assert_false(source_line(NULL, 1, line));
	assert_false(source_line("src/main.rs", 1, line));
	assert_false(source_line("/dev/tty.rs", 1, line));
	snprintf(other, sizeof(other), "%s/fifo.rs", folder);
	assert_int_equal(mkfifo(other, 0600), 0);
	assert_false(source_line(other, 1, line)); /* and it returns */
	snprintf(other, sizeof(other), "%s/folder.rs", folder);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_false(source_line(other, 1, line));
	write_file("large.rs", "x\n", 2);
	assert_int_equal(truncate(path, 17 << 20), 0);
	assert_false(source_line(path, 1, line));
}

static void links_stay_in_their_root(void **state)
{
	struct source_file file = { .root = folder, .path = "/link.rs" };
	char line[SOURCE_LINE_SIZE], link[128];

	write_file("here.rs", "here", 4);
	snprintf(link, sizeof(link), "%s/link.rs", folder);
	assert_int_equal(symlink("/here.rs", link), 0);
	assert_true(source_read(&file, 1, line));
	assert_string_equal(line, "here");
	unlink(link);
	assert_int_equal(symlink(path, link), 0); /* a path of the root outside */
	assert_false(source_read(&file, 1, line));
}

static void a_file_that_was_changed_since(void **state)
{
	struct source_file file = { .path = path };
	char line[SOURCE_LINE_SIZE];

	write_file("new.rs", "new", 3);
	file.built = time(NULL) - 1000;
	assert_false(source_read(&file, 1, line));
	file.built = time(NULL) + 1000;
	assert_true(source_read(&file, 1, line));
}

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
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
		cmocka_unit_test(the_line_that_is_asked_for),
		cmocka_unit_test(long_lines_and_other_bytes),
		cmocka_unit_test(only_source_files),
		cmocka_unit_test(links_stay_in_their_root),
		cmocka_unit_test(a_file_that_was_changed_since),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
