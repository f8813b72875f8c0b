/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "model/callsite.h"
#include "model/path.h"
#include "samples.h"

static void check_path(const char *name, const char *path)
{
	char ret[PATH_TEXT_SIZE];

	assert_true(path_of_name(name, ret));
	assert_string_equal(ret, path);
}

static void one_function_has_one_path(void **state)
{
	static const struct {
		const char *path, *names[4];
	} rows[] = {
		{ "app::run",
		  { "app::run", "app::run::<u32, alloc::vec::Vec<u8>>", "app::run<T>" } },
		{ "app::pool::Pool::get",
		  { "app::pool::Pool<T>::get", "<app::pool::Pool<u32>>::get",
		    "<app::pool::Pool<alloc::string::String>>::get::<&str>" } },
		{ "app::Other::elsewhere",
		  { "app::far::<impl app::Other>::elsewhere", "<app::Other>::elsewhere" } },
		{ "<app::Pool as app::Job>::run",
		  { "<app::Pool<T> as app::Job>::run", "<app::Pool<u32> as app::Job>::run",
		    "app::far::<impl app::Job for app::Pool<T>>::run",
		    "<&mut app::Pool<u8> as app::Job>::run" } },
		{ "<str as app::Job>::run",
		  { "<&str as app::Job>::run", "<&'static str as app::Job>::run" } },
		{ "<[u8; 4] as app::Job>::run", { "<[u8; 4] as app::Job>::run" } },
		{ "<app::F as core::ops::function::FnOnce>::call_once",
		  { "<app::F as core::ops::function::FnOnce<(u32, fn(u8) -> u8)>>::call_once" } },
		{ "<app::Handler as app::Job>::run",
		  { "<dyn app::Handler<Output = ()> as app::Job>::run" } },
		{ "app::api::upload::{closure}",
		  { "app::api::upload::{{closure}}", "app::api::upload::{closure#0}",
		    "app::api::upload::<u8>::{closure#0}" } },
		{ "app::main::{closure#2}::{closure}", { "app::main::{closure#2}::{closure#0}" } },
		{ "{closure#1}", { "{async_block#1}<fn()>", "{closure#1}", "{async_fn#1}" } },
		{ "app::LIMIT::{constant}",
		  { "app::LIMIT::{{constant}}", "app::LIMIT::{constant#0}" } },
		{ "clock_nanosleep", { "clock_nanosleep" } },
		{ "", { "" } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (size_t k = 0; k < 4 && rows[i].names[k]; k++)
			check_path(rows[i].names[k], rows[i].path);
	}
}

/* Whatever the text, it ends, and stays within its bounds. */
static void hostile_names(void **state)
{
	static const char bytes[] = "<>:{}[]() #&'app as impl for ->\xff\x1b";
	char name[3000], path[PATH_TEXT_SIZE], last[40];

	srand(1);
	for (int round = 0; round < 20000; round++) {
		size_t n = rand() % (round % 100 ? 60 : sizeof(name));

		for (size_t i = 0; i < n; i++)
			name[i] = bytes[rand() % (sizeof(bytes) - 1)];
		name[n ? n - 1 : 0] = 0;
		path_of_name(name, path);
		path_last(path, last, sizeof(last));
		path_leave_out_trait(path);
		assert_true(strlen(path) < sizeof(path) && strlen(last) < sizeof(last));
	}
	memset(name, '<', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	path_of_name(name, path);
	memset(name, 'x', sizeof(name) - 1);
	assert_false(path_of_name(name, path));
}

#define USER(name)                                     \
	{                                              \
		.function = (name), .kind = FRAME_USER \
	}
#define INLINED(name)                                                      \
	{                                                                  \
		.function = (name), .kind = FRAME_USER, .is_inlined = true \
	}
#define STD(name)                                     \
	{                                             \
		.function = (name), .kind = FRAME_STD \
	}
#define LIBC(name)                                     \
	{                                              \
		.function = (name), .kind = FRAME_LIBC \
	}
#define DEP(name)                                     \
	{                                             \
		.function = (name), .kind = FRAME_DEP \
	}
#define POLL                                                                                     \
	{                                                                                        \
		.function = "tokio::runtime::task::core::Core<T,S>::poll", .kind = FRAME_RUNTIME \
	}
#define MAIN USER("app::main")

#define FRAMES_MAX 8

static struct block block_in(const struct frame frames[FRAMES_MAX], bool is_asleep)
{
	struct block b = sample_block();
	size_t n = 0;

	while (n < FRAMES_MAX && frames[n].function)
		n++;
	b.stacks[0] = (struct block_stack){ frames, n, 1, is_asleep, true };
	b.n_stacks = 1;
	b.culprit = callsite_culprit(&b.stacks[0], b.task_id);
	callsite_find(&b);
	return b;
}

static void a_wait_is_named_by_the_function_and_what_it_called(void **state)
{
	static const struct {
		struct frame frames[FRAMES_MAX];
		const char *site;
	} rows[] = {
		{ { LIBC("clock_nanosleep"), STD("std::thread::functions::sleep"),
		    INLINED("app::f"), USER("app::api::upload::{{closure}}"), POLL, MAIN },
		  "app::f > sleep" },
		/* inlined, in a file without debuginfo */
		{ { LIBC("syscall"), STD("<std::sys::sync::mutex::futex::Mutex>::lock_contended"),
		    USER("app::f"), POLL },
		  "app::f > lock" },
		{ { STD("std::sync::poison::mutex::Mutex<T>::lock"),
		    STD("core::ops::function::FnOnce::call_once"), USER("app::f"), POLL },
		  "app::f > lock" },
		{ { LIBC("__read"), STD("std::fs::read::inner"), USER("app::f"), POLL },
		  "app::f > read" },
		{ { LIBC("flock"), USER("app::f"), POLL }, "app::f > flock" },
		{ { LIBC("fdatasync"), USER("app::f"), POLL }, "app::f > sync" },
		{ { STD("<(&str, u16) as std::net::socket_addr::ToSocketAddrs>::to_socket_addrs"),
		    USER("app::f"), POLL },
		  "app::f > resolve" },
		{ { STD("<std::net::udp::UdpSocket>::recv"), USER("app::f"), POLL },
		  "app::f > read" },
		{ { STD("std::sync::mpsc::Receiver<T>::recv"), USER("app::f"), POLL },
		  "app::f > recv" },
		/* nothing of the user's: the dependency that did it */
		{ { LIBC("__read"), DEP("<db::Client>::query"), DEP("pool::run"), POLL, MAIN },
		  "db::Client::query > read" },
		/* debuginfo of lines alone names inlined functions without their path */
		{ { STD("sleep"), INLINED("drop"), USER("app::g::{{closure}}"), POLL },
		  "app::g::{closure} > sleep" },
		{ { USER("app::f"), POLL }, "app::f" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct block b = block_in(rows[i].frames, true);

		assert_string_equal(b.site, rows[i].site);
	}
}

static void computing_is_named_by_the_function_that_it_is_part_of(void **state)
{
	static const struct frame in_loop[FRAMES_MAX] = { STD("<u64>::wrapping_mul"),
							  INLINED("app::helper"), USER("app::f"),
							  USER("app::g"), POLL };
	static const struct frame in_async[FRAMES_MAX] = { INLINED("app::helper"),
							   INLINED("app::api::upload::{closure#0}"),
							   USER("app::main::{closure#1}"), POLL };
	struct block b = block_in(in_loop, false);

	assert_string_equal(b.site, "app::f");
	assert_int_equal(b.culprit, 1);
	assert_ptr_equal(callsite_frame(&b), &in_loop[2]);
	b = block_in(in_async, false);
	assert_string_equal(b.site, "app::api::upload::{closure}");
}

static void closures_without_number_have_that_of_debuginfo(void **state)
{
	static const struct frame frames[FRAMES_MAX] = {
		{ .function = "app::f::{{closure}}", .kind = FRAME_USER, .nth = 3 }, POLL
	};
	struct block b = block_in(frames, true);

	assert_string_equal(b.site, "app::f::{closure#3}");
}

static void what_is_outside_of_the_poll_is_not_the_tasks(void **state)
{
	static const struct frame frames[FRAMES_MAX] = { LIBC("syscall"), POLL, MAIN };
	struct block b = block_in(frames, true);

	assert_int_equal(b.culprit, -1);
	assert_string_equal(b.site, "~app::handle_upload > cpu");
	b.task_id = 0; /* of a root future it is */
	assert_int_equal(callsite_culprit(&b.stacks[0], false), 2);
}

static void a_drop_that_the_runtime_does_inside_is_not_the_end(void **state)
{
	static const struct frame frames[FRAMES_MAX] = {
		LIBC("syscall"),
		{ .function = "<tokio::runtime::task::join::JoinHandle<T>>::abort",
		  .kind = FRAME_RUNTIME },
		USER("app::f"),
		POLL,
		MAIN
	};
	struct block b = block_in(frames, true);

	assert_string_equal(b.site, "app::f > abort");
}

static void without_names_the_task_has_to_do(void **state)
{
	struct block b = sample_block();

	b.task = (struct task_name){ "src/api.rs:142", "src/api.rs", 142, "location" };
	b.cause = CAUSE_FILE;
	b.n_syscalls = 1;
	b.syscalls[0].name = "read";
	b.phase = PHASE_DROP;
	callsite_find(&b);
	assert_string_equal(b.site, "~src/api.rs:142 > file/read in drop");
	assert_null(callsite_frame(&b));
	b = unknown_block();
	callsite_find(&b);
	assert_string_equal(b.site, "~root > other");
	b.task_id = 7;
	callsite_find(&b);
	assert_string_equal(b.site, "");
}

static void long_names_stay_apart(void **state)
{
	static char one[3000], two[3000];
	static struct frame frames[FRAMES_MAX] = { { .kind = FRAME_USER }, POLL };
	struct block b, c;

	for (size_t n = 300; n < sizeof(one); n += 1300) {
		memset(one, 'x', n);
		memcpy(one, "app::", 5);
		memcpy(two, one, n);
		two[n - 100] = 'y';
		frames[0].function = one;
		b = block_in(frames, true);
		frames[0].function = two;
		c = block_in(frames, true);
		assert_string_not_equal(b.site, c.site);
		assert_true(strlen(b.site) < SITE_SIZE && strlen(b.site) > SITE_SIZE / 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_function_has_one_path),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(a_wait_is_named_by_the_function_and_what_it_called),
		cmocka_unit_test(computing_is_named_by_the_function_that_it_is_part_of),
		cmocka_unit_test(closures_without_number_have_that_of_debuginfo),
		cmocka_unit_test(what_is_outside_of_the_poll_is_not_the_tasks),
		cmocka_unit_test(a_drop_that_the_runtime_does_inside_is_not_the_end),
		cmocka_unit_test(without_names_the_task_has_to_do),
		cmocka_unit_test(long_names_stay_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
