/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf_fixture.h"
#include "symbol/futures.h"
#include "target/location.h"
#include "target/poll_index.h"
#include "target/target.h"

#define MUTATIONS 2000

static uint8_t image[FIXTURE_SIZE];
static struct tokio_copy *copies;
static int n_copies;
static char path[32];

/* Builds the file and looks for Tokio in it. */
static void find(const struct fixture_options *o)
{
	struct rs_error err = { "" };

	fixture_build(image, o);
	assert_int_equal(fixture_write(image, sizeof(image), path), 0);
	copies = NULL;
	n_copies = tokio_find_in_file(path, &copies, &err);
}

static void done(void)
{
	unlink(path);
	tokio_copies_free(copies, n_copies > 0 ? (size_t)n_copies : 0);
	copies = NULL;
}

static void check_vtables(uint64_t base)
{
	static const uint32_t trailer[] = { 192, 256, 88 }, scheduler[] = { 32, 128, 32 },
			      id[] = { 40, 136, 48 };

	assert_int_equal(n_copies, 1);
	assert_int_equal(copies->n_vtables, FIXTURE_VTABLES);
	for (size_t i = 0; i < FIXTURE_VTABLES; i++) {
		const struct task_vtable *v = &copies->vtables[i];

		assert_int_equal(v->poll, base + FIXTURE_FUNCTION(7 * i));
		assert_int_equal(v->schedule, base + FIXTURE_FUNCTION(7 * i + 1));
		assert_int_equal(v->shutdown, base + FIXTURE_FUNCTION(7 * i + 6));
		assert_int_equal(v->poll_file_off, FIXTURE_FUNCTION(7 * i));
		assert_int_equal(v->shutdown_file_off, FIXTURE_FUNCTION(7 * i + 6));
		assert_int_equal(v->trailer_off, trailer[i]);
		assert_int_equal(v->scheduler_off, scheduler[i]);
		assert_int_equal(v->id_off, id[i]);
		assert_int_equal(v->blocking, i == FIXTURE_BLOCKING);
		assert_non_null(v->name);
	}
}

static void test_relocated(void **state)
{
	find(&(struct fixture_options){ 0 });
	check_vtables(0);
	assert_string_equal(copies->version, "1.47.1");
	assert_string_equal(copies->rustc, "1.95.0");
	assert_int_equal(copies->symbols, SYMBOLS_LEGACY);
	assert_int_equal(copies->debuginfo, DEBUGINFO_NONE);
	assert_int_equal(copies->tls_memsz, 240);
	assert_int_equal(copies->tls_align, 8);
	assert_int_equal(copies->context_sym, 16);
	assert_int_equal(copies->context_sym_size, 80);
	assert_int_equal(copies->local_sym, 104);
	assert_int_equal(copies->marker_start, FIXTURE_MARKER_START);
	assert_int_equal(copies->marker_end, FIXTURE_MARKER_END);
	assert_int_equal(copies->set_task_id, FIXTURE_SET_TASK_ID);
	assert_string_equal(copies->module->build_id, "deadbeef");
	assert_string_equal(copies->vtables[0].symbol, "tokio::runtime::task::raw::poll");
	assert_string_equal(copies->vtables[0].name_source, "address");
	assert_non_null(strstr(copies->vtables[0].name, "+0x2000"));
	assert_memory_equal(copies->vtables[0].name, "poll@rs-fixture-", 16);
	done();
}

static void test_in_place(void **state)
{
	find(&(struct fixture_options){ .relocations = RELOCATIONS_IN_PLACE });
	check_vtables(0);
	done();
}

static void test_fixed(void **state)
{
	find(&(struct fixture_options){ .fixed = true });
	check_vtables(FIXTURE_FIXED_BASE);
	done();
}

static void test_stripped(void **state)
{
	find(&(struct fixture_options){ .no_symbols = true });
	check_vtables(0);
	assert_int_equal(copies->symbols, SYMBOLS_NONE);
	assert_int_equal(copies->context_sym, -1);
	assert_int_equal(copies->local_sym, -1);
	assert_int_equal(copies->marker_start, 0);
	assert_null(copies->vtables[0].symbol);
	assert_string_equal(copies->version, "1.47.1");
	done();
}

