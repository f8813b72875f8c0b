/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where a task was spawned, read from a task's memory: this process's own. Only what is a place in every respect is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/spawns.h"

#define SPAWN_OFF 48

struct location {
	const char *file;
	uint64_t len;
	uint32_t line, column;
};

/* What would be the program's constants: one writable mapping, and one that is not, in the eyes of the reader. */
static struct {
	char text[64];
	struct location at;
} constants, variables;

static struct mapping maps[2];
static struct module module = { .maps = maps, .n_maps = 2 };
static struct task_vtable vtables[] = { { .spawn_off = SPAWN_OFF }, { .spawn_off = 0 } };
static struct tokio_copy copy = { .module = &module, .vtables = vtables, .n_vtables = 2 };
static uint64_t header[8];

static void describe(struct mapping *m, const void *start, size_t size, const char *perms)
{
	*m = (struct mapping){ .start = (uintptr_t)start, .end = (uintptr_t)start + size };
	strcpy(m->perms, perms);
}

static struct spawns *setup(const char *file, uint32_t line, uint32_t column)
{
	describe(&maps[0], &constants, sizeof(constants), "r--p");
	describe(&maps[1], &variables, sizeof(variables), "rw-p");
	strcpy(constants.text, file);
	constants.at = (struct location){ constants.text, strlen(file), line, column };
	header[SPAWN_OFF / 8] = (uintptr_t)&constants.at;
	return spawns_new();
}

static const struct spawn_place *read_it(struct spawns *s, uint32_t vtable)
{
	return spawns_read(s, getpid(), &copy, vtable, (uintptr_t)header);
}

static void test_a_place(void **state)
{
	struct spawns *s = setup("src/main.rs", 10, 5);
	const struct spawn_place *place = read_it(s, 0);

	assert_non_null(place);
	assert_string_equal(place->file, "src/main.rs");
	assert_int_equal(place->line, 10);
	assert_ptr_equal(read_it(s, 0), place);
	assert_null(read_it(s, 1));
	assert_null(spawns_read(s, getpid(), &copy, 0, 0));
	assert_null(spawns_read(s, getpid(), &copy, 0, 8)); /* not mapped */
	spawns_free(s);
}

static void refuse(struct spawns *s)
{
	assert_null(read_it(s, 0));
	spawns_free(s);
}

static void test_no_place(void **state)
{
	struct spawns *s;

	refuse(setup("src/main.rs", 0, 5));
	refuse(setup("src/main.rs", 10, 0));
	refuse(setup("src/main.rs", 1u << 31, 5));
	refuse(setup("src/main.c", 10, 5));
	refuse(setup(".rs", 10, 5));
	refuse(setup("src/\033[31m.rs", 10, 5));
	refuse(setup("src/\xff.rs", 10, 5));
	s = setup("src/main.rs", 10, 5);
	constants.at.len = 1 << 20;
	refuse(s);
	s = setup("src/main.rs", 10, 5);
	constants.at.file = (const char *)8;
	refuse(s);
	s = setup("src/main.rs", 10, 5);
	constants.at.len = UINT64_MAX;
	refuse(s);
	s = setup("src/main.rs", 10, 5);
	variables = constants;
	header[SPAWN_OFF / 8] = (uintptr_t)&variables.at; /* no constant */
	refuse(s);
	s = setup("src/main.rs", 10, 5);
	header[SPAWN_OFF / 8] = 0;
	refuse(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_place),
		cmocka_unit_test(test_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
