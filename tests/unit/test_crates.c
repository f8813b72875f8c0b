/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which crates a program was built from: this one, whose constants are made to look like panic messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbol/crates.h"

/* In .rodata, one after the other, as the compiler of Rust leaves them. */
__attribute__((used)) static const char paths[] =
	"/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/hyper-util-0.1.3/src/rt.rs"
	"/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/unversioned/src/lib.rs"
	"/home/me/shop/vendor/serde-json/src/de.rs"
	"/home/me/shop/vendor/rand_core-0.6.4/src/lib.rs"
	"/home/me/shop/vendor/no folder/src/lib.rs"
	"/home/me/shop/vendor//src/lib.rs"
	"/home/me/shop/src/own.rs"
	"/home/me/shop/vendor/last";

static char *crates_of_this(void)
{
	struct elf_file *f = NULL;
	char *list;

	assert_int_equal(elf_file_open("/proc/self/exe", &f, NULL), 0);
	list = crates_of_file(f);
	elf_file_close(f);
	assert_non_null(list);
	return list;
}

static bool has(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; (at = strstr(at, name)); at++) {
		if ((at == list || at[-1] == ',') && (!at[n] || at[n] == ','))
			return true;
	}
	return false;
}

static void test_names_of_crates(void **state)
{
	char *list = crates_of_this();

	assert_true(has(list, "hyper_util"));
	assert_true(has(list, "serde_json"));
	assert_true(has(list, "rand_core"));
	assert_false(has(list, "unversioned"));
	assert_false(has(list, "own"));
	assert_false(has(list, "last"));
	assert_false(has(list, "no"));
	assert_null(strstr(list, ",,"));
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_crates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
