/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "target/demangle.h"
#include "target/name.h"

#define ARC "alloc::sync::Arc<tokio::runtime::scheduler::multi_thread::handle::Handle>"

static void check(const char *type, const char *expect)
{
	char symbol[8192], name[FUTURE_NAME_SIZE] = "";

	snprintf(symbol, sizeof(symbol), "tokio::runtime::task::raw::poll::<%s, " ARC ">", type);
	assert_true(future_name(symbol, name));
	assert_string_equal(name, expect);
}

static void test_async_fn(void **state)
{
	check("app::api::handle_upload::{closure#0}", "app::api::handle_upload");
	check("app::main::{closure#1}", "app::main::{async#1}");
	check("app::main::{closure#0}::{closure#0}", "app::main::{async#0.0}");
	check("app::main::{closure#0}::{closure#12}", "app::main::{async#0.12}");
	check("app::{impl#3}::run::{closure#0}", "app::{impl#3}::run");
}

static void test_methods(void **state)
{
	check("<app::api::Svc>::call::{closure#0}", "app::api::Svc::call");
	check("<app::api::Svc as app::api::Handler>::go::{closure#0}",
	      "<app::api::Svc as Handler>::go");
	check("<app::Pool<app::db::Conn> as app::Run<u8>>::run::{closure#0}",
	      "<app::Pool<Conn> as Run<\xe2\x80\xa6>>::run");
}

static void test_generics(void **state)
{
	check("app::generic::<&str>::{closure#0}", "app::generic<&str>");
	check("app::generic::<alloc::vec::Vec<core::option::Option<u8>>>::{closure#0}",
	      "app::generic<Vec<Option<\xe2\x80\xa6>>>");
	check("app::Wrap<'_, app::T, (), (u8, u8), [u8; 4]>",
	      "app::Wrap<T, (), (\xe2\x80\xa6), [\xe2\x80\xa6]>");
	check("app::Wrap<fn(u8) -> alloc::vec::Vec<u8>>", "app::Wrap<fn>");
	check("app::Wrap<'static>", "app::Wrap");
	check("app::Wrap<&'a mut app::X, *const app::Y>", "app::Wrap<&mut X, &Y>");
	check("app::Ready", "app::Ready");
}

static void test_wrappers(void **state)
{
	check("core::pin::Pin<alloc::boxed::Box<"
	      "dyn core::future::future::Future<Output = ()> + core::marker::Send>>",
	      "dyn Future");
	check("core::pin::Pin<alloc::boxed::Box<dyn for<'a> app::Job<'a, u8>>>", "dyn Job");
	check("alloc::boxed::Box<app::f::{closure#0}, alloc::alloc::Global>", "app::f");
	check("tracing::instrument::Instrumented<app::f::{closure#0}>", "app::f");
	check("tokio::runtime::blocking::task::BlockingTask<app::work::{closure#0}>",
	      "app::work::{closure#0}");
	check("tokio::runtime::blocking::task::BlockingTask<app::work::{closure#0}::{closure#1}>",
	      "app::work::{closure#0.1}");
	check("app::Wrap<app::api::handle_upload::{closure#0}>", "app::api::handle_upload");
	check("app::Wrap<'_, app::f::{closure#2}, (), app::T>", "app::f::{async#2}");
	check("app::Wrap<core::pin::Pin<alloc::boxed::Box<app::f::{closure#0}>>>", "app::f");
	check("app::Outer<app::Wrap<app::f::{closure#0}>>", "app::f");
	check("app::Both<app::f::{closure#0}, app::g::{closure#0}>", "app::Both<f, g>");
	check("app::f::<app::g::{closure#0}>::{closure#0}", "app::f<g>");
}

static void check_type(const char *type, const char *expect, bool is_body)
{
	char name[FUTURE_NAME_SIZE] = "";
	size_t n;

	assert_true(future_type_name(type, strlen(type), name));
	assert_string_equal(name, expect);
	assert_int_equal(future_type_body(type, strlen(type), &n) != NULL, is_body);
}

/* As rustc 1.63 to 1.95 write them. */
static void test_debuginfo(void **state)
{
	check_type("app::f::{async_fn_env#0}", "app::f", true);
	check_type("app::f::{async_fn_env#0}<u64>", "app::f<u64>", true);
	check_type("app::f::{async_fn_env#0}<alloc::vec::Vec<alloc::string::String, "
		   "alloc::alloc::Global>>",
		   "app::f<Vec<String>>", true);
	check_type("app::main::{async_fn#0}::{async_block_env#2}", "app::main::{async#0.2}", true);
	check_type("app::main::{async_fn#0}::{closure#4}::{async_block_env#0}",
		   "app::main::{async#0.4.0}", true);
	check_type("app::{impl#0}::call::{async_fn_env#0}", "app::{impl#0}::call", true);
	check_type("app::ByHand", "app::ByHand", false);
	check_type("core::pin::Pin<alloc::boxed::Box<(dyn core::future::future::Future<Output=()> "
		   "+ core::marker::Send), alloc::alloc::Global>>",
		   "dyn Future", false);
	/* A closure beside the body is not mistaken for another one. */
	check_type("futures::Map<app::f::{async_fn_env#0}, app::g::{async_fn#0}::{closure_env#3}>",
		   "app::f", true);
	check_type("futures::Join<app::f::{async_fn_env#0}, app::g::{async_fn_env#0}>",
		   "futures::Join<f, g>", false);
}

