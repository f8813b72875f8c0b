/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any text as the values of options, and as a whole command line. */
#include <string.h>

#include "base/cleanup.h"
#include "cli/options.h"
#include "cli/table.h"
#include "fuzz.h"

#define WORDS 16

static void parse_values(const char *text)
{
	struct parsed p;

	for (const struct option_row *row = option_rows; row->name; row++) {
		memset(&p, 0xaa, sizeof(p));
		p.options.n_pids = 0;
		row->parse(&row->rule, text, (char *)&p + row->offset);
	}
}

/* Words are separated by newlines. */
static void parse_line(char *text)
{
	static const struct command commands[] = {
		{ "watch", "", NULL, OPT_TARGET | OPT_TIMING | OPT_OUTPUT | OPT_STACKS },
		{ "doctor", "", NULL, OPT_TARGET | OPT_BINARY },
	};
	char *argv[WORDS + 1] = { (char *)"program" }, *rest = text;
	const struct command *command = NULL;
	struct options o;
	int argc = 1;

	while (argc < WORDS && (argv[argc] = strsep(&rest, "\n")))
		argc++;
	argv[argc] = NULL;
	if (options_parse(argc, argv, commands, 2, &o, &command) == -1)
		FUZZ_CHECK(command && o.slow_ns <= o.critical_ns && o.n_pids <= OPT_MAX_PIDS);
}

/* What is wrong with them is printed: millions of lines. */
static void silence(void)
{
	static FILE *nowhere;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	FUZZ_CHECK(nowhere);
	stderr = stdout = nowhere;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_
	char *text = fuzz_text(data, size);
	FILE *out = stdout, *err = stderr;

	silence();
	parse_values(text);
	parse_line(text);
	stdout = out;
	stderr = err;
	return 0;
}
