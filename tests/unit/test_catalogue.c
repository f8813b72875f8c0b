/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/callsite.h"
#include "model/catalogue.h"
#include "samples.h"

/* A block in a function of the user's that called `names`, the first of them first, and waited in `syscall`. */
static struct block block_that(enum cause cause, const char *syscall, const char *const names[4])
{
	static struct frame frames[6];
	struct block b = sample_block();
	size_t n = 0;

	for (size_t i = 4; i-- > 0;) {
		if (names[i])
			frames[n++] = (struct frame){ .function = names[i], .kind = FRAME_STD };
	}
	frames[n++] = (struct frame){ .function = "app::f", .kind = FRAME_USER };
	b.stacks[0] = (struct block_stack){ frames, n, 1, cause != CAUSE_CPU, true };
	b.n_stacks = 1;
	b.culprit = callsite_culprit(&b.stacks[0], true);
	b.cause = cause;
	b.n_syscalls = syscall ? 1 : 0;
	b.syscalls[0].name = syscall;
	callsite_find(&b);
	return b;
}

/* One a row of the table, in its order: what is called is as std of 1.63, 1.95 or 1.97, or the crate, has it. */
static const struct {
	enum cause cause;
	const char *syscall, *names[4];
} examples[] = {
	{ CAUSE_SLEEP, "clock_nanosleep", { "std::thread::functions::sleep" } },
	{ CAUSE_LOCK, "futex", { "std::sys::unix::locks::futex_mutex::Mutex::lock_contended" } },
	{ CAUSE_LOCK, "futex", { "<std::sys::sync::rwlock::futex::RwLock>::read_contended" } },
	{ CAUSE_LOCK, "futex", { "std::sync::poison::condvar::Condvar::wait_timeout" } },
	{ CAUSE_LOCK, "futex", { "<std::sync::barrier::Barrier>::wait" } },
	{ CAUSE_LOCK, "futex", { "<std::sys::sync::once::futex::Once>::call" } },
	{ CAUSE_LOCK, "futex", { "std::sync::lazy_lock::LazyLock<T,F>::force" } },
	{ CAUSE_LOCK, "futex", { "std::sync::mpmc::list::Channel<T>::recv" } },
	{ CAUSE_LOCK, "futex", { "std::thread::lifecycle::JoinInner<T>::join" } },
	{ CAUSE_LOCK, "futex", { "std::thread::functions::park_timeout" } },
	{ CAUSE_FILE,
	  "read",
	  { "std::io::Read::read_exact", "<std::fs::File as std::io::Read>::read" } },
	{ CAUSE_FILE, "statx", { "std::sys::pal::unix::fs::stat" } },
	{ CAUSE_FILE, "statx", { "<std::path::Path>::exists" } },
	{ CAUSE_SOCKET,
	  "poll",
	  { "<(&str, u16) as std::net::socket_addr::ToSocketAddrs>::to_socket_addrs" } },
	{ CAUSE_SOCKET, "poll", { "std::sys::net::connection::socket::lookup_host" } },
	{ CAUSE_SOCKET,
	  "poll",
	  { "<std::sys_common::net::LookupHost as core::convert::TryFrom<&str>>::try_from" } },
	{ CAUSE_SOCKET, "poll", { "getaddrinfo" } },
	{ CAUSE_SOCKET, "recvfrom", { "<std::net::tcp::TcpStream as std::io::Read>::read" } },
	{ CAUSE_SOCKET,
	  "recvfrom",
	  { "<&std::os::unix::net::stream::UnixStream as std::io::Read>::read" } },
	{ CAUSE_SOCKET, "connect", { "std::sys_common::net::TcpStream::connect" } },
	{ CAUSE_PROCESS, "wait4", { "<std::process::Command>::status" } },
	{ CAUSE_PROCESS, "wait4", { "<std::sys::process::unix::unix::Process>::wait" } },
	{ CAUSE_PIPE, "write", { "std::io::stdio::_print" } },
	{ CAUSE_LOCK, "futex", { "parking_lot::raw_mutex::RawMutex::lock_slow" } },
	{ CAUSE_LOCK,
	  "futex",
	  { "lock_api::mutex::Mutex<R,T>::lock", "parking_lot::raw_mutex::RawMutex::lock_slow" } },
	{ CAUSE_LOCK, "futex", { "crossbeam_channel::channel::Receiver<T>::recv" } },
	{ CAUSE_LOCK, "futex", { "flume::Receiver<T>::recv" } },
	{ CAUSE_LOCK, "futex", { "futures_executor::local_pool::block_on" } },
	{ CAUSE_LOCK, "futex", { "futures_lite::future::block_on" } },
	{ CAUSE_LOCK, "futex", { "pollster::block_on" } },
	{ CAUSE_LOCK, "futex", { "tokio::runtime::runtime::Runtime::block_on" } },
	{ CAUSE_LOCK, "futex", { "rayon_core::registry::Registry::in_worker_cold" } },
	{ CAUSE_LOCK, "futex", { "reqwest::blocking::client::Client::execute" } },
	{ CAUSE_SOCKET, "recvfrom", { "ureq::run::run" } },
	{ CAUSE_SOCKET, "poll", { "curl::easy::handle::Easy::perform" } },
	{ CAUSE_FILE, "pread64", { "rusqlite::statement::Statement::query" } },
	{ CAUSE_FILE, "pread64", { "sqlite3_step" } },
	{ CAUSE_SOCKET, "poll", { "diesel::query_dsl::RunQueryDsl::load" } },
	{ CAUSE_SOCKET, "poll", { "postgres::client::Client::query" } },
	{ CAUSE_SOCKET, "recvfrom", { "mysql::conn::Conn::query" } },
	{ CAUSE_SOCKET, "recvfrom", { "redis::connection::Connection::req_command" } },
	{ CAUSE_FILE, "pread64", { "rocksdb::db::DBCommon<T,D>::get" } },
	{ CAUSE_FILE, "pread64", { "sled::tree::Tree::get" } },
	{ CAUSE_FILE, "read", { "git2::repo::Repository::open" } },
	{ CAUSE_SOCKET, "poll", { "ssh2::session::Session::handshake" } },
	{ CAUSE_FILE, "inotify_add_watch", { "notify::inotify::INotifyWatcher::watch" } },
	{ CAUSE_CPU, NULL, { "argon2::Argon2::hash_password_into" } },
	{ CAUSE_CPU, NULL, { "bcrypt::hash" } },
	{ CAUSE_CPU, NULL, { "scrypt::romix::scrypt_ro_mix" } },
	{ CAUSE_CPU, NULL, { "pbkdf2::pbkdf2" } },
	{ CAUSE_CPU, NULL, { "rsa::key::RsaPrivateKey::new" } },
	{ CAUSE_CPU, NULL, { "sha2::sha256::compress256" } },
	{ CAUSE_CPU, NULL, { "blake3::Hasher::update" } },
	{ CAUSE_CPU, NULL, { "md5::compute" } },
	{ CAUSE_CPU, NULL, { "ring::digest::Context::update" } },
	{ CAUSE_CPU, NULL, { "openssl::sign::Signer::sign_oneshot" } },
	{ CAUSE_CPU, NULL, { "zstd_safe::CCtx::compress_stream" } },
	{ CAUSE_CPU, NULL, { "ZSTD_compressStream2" } },
	{ CAUSE_CPU, NULL, { "flate2::zio::Writer<W,D>::write" } },
	{ CAUSE_CPU, NULL, { "miniz_oxide::deflate::core::compress" } },
	{ CAUSE_CPU, NULL, { "brotli::enc::encode::BrotliEncoderCompressStream" } },
	{ CAUSE_CPU, NULL, { "bzip2::mem::Compress::compress" } },
	{ CAUSE_CPU, NULL, { "lz4_flex::block::compress::compress" } },
	{ CAUSE_CPU, NULL, { "snap::compress::Encoder::compress" } },
	{ CAUSE_CPU, NULL, { "tar::archive::Archive<R>::unpack" } },
	{ CAUSE_CPU, NULL, { "zip::read::ZipArchive<R>::by_index" } },
	{ CAUSE_CPU, NULL, { "image::imageops::resize" } },
	{ CAUSE_CPU, NULL, { "png::decoder::Reader<R>::next_frame" } },
	{ CAUSE_CPU, NULL, { "jpeg_decoder::decoder::Decoder<R>::decode" } },
	{ CAUSE_CPU, NULL, { "regex::regex::string::Regex::new" } },
	{ CAUSE_CPU, NULL, { "serde_json::de::from_slice" } },
	{ CAUSE_CPU, NULL, { "serde_yaml::de::from_str" } },
	{ CAUSE_CPU, NULL, { "bincode::internal::serialize" } },
	{ CAUSE_CPU, NULL, { "csv::reader::Reader<R>::read_record" } },
	{ CAUSE_CPU, NULL, { "quick_xml::reader::Reader<R>::read_event" } },
	{ CAUSE_CPU, NULL, { "core::slice::sort::unstable::quicksort::quicksort" } },
	{ CAUSE_LOCK, "flock", { "flock" } },
	{ CAUSE_FILE, "fsync", { "fsync" } },
	{ CAUSE_FILE, "fdatasync", { "fdatasync" } },
	{ CAUSE_OTHER, "sched_yield", { "sched_yield" } },
	{ CAUSE_SLEEP, "clock_nanosleep", { 0 } },
	{ CAUSE_LOCK, "futex", { "app::g" } },
	{ CAUSE_FILE, "read", { "__read" } },
	{ CAUSE_SOCKET, "recvfrom", { 0 } },
	{ CAUSE_PIPE, "read", { "<std::fs::File as std::io::Read>::read" } }, /* it is no file */
	{ CAUSE_PROCESS, "wait4", { 0 } },
	{ CAUSE_PAGE_FAULT, "page_fault", { "std::fs::read" } }, /* it may have been anything */
	{ CAUSE_CPU, "fsync", { "app::g" } },
	{ CAUSE_STARVED, "read", { "std::fs::read" } }, /* not the code's fault */
	{ CAUSE_THROTTLED, NULL, { "std::thread::sleep" } },
};
#define N_EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static void each_row_has_its_example_and_no_other_takes_it(void **state)
{
	struct catalogue *c = catalogue_new();

	assert_int_equal(catalogue_n_rows, N_EXAMPLES);
	for (size_t i = 0; i < N_EXAMPLES; i++) {
		struct block b = block_that(examples[i].cause, examples[i].syscall,
					    examples[i].names);
		const struct advice *found = catalogue_find(c, &b);

		assert_non_null(found);
		assert_string_equal(
			catalogue_rows[i].pattern,
			((const struct catalogue_row *)((const char *)found -
							offsetof(struct catalogue_row, advice)))
				->pattern);
	}
	catalogue_free(c);
}

