/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What this kernel, these privileges and a program allow. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/select.h"
#include "cli/table.h"

static void freep_process(struct process **p)
{
	if (*p)
		process_free(*p);
}

struct copies {
	struct tokio_copy *list;
	int n;
};

static void free_copies(struct copies *c)
{
	if (c->n > 0)
		tokio_copies_free(c->list, (size_t)c->n);
}

/* What was found so far comes before the error also when both go to one file. */
static int fail(int code, const struct rs_error *err)
{
	fflush(stdout);
	fprintf(stderr, PROGRAM ": %s\n", err->text);
	return code;
}

static int report_copies(const struct features *f, const struct copies *copies, const char *what,
			 struct rs_error *err)
{
	struct doctor_finding findings[DOCTOR_MAX_FINDINGS];

	if (copies->n == 0) {
		char text[ESCAPE_SIZE(80)];

		escape_shorten(text, what, 80);
		snprintf(
			err->text, sizeof(err->text),
			"%s is not a Tokio program. No task vtable, symbol or version string of Tokio is in its "
			"files. Give a program that uses Tokio 1.x.",
			text);
		return fail(EXIT_NOT_TOKIO, err);
	}
	for (int i = 0; i < copies->n; i++) {
		size_t n = doctor_judge(f, &copies->list[i], findings);

		doctor_print_copy(&copies->list[i]);
		doctor_print_findings(findings, n);
	}
	return EXIT_OK;
}

/* Without leave to read it every file of the process looks as if it were not there, let alone Tokio in it. */
static int check_readable(const struct features *f, pid_t pid)
{
	struct features own = *f;
	struct rs_error err = { "" };

	features_try_target(&own, pid);
	if (!feature_missed(&own, FEATURE_READ_TARGET))
		return EXIT_OK;
	features_require(&own, NEED_ALL, &err);
	return fail(EXIT_LACKING, &err);
}

static int examine_process(const struct features *f, pid_t pid, const char *binary)
{
	_cleanup_(freep_process) struct process *process = NULL;
	_cleanup_(free_copies) struct copies copies = { 0 };
	char exe[ESCAPE_SIZE(80)], comm[ESCAPE_SIZE(16)];
	struct rs_error err = { "" };
	int r = process_open(pid, binary, &process, &err);

	if (r < 0)
		return fail(target_exit_code(r), &err);
	escape_shorten(exe, process->exe, 80);
	escape_shorten(comm, process->comm, 16);
	printf("\nProcess %d %s (%s)\n", pid, comm, exe);
	copies.n = tokio_find(process, 0, &copies.list, &err);
	if (copies.n < 0)
		return fail(target_exit_code(copies.n), &err);
	if (err.text[0])
		printf("  Note: %s\n", err.text);
	return report_copies(f, &copies, process->exe, &err);
}

static int examine_file(const struct features *f, const char *path)
{
	_cleanup_(free_copies) struct copies copies = { 0 };
	char text[ESCAPE_SIZE(80)];
	struct rs_error err = { "" };

	escape_shorten(text, path, 80);
	printf("\nFile %s\n", text);
	copies.n = tokio_find_in_file(path, &copies.list, &err);
	if (copies.n < 0)
		return fail(target_exit_code(copies.n), &err);
	return report_copies(f, &copies, path, &err);
}

/* The first directory of PATH that has it, as the shell would; a name with a slash is a path already. */
static int examine_command(const struct features *f, const char *name)
{
	_cleanup_free_
	char *dirs = strdup(getenv("PATH") ?: "");
	char *rest = dirs, *dir;

	while (dirs && !strchr(name, '/') && (dir = strsep(&rest, ":"))) {
		_cleanup_free_
		char *path = NULL;

		if (asprintf(&path, "%s/%s", *dir ? dir : ".", name) < 0)
			return EXIT_INTERNAL;
		if (!access(path, X_OK))
			return examine_file(f, path);
	}
	return examine_file(f, name);
}

static int examine_pids(const struct features *f, const struct options *o, const pid_t *pids, int n)
{
	int worst = EXIT_OK;

	for (int i = 0; i < n; i++) {
		int code = check_readable(f, pids[i]);

		if (code == EXIT_OK)
			code = examine_process(f, pids[i], o->target);
		if (worst == EXIT_OK)
			worst = code;
	}
	return worst;
}

/* Before the kernel's list, so that a wrong pid is not buried under it. */
static int check_alive(const pid_t *pids, int n, struct rs_error *err)
{
	for (int i = 0; i < n; i++) {
		if (pid_alive(pids[i]))
			continue;
		snprintf(
			err->text, sizeof(err->text),
			"There is no process %d. It has ended, or the number is of another pid namespace. "
			"Look for the right one with 'ps -e'.",
			pids[i]);
		return -ESRCH;
	}
	return n;
}

int cmd_doctor(const struct options *o)
{
	struct rs_error err = { "" };
	pid_t pids[OPT_MAX_PIDS];
	struct features f;
	int n, code = EXIT_OK;

	n = select_pids(o, pids, &err);
	if (n > 0)
		n = check_alive(pids, n, &err);
	if (n < 0)
		return fail(target_exit_code(n), &err);
	features_try(&f);
	if (n > 0)
		features_try_target(&f, pids[0]);
	doctor_print_features(&f);
	if (n > 0)
		code = examine_pids(&f, o, pids, n);
	else if (o->positional)
		code = examine_file(&f, o->positional);
	else if (o->command)
		code = examine_command(&f, o->command[0]);
	if (code == EXIT_OK && features_require(&f, NEED_ALL, &err) < 0)
		code = EXIT_LACKING;
	return code;
}
