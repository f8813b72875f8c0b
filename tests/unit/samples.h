/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Blocks and summaries that the tests of every format print. */
#ifndef RS_TESTS_SAMPLES_H
#define RS_TESTS_SAMPLES_H

#include <string.h>

#include "model/block.h"

#define SAMPLE_MS UINT64_C(1000000)

static inline struct block sample_block(void)
{
	return (struct block){
		.pid = 24000,
		.tid = 24038,
		.thread = "tokio-runtime-w",
		.role = ROLE_WORKER,
		.runtime = 0,
		.worker = 3,
		.task_id = 42,
		.task = { "app::handle_upload", "src/api.rs", 142, "v0",
			  "app::handle_upload::{closure#0}" },
		.start_ns = 5000 * SAMPLE_MS,
		.duration_ns = 450120000,
		.error_ns = 410000,
		.polls = 1,
		.parts_known = true,
		.oncpu_ns = 449800000,
		.offcpu_ns = 200000,
		.runq_ns = 120000,
		.cause = CAUSE_CPU,
		.severity = SEVERITY_CRITICAL,
		.culprit = -1,
		.site_frame = -1,
		.detection = DETECTION_SAMPLED,
	};
}

/* A sleep of the user's function, called from an async block of theirs, and a shorter time on the CPU. */
static inline struct block sample_block_with_stacks(void)
{
	static const struct frame asleep[] = {
		{ 0xffffffff81000001, 0, "schedule", NULL, 0, NULL, FRAME_KERNEL, false },
		{ 0x7f0000000010, 0x10, "clock_nanosleep", NULL, 0, "libc.so.6", FRAME_LIBC,
		  false },
		{ 0x550000000040, 0x40, "std::thread::sleep",
		  "/rustc/29483883eed69d5fb4db01964cdf2af4d86e9cb2/library/std/src/thread/mod.rs",
		  964, "app", FRAME_STD, false },
		{ 0x550000000030, 0x30, "app::process_large_file", "/home/me/app/src/api.rs", 88,
		  "app", FRAME_USER, true, .text = "thread::sleep(\x1b[2J);" },
		{ 0x550000000030, 0x30, "app::handle_upload::{{closure}}::{{closure}}",
		  "/home/me/app/src/api.rs", 142, "app", FRAME_USER, false },
		{ 0x550000000020, 0x20, "tokio::runtime::task::core::Core<T,S>::poll",
		  "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.47.1/src/runtime/task/core.rs",
		  365, "app", FRAME_RUNTIME, false },
		{ 0x550000000010, 0x10, NULL, NULL, 0, "app", FRAME_UNKNOWN, false },
	};
	static const struct advice advice = { "std::thread::sleep",
					      "use tokio::time::sleep(..).await" };
	struct block b = sample_block();

	b.advice = &advice;
	strcpy(b.site, "app::process_large_file > sleep");
	b.site_frame = 3;
	b.stacks[0] = (struct block_stack){ asleep, 7, 300 * SAMPLE_MS, true, true };
	b.stacks[1] = (struct block_stack){ asleep + 3, 4, 150 * SAMPLE_MS, false, false };
	b.n_stacks = 2;
	b.culprit = 3;
	return b;
}

/* Nothing is known that may be unknown. */
static inline struct block unknown_block(void)
{
	return (struct block){
		.pid = 24000,
		.tid = 24001,
		.runtime = -1,
		.worker = -1,
		.start_ns = 1,
		.duration_ns = 5123456,
		.error_ns = 20,
		.cause = CAUSE_OTHER,
		.detection = DETECTION_EXACT,
	};
}

/* Names as an attacker would choose them. The thread name has no NUL. */
static inline struct block hostile_block(void)
{
	static char long_name[301];
	struct block b = sample_block();

	for (size_t i = 0; i < sizeof(long_name) - 1; i++)
		long_name[i] = "0123456789"[i % 10];
	b.task = (struct task_name){ long_name, "\x1b]0;owned\x07\n\xe2\x80\xae.rs", 7, "symbol" };
	b.role = ROLE_BLOCK_ON;
	for (size_t i = 0; i < sizeof(b.thread); i++)
		b.thread[i] = "\xff\x1b[2J\xc2\x9b\r"[i % 8];
	b.cause = CAUSE_FILE;
	b.syscalls[0] = (struct syscall_use){ "read", 448100000, 3, "/tmp/\xff\xfe\nb\"\\" };
	b.n_syscalls = 1;
	return b;
}

static const char *const sample_warnings[] = { "names come from \x1b[31msymbols", "no debuginfo" };

static const struct hello sample_hello = {
	.at_ns = 1,
	.pid = 24000,
	.exe = "/srv/app/server",
	.build_id = "0123abcd",
	.tokio = "1.47.1",
	.rustc = "1.89.0",
	.mode = "sampled",
	.threshold_ns = 5 * SAMPLE_MS,
	.freq = 997,
	.future_types = 12,
	.symbols = "v0",
	.debuginfo = "lines",
	.warnings = sample_warnings,
	.n_warnings = 2,
};

static const struct hello unknown_hello = {
	.at_ns = 1,
	.pid = 24000,
	.mode = "exact",
	.threshold_ns = 500000,
	.freq = 997,
	.future_types = 1,
	.symbols = "none",
	.debuginfo = "none",
};

static const struct loss sample_losses[] = { { "ring_full", 12 },
					     { "stacks", 0 },
					     { "tasks_evicted", 3456 } };

static const struct stats sample_stats = {
	.at_ns = 2,
	.pid = 24000,
	.blocks = 12,
	.polls = 34567,
	.polls_known = true,
	.samples = 59000,
	.lost = sample_losses,
	.n_lost = 3,
	.bpf_ns = 1500000,
	.user_ns = 1600000,
	.percent = 0.31,
	.table_bytes = 1048576,
	.mode = "sampled",
};

static const struct validation sample_validation = {
	.at_ns = 3,
	.pid = 24000,
	.markers = 120,
	.detected = 120,
	.matched = 119,
	.missed = 1,
	.extra = 1,
	.duration_diff_p50_ns = 1200,
	.duration_diff_p99_ns = 34000,
	.diff_known = true,
	.task_ids_agree = 119,
};

static const struct advice sample_advice = { "compression",
					     "for data this large, use spawn_blocking" };

static const struct site sample_sites[] = {
	{ "app::handle_upload", CAUSE_CPU, NULL, 3, 1350420000, 450310000, 450310000,
	  SEVERITY_CRITICAL, "app::store::files::compress_file", "app::store::files::compress_file",
	  "/home/me/app/src/store/files.rs", 88, &sample_advice },
	{ "root", CAUSE_SLEEP, "clock_nanosleep", 1234, 61700000000, 50100000, 50090000,
	  SEVERITY_SLOW },
	{ "", CAUSE_STARVED, NULL, 1, 6000000, 6000000, 6000000, SEVERITY_NONE },
};

static const struct bye sample_bye = {
	.at_ns = 4,
	.pid = 24000,
	.reason = "target_exited",
	.blocks = 1238,
	.ongoing = 1,
	.slow = 1234,
	.critical = 3,
	.blocked_ns = UINT64_C(63056420000),
	.watched_ns = UINT64_C(60000000000),
	.bpf_ns = 270000000,
	.user_ns = 126000000,
	.lost = sample_losses,
	.n_lost = 3,
	.sites = sample_sites,
	.n_sites = 3,
};

static const struct bye empty_bye = {
	.at_ns = 4, .pid = 24000, .reason = "interrupted", .watched_ns = 2000000000
};

#endif