static void rows_are_short_and_say_something(void **state)
{
	for (size_t i = 0; i < catalogue_n_rows; i++) {
		const struct advice *a = &catalogue_rows[i].advice;

		assert_in_range(strlen(a->text), 5, 68); /* one line of a block */
		assert_in_range(strlen(a->kind), 2, 30);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(catalogue_rows[i].pattern,
						catalogue_rows[k].pattern);
	}
}

static void blocks_of_nothing_known(void **state)
{
	struct catalogue *c = catalogue_new();
	struct block b = unknown_block();

	assert_null(catalogue_find(c, &b));
	b = sample_block();
	assert_string_equal(catalogue_find(c, &b)->kind, "computing");
	catalogue_free(c);
}

static int read_text(struct catalogue *c, const char *text, size_t n, char *error, size_t size)
{
	char path[] = "/tmp/advice-XXXXXX";
	_cleanup_close_
	int fd = mkstemp(path);
	int r;

	assert_int_equal(write(fd, text, n), n);
	r = catalogue_read(c, path, error, size);
	unlink(path);
	return r;
}

static void rows_of_users_come_first(void **state)
{
	static const char text[] = "# ours\n\n  app::db::* | our database |  use app::db::aio  \r\n"
				   "std::fs::*|files|ask Ada\n"
				   "cause:lock | locks | none of ours\n"
				   "syscall:io_submit | aio | last line without an end";
	struct catalogue *c = catalogue_new();
	char error[200] = "";
	struct block b;

	assert_int_equal(read_text(c, text, sizeof(text) - 1, error, sizeof(error)), 0);
	b = block_that(CAUSE_SOCKET, "read",
		       (const char *[4]){ "<app::db::Pool<T>>::get", "std::net::tcp::x" });
	assert_string_equal(catalogue_find(c, &b)->kind, "our database");
	assert_string_equal(catalogue_find(c, &b)->text, "use app::db::aio");
	b = block_that(CAUSE_FILE, "read", (const char *[4]){ "std::fs::read" });
	assert_string_equal(catalogue_find(c, &b)->text, "ask Ada");
	b = block_that(CAUSE_LOCK, "futex", (const char *[4]){ 0 });
	assert_string_equal(catalogue_find(c, &b)->text, "none of ours");
	b = block_that(CAUSE_FILE, "io_submit", (const char *[4]){ 0 });
	assert_string_equal(catalogue_find(c, &b)->kind, "aio");
	catalogue_free(c);
}

