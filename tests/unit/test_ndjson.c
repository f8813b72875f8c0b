/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* With --print, the lines themselves go to standard output, for test_schema.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "samples.h"
#include "sink/sink.h"

struct captured {
	struct sink_options options;
	char *text;
	size_t len;
};

static void capture_begin(struct captured *c)
{
	*c = (struct captured){ 0 };
	c->options.out = open_memstream(&c->text, &c->len);
	assert_non_null(c->options.out);
}

static void capture_end(struct captured *c)
{
	fclose(c->options.out);
	free(c->text);
}

static char *line_of_block(const struct block *b)
{
	struct captured c;

	capture_begin(&c);
	assert_int_equal(sink_find("ndjson")->block(&c.options, b), 0);
	fclose(c.options.out);
	return c.text;
}

static void a_block(void **state)
{
	struct block b = sample_block();
	_cleanup_free_
	char *line = NULL;

	b.syscalls[0] = (struct syscall_use){ "read", 448100000, 3, "/data/x" };
	b.syscalls[1] = (struct syscall_use){ "openat", 1200000, 1, "" };
	b.n_syscalls = 2;
	b.woken_by = (struct waker){ 4711, "helper", 0 };
	line = line_of_block(&b);
	assert_string_equal(
		line,
		"{\"v\":1,\"type\":\"block\",\"pid\":24000,\"tid\":24038,"
		"\"thread\":\"tokio-runtime-w\",\"role\":\"worker\",\"runtime\":0,\"worker\":3,"
		"\"task_id\":42,\"task\":{\"name\":\"app::handle_upload\","
		"\"file\":\"src/api.rs\",\"line\":142,\"name_source\":\"v0\","
		"\"type\":\"app::handle_upload::{closure#0}\"},"
		"\"spawned_at\":null,\"start_ns\":5000000000,\"duration_ns\":450120000,"
		"\"error_ns\":410000,\"phase\":\"poll\",\"polls\":1,\"oncpu_ns\":449800000,"
		"\"offcpu_ns\":200000,\"runq_ns\":120000,\"cause\":\"cpu\","
		"\"severity\":\"CRITICAL\",\"syscalls\":[{\"name\":\"read\",\"ns\":448100000,"
		"\"count\":3,\"detail\":\"/data/x\"},{\"name\":\"openat\",\"ns\":1200000,"
		"\"count\":1,\"detail\":null}],\"woken_by\":{\"tid\":4711,\"thread\":\"helper\","
		"\"task_id\":null},\"frames\":null,\"stacks\":null,\"culprit\":null,"
		"\"complete\":null,\"stack_end\":null,\"site\":null,\"advice\":null,\"impact\":null,\"detection\":\"sampled\"}\n");
}

static void stacks(void **state)
{
	struct block b = sample_block_with_stacks();
	_cleanup_free_
	char *line = line_of_block(&b);
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL), *frames, *stacks;
	int line_number = 0, is_inlined = 0, is_asleep = 0, culprit = -1, complete = 0;
	json_int_t ns = 0;

	frames = json_object_get(object, "frames");
	stacks = json_object_get(object, "stacks");
	assert_int_equal(json_array_size(frames), 7);
	assert_int_equal(json_array_size(stacks), 2);
	assert_true(json_equal(json_object_get(json_array_get(stacks, 0), "frames"), frames));
	/* where the kernel lies is not told */
	assert_true(json_is_null(json_object_get(json_array_get(frames, 0), "addr")));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(frames, 1), "addr")),
			 0x7f0000000010);
	assert_int_equal(json_unpack(json_array_get(frames, 3), "{s:i,s:b}", "line", &line_number,
				     "inlined", &is_inlined),
			 0);
	assert_int_equal(line_number, 88);
	assert_true(is_inlined);
	assert_true(json_is_null(json_object_get(json_array_get(frames, 6), "fn")));
	assert_true(json_is_null(json_object_get(json_array_get(frames, 6), "kind")));
	assert_int_equal(json_unpack(json_array_get(stacks, 1), "{s:I,s:b}", "ns", &ns, "asleep",
				     &is_asleep),
			 0);
	assert_int_equal(ns, 150 * SAMPLE_MS);
	assert_false(is_asleep);
	assert_int_equal(
		json_unpack(object, "{s:i,s:b}", "culprit", &culprit, "complete", &complete), 0);
	assert_int_equal(culprit, 3);
	assert_true(complete);
	json_decref(object);
}

static void where_it_was_spawned(void **state)
{
	struct block b = sample_block();
	_cleanup_free_
	char *line = NULL;

	b.spawn_file = "src/main.rs";
	b.spawn_line = 10;
	line = line_of_block(&b);
	assert_non_null(strstr(line, ",\"spawned_at\":{\"file\":\"src/main.rs\",\"line\":10},"));
}