static void test_legacy(void **state)
{
	check_type("app::f::{{closure}}", "app::f", true);
	check_type("app::Svc::call::{{closure}}", "app::Svc::call", true);
	check_type("<app::Svc as app::Handler>::go::{{closure}}", "<app::Svc as Handler>::go",
		   true);
	check_type("app::main::{{closure}}::{{closure}}", "app::main::{async}", true);
}

static void test_drop_glue(void **state)
{
	size_t n = 0;
	const char *type = future_type_dropped(
		"core::ptr::drop_in_place<alloc::boxed::Box<tokio::runtime::task::core::Cell<"
		"app::W<u8, u16>,alloc::sync::Arc<tokio::x::Handle>>>>",
		&n);

	assert_non_null(type);
	assert_int_equal(n, strlen("app::W<u8, u16>"));
	assert_memory_equal(type, "app::W<u8, u16>", n);
	type = future_type_dropped("core::ptr::drop_in_place<tokio::runtime::task::core::Stage<"
				   "app::f::{{closure}}>>",
				   &n);
	assert_non_null(type);
	assert_int_equal(n, strlen("app::f::{{closure}}"));
	assert_null(future_type_dropped("core::ptr::drop_in_place<app::f::{{closure}}>", &n));
	assert_null(future_type_dropped(
		"core::ptr::drop_in_place<tokio::runtime::task::core::Stage<", &n));
	assert_null(future_type_dropped("", &n));
}

static void check_poll(const char *function, const char *expect)
{
	size_t n = 0;
	const char *type = future_type(function, &n);

	if (!expect) {
		assert_null(type);
		return;
	}
	assert_non_null(type);
	assert_int_equal(n, strlen(expect));
	assert_memory_equal(type, expect, n);
}

static void test_poll_functions(void **state)
{
	check_poll("poll<app::f::{async_fn_env#0}, " ARC ">", "app::f::{async_fn_env#0}");
	check_poll("poll_future<app::W<u8, u16>, " ARC ">", "app::W<u8, u16>");
	check_poll("tokio::runtime::task::raw::poll::<app::W<u8, u16>, " ARC ">",
		   "app::W<u8, u16>");
	check_poll("poll<app::f::{async_fn_env#0}, app::g::{async_fn_env#0}>", NULL);
	check_poll("poll<app::f::{async_fn_env#0}>", NULL);
	check_poll("poll", NULL);
	check_poll("poll<, ", NULL);
	check_poll("", NULL);
}

static void test_long(void **state)
{
	char type[400] = "app::", name[FUTURE_NAME_SIZE], symbol[600];

	memset(type + 5, 'x', 300);
	snprintf(symbol, sizeof(symbol), "tokio::runtime::task::raw::poll::<%s, u8>", type);
	assert_true(future_name(symbol, name));
	assert_int_equal(strlen(name), FUTURE_NAME_CHARS - 1 + 3);
	assert_string_equal(name + FUTURE_NAME_CHARS - 1, "\xe2\x80\xa6");
}

static void test_hostile(void **state)
{
	static const char *const bad[] = {
		"",
		"tokio::runtime::task::raw::poll",
		"tokio::runtime::task::raw::poll::<",
		"main",
		"tokio::runtime::task::raw::poll::<>",
		"tokio::runtime::task::raw::poll::<app::f>",
		"tokio::runtime::task::raw::poll::<, u8>",
		"tokio::runtime::task::raw::poll::<)))), u8>",
	};
	static const char *const odd[] = {
		"<",
		">",
		"::",
		"::::",
		"a::<",
		"&",
		"&mut ",
		"dyn ",
		"dyn for<",
		"(",
		"[",
		"{closure#",
		"*",
		"<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<",
		"core::pin::Pin<",
		"{closure#1}{closure#2}",
		"{{closure}}",
		"{{closure}}<",
		"{async_fn_env#}",
		"a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a<a",
		"<a as b",
		"'",
		"a<'",
		"\x1b[31mred",
	};
	char name[FUTURE_NAME_SIZE], symbol[512];
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(future_name(bad[i], name));
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		snprintf(symbol, sizeof(symbol), "tokio::runtime::task::raw::poll::<%s, u8>",
			 odd[i]);
		future_name(symbol, name);
		snprintf(symbol, sizeof(symbol), "tokio::runtime::task::raw::poll::<%s", odd[i]);
		future_name(symbol, name);
		future_type_name(odd[i], strlen(odd[i]), name);
		future_type_body(odd[i], strlen(odd[i]), &n);
	}
	check("\033red\177", "?red?");
}

