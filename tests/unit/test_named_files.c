/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A FIFO where a file should be, by that name or because debuginfo names it: opening it would wait for ever. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../fuzz/sections.h"
#include "symbol/lines.h"
#include "target/elf_file.h"
#include "target/target.h"

static char fifo[] = "/tmp/rs-fifo-XXXXXX/it";

struct chunks {
	uint8_t bytes[1024];
	size_t n;
};

static void put(struct chunks *c, const char *section, const void *data, size_t size)
{
	size_t kind = 0;

	while (strcmp(section_name(kind), section))
		kind++;
	c->bytes[c->n++] = (uint8_t)kind;
	c->bytes[c->n++] = (uint8_t)size;
	c->bytes[c->n++] = (uint8_t)(size >> 8);
	memcpy(c->bytes + c->n, data, size);
	c->n += size;
}

static int open_sections(const struct chunks *c)
{
	int fd = open(sections_file(c->bytes, c->n), O_RDONLY);
	struct lines *l = NULL;
	int r;

	assert_true(fd >= 0);
	alarm(5);
	r = lines_open(&(struct lines_source){ .fd = fd }, &l);
	if (!r) {
		struct line_frame frames[LINES_DEPTH];

		lines_find(l, SECTION_ADDR(SECTION_TEXT), frames);
		lines_close(l);
	}
	alarm(0);
	close(fd);
	return r;
}

/* A skeleton of DWARF 5: DW_AT_dwo_name as a string, low_pc, high_pc. */
static void a_dwo_file(void **state)
{
	static const uint8_t abbrevs[] = { 1, 0x4a, 0, 0x76, 0x08, 0x11, 0x01, 0x12, 0x07, 0, 0, 0 };
	uint8_t unit[128] = { 0, 0, 0, 0, 5, 0, 4 /* DW_UT_skeleton */, 8 };
	uint64_t range[] = { SECTION_ADDR(SECTION_TEXT), 0x100 };
	size_t n = 20; /* behind the header: the id of the .dwo file is 0 */
	struct chunks c = { .n = 0 };

	unit[n++] = 1;
	strcpy((char *)unit + n, fifo);
	n += sizeof(fifo);
	memcpy(unit + n, range, sizeof(range));
	n += sizeof(range);
	unit[0] = (uint8_t)(n - 4);
	put(&c, ".text", "\x90\x90", 2);
	put(&c, ".debug_info", unit, n);
	put(&c, ".debug_abbrev", abbrevs, sizeof(abbrevs));
	assert_true(open_sections(&c) < 0);
}

/* A function whose name is DW_FORM_GNU_strp_alt, in a unit with the same range. */
static void an_alternative_file(void **state)
{
	static const uint8_t abbrevs[] = {
		1, 0x11, 1, 0x11, 0x01, 0x12, 0x07, 0,	  0, /* DW_TAG_compile_unit */
		2, 0x2e, 0, 0x11, 0x01, 0x12, 0x07, 0x03, 0xa1, 0x3e, 0, 0, 0,
	};
	uint8_t unit[64] = { 0, 0, 0, 0, 5, 0, 1, 8 }, link[64];
	uint64_t range[] = { SECTION_ADDR(SECTION_TEXT), 0x100 };
	size_t n = 12;
	struct chunks c = { .n = 0 };

	for (uint8_t code = 1; code <= 2; code++) {
		unit[n++] = code;
		memcpy(unit + n, range, sizeof(range));
		n += sizeof(range);
	}
	n += 4 + 1; /* the name, the end of the unit's children */
	unit[0] = (uint8_t)(n - 4);
	strcpy((char *)link, fifo);
	memset(link + sizeof(fifo), 7, 20); /* a build id */
	put(&c, ".text", "\x90\x90", 2);
	put(&c, ".debug_info", unit, n);
	put(&c, ".debug_abbrev", abbrevs, sizeof(abbrevs));
	put(&c, ".gnu_debugaltlink", link, sizeof(fifo) + 20);
	assert_true(open_sections(&c) < 0);
}

/* Nor is one opened that the target has mapped or linked. */
static void an_elf_file(void **state)
{
	int watch = inotify_init1(IN_NONBLOCK);
	struct inotify_event opened;
	struct elf_file *f = NULL;
	struct rs_error err;

	assert_true(watch >= 0 && inotify_add_watch(watch, fifo, IN_OPEN) >= 0);
	assert_int_equal(elf_file_open(fifo, &f, &err), -ENOEXEC);
	assert_true(read(watch, &opened, sizeof(opened)) < 0);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >=
		    0); /* nor is anything closed that was not opened */
	close(watch);
}

static int setup(void **state)
{
	char *slash = strrchr(fifo, '/');

	*slash = 0;
	if (!mkdtemp(fifo))
		return -1;
	*slash = '/';
	return mkfifo(fifo, 0600);
}

static int teardown(void **state)
{
	unlink(fifo);
	*strrchr(fifo, '/') = 0;
	return rmdir(fifo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dwo_file),
		cmocka_unit_test(an_alternative_file),
		cmocka_unit_test(an_elf_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