static void test_no_sections(void **state)
{
	find(&(struct fixture_options){ .no_sections = true });
	check_vtables(0);
	assert_string_equal(copies->version, "1.47.1");
	done();
	find(&(struct fixture_options){ .no_sections = true, .fixed = true });
	check_vtables(FIXTURE_FIXED_BASE);
	done();
}

static void test_v0_names(void **state)
{
	find(&(struct fixture_options){ .v0 = true });
	check_vtables(0);
	assert_int_equal(copies->symbols, SYMBOLS_V0);
	assert_string_equal(copies->vtables[0].name, "app::api::handle_upload");
	assert_string_equal(copies->vtables[0].name_source, "v0");
	assert_string_equal(copies->vtables[1].name, "app::main::{async#0.1}");
	assert_string_equal(copies->vtables[2].name, "app::work::{closure#0}");
	assert_true(copies->vtables[2].blocking);
	done();
}

static void test_no_version(void **state)
{
	find(&(struct fixture_options){ .no_version = true, .v0 = true });
	check_vtables(0);
	assert_string_equal(copies->version, "");
	done();
}

/* Tokio <= 1.22: no offsets in the vtable; the poll functions come from the symbols. */
static void test_old_tokio(void **state)
{
	find(&(struct fixture_options){ .old_tokio = true });
	assert_int_equal(n_copies, 1);
	assert_string_equal(copies->version, "1.20.1");
	assert_int_equal(copies->n_vtables, FIXTURE_VTABLES);
	assert_int_equal(copies->vtables[1].poll_file_off, FIXTURE_FUNCTION(7));
	assert_int_equal(copies->vtables[1].addr, 0);
	assert_int_equal(copies->vtables[1].id_off, 0);
	done();
	find(&(struct fixture_options){ .old_tokio = true, .no_symbols = true });
	assert_int_equal(n_copies, 1);
	assert_int_equal(copies->n_vtables, 0);
	assert_string_equal(copies->version, "1.20.1");
	done();
}

