/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Help for a terminal of 80 columns, in the order of the tables (argp's own help sorts by name). */
#include <string.h>

#include "cli/table.h"

#define WIDTH 79
#define HELP_COLUMN 30

/* Words from `column` on, broken before WIDTH; the cursor stands at `at`. */
static void print_wrapped(FILE *out, const char *text, int at, int column)
{
	if (at >= column) {
		fputc('\n', out);
		at = 0;
	}
	while (*text) {
		int n = (int)strcspn(text, " ");

		if (at > column && at + 1 + n > WIDTH) {
			fputc('\n', out);
			at = 0;
		}
		at += at < column ? fprintf(out, "%*s", column - at, "") : fprintf(out, " ");
		at += fprintf(out, "%.*s", n, text);
		text += n + strspn(text + n, " ");
	}
	fputc('\n', out);
}

static void print_row(FILE *out, const struct option_row *row)
{
	const char *arg = option_arg(row);
	char text[256];
	int at = row->letter ? fprintf(out, "  -%c, ", row->letter) : fprintf(out, "      ");

	at += fprintf(out, "--%s%s%s", row->name, arg ? " " : "", arg ? arg : "");
	snprintf(text, sizeof(text), row->initial ? "%s (default: %s)" : "%s", row->help,
		 row->initial);
	print_wrapped(out, text, at, HELP_COLUMN);
}

static void print_options(FILE *out, const struct command *command)
{
	for (const struct option_title *t = option_titles; t->title; t++) {
		if (t->group && !(t->group & command->accepts))
			continue;
		fprintf(out, "\n%s:\n", t->title);
		for (const struct option_row *row = option_rows; row->name; row++) {
			if (row->group == t->group)
				print_row(out, row);
		}
	}
}

static void print_notes(FILE *out, const struct command *command)
{
	bool binary = command->accepts & OPT_BINARY;

	if (binary)
		fputs("\nTARGET is --pid PID, --name NAME or -- COMMAND. BINARY, and COMMAND here, is a\n"
		      "file that is read and not run.\n"
		      "Without any of them only the kernel and the privileges are looked at.\n",
		      out);
	else if (command->accepts & OPT_TARGET)
		fputs("\nTARGET is --pid PID, --name NAME, or -- COMMAND ARGS..., which starts the\n"
		      "program and passes its exit code through when nothing else fails.\n",
		      out);
	if (command->accepts & OPT_TIMING)
		fputs("DUR is a number with its unit: 500us, 1.5ms, 30s, 2m.\n", out);
}

static void print_exit_codes(FILE *out)
{
	fputs("\nExit codes:\n", out);
	for (const struct exit_meaning *e = exit_meanings; e->meaning; e++)
		fprintf(out, "  %-3d %s\n", e->code, e->meaning);
}

void help_print_command(FILE *out, const struct command *command)
{
	fprintf(out, "Usage: " PROGRAM " %s %s [OPTIONS]\n\n%s.\n", command->name,
		command->accepts & OPT_BINARY ? "[TARGET|BINARY]" : "TARGET", command->summary);
	print_options(out, command);
	print_notes(out, command);
	print_exit_codes(out);
}

void help_print_overview(FILE *out, const struct command *commands, size_t n)
{
	fputs(PROGRAM " shows which task blocks a running Tokio program, how long and why.\n\n"
		      "Usage: " PROGRAM " [COMMAND] TARGET [OPTIONS]\n\nCommands:\n",
	      out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %-8s %s%s\n", commands[i].name, commands[i].summary,
			i == 0 ? " (the default command)" : "");
	fputs("\nTARGET is --pid PID, --name NAME, or -- COMMAND ARGS... to start a program.\n\n"
	      "Examples:\n"
	      "  sudo " PROGRAM " --name my-server\n"
	      "  sudo " PROGRAM " --pid 4711 --threshold 1ms --duration 30s\n"
	      "  sudo " PROGRAM " doctor --pid 4711\n\n"
	      "'" PROGRAM " COMMAND --help' lists the options and exit codes of a command.\n",
	      out);
}
