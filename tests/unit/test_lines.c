/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lines of this program's own functions; a file that changes while it is read. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbol/lines.h"
#include "target/target.h"

static __attribute__((noinline)) int known(void)
{
	return __LINE__;
}

/* As the file has it: this program is loaded somewhere else. */
static uint64_t address_of_known(void)
{
	struct process *p = NULL;
	struct rs_error err;
	uint64_t ret;

	assert_int_equal(process_open(getpid(), NULL, &p, &err), 0);
	ret = (uint64_t)(uintptr_t)known - p->modules[0].bias;
	process_free(p);
	return ret;
}

static int copy_of_this_file(void)
{
	char path[] = "/tmp/test_lines.XXXXXX";
	int from = open("/proc/self/exe", O_RDONLY), to = mkstemp(path);
	struct stat st;

	assert_true(from >= 0 && to >= 0);
	unlink(path);
	fstat(from, &st);
	while (sendfile(to, from, NULL, st.st_size) > 0)
		continue;
	close(from);
	return to;
}

static void a_known_line(void **state)
{
	struct line_frame frames[LINES_DEPTH];
	int fd = copy_of_this_file();
	struct lines *l = NULL;

	assert_int_equal(lines_open(&(struct lines_source){ .fd = fd }, &l), 0);
	assert_int_equal(lines_find(l, address_of_known(), frames), 1);
	assert_string_equal(frames[0].function, "known");
	assert_in_range(frames[0].line, known() - 2, known() + 1); /* its first instruction */
	assert_string_equal(strrchr(frames[0].file, '/'), "/test_lines.c");
	assert_int_equal(lines_find(l, 1, frames), 0);
	lines_close(l);
	close(fd);
}

static void a_file_that_becomes_shorter(void **state)
{
	struct line_frame frames[LINES_DEPTH];
	int fd = copy_of_this_file();
	struct lines *l = NULL;

	assert_int_equal(lines_open(&(struct lines_source){ .fd = fd }, &l), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(lines_find(l, address_of_known(), frames), 0);
	assert_int_equal(lines_find(l, address_of_known(), frames), 0);
	lines_close(l);
	l = NULL;
	assert_int_equal(lines_open(&(struct lines_source){ .fd = fd }, &l), -ENOENT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_line),
		cmocka_unit_test(a_file_that_becomes_shorter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
