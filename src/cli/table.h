/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of options: parsing (options.c) and help (help.c) both read it, so they cannot disagree. */
#ifndef RS_CLI_TABLE_H
#define RS_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/options.h"
#include "cli/values.h"

#define PROGRAM "runtime-scope"

/* What the rows' offsets point into: the options, and the two flags that end the program. */
struct parsed {
	struct options options;
	bool help, version;
};

struct option_row {
	const char *name;
	char letter; /* 0: none */
	const char *arg; /* NULL: takes no value, or see arg_from */
	unsigned int group; /* 0: every command has it */
	const char *help;
	const char *initial; /* parsed like a value from the user; shown as the default */
	value_parser *parse;
	size_t offset; /* of the field in struct parsed */
	struct value_rule rule;
	const char *const *arg_from; /* where another module knows the names of the values */
};

struct option_title {
	unsigned int group;
	const char *title;
};

struct exit_meaning {
	enum exit_code code;
	const char *meaning;
};

/* Each ends with a row whose text is NULL. */
extern const struct option_row option_rows[];
extern const struct option_title option_titles[];
extern const struct exit_meaning exit_meanings[];

/* Text for the value in help, or NULL when the option takes none. */
const char *option_arg(const struct option_row *row);
bool option_accepted(const struct option_row *row, const struct command *command);

void help_print_command(FILE *out, const struct command *command);
void help_print_overview(FILE *out, const struct command *commands, size_t n);

#endif
