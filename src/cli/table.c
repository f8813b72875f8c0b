/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/table.h"

#include <errno.h>

#include "sink/sink.h"

#define FIELD(member) offsetof(struct parsed, options.member)
#define US 1000ULL
#define MS 1000000ULL
#define HOUR (3600000 * MS)

static const char *const mode_names[] = { "auto", "exact", "sampled", NULL };
static const char *const color_names[] = { "auto", "always", "never", NULL };

/* Repeated --pid adds to the list; the same pid twice is one target. The field is the whole struct options. */
static int value_pids(const struct value_rule *rule, const char *text, void *field)
{
	struct options *o = field;
	uint32_t pid;
	int r = value_u32(rule, text, &pid);

	if (r < 0)
		return r;
	for (size_t i = 0; i < o->n_pids; i++) {
		if (o->pids[i] == (pid_t)pid)
			return 0;
	}
	if (o->n_pids == OPT_MAX_PIDS)
		return -E2BIG;
	o->pids[o->n_pids++] = (pid_t)pid;
	return 0;
}

static int value_format(const struct value_rule *rule, const char *text, void *field)
{
	if (!sink_find(text))
		return -EINVAL;
	*(const char **)field = text;
	return 0;
}

/* One row an option; clang-format would make it one line a field. */
/* clang-format off */
const struct option_row option_rows[] = {
	{ "pid", 'p', "PID", OPT_TARGET, "the process with this id; may be repeated", NULL,
	  value_pids, offsetof(struct parsed, options),
	  { 1, INT32_MAX, "a process id, 1 or greater", NULL } },
	{ "name", 0, "NAME", OPT_TARGET,
	  "the process with this name, or running a file of this name", NULL,
	  value_text, FIELD(name), { .needs = "a process name" } },
	{ "target", 0, "PATH", OPT_TARGET,
	  "the binary to read symbols from, if not /proc/PID/exe", NULL,
	  value_text, FIELD(target), { .needs = "a path" } },

	{ "threshold", 0, "DUR", OPT_TIMING, "shortest block reported", "5ms",
	  value_duration, FIELD(threshold_ns),
	  { US, HOUR, "a duration from 1us to 1h, such as 5ms", NULL } },
	{ "slow", 0, "DUR", OPT_TIMING, "shortest block called SLOW", "10ms",
	  value_duration, FIELD(slow_ns),
	  { US, HOUR, "a duration from 1us to 1h, such as 10ms", NULL } },
	{ "critical", 0, "DUR", OPT_TIMING, "shortest block called CRITICAL", "100ms",
	  value_duration, FIELD(critical_ns),
	  { US, HOUR, "a duration from 1us to 1h, such as 100ms", NULL } },
	{ "mode", 0, "auto|exact|sampled", OPT_TIMING, "how polls are timed", "auto",
	  value_choice, FIELD(mode), { .choices = mode_names } },
	{ "budget", 0, "PCT", OPT_TIMING,
	  "most the tool may cost, as % of one CPU's time", "1%",
	  value_percent, FIELD(budget_percent),
	  { .needs = "a percentage above 0 and up to 100, such as 1%" } },
	{ "freq", 0, "HZ", OPT_TIMING, "most samples a second on each CPU; fewer where interrupts are dear", "997",
	  value_u32, FIELD(freq), { 1, 20000, "a whole number from 1 to 20000", NULL } },
	{ "duration", 0, "DUR", OPT_TIMING, "stop after this time instead of at Ctrl+C", NULL,
	  value_duration, FIELD(duration_ns),
	  { MS, 8760 * HOUR, "a duration from 1ms to 8760h, such as 30s", NULL } },
	{ "enable-marker-validation", 0, NULL, OPT_TIMING,
	  "also detect by the marker functions trace_blocking_start and trace_blocking_end, "
	  "and compare", NULL,
	  value_flag, FIELD(marker_validation) },

	{ "debug-file", 0, "PATH", OPT_STACKS,
	  "the executable's debuginfo, if it is neither in it nor where it belongs", NULL,
	  value_text, FIELD(debug_file), { .needs = "a path" } },
	{ "my-crates", 0, "LIST", OPT_STACKS,
	  "crates that are your own code wherever they lie, separated by commas", NULL,
	  value_text, FIELD(my_crates), { .needs = "names, separated by commas" } },
	{ "stack-depth", 0, "N", OPT_STACKS, "most frames of a stack that are printed", "16",
	  value_u32, FIELD(stack_depth), { 1, 1000, "a whole number from 1 to 1000", NULL } },

	{ "format", 0, NULL, OPT_OUTPUT, "form of the report", "text",
	  value_format, FIELD(format), .arg_from = &sink_names },
	{ "output", 'o', "FILE", OPT_OUTPUT, "write there instead of standard output", NULL,
	  value_text, FIELD(output), { .needs = "a file name" } },
	{ "all-blocks", 0, NULL, OPT_OUTPUT,
	  "as text, print every block, not only the first few of each call site", NULL,
	  value_flag, FIELD(all_blocks) },
	{ "advice", 0, "FILE", OPT_OUTPUT, "more rows for the table of advice", NULL,
	  value_text, FIELD(advice), { .needs = "a file name" } },
	{ "color", 0, "auto|always|never", OPT_OUTPUT, "colours; NO_COLOR is honoured", "auto",
	  value_choice, FIELD(color), { .choices = color_names } },

	{ "help", 'h', NULL, 0, "print this text", NULL,
	  value_flag, offsetof(struct parsed, help) },
	{ "version", 'V', NULL, 0, "print the version", NULL,
	  value_flag, offsetof(struct parsed, version) },
	{ 0 },
};
/* clang-format on */

const struct option_title option_titles[] = {
	{ OPT_TARGET, "Target" }, { OPT_TIMING, "Timing" }, { OPT_STACKS, "Stacks" },
	{ OPT_OUTPUT, "Output" }, { 0, "General" },	    { 0 },
};

const struct exit_meaning exit_meanings[] = {
	{ EXIT_OK, "all well" },
	{ EXIT_INTERNAL, "internal error" },
	{ EXIT_USAGE, "usage" },
	{ EXIT_NO_TARGET, "target not found or gone before attach" },
	{ EXIT_NOT_TOKIO, "not a Tokio program" },
	{ EXIT_LACKING, "privileges or kernel lack something" },
	{ 0 },
};

const char *option_arg(const struct option_row *row)
{
	return row->arg_from ? *row->arg_from : row->arg;
}

bool option_accepted(const struct option_row *row, const struct command *command)
{
	return !row->group || (row->group & command->accepts);
}