static void what_is_wrong_in_a_file_is_said_with_its_line(void **state)
{
	static const struct {
		const char *text;
		size_t n; /* 0: all of it */
		const char *says;
	} rows[] = {
		{ "a | b | c\nnonsense\n", 0,
		  ":2: Not three texts with bars between. Write PATTERN | KIND | ADVICE." },
		{ "a | b", 0, ":1: Not three" },
		{ "a | b | c | d", 0, ":1: Not three" },
		{ "a |  | c", 0, ":1: Not three" },
		{ "\n\na | b | \x1b[31m", 0, ":3: The line has a control character." },
		{ "a | b | c\0d\n", 12, ":1: The line has a control character." },
		{ "a | b | \xff\n", 0, ":1: The line is not UTF-8." },
		{ "cause:love | b | c", 0, ":1: There is no cause 'love'." },
	};
	char error[300], *many = malloc(1100 * 10 + 1), *line = malloc(5000);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct catalogue *c = catalogue_new();

		assert_int_equal(read_text(c, rows[i].text,
					   rows[i].n ? rows[i].n : strlen(rows[i].text), error,
					   sizeof(error)),
				 -EINVAL);
		assert_non_null(strstr(error, rows[i].says));
		catalogue_free(c);
	}
	many[0] = 0;
	for (int i = 0; i < 1100; i++)
		memcpy(many + 10 * i, "a | b | c\n", 10);
	memset(line, 'x', 5000);
	struct catalogue *c = catalogue_new();

	assert_int_equal(read_text(c, line, 5000, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, ":1: The line is longer than 1000 bytes."));
	assert_int_equal(read_text(c, many, 11000, error, sizeof(error)), -E2BIG);
	assert_non_null(strstr(error, ":1001: There are more than 1000 rows."));
	assert_int_equal(catalogue_read(c, "/nowhere/advice", error, sizeof(error)), -ENOENT);
	assert_string_equal(error, "Cannot read the advice in '/nowhere/advice': No such file or "
				   "directory. Give a file that can be read.");
	assert_int_equal(catalogue_read(c, "/tmp", error, sizeof(error)), -EISDIR);
	catalogue_free(c);
	free(many);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_has_its_example_and_no_other_takes_it),
		cmocka_unit_test(rows_are_short_and_say_something),
		cmocka_unit_test(blocks_of_nothing_known),
		cmocka_unit_test(rows_of_users_come_first),
		cmocka_unit_test(what_is_wrong_in_a_file_is_said_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
