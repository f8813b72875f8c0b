/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/output.h"

static int run_nothing(const struct options *o)
{
	return EXIT_OK;
}

static const struct command commands[] = {
	{ "watch", "Watch", run_nothing, OPT_TARGET | OPT_TIMING | OPT_STACKS | OPT_OUTPUT },
	{ "doctor", "Examine", run_nothing, OPT_TARGET | OPT_BINARY },
};

static struct options parsed;
static const struct command *parsed_command;
static char printed[8192]; /* what the last parse() wrote to both streams */

#define parse(...) parse_words((char *[]){ "runtime-scope", __VA_ARGS__, NULL })

static int redirect(int to, int from)
{
	int saved = dup(from);

	dup2(to, from);
	return saved;
}

static void restore(int saved, int fd)
{
	dup2(saved, fd);
	close(saved);
}

static int parse_words(char **argv)
{
	FILE *capture = tmpfile();
	int argc = 0, r, out, err;
	size_t n;

	while (argv[argc])
		argc++;
	fflush(stdout);
	out = redirect(fileno(capture), STDOUT_FILENO);
	err = redirect(fileno(capture), STDERR_FILENO);
	r = options_parse(argc, argv, commands, 2, &parsed, &parsed_command);
	fflush(stdout);
	restore(out, STDOUT_FILENO);
	restore(err, STDERR_FILENO);
	rewind(capture);
	n = fread(printed, 1, sizeof(printed) - 1, capture);
	printed[n] = '\0';
	fclose(capture);
	return r;
}

