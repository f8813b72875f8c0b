/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli/select.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"

#define MAX_LISTED 5

/* "Several processes are called 'x': 12 (/usr/bin/x), 34 (/opt/x), … Choose one of them with --pid PID." */
static void say_ambiguous(const char *name, const struct process_candidate *list, size_t n,
			  struct rs_error *err)
{
	char text[ESCAPE_SIZE(48)];
	size_t used;

	escape_shorten(text, name, 48);
	used = (size_t)snprintf(err->text, sizeof(err->text), "%zu processes are called '%s':", n,
				text);
	for (size_t i = 0; i < n && i < MAX_LISTED; i++) {
		char item[ESCAPE_SIZE(40) + 24];
		int length;

		escape_shorten(text, list[i].exe, 40);
		length = snprintf(item, sizeof(item), " %d (%s),", list[i].pid, text);
		/* Leaves room for the sentence after the list. */
		if (used + (size_t)length + 48 > sizeof(err->text))
			break;
		used += (size_t)snprintf(err->text + used, sizeof(err->text) - used, "%s", item);
	}
	snprintf(err->text + used - 1, sizeof(err->text) - used + 1,
		 "%s Choose one of them with --pid PID.", n > MAX_LISTED ? ", …" : ".");
}

static int select_by_name(const char *name, pid_t *ret, struct rs_error *err)
{
	struct process_candidate list[MAX_LISTED];
	char text[ESCAPE_SIZE(48)];
	int n = process_find_by_name(name, list, MAX_LISTED);

	escape_shorten(text, name, 48);
	if (n < 0) {
		snprintf(err->text, sizeof(err->text),
			 "Cannot list the processes. %s. Is /proc mounted?", strerror(-n));
		return n;
	}
	if (n == 0) {
		snprintf(
			err->text, sizeof(err->text),
			"No process is called '%s'. Neither a process name nor an executable's file name "
			"equals it. Look with 'ps -e', or give --pid PID.",
			text);
		return -ESRCH;
	}
	if (n > 1) {
		say_ambiguous(name, list, (size_t)n, err);
		return -ENOTUNIQ;
	}
	*ret = list[0].pid;
	return 1;
}

int select_pids(const struct options *o, pid_t ret[static OPT_MAX_PIDS], struct rs_error *err)
{
	if (o->name)
		return select_by_name(o->name, ret, err);
	memcpy(ret, o->pids, o->n_pids * sizeof(ret[0]));
	return (int)o->n_pids;
}

bool pid_alive(pid_t pid)
{
	_cleanup_fclose_
	FILE *f = NULL;
	char path[32], line[256], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return false;
	/* The name before the state may contain brackets itself. */
	end = strrchr(line, ')');
	return end && end[1] == ' ' && end[2] != 'Z' && end[2] != 'X';
}

int target_exit_code(int r)
{
	switch (r) {
	case -ESRCH:
	case -ENOENT: /* also of --target */
	case -EAGAIN: /* it is becoming another program */
	case -ENOTUNIQ:
		return EXIT_NO_TARGET;
	case -EACCES:
	case -EPERM:
	case -EOPNOTSUPP:
		return EXIT_LACKING;
	case -ENOEXEC: /* no ELF file, or a damaged one */
	case -ENODATA:
		return EXIT_NOT_TOKIO;
	case -ESTALE: /* --target names another program */
		return EXIT_USAGE;
	default:
		return EXIT_INTERNAL;
	}
}
