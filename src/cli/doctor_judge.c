/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a report about this program will be worth, and how to make it worth more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/doctor.h"

#define PROFILE "[profile.release] of Cargo.toml"
#define V0 "RUSTFLAGS=\"-C symbol-mangling-version=v0\""

struct judge {
	const struct features *features;
	const struct tokio_copy *copy;
	struct doctor_finding *list;
	size_t n;
};

static void add(struct judge *j, enum doctor_grade grade, const char *what, const char *why,
		const char *remedy)
{
	struct doctor_finding *f = &j->list[j->n++];

	*f = (struct doctor_finding){ .grade = grade, .what = what, .why = why };
	snprintf(f->remedy.text, sizeof(f->remedy.text), "%s", remedy ? remedy : "");
}

static bool judge_exact(struct judge *j)
{
	struct rs_error err = { "" };

	if (!j->copy->n_vtables)
		add(j, GRADE_MISSING, "exact timing of polls",
		    "no task vtable was found in the file", "Sampled timing works.");
	else if (features_require(j->features, NEED_EXACT, &err) < 0)
		add(j, GRADE_MISSING, "exact timing of polls", NULL, err.text);
	else
		add(j, GRADE_EXACT, "duration of each poll of a task, where it is timed exactly",
		    NULL, NULL);
	return j->list[j->n - 1].grade == GRADE_EXACT;
}

static void judge_timing(struct judge *j)
{
	struct rs_error err = { "" };
	bool exact;

	if (features_require(j->features, NEED_ALL, &err) < 0) {
		add(j, GRADE_MISSING, "everything that is measured", "see the kernel's list above",
		    NULL);
		return;
	}
	add(j, GRADE_EXACT, "sleeps and run-queue waits inside a block", NULL, NULL);
	exact = judge_exact(j);
	add(j, GRADE_APPROXIMATE, "duration of a poll that is sampled",
	    "known within one sampling period; each block states its error",
	    exact ? "Ask for --mode exact, or for a higher --freq." : "Ask for a higher --freq.");
	add(j, GRADE_APPROXIMATE, "duration of block_on and #[tokio::main] bodies",
	    "they have no poll function of their own and are always sampled", NULL);
}

static void judge_names(struct judge *j)
{
	static const char *const whys[] = {
		[SYMBOLS_NONE] =
			"the file is stripped; watch shows the place of a task's code, or its address where none is found",
		[SYMBOLS_LEGACY] =
			"legacy symbols carry no types; watch names a task by the symbols and places in its code, with \xe2\x89\x88 where that is not sure",
		[SYMBOLS_V0] =
			"some have no symbol; for those watch shows the place of their code, or their address",
	};
	static const char *const remedies[] = {
		[SYMBOLS_NONE] = "Set strip = \"none\" in " PROFILE ", and build with " V0 ".",
		[SYMBOLS_LEGACY] = "Build with " V0 ".",
		[SYMBOLS_V0] = "",
	};
	size_t all = doctor_count_types(j->copy, NULL);
	enum symbol_kind symbols = j->copy->symbols;

	if (!all)
		return;
	if (doctor_count_types(j->copy, "v0") == all || j->copy->debuginfo >= DEBUGINFO_LIMITED)
		add(j, GRADE_EXACT, "names of tasks", NULL, NULL);
	else
		add(j, GRADE_APPROXIMATE, "names of tasks", whys[symbols], remedies[symbols]);
}

static void judge_lines(struct judge *j)
{
	if (doctor_count_types(j->copy, NULL))
		add(j, GRADE_APPROXIMATE, "source files and lines",
		    "panic locations say where the code of a task is, not which line blocks", NULL);
}

static void judge_markers(struct judge *j)
{
	if (!j->copy->marker_start || !j->copy->marker_end)
		add(j, GRADE_MISSING, "comparison with marker functions",
		    "the program has no trace_blocking_start and trace_blocking_end", NULL);
	else
		add(j, GRADE_EXACT,
		    "comparison with marker functions, on --enable-marker-validation", NULL, NULL);
}

size_t doctor_judge(const struct features *f, const struct tokio_copy *copy,
		    struct doctor_finding ret[static DOCTOR_MAX_FINDINGS])
{
	struct judge j = { f, copy, ret, 0 };

	if (tokio_is_too_old(copy)) {
		add(&j, GRADE_MISSING, "blocks of its tasks",
		    "Tokio before 1.23 keeps its tasks in ways not known here: watch leaves them out",
		    "Use Tokio 1.23 or newer.");
		return j.n;
	}
	judge_timing(&j);
	add(&j, GRADE_EXACT, "task ids", NULL, NULL);
	judge_names(&j);
	judge_lines(&j);
	judge_markers(&j);
	return j.n;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Several vtables (one per scheduler) often share a poll function, so addresses are sorted and counted once. */
size_t doctor_count_types(const struct tokio_copy *copy, const char *source)
{
	_cleanup_free_
	uint64_t *polls = calloc(copy->n_vtables + 1, sizeof(*polls));
	size_t n = 0, distinct = 0;

	if (!polls)
		return 0;
	for (size_t i = 0; i < copy->n_vtables; i++) {
		const struct task_vtable *v = &copy->vtables[i];

		if (!v->blocking && (!source || !strcmp(v->name_source, source)))
			polls[n++] = v->poll;
	}
	qsort(polls, n, sizeof(*polls), compare_u64);
	for (size_t i = 0; i < n; i++)
		distinct += i == 0 || polls[i] != polls[i - 1];
	return distinct;
}