static void test_demangle(void **state)
{
	char text[256];

	assert_true(demangle(
		"_ZN5tokio7runtime4task3raw4poll17h18a7b2e33e3d724cE.llvm.9899872412698395430",
		text, sizeof(text)));
	assert_string_equal(text, "tokio::runtime::task::raw::poll");
	assert_true(demangle("_RNvNtCs1_3app3api3run", text, sizeof(text)));
	assert_string_equal(text, "app::api::run");
	assert_false(demangle("main", text, sizeof(text)));
	assert_false(demangle("_ZN5tokio7runtime4task3raw4poll17h18a7b2e33e3d724cE", text, 16));
	assert_false(demangle("_RNvNtCs1_3app3api3run", text, 0));
}

static void test_demangle_cpp(void **state)
{
	char text[256], deep[4096];

	assert_true(demangle_cpp("_ZN6shapes5totalEiPPc", text, sizeof(text)));
	assert_string_equal(text, "shapes::total(int, char**)");
	assert_true(demangle_cpp("_ZN6shapes5totalEiPPc.cold", text, sizeof(text)));
	assert_string_equal(text, "shapes::total(int, char**) [clone .cold]");
	assert_false(demangle("_ZN6shapes5totalEiPPc", text, sizeof(text)));
	assert_false(demangle_cpp("_ZN6shapes5totalEiPPc", text, 10));
	assert_false(demangle_cpp("main", text, sizeof(text)));
	assert_false(demangle_cpp("", text, sizeof(text)));
	assert_false(demangle_cpp("_Z", text, sizeof(text)));
	/* deep, and as long as a symbol that is looked at can be */
	memset(deep, 'P', sizeof(deep));
	memcpy(deep, "_Z1f", 4);
	deep[sizeof(deep) - 1] = 0;
	assert_false(demangle_cpp(deep, text, sizeof(text)));
}

/* Each type is made of the one before, twice: "S<x>". */
static void test_demangle_cpp_bomb(void **state)
{
	char symbol[1024] = "_Z1fSt4pairIiiE", text[DEMANGLE_MAX];

	assert_true(demangle_cpp(symbol, text, sizeof(text)));
	for (int i = 0; i < 30; i++) {
		char ref[8];

		snprintf(ref, sizeof(ref), "S%c_", i < 10 ? (char)('0' + i) : (char)('A' + i - 10));
		sprintf(symbol + strlen(symbol), "S_I%s%sE", ref, ref);
	}
	assert_false(demangle_cpp(symbol, text, sizeof(text)));
}

/* A tuple of two references to the tuple before, `levels` times over: 2^levels units if it is
 * written out. */
static void make_bomb(char *symbol, size_t size, int levels)
{
	static const char digits[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t at = (size_t)snprintf(symbol, size, "_RINvC1a1bTuuE"), previous = strlen("INvC1a1b");

	for (int i = 0; i < levels; i++) {
		size_t start = at - 2, n = previous - 1;
		char ref[8];

		/* base 62, one less than the offset behind "_R" */
		if (n < 62)
			snprintf(ref, sizeof(ref), "B%c_", digits[n]);
		else
			snprintf(ref, sizeof(ref), "B%c%c_", digits[n / 62], digits[n % 62]);
		at += (size_t)snprintf(symbol + at, size - at, "T%s%sE", ref, ref);
		previous = start;
	}
	snprintf(symbol + at, size - at, "E");
}

static void test_demangle_bomb(void **state)
{
	char symbol[1024], text[DEMANGLE_MAX];

	make_bomb(symbol, sizeof(symbol), 1);
	assert_true(demangle(symbol, text, sizeof(text)));
	assert_string_equal(text, "a::b::<((), ()), (((), ()), ((), ()))>");
	make_bomb(symbol, sizeof(symbol), 40);
	assert_false(demangle(symbol, text, sizeof(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_async_fn),     cmocka_unit_test(test_methods),
		cmocka_unit_test(test_generics),     cmocka_unit_test(test_wrappers),
		cmocka_unit_test(test_debuginfo),    cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_drop_glue),    cmocka_unit_test(test_poll_functions),
		cmocka_unit_test(test_long),	     cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_demangle),     cmocka_unit_test(test_demangle_bomb),
		cmocka_unit_test(test_demangle_cpp), cmocka_unit_test(test_demangle_cpp_bomb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
