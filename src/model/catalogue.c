/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/catalogue.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/catalogue_parts.h"
#include "model/path.h"

/* Frames that are looked at, from the culprit inwards: a recursion may be as deep as it likes. */
#define FRAMES_MAX 64

#define SPAWN "use tokio::task::spawn_blocking"
#define POOL "move it to spawn_blocking or rayon"

/* One row a kind of call; clang-format would make it one line a field. Names are those of rustc 1.63 to 1.97. */
/* clang-format off */
const struct catalogue_row catalogue_rows[] = {
	/* std that waits */
	{ "std::thread::*sleep*", { "std::thread::sleep", "use tokio::time::sleep(..).await" } },
	{ "std::*Mutex::lock*", { "std::sync::Mutex",
	  "hold it for less, or use tokio::sync::Mutex if held across .await" } },
	{ "std::*RwLock::*", { "std::sync::RwLock",
	  "hold it for less, or use tokio::sync::RwLock if held across .await" } },
	{ "std::*Condvar::*", { "std::sync::Condvar", "use tokio::sync::Notify or tokio::sync::watch" } },
	{ "std::*Barrier::wait", { "std::sync::Barrier", "use tokio::sync::Barrier" } },
	{ "std::*Once*::*", { "std::sync::Once", "use tokio::sync::OnceCell, or initialise it at start" } },
	{ "std::*LazyLock::*", { "std::sync::LazyLock", "initialise it at start, before tasks run" } },
	{ "std::sync::mp[sm]c::*", { "std::sync::mpsc", "use tokio::sync::mpsc, or try_recv" } },
	{ "std::thread::*Join*::join", { "joining a thread", "start it with tokio::task::spawn_blocking and .await its handle" } },
	{ "std::thread::*park*", { "std::thread::park", "use tokio::sync::Notify" } },
	/* std that reads and writes */
	{ "std::fs::*", { "std::fs", "use tokio::fs, or tokio::task::spawn_blocking around several calls" } },
	{ "std::sys*::fs::*", { "std::fs", "use tokio::fs, or tokio::task::spawn_blocking around several calls" } },
	{ "std::path::Path::*", { "std::path", "this asks the file system: use tokio::fs::metadata and the like" } },
	{ "*::to_socket_addrs", { "name resolution", "use tokio::net::lookup_host(..).await" } },
	{ "std::*lookup_host*", { "name resolution", "use tokio::net::lookup_host(..).await" } },
	{ "std::*LookupHost::*", { "name resolution", "use tokio::net::lookup_host(..).await" } },
	{ "getaddrinfo", { "name resolution", "use tokio::net::lookup_host(..).await" } },
	{ "std::net::*", { "std::net", "use tokio::net" } },
	{ "std::os::unix::net::*", { "std::os::unix::net", "use tokio::net::UnixStream and its like" } },
	{ "std::sys*::net::*", { "std::net", "use tokio::net" } },
	{ "std::process::*", { "std::process", "use tokio::process::Command" } },
	{ "std::sys*::process::*", { "std::process", "use tokio::process::Command" } },
	{ "std::io::stdio::*", { "standard input and output",
	  "its other end is slow: use tokio::io::stdout, or a writing thread" } },
	/* other people's locks, channels and executors */
	{ "parking_lot*::*", { "parking_lot", "hold it for less, or use tokio::sync if held across .await" } },
	{ "lock_api::*", { "parking_lot", "hold it for less, or use tokio::sync if held across .await" } },
	{ "crossbeam_channel::*", { "crossbeam-channel", "use tokio::sync::mpsc" } },
	{ "flume::*", { "flume", "use its recv_async and send_async" } },
	{ "futures_executor::*", { "block_on in a task", ".await the future instead" } },
	{ "futures_lite::*block_on*", { "block_on in a task", ".await the future instead" } },
	{ "pollster::*", { "block_on in a task", ".await the future instead" } },
	{ "tokio::runtime::*::block_on", { "block_on in a task", ".await the future instead" } },
	{ "rayon*::*", { "waiting for rayon", "start it with rayon::spawn and .await a tokio::sync::oneshot" } },
	/* clients that wait for a server or a disk */
	{ "reqwest::blocking::*", { "reqwest::blocking", "use reqwest::Client" } },
	{ "ureq::*", { "ureq", "use reqwest::Client, or tokio::task::spawn_blocking" } },
	{ "curl::*", { "curl", "use reqwest::Client, or tokio::task::spawn_blocking" } },
	{ "rusqlite::*", { "SQLite", "use tokio-rusqlite or sqlx, or tokio::task::spawn_blocking" } },
	{ "sqlite3*", { "SQLite", "use tokio-rusqlite or sqlx, or tokio::task::spawn_blocking" } },
	{ "diesel::*", { "diesel", "use diesel-async, or tokio::task::spawn_blocking" } },
	{ "postgres::*", { "postgres", "use tokio-postgres" } },
	{ "mysql::*", { "mysql", "use mysql_async" } },
	{ "redis::*", { "redis", "use its aio connections" } },
	{ "rocksdb::*", { "RocksDB", SPAWN } },
	{ "sled::*", { "sled", SPAWN } },
	{ "git2::*", { "git2", SPAWN } },
	{ "ssh2::*", { "ssh2", "use russh, or tokio::task::spawn_blocking" } },
	{ "notify::*", { "notify", SPAWN } },
	/* work */
	{ "argon2::*", { "password hashing", SPAWN } },
	{ "bcrypt::*", { "password hashing", SPAWN } },
	{ "scrypt::*", { "password hashing", SPAWN } },
	{ "pbkdf2::*", { "password hashing", SPAWN } },
	{ "rsa::*", { "cryptography", POOL } },
	{ "sha[123]*::*", { "hashing", POOL } },
	{ "blake*::*", { "hashing", POOL } },
	{ "md5::*", { "hashing", POOL } },
	{ "ring::*", { "cryptography", POOL } },
	{ "openssl::*", { "cryptography", POOL } },
	{ "zstd*::*", { "compression", "use async-compression, or tokio::task::spawn_blocking" } },
	{ "ZSTD_*", { "compression", "use async-compression, or tokio::task::spawn_blocking" } },
	{ "flate2::*", { "compression", "use async-compression, or tokio::task::spawn_blocking" } },
	{ "miniz_oxide::*", { "compression", "use async-compression, or tokio::task::spawn_blocking" } },
	{ "brotli*::*", { "compression", "use async-compression, or tokio::task::spawn_blocking" } },
	{ "bzip2::*", { "compression", "use async-compression, or tokio::task::spawn_blocking" } },
	{ "lz4*::*", { "compression", POOL } },
	{ "snap::*", { "compression", POOL } },
	{ "tar::*", { "archives", "use tokio-tar, or tokio::task::spawn_blocking" } },
	{ "zip::*", { "archives", "use async_zip, or tokio::task::spawn_blocking" } },
	{ "image::*", { "images", POOL } },
	{ "png::*", { "images", POOL } },
	{ "jpeg_decoder::*", { "images", POOL } },
	{ "regex*::*", { "regular expressions", "compile it once (LazyLock); for long texts, use spawn_blocking" } },
	{ "serde_json::*", { "JSON", "for documents this large, " POOL } },
	{ "serde_yaml::*", { "YAML", "for documents this large, " POOL } },
	{ "bincode::*", { "serialisation", "for data this large, " POOL } },
	{ "csv::*", { "CSV", "for files this large, " POOL } },
	{ "quick_xml::*", { "XML", "for documents this large, " POOL } },
	{ "*::slice::sort::*", { "sorting", "for this many items, " POOL } },
	/* where there are no names */
	{ "syscall:flock", { "file lock", "try it without waiting (LOCK_NB), or " SPAWN } },
	{ "syscall:fsync", { "waiting for the disk", "use tokio::fs::File::sync_all" } },
	{ "syscall:fdatasync", { "waiting for the disk", "use tokio::fs::File::sync_data" } },
	{ "syscall:sched_yield", { "spinning", "it waits in a loop: use tokio::sync::Notify or a channel" } },
	{ "cause:sleep", { "sleep", "use tokio::time::sleep(..).await" } },
	{ "cause:lock", { "lock", "use tokio::sync, or hold the lock for less" } },
	{ "cause:file", { "file", "use tokio::fs, or tokio::task::spawn_blocking" } },
	{ "cause:socket", { "socket", "use tokio::net" } },
	{ "cause:pipe", { "pipe", "use tokio::net::unix::pipe, or tokio::task::spawn_blocking" } },
	{ "cause:process", { "child process", "use tokio::process::Command" } },
	{ "cause:page_fault", { "memory", "touch it beforehand (read ahead, mlock), or use spawn_blocking" } },
	{ "cause:cpu", { "computing", "yield (tokio::task::yield_now), or use spawn_blocking or rayon" } },
	{ "cause:starved", { "no CPU", "not the code's fault: give the machine or the container more CPU" } },
	{ "cause:throttled", { "CPU quota", "not the code's fault: raise the cgroup's cpu.max" } },
};
/* clang-format on */