static void unknown_is_null(void **state)
{
	struct block b = unknown_block();
	_cleanup_free_
	char *line = NULL;

	b.is_ongoing = true;
	b.phase = PHASE_DROP;
	line = line_of_block(&b);
	assert_string_equal(
		line,
		"{\"v\":1,\"type\":\"ongoing\",\"pid\":24000,\"tid\":24001,\"thread\":null,"
		"\"role\":null,\"runtime\":null,\"worker\":null,\"task_id\":null,"
		"\"task\":{\"name\":null,\"file\":null,\"line\":null,\"name_source\":null,\"type\":null},"
		"\"spawned_at\":null,\"start_ns\":1,\"age_ns\":5123456,\"error_ns\":20,"
		"\"phase\":\"drop\",\"polls\":null,\"oncpu_ns\":null,\"offcpu_ns\":null,"
		"\"runq_ns\":null,\"cause\":\"other\",\"severity\":null,\"syscalls\":[],"
		"\"woken_by\":null,\"frames\":null,\"stacks\":null,\"culprit\":null,\"complete\":null,\"stack_end\":null,"
		"\"site\":null,\"advice\":null,\"impact\":null,\"detection\":\"exact\"}\n");
}

static void hostile_text_stays_one_ascii_line(void **state)
{
	struct block b = hostile_block();
	_cleanup_free_
	char *line = line_of_block(&b);
	json_t *object, *task;

	for (const char *c = line; c < line + strlen(line) - 1; c++)
		assert_in_range((unsigned char)*c, 0x20, 0x7e);
	object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	task = json_object_get(object, "task");
	assert_int_equal(json_string_length(json_object_get(task, "name")), 300);
	assert_string_equal(json_string_value(json_object_get(task, "file")), b.task.file);
	assert_string_equal(json_string_value(json_object_get(object, "thread")),
			    "\xef\xbf\xbd\x1b[2J\xc2\x9b\r\xef\xbf\xbd\x1b[2J\xc2\x9b\r");
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(object, "syscalls"), 0), "detail")),
		"/tmp/\xef\xbf\xbd\xef\xbf\xbd\nb\"\\");
	json_decref(object);
}

static void numbers_too_large_or_not_finite(void **state)
{
	struct block b = sample_block();
	struct stats s = sample_stats;
	struct captured c;
	_cleanup_free_
	char *line = NULL;

	b.task_id = UINT64_MAX;
	line = line_of_block(&b);
	assert_non_null(strstr(line, "\"task_id\":9223372036854775807,"));
	capture_begin(&c);
	s.percent = NAN;
	s.polls_known = false;
	assert_int_equal(sink_find("ndjson")->stats(&c.options, &s), 0);
	assert_non_null(strstr(c.text, "\"percent\":null,"));
	assert_non_null(strstr(c.text, "\"polls\":null,"));
	capture_end(&c);
}