static void test_not_tokio(void **state)
{
	struct rs_error err = { "" };

	find(&(struct fixture_options){ .no_vtables = true, .no_version = true });
	assert_int_equal(n_copies, 0);
	assert_null(copies);
	done();
	find(&(struct fixture_options){ .no_tls = true });
	assert_int_equal(n_copies, 0);
	done();
	assert_int_equal(tokio_find_in_file("/nonexistent", &copies, &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot open /nonexistent"));
	assert_int_equal(tokio_find_in_file("/dev/null", &copies, &err), -ENOEXEC);
	assert_int_equal(tokio_find_in_file("/proc/self/status", &copies, &err), -ENOEXEC);
	assert_int_equal(tokio_find_in_file("/", &copies, &err), -ENOEXEC);
}

static ssize_t find_places(size_t vtable, struct future_place ret[FUTURE_PLACES])
{
	struct code_file code = { 0 };
	ssize_t r;

	assert_int_equal(code_file_open(path, &code), 0);
	r = location_of_future(&code, copies->vtables[vtable].poll - copies->module->bias, ret);
	code_file_clear(&code);
	return r;
}

static void test_location(void **state)
{
	for (int fixed = 0; fixed < 2; fixed++) {
		struct future_place places[FUTURE_PLACES];

		/* A file at a fixed address has no .data.rel.ro of its own here: pointers are in
		 * place there too. */
		find(&(struct fixture_options){ .fixed = fixed, .no_symbols = true });
		assert_int_equal(find_places(0, places), 1);
		assert_string_equal(places[0].file, "src/api.rs");
		assert_int_equal(places[0].line, 142);
		assert_true(places[0].is_body);
		assert_int_equal(find_places(1, places), -ENOENT);
		done();
	}
}

static void test_poll_functions(void **state)
{
	struct code_file code = { 0 };
	struct poll_index x = { 0 };
	uint32_t vtable = 99;

	find(&(struct fixture_options){ .no_symbols = true });
	assert_int_equal(code_file_open(path, &code), 0);
	assert_int_equal(poll_index_build(&code, copies, &x), 0);
	for (uint32_t i = 0; i < FIXTURE_VTABLES; i++) {
		assert_int_equal(poll_index_find(&x, FIXTURE_FUNCTION(7 * i), &vtable),
				 POLL_OF_TYPE);
		assert_int_equal(vtable, i);
		assert_int_equal(poll_index_find(&x, FIXTURE_FUNCTION(7 * i) + 1, &vtable),
				 POLL_OF_TYPE);
		assert_int_equal(poll_index_find(&x, FIXTURE_FUNCTION(7 * i + 1), &vtable),
				 POLL_NOWHERE);
		for (uint32_t drop = 2; drop <= 6;
		     drop += 2) /* dealloc, drop_join_handle_slow, shutdown */
			assert_int_equal(
				poll_index_find(&x, FIXTURE_FUNCTION(7 * i + drop), &vtable),
				POLL_UNCLEAR);
	}
	assert_int_equal(poll_index_find(&x, 0, &vtable), POLL_NOWHERE);
	assert_int_equal(poll_index_find(&x, UINT64_MAX, &vtable), POLL_NOWHERE);
	poll_index_clear(&x);
	code_file_clear(&code);
	done();
}

static void describe_all(const struct tokio_copy *c)
{
	struct code_file code = { 0 };
	struct poll_index polls = { 0 };
	struct object *o = NULL;

	code_file_open(path, &code);
	object_open(&(struct object_source){ .open_path = path, .name = "it", .root = "" }, &o);
	assert_int_equal(poll_index_build(&code, c, &polls), 0);
	poll_index_clear(&polls);
	for (size_t v = 0; v < c->n_vtables; v++) {
		struct future f;

		future_describe(o, &code, c, v, &f);
		assert_true(f.name[0]);
		free(f.type);
	}
	object_close(o);
	code_file_clear(&code);
}

/* Everything that is read of a file, on files that are broken in every way a few bytes can break
 * them. */
static void look_at(size_t size)
{
	struct rs_error err = { "" };
	int n;

	assert_int_equal(fixture_write(image, size, path), 0);
	copies = NULL;
	n = tokio_find_in_file(path, &copies, &err);
	for (int i = 0; i < n; i++) {
		describe_all(&copies[i]);
	}
	tokio_copies_free(copies, n > 0 ? (size_t)n : 0);
	unlink(path);
}

static void test_mutations(void **state)
{
	static const uint64_t extremes[] = {
		0, 1, 0xff, 0x7fffffff, 0xffffffff, UINT64_MAX, INT64_MAX, FIXTURE_SIZE,
	};

	srand(1);
	for (int i = 0; i < MUTATIONS; i++) {
		struct fixture_options o = {
			.fixed = i & 1,
			.v0 = i & 2,
			.no_sections = (i & 28) == 28,
			.old_tokio = (i & 96) == 96,
		};
		size_t size = i % 5 ? FIXTURE_SIZE : (size_t)rand() % FIXTURE_SIZE;

		fixture_build(image, &o);
		for (int k = rand() % 12; k >= 0; k--) {
			/* Half of them where the headers are. */
			size_t at = (size_t)rand() % (rand() & 1 ? 0x240 : FIXTURE_SIZE - 8);
			uint64_t v =
				extremes[(size_t)rand() % (sizeof(extremes) / sizeof(extremes[0]))];

			if (rand() & 1)
				image[at] ^= (uint8_t)(1u << (rand() & 7));
			else
				memcpy(image + (at & ~7ULL), &v, 8);
		}
		look_at(size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relocated),      cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_fixed),	       cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_no_sections),    cmocka_unit_test(test_v0_names),
		cmocka_unit_test(test_no_version),     cmocka_unit_test(test_old_tokio),
		cmocka_unit_test(test_not_tokio),      cmocka_unit_test(test_location),
		cmocka_unit_test(test_poll_functions), cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