const size_t catalogue_n_rows = sizeof(catalogue_rows) / sizeof(catalogue_rows[0]);

struct catalogue *catalogue_new(void)
{
	return calloc(1, sizeof(struct catalogue));
}

struct catalogue *catalogue_free(struct catalogue *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		free(c->lines[i]);
	free(c);
	return NULL;
}

/* What is before the first wildcard is compared at once: most rows fail there. */
static bool is_match(const char *pattern, const char *text)
{
	return !strncmp(pattern, text, strcspn(pattern, "*?[")) &&
	       !fnmatch(pattern, text, FNM_NOESCAPE);
}

static const struct advice *match(const struct catalogue *c, const char *text)
{
	for (size_t i = 0; i < c->n; i++) {
		if (is_match(c->rows[i].pattern, text))
			return &c->rows[i].advice;
	}
	for (size_t i = 0; i < catalogue_n_rows; i++) {
		if (is_match(catalogue_rows[i].pattern, text))
			return &catalogue_rows[i].advice;
	}
	return NULL;
}

/* From the site's function inwards: what it called tells more than what that did. */
static const struct advice *match_frames(const struct catalogue *c, const struct block *b)
{
	const struct block_stack *s = &b->stacks[0];
	char path[PATH_TEXT_SIZE];
	int last = b->culprit - FRAMES_MAX;

	for (int i = b->culprit; b->n_stacks && i >= 0 && i > last; i--) {
		const struct advice *found;

		if (!s->frames[i].function || s->frames[i].kind == FRAME_KERNEL)
			continue;
		path_of_name(s->frames[i].function, path);
		path_leave_out_trait(path);
		found = match(c, path);
		if (found)
			return found;
	}
	return NULL;
}

static const struct advice *match_word(const struct catalogue *c, const char *what,
				       const char *word)
{
	char text[64];

	snprintf(text, sizeof(text), "%s:%s", what, word);
	return match(c, text);
}

/* Whether what the code does has anything to do with it. */
static bool is_of_code(enum cause c)
{
	return c != CAUSE_STARVED && c != CAUSE_THROTTLED && c != CAUSE_PAGE_FAULT;
}

/* To std the end of a pipe is a File, too. */
static bool is_of_files(const struct advice *a)
{
	return !strcmp(a->kind, "std::fs");
}

const struct advice *catalogue_find(const struct catalogue *c, const struct block *b)
{
	const struct advice *found = NULL;

	if (is_of_code(b->cause)) {
		found = match_frames(c, b);
		if (found && b->cause == CAUSE_PIPE && is_of_files(found))
			found = NULL;
		if (!found && b->n_syscalls && b->cause != CAUSE_CPU)
			found = match_word(c, "syscall", b->syscalls[0].name);
	}
	return found ? found : match_word(c, "cause", cause_name(b->cause));
}