static void the_other_lines(void **state)
{
	const struct sink *sink = sink_find("ndjson");
	struct captured c;

	capture_begin(&c);
	assert_int_equal(sink->hello(&c.options, &sample_hello), 0);
	assert_int_equal(sink->stats(&c.options, &sample_stats), 0);
	assert_int_equal(sink->validation(&c.options, &sample_validation), 0);
	assert_int_equal(sink->bye(&c.options, &sample_bye), 0);
	assert_string_equal(
		c.text,
		"{\"v\":1,\"type\":\"hello\",\"at_ns\":1,\"pid\":24000,"
		"\"exe\":\"/srv/app/server\",\"build_id\":\"0123abcd\",\"tokio\":\"1.47.1\","
		"\"rustc\":\"1.89.0\",\"mode\":\"sampled\",\"threshold_ns\":5000000,\"freq\":997,"
		"\"future_types\":12,\"symbols\":\"v0\",\"debuginfo\":\"lines\","
		"\"unwinder\":null,\"warnings\":[\"names come from \\u001B[31msymbols\","
		"\"no debuginfo\"]}\n"
		"{\"v\":1,\"type\":\"stats\",\"at_ns\":2,\"pid\":24000,\"blocks\":12,"
		"\"polls\":34567,\"samples\":59000,\"lost\":{\"ring_full\":12,\"stacks\":0,"
		"\"tasks_evicted\":3456},\"overhead\":{\"bpf_ns\":1500000,\"user_ns\":1600000,"
		"\"percent\":0.31,\"table_bytes\":1048576},\"mode\":\"sampled\",\"note\":null}\n"
		"{\"v\":1,\"type\":\"validation\",\"at_ns\":3,\"pid\":24000,\"markers\":120,"
		"\"detected\":120,\"matched\":119,\"missed\":1,\"extra\":1,"
		"\"duration_diff_ns\":{\"p50\":1200,\"p99\":34000},\"task_ids_agree\":119,"
		"\"task_ids_differ\":0}\n"
		"{\"v\":1,\"type\":\"bye\",\"at_ns\":4,\"pid\":24000,"
		"\"reason\":\"target_exited\",\"totals\":{\"blocks\":1238,\"ongoing\":1,"
		"\"slow\":1234,\"critical\":3,\"blocked_ns\":63056420000,"
		"\"watched_ns\":60000000000},\"lost\":{\"ring_full\":12,\"stacks\":0,"
		"\"tasks_evicted\":3456},\"overhead\":{\"bpf_ns\":270000000,"
		"\"user_ns\":126000000},\"note\":null,\"by_site\":[{\"task\":\"app::handle_upload\","
		"\"cause\":\"cpu\",\"syscall\":null,\"count\":3,\"total_ns\":1350420000,"
		"\"max_ns\":450310000,\"p99_ns\":450310000,\"severity\":\"CRITICAL\","
		"\"site\":\"app::store::files::compress_file\",\"culprit\":{"
		"\"fn\":\"app::store::files::compress_file\","
		"\"file\":\"/home/me/app/src/store/files.rs\",\"line\":88},"
		"\"advice\":{\"kind\":\"compression\","
		"\"text\":\"for data this large, use spawn_blocking\"}},"
		"{\"task\":\"root\",\"cause\":\"sleep\",\"syscall\":\"clock_nanosleep\","
		"\"count\":1234,\"total_ns\":61700000000,\"max_ns\":50100000,\"p99_ns\":50090000,"
		"\"severity\":\"SLOW\",\"site\":null,\"culprit\":null,\"advice\":null},{\"task\":null,\"cause\":\"starved\",\"syscall\":null,"
		"\"count\":1,\"total_ns\":6000000,\"max_ns\":6000000,\"p99_ns\":6000000,"
		"\"severity\":null,\"site\":null,\"culprit\":null,\"advice\":null}]}\n");
	capture_end(&c);
}

static void full_disk(void **state)
{
	_cleanup_fclose_
	FILE *full = fopen("/dev/full", "w");
	struct sink_options o = { .out = full };
	struct block b = sample_block();

	if (!full)
		skip();
	assert_int_equal(sink_find("ndjson")->block(&o, &b), -ENOSPC);
	assert_int_equal(sink_find("ndjson")->bye(&o, &sample_bye), -ENOSPC);
}

static void formats_by_name(void **state)
{
	assert_string_equal(sink_find("ndjson")->name, "ndjson");
	assert_string_equal(sink_find("text")->name, "text");
	assert_null(sink_find("xml"));
	assert_string_equal(sink_names, "text|ndjson");
}

static int print_lines(void)
{
	const struct sink *sink = sink_find("ndjson");
	struct sink_options o = { .out = stdout };
	struct block plain = sample_block(), unknown = unknown_block(), hostile = hostile_block();
	struct validation no_diff = sample_validation;
	struct block blocks[] = { plain, unknown, hostile, plain, unknown };
	int r = 0;

	no_diff.diff_known = false;
	blocks[3].is_ongoing = blocks[4].is_ongoing = true;
	r |= sink->hello(&o, &sample_hello) | sink->hello(&o, &unknown_hello);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		r |= sink->block(&o, &blocks[i]);
	for (int c = 0; c < CAUSE_MAX; c++) {
		plain.cause = (enum cause)c;
		plain.role = (enum role)(c % (ROLE_BLOCK_ON + 1));
		plain.detection = (enum detection)(c % (DETECTION_BOTH + 1));
		r |= sink->block(&o, &plain);
	}
	r |= sink->stats(&o, &sample_stats) | sink->validation(&o, &sample_validation);
	r |= sink->validation(&o, &no_diff) | sink->bye(&o, &empty_bye) |
	     sink->bye(&o, &sample_bye);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block),
		cmocka_unit_test(stacks),
		cmocka_unit_test(unknown_is_null),
		cmocka_unit_test(where_it_was_spawned),
		cmocka_unit_test(hostile_text_stays_one_ascii_line),
		cmocka_unit_test(numbers_too_large_or_not_finite),
		cmocka_unit_test(the_other_lines),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(formats_by_name),
	};

	if (argc > 1 && !strcmp(argv[1], "--print"))
		return print_lines();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
