/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "bpf/wire_unwind.h"
#include "samples.h"
#include "sink/formats.h"
#include "sink/sink.h"

#define HELLO(value) sink_find("text")->hello(&o, value)
#define BLOCK(value) sink_find("text")->block(&o, value)
#define STATS(value) sink_find("text")->stats(&o, value)
#define VALIDATION(value) sink_find("text")->validation(&o, value)
#define BYE(value) sink_find("text")->bye(&o, value)

/* Runs `call` with options o that write to memory; the text is in `ret`. */
#define PRINT(call, ret, ...)                                                                    \
	do {                                                                                     \
		size_t _len;                                                                     \
		struct sink_options o = { .out = open_memstream(&(ret), &_len), ##__VA_ARGS__ }; \
		assert_int_equal(call, 0);                                                       \
		fclose(o.out);                                                                   \
	} while (0)

#define assert_prints(call, expected, ...)            \
	do {                                          \
		char *_text = NULL;                   \
		PRINT(call, _text, ##__VA_ARGS__);    \
		assert_string_equal(_text, expected); \
		free(_text);                          \
	} while (0)

static void a_block(void **state)
{
	struct block b = sample_block();

	assert_prints(
		BLOCK(&b),
		"● BLOCKING  450.12 ms  CRITICAL   cpu 449.8 · off-cpu 0.2 · run-queue 0.1\n"
		"  task      42  app::handle_upload          src/api.rs:142  worker 3 (tid 24038)\n"
		"  cause     cpu\n"
		"  timing    sampled ±0.41 ms\n\n");
}

static void where_it_was_spawned(void **state)
{
	struct block b = sample_block();
	char *text = NULL;

	b.spawn_file = "src/main\033.rs";
	b.spawn_line = 10;
	PRINT(BLOCK(&b), text);
	assert_non_null(strstr(text, "worker 3 (tid 24038)\n  spawned   at src/main"));
	assert_non_null(strstr(text, ".rs:10\n  cause     cpu\n"));
	assert_null(strchr(text, '\033'));
	free(text);
}

/* The culprit first; no frames of the kernel, and none behind the task's own. */
static void a_stack(void **state)
{
	struct block b = sample_block_with_stacks();
	char *text = NULL;

	PRINT(BLOCK(&b), text, .stack_depth = 16);
	assert_string_equal(
		strstr(text, "  at "),
		"  at        app::process_large_file  src/api.rs:88\n"
		"            │ thread::sleep(\\x1b[2J);\n"
		"  task      42  app::handle_upload          src/api.rs:142  worker 3 (tid 24038)\n"
		"  cause     cpu\n"
		"  advice    std::thread::sleep: use tokio::time::sleep(..).await\n"
		"  timing    sampled ±0.41 ms\n"
		"  stack     #0  clock_nanosleep                       libc.so.6\n"
		"            #1  std::thread::sleep                    library/std…ead/mod.rs:964\n"
		"            #2  app::process_large_file               src/api.rs:88\n"
		"            #3  app::handle_upload::{closure}         src/api.rs:142\n"
		"            … 2 more\n\n");
	free(text);
	PRINT(BLOCK(&b), text, .stack_depth = 2);
	assert_non_null(strstr(text, "#1  std::thread::sleep"));
	assert_null(strstr(text, "#2 "));
	assert_non_null(strstr(text, "… 4 more\n"));
	free(text);
	b.stacks[0].n_to_root = 5; /* known without a name: what follows is the runtime's own */
	PRINT(BLOCK(&b), text, .stack_depth = 16);
	assert_non_null(strstr(text, "#3 "));
	assert_null(strstr(text, "#4 "));
	assert_non_null(strstr(text, "… 2 more\n"));
	free(text);
}

/* A stack that ends early says so; of an ongoing block without any name there is nothing to say yet. */
static void a_stack_that_is_not_whole(void **state)
{
	static const struct frame nameless[] = {
		{ .addr = 0x550000000010, .offset = 0x10, .module = "app" },
		{ .addr = 0x7f0000000010 }
	};
	struct block b = sample_block();
	char *text = NULL;

	b.stacks[0] = (struct block_stack){
		.frames = nameless, .n = 2, .ns = 1, .end = RS_UNWIND_NO_MAPPING
	};
	b.n_stacks = 1;
	PRINT(BLOCK(&b), text, .stack_depth = 16);
	assert_string_equal(strstr(text, "  stack"),
			    "  stack     #0  app+0x10\n"
			    "            #1  ?+0x7f0000000010\n"
			    "            … and further ones, not known: code of no known file\n\n");
	free(text);
	b.is_ongoing = true;
	PRINT(BLOCK(&b), text, .stack_depth = 16);
	assert_null(strstr(text, "stack"));
	free(text);
}

static void a_block_with_syscalls_and_long_names(void **state)
{
	struct block b = sample_block();

	b.task.name = "test_async_app::slow_file_reader::{async_fn#0}";
	b.task.file = "examples/test-async-app/src/main.rs";
	b.cause = CAUSE_FILE;
	b.severity = SEVERITY_SLOW;
	b.phase = PHASE_DROP;
	b.polls = 3;
	b.syscalls[0] = (struct syscall_use){ "read", 448100000, 3, "/data/x" };
	b.syscalls[1] = (struct syscall_use){ "openat", 1200000, 1, "" };
	b.n_syscalls = 2;
	assert_prints(
		BLOCK(&b),
		"● BLOCKING  450.12 ms  SLOW   cpu 449.8 · off-cpu 0.2 · run-queue 0.1\n"
		"  task      42  test_async_app::slow_file_reader::{async_fn#0}\n"
		"                examples/test-async-app/src/main.rs:142  worker 3 (tid 24038)\n"
		"  cause     file: read 448.10 ms ×3  /data/x\n"
		"            openat 1.20 ms\n"
		"  timing    sampled ±0.41 ms · phase drop · 3 polls not told apart\n\n");
}

static void a_long_detail_loses_its_middle(void **state)
{
	struct block b = sample_block();

	b.cause = CAUSE_FILE;
	b.syscalls[0] = (struct syscall_use){
		"read", 448100000, 1,
		"/var/lib/a\x1b[2J/of/a/path/that/is/much/too/long/for/the/line/big.bin"
	};
	b.n_syscalls = 1;
	b.woken_by = (struct waker){ 4711, "tokio\x1bworker", 17 };
	assert_prints(
		BLOCK(&b),
		"● BLOCKING  450.12 ms  CRITICAL   cpu 449.8 · off-cpu 0.2 · run-queue 0.1\n"
		"  task      42  app::handle_upload          src/api.rs:142  worker 3 (tid 24038)\n"
		"  cause     file: read 448.10 ms  /var/lib/a\\x1b[2J/of/a/…g/for/the/line/big.bin\n"
		"  woken by  task 17 on tokio\\x1bworker (tid 4711)\n"
		"  timing    sampled ±0.41 ms\n\n");
}

static void an_ongoing_block_of_a_root_future(void **state)
{
	struct block b = sample_block();

	b.is_ongoing = true;
	b.task_id = 0;
	b.task.name = "app::main";
	b.role = ROLE_BLOCK_ON;
	strcpy(b.thread, "main");
	b.cause = CAUSE_SLEEP;
	b.duration_ns = UINT64_C(12345600000);
	b.oncpu_ns = 100 * SAMPLE_MS;
	b.offcpu_ns = UINT64_C(12245600000);
	b.runq_ns = 0;
	b.syscalls[0] = (struct syscall_use){ "clock_nanosleep", UINT64_C(12245000000), 1, "" };
	b.n_syscalls = 1;
	b.detection = DETECTION_BOTH;
	assert_prints(
		BLOCK(&b),
		"◐ ONGOING   12.346 s  CRITICAL   cpu 0.1 · off-cpu 12.2 · run-queue 0.0\n"
		"  task      root  app::main            src/api.rs:142  block_on main (tid 24038)\n"
		"  cause     sleep: clock_nanosleep 12.245 s\n"
		"  timing    both detectors ±0.41 ms\n\n");
}

/* With a long threshold, too: the next report of a deadlock would come at ten times that. */
static void an_ongoing_block_is_told_from_50_ms(void **state)
{
	struct block b = sample_block();
	char *text = NULL;

	b.is_ongoing = true;
	b.duration_ns = 50 * SAMPLE_MS - 1;
	assert_prints(BLOCK(&b), "");
	b.duration_ns = 50 * SAMPLE_MS;
	PRINT(BLOCK(&b), text);
	assert_non_null(strstr(text, "◐ ONGOING   50.00 ms  CRITICAL"));
	free(text);
}

static void a_starved_block_is_not_the_codes_fault(void **state)
{
	struct block b = sample_block();

	b.cause = CAUSE_STARVED;
	b.syscalls[0] = (struct syscall_use){ "write", 2000, 1, "" };
	b.n_syscalls = 1;
	assert_prints(
		BLOCK(&b),
		"● STARVED   450.12 ms  CRITICAL   cpu 449.8 · off-cpu 0.2 · run-queue 0.1\n"
		"  task      42  app::handle_upload          src/api.rs:142  worker 3 (tid 24038)\n"
		"  cause     starved: no CPU was free for it — the machine's fault, not the code's\n"
		"  syscalls  write 2.00 µs\n"
		"  timing    sampled ±0.41 ms\n\n");
}

static void unknown_is_said(void **state)
{
	struct block b = unknown_block();

	assert_prints(
		BLOCK(&b),
		"● BLOCKING  5.12 ms   cpu ? · off-cpu ? · run-queue ?\n"
		"  task      root  name unknown                ?         role unknown (tid 24001)\n"
		"  cause     other\n"
		"  timing    exact ±20 ns · perhaps several polls\n\n");
}

static void the_pid_when_asked_for(void **state)
{
	struct block b = sample_block();

	assert_prints(BLOCK(&b),
		      "● BLOCKING  450.12 ms  CRITICAL   cpu 449.8 · off-cpu 0.2 · run-queue 0.1\n"
		      "  task      42  app::handle_upload\n"
		      "                src/api.rs:142  worker 3 (pid 24000 tid 24038)\n"
		      "  cause     cpu\n"
		      "  timing    sampled ±0.41 ms\n\n",
		      .enable_pids = true);
}

static void hostile_names_are_shown_harmless(void **state)
{
	struct block b = hostile_block();
	char *text = NULL;

	assert_prints(
		BLOCK(&b),
		"● BLOCKING  450.12 ms  CRITICAL   cpu 449.8 · off-cpu 0.2 · run-queue 0.1\n"
		"  task      42  01234567890123456789012345678901…9012345678901234567890123456789\n"
		"                \\x1b]0;owned…\\u{202e}.rs:7  block_on "
		"\\xff\\x1b[2J\\u{9b}\\r\\xff\\x1b[2J\\u{9b}\\r (tid 24038)\n"
		"  cause     file: read 448.10 ms ×3  /tmp/\\xff\\xfe\\nb\"\\\\\n"
		"  timing    sampled ±0.41 ms\n\n");
	PRINT(BLOCK(&b), text);
	for (const char *c = text; *c; c++)
		assert_true(*c == '\n' || ((unsigned char)*c >= 0x20 && *c != 0x7f));
	free(text);
}

static void lines_of_ordinary_blocks_fit_80_columns(void **state)
{
	static const char names[] =
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl";
	struct block b = sample_block();

	for (size_t name = 0; name < sizeof(names); name++) {
		for (size_t file = 0; file < sizeof(names); file++) {
			char *text = NULL, *rest, *line;

			b.task.name = names + name;
			b.task.file = names + file;
			b.task_id = name * file * 1000;
			PRINT(BLOCK(&b), text);
			rest = text;
			while ((line = strsep(&rest, "\n")))
				assert_true(escape_columns(line) <= 80);
			free(text);
		}
	}
}

static void colors_only_when_asked_for(void **state)
{
	struct block b = sample_block();

	assert_prints(BLOCK(&b),
		      "\x1b[1;31m● BLOCKING\x1b[0m  450.12 ms  \x1b[1;31mCRITICAL\x1b[0m   "
		      "cpu 449.8 · off-cpu 0.2 · run-queue 0.1\n"
		      "  \x1b[2mtask     \x1b[0m 42  \x1b[1mapp::handle_upload        \x1b[0m  "
		      "src/api.rs:142  worker 3 (tid 24038)\n"
		      "  \x1b[2mcause    \x1b[0m cpu\n"
		      "  \x1b[2mtiming   \x1b[0m sampled ±0.41 ms\n\n",
		      .color = true);
}

static void the_first_paragraph(void **state)
{
	assert_prints(HELLO(&sample_hello),
		      "watching  /srv/app/server (pid 24000)\n"
		      "          Tokio 1.47.1 · rustc 1.89.0 · 12 future types\n"
		      "          symbols v0 · debuginfo lines\n"
		      "          mode sampled, 997 Hz · reports blocks from 5.00 ms\n"
		      "warning: names come from \\x1b[31msymbols\n"
		      "warning: no debuginfo\n\n");
	assert_prints(HELLO(&unknown_hello),
		      "watching  unknown program (pid 24000)\n"
		      "          Tokio version unknown · 1 future type\n"
		      "          symbols none · debuginfo none\n"
		      "          mode exact, 997 Hz · reports blocks from 0.50 ms\n\n");
}

static void losses_are_said_where_they_happen(void **state)
{
	const struct loss lost[] = {
		{ "ring_full", 12, 3,
		  "blocks are missing, they came faster than they could be read" },
		{ "switches_skipped", 3456, 17 }, /* made up for */
		{ "threads_over_limit", 5, 0, "blocks of further threads are missing" },
	};
	struct stats s = sample_stats;

	assert_prints(STATS(&s), "");
	s.lost = lost;
	assert_prints(STATS(&s), "lost      3 ring_full: blocks are missing, they came faster "
				 "than they could be read\n\n");
	s.n_lost = 0;
	s.note = "context switches are traced again";
	assert_prints(STATS(&s), "note      context switches are traced again\n\n");
}

static void the_comparison_with_markers(void **state)
{
	struct validation v = { .markers = 1, .missed = 1 },
			  no_markers = { .detected = 7, .extra = 7 };

	assert_prints(
		VALIDATION(&sample_validation),
		"   markers  detected   matched    missed     extra  duration difference\n"
		"       120       120       119         1         1  p50 1.20 µs, p99 34.0 µs\n"
		"task ids: 119 agree, 0 differ\n\n");
	assert_prints(VALIDATION(&v),
		      "   markers  detected   matched    missed     extra  duration difference\n"
		      "         1         0         0         1         0  unknown\n\n");
	assert_prints(VALIDATION(&no_markers),
		      "   markers  detected   matched    missed     extra  duration difference\n"
		      "         0         7         0         0         7  unknown\n"
		      "no block was marked: there is nothing to compare\n\n");
}

#define NO_COST "cost: the target paid 0.00 % of a CPU; the tool itself took 0 ns of CPU time\n"

static void the_summary(void **state)
{
	struct bye unwatched = { .note = "\x1b[31mno runtime" };

	assert_prints(
		BYE(&sample_bye),
		"  count    total      max      p99  cause                  at\n"
		"      3   1.35 s   450 ms   450 ms  cpu                    app::…::compress_file\n"
		"          src/store/files.rs:88  for data this large, use spawn_blocking\n"
		"  1,234   61.7 s  50.1 ms  50.1 ms  sleep/clock_nanosleep  root\n"
		"      1  6.00 ms  6.00 ms  6.00 ms  starved                name unknown\n"
		"starved: no CPU was free — the machine's fault, not the code's\n"
		"\n"
		"1,238 blocks in 60.0 s: 3 CRITICAL, 1,234 SLOW; blocked for 63.1 s; 1 still ongoing"
		" (target exited)\n"
		"cost: the target paid 0.45 % of a CPU; the tool itself took 126 ms of CPU time\n"
		"lost: 12 ring_full, 3,456 tasks_evicted\n");
	assert_prints(BYE(&empty_bye), "no blocks in 2.00 s (interrupted)\n" NO_COST);
	assert_prints(BYE(&unwatched),
		      "no blocks in 0 ns\nnot watched: \\x1b[31mno runtime\n" NO_COST);
	assert_prints(BYE(&empty_bye), "pid 24000: no blocks in 2.00 s (interrupted)\n" NO_COST,
		      .enable_pids = true);
}

static void a_place_and_advice_too_long_for_a_line(void **state)
{
	struct site site = sample_sites[0];
	struct bye b = { .blocks = 3, .sites = &site, .n_sites = 1, .watched_ns = SAMPLE_MS };
	struct advice advice = { "mine", "ask the people who know this code before you change it" };
	char *text = NULL;

	site.advice = &advice;
	PRINT(BYE(&b), text);
	assert_non_null(strstr(text, "\n          src/store/files.rs:88\n"
				     "          ask the people who know this code before you "
				     "change it\n"));
	free(text);
}

static void those_that_were_not_told(void **state)
{
	struct repeats r = { 24000, &sample_sites[0], 312, 4210000000, 45120000 };
	char *text = NULL;

	assert_prints(
		sink_find("text")->repeats(&o, &r),
		"… and 312 more at app::store::files::compress_file: 4.21 s, longest 45.1 ms\n\n");
	r.site = &sample_sites[1];
	PRINT(sink_find("text")->repeats(&o, &r), text, .enable_pids = true);
	assert_string_equal(text, "pid 24000: … and 312 more at root: 4.21 s, longest 45.1 ms\n\n");
	free(text);
}

static void names_are_shortened_where_modules_are(void **state)
{
	static const struct {
		const char *name;
		size_t columns;
		const char *shown;
	} rows[] = {
		{ "app::f", 40, "app::f" },
		{ "app::api::upload::Handler<S>::handle::{{closure}}::{{closure}}", 80,
		  "app::api::upload::Handler::handle::{closure}" },
		{ "app::api::upload::Handler<S>::handle::{{closure}}", 36,
		  "app::…::Handler::handle::{closure}" },
		{ "app::api::upload::Handler<S>::handle::{{closure}}", 24, "…::handle::{closure}" },
		{ "app::api::receive_from_slow_peer::{{closure}}", 25,
		  "…::receive_from_slow_peer" },
		{ "<app::api::upload::Handler as hyper::service::Service>::call", 36,
		  "app::api::upload::Handler::call" },
		{ "a_function_of_no_module_with_a_long_name", 20, "a_function…long_name" },
		{ "", 20, "" },
	};
	char shown[ESCAPE_SIZE(80)];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t used = text_function(shown, rows[i].name, rows[i].columns);

		assert_string_equal(shown, rows[i].shown);
		assert_int_equal(used, escape_columns(shown));
		assert_true(used <= rows[i].columns);
	}
}

static void a_long_ranking_is_cut(void **state)
{
	struct site sites[25] = { 0 };
	struct bye b = {
		.blocks = 25, .sites = sites, .n_sites = 25, .watched_ns = 1000 * SAMPLE_MS
	};
	char *text = NULL;

	for (size_t i = 0; i < 25; i++)
		sites[i] = sample_sites[0];
	PRINT(BYE(&b), text);
	assert_non_null(strstr(text, "\nand 5 more: 15 blocks, 6.75 s\n\n25 blocks in 1.00 s: "));
	free(text);
}

static void full_disk(void **state)
{
	_cleanup_fclose_
	FILE *full = fopen("/dev/full", "w");
	struct sink_options o = { .out = full };
	struct block b = sample_block();

	if (!full)
		skip();
	assert_int_equal(HELLO(&sample_hello), -ENOSPC);
	assert_int_equal(BLOCK(&b), -ENOSPC);
	assert_int_equal(BYE(&sample_bye), -ENOSPC);
}

static void closed_pipe(void **state)
{
	struct block b = sample_block();
	struct sink_options o = { 0 };
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	o.out = fdopen(ends[1], "w");
	assert_int_equal(BLOCK(&b), -EPIPE);
	fclose(o.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block),
		cmocka_unit_test(where_it_was_spawned),
		cmocka_unit_test(a_stack),
		cmocka_unit_test(a_stack_that_is_not_whole),
		cmocka_unit_test(a_block_with_syscalls_and_long_names),
		cmocka_unit_test(a_long_detail_loses_its_middle),
		cmocka_unit_test(an_ongoing_block_of_a_root_future),
		cmocka_unit_test(an_ongoing_block_is_told_from_50_ms),
		cmocka_unit_test(a_starved_block_is_not_the_codes_fault),
		cmocka_unit_test(unknown_is_said),
		cmocka_unit_test(the_pid_when_asked_for),
		cmocka_unit_test(hostile_names_are_shown_harmless),
		cmocka_unit_test(lines_of_ordinary_blocks_fit_80_columns),
		cmocka_unit_test(colors_only_when_asked_for),
		cmocka_unit_test(the_first_paragraph),
		cmocka_unit_test(losses_are_said_where_they_happen),
		cmocka_unit_test(the_comparison_with_markers),
		cmocka_unit_test(the_summary),
		cmocka_unit_test(a_place_and_advice_too_long_for_a_line),
		cmocka_unit_test(those_that_were_not_told),
		cmocka_unit_test(names_are_shortened_where_modules_are),
		cmocka_unit_test(a_long_ranking_is_cut),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(closed_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
