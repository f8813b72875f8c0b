/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whose code a frame is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbol/kinds.h"
#include "symbol/plain.h"
#include "symbol/strings.h"

static const struct crate_lists none;

static void test_by_path(void **state)
{
	static const struct {
		const char *file;
		enum frame_kind kind;
	} rows[] = {
		{ "/home/me/shop/src/api.rs", FRAME_USER },
		{ "src/api.rs", FRAME_USER },
		{ "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/hyper-1.2.0/src/proto/h1.rs",
		  FRAME_DEP },
		{ "/root/.cargo/registry/src/index.crates.io-6f17d22bba15001f/tokio-1.47.1/src/runtime/task/core.rs",
		  FRAME_RUNTIME },
		{ "/root/.cargo/registry/src/github.com-1ecc6299db9ec823/tokio-util-0.7.1/src/io.rs",
		  FRAME_DEP },
		{ "/root/.cargo/git/checkouts/hyper-abc/1234567/src/lib.rs", FRAME_DEP },
		{ "/rustc/29483883eed69d5fb4db01964cdf2af4d86e9cb2/library/core/src/ops/function.rs",
		  FRAME_STD },
		{ "/root/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/thread/mod.rs",
		  FRAME_STD },
		{ "library/std/src/thread/mod.rs", FRAME_STD },
		{ "/usr/share/cargo/registry/bytes-1.4.0/src/lib.rs", FRAME_DEP },
		{ "/usr/include/c++/12/bits/stl_vector.h", FRAME_STD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(kind_of_frame("app::f", rows[i].file, "app", &none), rows[i].kind);
	assert_int_equal(kind_of_frame("hyper::f", rows[2].file, "app",
				       &(struct crate_lists){ "serde,hyper" }),
			 FRAME_USER);
	assert_int_equal(kind_of_frame("hyper::f", rows[2].file, "app",
				       &(struct crate_lists){ "hype,hyper2" }),
			 FRAME_DEP);
	assert_int_equal(
		kind_of_frame("f", rows[4].file, "app", &(struct crate_lists){ "tokio_util" }),
		FRAME_USER);
}

static void test_by_name(void **state)
{
	static const struct {
		const char *function;
		enum frame_kind kind;
	} rows[] = {
		{ "app::api::handle_upload::{closure#0}", FRAME_USER },
		{ "std::thread::sleep", FRAME_STD },
		{ "tokio::runtime::task::raw::poll", FRAME_RUNTIME },
		{ "<app::Svc>::call", FRAME_USER },
		{ "<app::Svc as core::fmt::Debug>::fmt", FRAME_USER },
		{ "<core::pin::Pin<&mut F> as core::future::future::Future>::poll", FRAME_STD },
		{ "<alloc::vec::Vec<u8> as app::Handler>::go", FRAME_USER },
		{ "<&mut app::Svc as core::fmt::Debug>::fmt", FRAME_USER },
		{ "<fn() -> app::X as core::ops::FnOnce<()>>::call_once", FRAME_STD },
		{ "<dyn app::T>::f", FRAME_USER },
		{ "__rustc::rust_panic", FRAME_STD },
		{ "rustc_demangle::demangle", FRAME_DEP },
		{ "main", FRAME_UNKNOWN },
		{ "_start", FRAME_UNKNOWN },
		{ "<", FRAME_UNKNOWN },
		{ "<<<", FRAME_UNKNOWN },
		{ "::f", FRAME_UNKNOWN },
		{ "", FRAME_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(kind_of_frame(rows[i].function, NULL, "app", &none), rows[i].kind);
	/* a dependency whose debuginfo is not there */
	assert_int_equal(kind_of_frame("hyper::f", NULL, "app",
				       &(struct crate_lists){ NULL, "http,hyper,tokio" }),
			 FRAME_DEP);
	assert_int_equal(kind_of_frame("tokio::f", NULL, "app",
				       &(struct crate_lists){ NULL, "http,hyper,tokio" }),
			 FRAME_RUNTIME);
	assert_int_equal(kind_of_frame("hyper::f", NULL, "app",
				       &(struct crate_lists){ "hyper", "http,hyper,tokio" }),
			 FRAME_USER);
	assert_int_equal(kind_of_frame(NULL, NULL, "libc.so.6", &none), FRAME_LIBC);
	assert_int_equal(kind_of_frame("poll", NULL, "libc.so.6", &none), FRAME_LIBC);
	assert_int_equal(kind_of_frame(NULL, NULL, NULL, &none), FRAME_UNKNOWN);
}

static void test_plain_names_and_symbols(void **state)
{
	static const char whole[] = "tokio::runtime::task::core::Core<T,S>::set_stage";

	assert_true(plain_is_in("set_stage<app::F, ()>", whole));
	assert_true(plain_is_in("set_stage", "<app::Core>::set_stage::<u8>"));
	assert_true(plain_is_in("total", "shapes::total(int, char**)"));
	assert_false(plain_is_in("stage", whole));
	assert_false(plain_is_in("set", whole));
	assert_false(plain_is_in("", whole));
	assert_true(plain_is_in("{closure#0}", "app::run::{{closure}}"));
	assert_true(plain_is_in("{async_fn#0}", "app::run::{{closure}}"));
	assert_false(plain_is_in("{closure#0}", "app::run::{{closure}}::inner"));
}

static void test_plain_names_and_callers(void **state)
{
	static const struct {
		const char *plain, *caller, *whole;
	} rows[] = {
		{ "{async_fn#0}", "poll<app::api::load::{async_fn_env#0}>",
		  "app::api::load::{async_fn#0}" },
		{ "{async_block#1}", "poll<&mut app::{impl#3}::run::{async_block_env#1}, ()>",
		  "app::{impl#3}::run::{async_block#1}" },
		{ "{closure#0}", "map<u8, app::f::{async_fn#0}::{closure_env#0}>",
		  "app::f::{async_fn#0}::{closure#0}" },
		{ "{async_fn#0}", "poll<app::load::{async_fn_env#1}>", NULL },
		{ "{async_fn#0}", "poll<app::load::{async_block_env#0}>", NULL },
		{ "{async_fn#0}", "join<a::f::{async_fn_env#0}, b::f::{async_fn_env#0}>", NULL },
		{ "{closure#0}<u8>", "map<app::f::{closure_env#0}<u8>>", NULL },
		{ "load", "poll<app::load::{async_fn_env#0}>", NULL },
		{ "{async_fn#0}", "::{async_fn_env#0}", NULL },
		{ "{", "::{", NULL },
		{ "{#}", "::{_env#}", NULL },
	};
	char name[64], small[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool is_found = plain_from_caller(rows[i].plain, rows[i].caller, name,
						  sizeof(name));

		assert_int_equal(is_found, rows[i].whole != NULL);
		if (is_found)
			assert_string_equal(name, rows[i].whole);
	}
	assert_false(plain_from_caller(rows[0].plain, rows[0].caller, small, sizeof(small)));
}

static void test_strings(void **state)
{
	struct strings *s = strings_new(200);
	const char *a = strings_keep(s, "alpha");

	assert_string_equal(a, "alpha");
	assert_ptr_equal(strings_keep(s, "alpha"), a);
	assert_null(strings_keep(s, NULL));
	strings_keep(s, "beta");
	assert_null(strings_keep(s, "a text for which there is no room in two hundred bytes"
				    " with what the others take already"));
	assert_ptr_equal(strings_keep(s, "alpha"), a);
	strings_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_path),
		cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_plain_names_and_symbols),
		cmocka_unit_test(test_plain_names_and_callers),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
