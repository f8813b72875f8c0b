/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The name of a task from its stack: the outermost future below Tokio's poll. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "symbol/futures.h"

#define POLL                                                                         \
	{                                                                            \
		.function = "tokio::runtime::task::raw::poll", .kind = FRAME_RUNTIME \
	}
#define POLL_WITH_LINES                                                          \
	{                                                                        \
		.function = "tokio::runtime::task::raw::poll", .file = "raw.rs", \
		.kind = FRAME_RUNTIME                                            \
	}
#define STD(name)                                   \
	{                                           \
		.function = name, .kind = FRAME_STD \
	}
#define USER(name)                                   \
	{                                            \
		.function = name, .kind = FRAME_USER \
	}
#define DEP(name)                                   \
	{                                           \
		.function = name, .kind = FRAME_DEP \
	}

static void check(const struct frame *frames, size_t n, const char *expect)
{
	char name[FUTURE_STACK_NAME] = "";

	assert_int_equal(future_of_stack(frames, n, name), expect != NULL);
	assert_string_equal(name, expect ? expect : "");
}

#define CHECK(expect, ...)                                               \
	do {                                                             \
		const struct frame frames[] = { __VA_ARGS__ };           \
		check(frames, sizeof(frames) / sizeof(*frames), expect); \
	} while (0)

static void test_outermost_body(void **state)
{
	CHECK("app::outer", USER("app::burn"), USER("app::inner::{{closure}}"),
	      USER("app::outer::{{closure}}"), POLL_WITH_LINES, USER("app::main"));
	CHECK("app::outer", USER("app::outer::{{closure}}"),
	      STD("<core::pin::Pin<P> as core::future::future::Future>::poll"), POLL_WITH_LINES);
	CHECK("app::f", USER("app::f::{closure#0}"), POLL_WITH_LINES);
}

/* Without lines a body around it may be inlined in Tokio's function. */
static void test_doubt(void **state)
{
	CHECK(FUTURE_DOUBT "app::f", USER("app::f::{{closure}}"), POLL);
}

static void test_innermost_task(void **state)
{
	CHECK("app::local", USER("app::local::{{closure}}"), POLL_WITH_LINES,
	      USER("app::main::{{closure}}"), POLL_WITH_LINES);
	CHECK("app::main", USER("app::main::{{closure}}"),
	      { .function = "tokio::runtime::park::CachedParkThread::block_on",
		.file = "park.rs",
		.kind = FRAME_RUNTIME });
}

static void test_wrappers(void **state)
{
	CHECK("app::f", USER("app::f::{{closure}}"),
	      USER("<app::Logged<F> as core::future::future::Future>::poll"), POLL_WITH_LINES);
	CHECK("app::f", USER("app::f::{{closure}}"),
	      DEP("<tracing::instrument::Instrumented<T> as core::future::future::Future>::poll"),
	      POLL_WITH_LINES);
	CHECK("futures::Select", USER("app::f::{{closure}}"),
	      DEP("<futures::Select<A,B> as core::future::future::Future>::poll"), POLL_WITH_LINES);
	CHECK("app::ByHand", USER("<app::ByHand as core::future::future::Future>::poll"),
	      POLL_WITH_LINES);
}

static void test_nothing_to_tell(void **state)
{
	/* a plain function: the future is inlined, or the stack is not whole */
	CHECK(NULL, USER("app::burn"), POLL);
	CHECK(NULL, { .kind = FRAME_UNKNOWN }, POLL);
	CHECK(NULL, USER("app::f::{{closure}}"), USER("app::main"));
	CHECK(NULL, POLL);
	check(NULL, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outermost_body),	cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_innermost_task),	cmocka_unit_test(test_wrappers),
		cmocka_unit_test(test_nothing_to_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
