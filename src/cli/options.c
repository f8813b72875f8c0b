/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Parsing: argp walks the arguments, the rows of table.c say what each of them means. */
#include "cli/options.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/table.h"
#include "cli/version.h"

#define AUTO_KEY 0x100 /* options without a letter get AUTO_KEY + row */
#define MAX_ROWS 64

struct parse {
	struct parsed result;
	const struct command *command;
	char error[400]; /* one line; the first error is kept */
};

static int row_key(const struct option_row *row)
{
	return row->letter ? row->letter : AUTO_KEY + (int)(row - option_rows);
}

static const struct option_row *row_by_key(int key)
{
	for (const struct option_row *row = option_rows; row->name; row++) {
		if (row_key(row) == key)
			return row;
	}
	return NULL;
}

static void fill_argp_options(const struct command *command,
			      struct argp_option ret[static MAX_ROWS + 1])
{
	for (const struct option_row *row = option_rows; row->name; row++) {
		if (option_accepted(row, command))
			*ret++ = (struct argp_option){ .name = row->name,
						       .key = row_key(row),
						       .arg = option_arg(row) };
	}
	*ret = (struct argp_option){ 0 };
}

static void say_bad_value(struct parse *p, const struct option_row *row, const char *text, int r)
{
	if (r == -E2BIG)
		snprintf(p->error, sizeof(p->error),
			 "--%s is given too often. %d are possible at once.", row->name,
			 OPT_MAX_PIDS);
	else if (row->rule.needs)
		snprintf(p->error, sizeof(p->error), "--%s '%.100s' is %s. Give %s.", row->name,
			 text, r == -ERANGE ? "out of range" : "not understood", row->rule.needs);
	else
		snprintf(p->error, sizeof(p->error),
			 "--%s '%.100s' is not known. Choose one of %s.", row->name, text,
			 option_arg(row));
}

static error_t take_option(struct parse *p, const struct option_row *row, const char *text)
{
	int r = row->parse(&row->rule, text, (char *)&p->result + row->offset);

	if (!r)
		return 0;
	say_bad_value(p, row, text, r);
	return EINVAL;
}

static error_t take_argument(struct parse *p, char *arg, struct argp_state *state)
{
	struct options *o = &p->result.options;

	if (state->quoted && state->next - 1 >= state->quoted) {
		o->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	}
	if ((p->command->accepts & OPT_BINARY) && !o->positional) {
		o->positional = arg;
		return 0;
	}
	snprintf(
		p->error, sizeof(p->error),
		"Unexpected argument '%.100s'. A command comes first, a program to start comes after '--'.",
		arg);
	return EINVAL;
}

/* Says what is wrong with one long option that getopt refused; false when nothing is. */
static bool say_refused_name(struct parse *p, const char *word)
{
	const char *name = word + 2;
	size_t n = strcspn(name, "="), matches = 0;
	const struct option_row *row = NULL;

	for (const struct option_row *i = option_rows; i->name; i++) {
		if (!option_accepted(i, p->command) || strncmp(i->name, name, n))
			continue;
		row = i;
		if (strlen(i->name) == n) {
			matches = 1;
			break;
		}
		matches++;
	}
	if (matches == 1 && option_arg(row) && !name[n])
		snprintf(p->error, sizeof(p->error), "--%s needs a value. Write --%s %s.",
			 row->name, row->name, option_arg(row));
	else if (matches == 1 && !option_arg(row) && name[n])
		snprintf(p->error, sizeof(p->error), "--%s takes no value. Write --%s alone.",
			 row->name, row->name);
	else if (matches != 1)
		snprintf(p->error, sizeof(p->error),
			 "%s option '%.100s'. '" PROGRAM " %s --help' lists the options.",
			 matches ? "Ambiguous" : "Unknown", word, p->command->name);
	return matches != 1 || p->error[0];
}

static bool say_refused_letters(struct parse *p, const char *word)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct option_row *row = row_by_key((unsigned char)*letter);

		if (!row || !option_accepted(row, p->command)) {
			snprintf(p->error, sizeof(p->error),
				 "Unknown option '-%c'. '" PROGRAM " %s --help' lists the options.",
				 *letter, p->command->name);
			return true;
		}
		if (option_arg(row)) {
			if (letter[1])
				return false;
			snprintf(p->error, sizeof(p->error), "-%c needs a value. Write --%s %s.",
				 *letter, row->name, option_arg(row));
			return true;
		}
	}
	return false;
}

