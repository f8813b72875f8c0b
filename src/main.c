/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/commands.h"

static const struct command commands[] = {
	{ "watch", "Report blocking polls as they happen", cmd_watch,
	  OPT_TARGET | OPT_TIMING | OPT_STACKS | OPT_OUTPUT },
	{ "doctor", "Say what this kernel, these privileges and a program allow", cmd_doctor,
	  OPT_TARGET | OPT_BINARY },
};

int main(int argc, char **argv)
{
	const struct command *command;
	struct options options;
	int r = options_parse(argc, argv, commands, sizeof(commands) / sizeof(commands[0]),
			      &options, &command);

	return r < 0 ? command->run(&options) : r;
}