static void assert_usage(int r, const char *expected)
{
	assert_int_equal(r, EXIT_USAGE);
	assert_non_null(strstr(printed, expected));
	/* One line, so that it can be read in a log. */
	assert_ptr_equal(strchr(printed, '\n'), printed + strlen(printed) - 1);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "1ns", 1 },
		{ "500us", 500000 },
		{ "500µs", 500000 },
		{ "5ms", 5000000 },
		{ "1.5ms", 1500000 },
		{ "0.000001ms", 1 },
		{ "1s", 1000000000 },
		{ "2m", 120000000000 },
		{ "1h", 3600000000000 },
		{ "0s", 0 },
		{ "18446744073709551615ns", UINT64_MAX },
	};
	static const char *const bad[] = { "",	      "5",     "ms",	"-5ms", "+5ms", " 5ms",
					   "5 ms",    "5ms ",  "5MS",	"5msx", "1.ms", ".5ms",
					   "1.5.5ms", "1e3ms", "0x5ms", "nan",	"5d",	"1,5ms" };
	static const char *const large[] = { "18446744073709551616ns", "18446744073709551615us",
					     "99999999999h", "0.00000000000000000000000001s" };
	uint64_t ns = 42;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_duration(bad[i], &ns), -EINVAL);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(parse_duration(large[i], &ns), -ERANGE);
	assert_int_equal(ns, 42);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(parse_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void test_defaults(void **state)
{
	assert_int_equal(parse("--pid", "7"), -1);
	assert_ptr_equal(parsed_command, &commands[0]);
	assert_int_equal(parsed.n_pids, 1);
	assert_int_equal(parsed.pids[0], 7);
	assert_int_equal(parsed.threshold_ns, 5000000);
	assert_int_equal(parsed.slow_ns, 10000000);
	assert_int_equal(parsed.critical_ns, 100000000);
	assert_int_equal(parsed.mode, MODE_AUTO);
	assert_true(fabs(parsed.budget_percent - 1) < 1e-9);
	assert_int_equal(parsed.freq, 997);
	assert_int_equal(parsed.duration_ns, 0);
	assert_false(parsed.marker_validation);
	assert_int_equal(parsed.color, COLOR_AUTO);
	assert_string_equal(parsed.format, "text");
	assert_null(parsed.output);
	assert_null(parsed.command);
}

static void test_all_options(void **state)
{
	assert_int_equal(parse("watch", "-p1", "--pid=2", "--pid", "1", "--threshold", "1.5ms",
			       "--slow", "20ms", "--critical", "1s", "--mode", "exact", "--budget",
			       "0.5%", "--freq", "20000", "--duration", "30s",
			       "--enable-marker-validation", "--format", "ndjson", "-o", "x",
			       "--color", "never", "--target", "/bin/x"),
			 -1);
	assert_int_equal(parsed.n_pids, 2);
	assert_int_equal(parsed.threshold_ns, 1500000);
	assert_int_equal(parsed.slow_ns, 20000000);
	assert_int_equal(parsed.critical_ns, 1000000000);
	assert_int_equal(parsed.mode, MODE_EXACT);
	assert_true(fabs(parsed.budget_percent - 0.5) < 1e-9);
	assert_int_equal(parsed.freq, 20000);
	assert_int_equal(parsed.duration_ns, 30000000000);
	assert_true(parsed.marker_validation);
	assert_string_equal(parsed.format, "ndjson");
	assert_string_equal(parsed.output, "x");
	assert_int_equal(parsed.color, COLOR_NEVER);
	assert_string_equal(parsed.target, "/bin/x");
}

static void test_command_words(void **state)
{
	assert_int_equal(parse("--", "prog", "--threshold", "nonsense", "--"), -1);
	assert_ptr_equal(parsed_command, &commands[0]);
	assert_string_equal(parsed.command[0], "prog");
	assert_string_equal(parsed.command[2], "nonsense");
	assert_string_equal(parsed.command[3], "--");
	assert_null(parsed.command[4]);
	assert_int_equal(parse("doctor"), -1);
	assert_ptr_equal(parsed_command, &commands[1]);
	assert_int_equal(parse("doctor", "./bin"), -1);
	assert_string_equal(parsed.positional, "./bin");
	assert_int_equal(parse("doctor", "--name", "bin"), -1);
	assert_string_equal(parsed.name, "bin");
}

static void test_usage_errors(void **state)
{
	assert_usage(parse("wach"), "Unknown command 'wach'. Commands are watch and doctor");
	assert_usage(parse("--pdi", "1"), "Unknown option '--pdi'. 'runtime-scope watch --help'");
	assert_usage(parse("doctor", "--freq", "1"), "Unknown option '--freq'");
	assert_usage(parse("-xp", "1"), "Unknown option '-x'");
	assert_usage(parse("--pid", "1", "-z"), "Unknown option '-z'");
	assert_usage(parse("--c", "x"), "Ambiguous option '--c'");
	assert_usage(parse("--name"), "--name needs a value");
	assert_usage(parse("-p"), "-p needs a value");
	assert_usage(parse("--help=1"), "--help takes no value");
	assert_usage(parse("watch", "7"), "Unexpected argument '7'");
	assert_usage(parse("doctor", "a", "b"), "Unexpected argument 'b'");
	assert_usage(parse("watch"), "No target is given");
	assert_usage(parse("--"), "No target is given");
	assert_usage(parse("--pid", "1", "--name", "x"), "More than one target");
	assert_usage(parse("--pid", "1", "--", "x"), "More than one target");
	assert_usage(parse("doctor", "x", "--pid", "1"), "More than one target");
	assert_usage(parse("--pid", "1", "--slow", "200ms"), "--slow is above --critical");
}

static void test_bad_values(void **state)
{
	static char *const bad[][2] = {
		{ "--pid", "0" },	  { "--pid", "-1" },
		{ "--pid", "1x" },	  { "--pid", "4294967297" },
		{ "--pid", "" },	  { "--name", "" },
		{ "--threshold", "5" },	  { "--threshold", "999ns" },
		{ "--threshold", "61m" }, { "--freq", "0" },
		{ "--freq", "20001" },	  { "--freq", "1k" },
		{ "--freq", "-5" },	  { "--budget", "0" },
		{ "--budget", "101" },	  { "--budget", "nan" },
		{ "--budget", "1%%" },	  { "--budget", "0x1" },
		{ "--budget", "-1" },	  { "--budget", "%" },
		{ "--duration", "0s" },	  { "--output", "" },
		{ "--mode", "fast" },	  { "--mode", "" },
		{ "--format", "xml" },	  { "--color", "yes" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_usage(parse(bad[i][0], bad[i][1]), bad[i][0]);
	assert_usage(parse("--mode", "fast"), "auto|exact|sampled");
	assert_usage(parse("--format", "xml"), "text|ndjson");
	assert_usage(parse("--color", "yes"), "auto|always|never");
}

static void test_too_many_pids(void **state)
{
	char text[OPT_MAX_PIDS + 1][16], *argv[OPT_MAX_PIDS + 3] = { "runtime-scope" };

	for (int i = 0; i <= OPT_MAX_PIDS; i++) {
		snprintf(text[i], sizeof(text[i]), "-p%d", i + 1);
		argv[i + 1] = text[i];
	}
	assert_usage(parse_words(argv), "--pid is given too often");
	argv[OPT_MAX_PIDS + 1] = NULL;
	assert_int_equal(parse_words(argv), -1);
	assert_int_equal(parsed.n_pids, OPT_MAX_PIDS);
}

static void assert_columns(void)
{
	for (char *line = strtok(printed, "\n"); line; line = strtok(NULL, "\n"))
		assert_in_range(strlen(line), 0, 80);
}

static void test_help(void **state)
{
	assert_int_equal(parse("watch", "--help"), EXIT_OK);
	assert_non_null(
		strstr(printed, "--threshold DUR         shortest block reported (default: 5ms)"));
	assert_non_null(strstr(printed, "--format text|ndjson"));
	assert_columns();
	assert_int_equal(parse("doctor", "-h"), EXIT_OK);
	assert_non_null(strstr(printed, "--pid PID"));
	assert_null(strstr(printed, "--threshold"));
	assert_columns();
	assert_int_equal(parse("--help"), EXIT_OK);
	assert_non_null(strstr(printed, "doctor"));
	assert_columns();
	assert_int_equal(parse("--version"), EXIT_OK);
	assert_ptr_equal(strstr(printed, "runtime-scope "), printed);
	assert_int_equal(parse_words((char *[]){ "runtime-scope", NULL }), EXIT_USAGE);
	assert_non_null(strstr(printed, "Usage:"));
}

static void test_output(void **state)
{
	struct options o = { .output = "/proc/no-such-directory/file" };
	struct rs_error err = { "" };
	FILE *f = NULL;

	assert_int_equal(output_open(&o, &f, &err), -ENOENT);
	assert_null(f);
	assert_non_null(strstr(err.text, "/proc/no-such-directory/file"));
	o.output = "/dev/full";
	assert_int_equal(output_open(&o, &f, &err), 0);
	fputs("text", f);
	assert_int_equal(output_close(f), -ENOSPC);
	o.output = NULL;
	assert_int_equal(output_open(&o, &f, &err), 0);
	assert_ptr_equal(f, stdout);
	assert_int_equal(output_close(f), 0);
}

static void test_color(void **state)
{
	struct options o = { .color = COLOR_ALWAYS };
	FILE *f = tmpfile();

	assert_true(output_color(&o, f));
	o.color = COLOR_AUTO;
	assert_false(output_color(&o, f));
	o.color = COLOR_NEVER;
	assert_false(output_color(&o, f));
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duration),      cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_options),   cmocka_unit_test(test_command_words),
		cmocka_unit_test(test_usage_errors),  cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_too_many_pids), cmocka_unit_test(test_help),
		cmocka_unit_test(test_output),	      cmocka_unit_test(test_color),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