/* argp keeps getopt's own word on what it refused to itself. It is the argument just passed or, among letters
 * written together, the one still being read. */
static void say_refused(struct parse *p, const struct argp_state *state)
{
	for (int i = state->next - 1; i <= state->next; i++) {
		const char *word = i > 0 && i < state->argc ? state->argv[i] : "";

		if (word[0] == '-' &&
		    (word[1] == '-' ? say_refused_name(p, word) : say_refused_letters(p, word)))
			return;
	}
	snprintf(p->error, sizeof(p->error),
		 "The options are not understood. '" PROGRAM " %s --help' lists them.",
		 p->command->name);
}

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	const struct option_row *row = row_by_key(key);

	if (row)
		return take_option(p, row, arg);
	if (key == ARGP_KEY_ARG)
		return take_argument(p, arg, state);
	if (key == ARGP_KEY_ERROR && !p->error[0])
		say_refused(p, state);
	return key == ARGP_KEY_ERROR ? 0 : ARGP_ERR_UNKNOWN;
}

static const struct command *find_command(const char *word, const struct command *commands,
					  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(commands[i].name, word))
			return &commands[i];
	}
	return NULL;
}

static int usage_error(const char *text)
{
	fprintf(stderr, PROGRAM ": %s\n", text);
	return EXIT_USAGE;
}

static int unknown_command(const char *word, const struct command *commands, size_t n)
{
	fprintf(stderr, PROGRAM ": Unknown command '%.100s'. Commands are", word);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%s %s", i == 0 ? "" : i + 1 == n ? " and" : ",", commands[i].name);
	fprintf(stderr, "; a program to start comes after '--'.\n");
	return EXIT_USAGE;
}

/* Options that are right each by itself may still not go together. */
static const char *find_conflict(const struct options *o, const struct command *command)
{
	int targets = (o->n_pids > 0) + (o->name != NULL) + (o->command != NULL) +
		      (o->positional != NULL);
	bool binary = command->accepts & OPT_BINARY;

	if (targets > 1)
		return binary ? "More than one target is given. Give one of --pid, --name, -- COMMAND or BINARY."
			      : "More than one target is given. Give one of --pid, --name or -- COMMAND.";
	if (!targets && (command->accepts & OPT_TARGET) && !binary)
		return "No target is given. Give one of --pid PID, --name NAME or -- COMMAND ARGS...";
	if (o->slow_ns > o->critical_ns)
		return "--slow is above --critical. Give both, such as --slow 10ms --critical 100ms.";
	return NULL;
}

static void set_defaults(struct parsed *ret)
{
	for (const struct option_row *row = option_rows; row->name; row++) {
		if (row->initial)
			row->parse(&row->rule, row->initial, (char *)ret + row->offset);
	}
}

int options_parse(int argc, char **argv, const struct command *commands, size_t n_commands,
		  struct options *ret, const struct command **ret_command)
{
	/* In order: what follows "--" belongs to the program that is started and must not be looked at. */
	const unsigned int flags = ARGP_IN_ORDER | ARGP_NO_HELP | ARGP_NO_ERRS | ARGP_NO_EXIT;
	bool named = argc > 1 && argv[1][0] != '-';
	struct argp_option argp_options[MAX_ROWS + 1];
	struct argp argp = { .options = argp_options, .parser = parse_key };
	struct parse p = { .command = &commands[0] };
	const char *conflict;

	if (argc < 2) {
		help_print_overview(stderr, commands, n_commands);
		return EXIT_USAGE;
	}
	if (named)
		p.command = find_command(argv[1], commands, n_commands);
	if (!p.command)
		return unknown_command(argv[1], commands, n_commands);
	fill_argp_options(p.command, argp_options);
	set_defaults(&p.result);
	if (argp_parse(&argp, argc - named, argv + named, flags, NULL, &p))
		return usage_error(p.error);
	if (p.result.version) {
		puts(PROGRAM " " RS_VERSION);
		return EXIT_OK;
	}
	if (p.result.help) {
		if (named)
			help_print_command(stdout, p.command);
		else
			help_print_overview(stdout, commands, n_commands);
		return EXIT_OK;
	}
	conflict = find_conflict(&p.result.options, p.command);
	if (conflict)
		return usage_error(conflict);
	*ret = p.result.options;
	*ret_command = p.command;
	return -1;
}
