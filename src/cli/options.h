/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line, parsed from one table per command (options.c). */
#ifndef RS_CLI_OPTIONS_H
#define RS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OPT_MAX_PIDS 16

enum exit_code {
	EXIT_OK = 0,
	EXIT_INTERNAL = 1,
	EXIT_USAGE = 2,
	EXIT_NO_TARGET = 3,
	EXIT_NOT_TOKIO = 4,
	EXIT_LACKING = 5,
	EXIT_RULE = 10
};

enum timing_mode { MODE_AUTO, MODE_EXACT, MODE_SAMPLED };
enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct options {
	pid_t pids[OPT_MAX_PIDS];
	size_t n_pids;
	const char *name;
	char **command; /* argv after "--", or NULL */
	const char *positional; /* doctor BINARY */
	const char *target; /* --target PATH */
	const char *format; /* NULL = text */
	const char *output; /* NULL = standard output */
	uint64_t threshold_ns;
	uint64_t slow_ns, critical_ns; /* severities: --slow, --critical */
	enum timing_mode mode;
	double budget_percent;
	uint32_t freq;
	uint64_t duration_ns; /* 0 = until Ctrl+C */
	bool marker_validation;
	const char *debug_file; /* NULL = found by build id or debug link */
	const char *my_crates; /* NULL = none */
	uint32_t stack_depth;
	const char *advice; /* file of the user's own; NULL = none */
	bool all_blocks;
	enum color_mode color;
};

/* One command: `runtime-scope NAME …`; a row of commands[] in main.c. run() returns an exit code. */
struct command {
	const char *name;
	const char *summary; /* one line for `runtime-scope --help` */
	int (*run)(const struct options *o);
	unsigned int accepts; /* OPT_* groups this command understands */
};

enum option_group {
	OPT_TARGET = 1 << 0, /* --pid, --name, -- COMMAND, --target */
	OPT_TIMING =
		1
		<< 1, /* --threshold, --slow, --critical, --mode, --budget, --freq, --duration, markers */
	OPT_OUTPUT = 1 << 2, /* --format, -o, --color, --all-blocks, --advice */
	OPT_BINARY = 1 << 3, /* a positional BINARY */
	OPT_STACKS = 1 << 4, /* --debug-file, --my-crates, --stack-depth */
};

/* Parses argv[1…]. Returns -1 to go on with *ret and *ret_command, else the exit code to leave with (--help,
 * --version print and return 0; a usage error has been printed and returns EXIT_USAGE). No argument at all prints
 * a short help. The command word may be missing: then it is the first row ("watch"). */
int options_parse(int argc, char **argv, const struct command *commands, size_t n_commands,
		  struct options *ret, const struct command **ret_command);

/* "500us", "5ms", "1s", "2m", "1.5ms" -> ns. 0 or -EINVAL / -ERANGE. A bare number is an error: the unit is needed. */
int parse_duration(const char *text, uint64_t *ret_ns);

#endif
