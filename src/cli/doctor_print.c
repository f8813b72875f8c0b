/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "cli/doctor.h"
#include "plan/layouts.h"

#define PATH_COLUMNS 100

static void print_feature(const struct features *f, enum feature which,
			  char last_remedy[static 512])
{
	const struct feature_info *info = &feature_infos[which];
	struct rs_error remedy = { "" };

	if (feature_ok(f, which)) {
		printf("  ✓ %-32s ok\n", info->name);
		return;
	}
	if (f->facts[which].state == FEATURE_UNTRIED) {
		printf("  – %-32s not tried\n", info->name);
		return;
	}
	if (!feature_missed(f, which)) {
		printf("  – %-32s absent%s\n", info->name,
		       feature_ok(f, info->instead) ? ", not needed here" : "");
		return;
	}
	printf("  ✗ %-32s missing (%s), needed to %s\n", info->name,
	       which >= FEATURE_CAP_BPF ? "not held" : strerror(-f->facts[which].error),
	       info->purpose);
	feature_remedy(f, which, &remedy);
	/* One remedy often cures several; said once it is easier to see. */
	if (!remedy.text[0] || !strcmp(remedy.text, last_remedy))
		return;
	printf("    → %s\n", remedy.text);
	snprintf(last_remedy, 512, "%s", remedy.text);
}

static void print_verdict(const struct features *f)
{
	struct rs_error err = { "" };

	if (features_require(f, NEED_ALL, &err) < 0)
		printf("  Polls cannot be timed here. %s\n", err.text);
	else if (features_require(f, NEED_EXACT, &err) < 0)
		printf("  Polls can be timed by sampling, not exactly. %s\n", err.text);
	else
		puts("  Polls can be timed exactly and by sampling.");
}

void doctor_print_features(const struct features *f)
{
	char last_remedy[512] = "";

	printf("Kernel %s", f->release);
	if (f->paranoid > -2)
		printf(", kernel.perf_event_paranoid %d", f->paranoid);
	puts("");
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		if (i != FEATURE_READ_TARGET || f->facts[i].state != FEATURE_UNTRIED)
			print_feature(f, i, last_remedy);
	}
	print_verdict(f);
}

static void print_path(const char *label, const char *path)
{
	char text[ESCAPE_SIZE(PATH_COLUMNS)];

	escape_shorten(text, path, PATH_COLUMNS);
	printf("  %-12s %s\n", label, text);
}

static void print_types(const struct tokio_copy *copy)
{
	static const char *const sources[] = { "v0",	 "dwarf", "location",
					       "symbol", "stack", "address" };
	size_t types = doctor_count_types(copy, NULL);
	const char *separator = ": names from ";

	printf("  %-12s %zu (%zu vtables)", "task types", types, copy->n_vtables);
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		size_t n = doctor_count_types(copy, sources[i]);

		if (!n)
			continue;
		/* watch looks for the place when it has something to say of the task */
		printf("%s%s %zu", separator,
		       strcmp(sources[i], "address") ? sources[i] : "place or address", n);
		separator = ", ";
	}
	puts("");
}

/* What the file says of the thread-local CONTEXT, which holds the running task's id. */
static void print_context(const struct tokio_copy *copy)
{
	if (copy->context_sym >= 0)
		printf("  %-12s symbol at %#llx in the thread-local block, %llu bytes\n", "CONTEXT",
		       (unsigned long long)copy->context_sym,
		       (unsigned long long)copy->context_sym_size);
	else if (copy->tls_memsz)
		printf("  %-12s no symbol; watch looks for it in the running process\n", "CONTEXT");
	else
		printf("  %-12s the module has no thread-local storage: cannot be found\n",
		       "CONTEXT");
}

/* Where the offsets inside Tokio's structures come from. The table is only a prior; the process decides, at attach. */
static void print_layout(const struct tokio_copy *copy)
{
	const struct tokio_layout *row = NULL;
	unsigned int minor, patch, last_minor, last_patch;

	if (sscanf(copy->version, "1.%u.%u", &minor, &patch) == 2)
		row = tokio_layout_find(minor, patch, false, false);
	if (tokio_is_too_old(copy))
		printf("  %-12s none that can be relied on before Tokio 1.23\n", "layout");
	else if (!row)
		printf("  %-12s the version is unknown; watch tries all it knows\n", "layout");
	else if (sscanf(row->tokio_to, "1.%u.%u", &last_minor, &last_patch) == 2 &&
		 TOKIO_VERSION(minor, patch) > TOKIO_VERSION(last_minor, last_patch))
		printf("  %-12s newer than the table; watch tries its last row (to %s) and checks it\n",
		       "layout", row->tokio_to);
	else
		printf("  %-12s table row for Tokio %s to %s; watch checks it when it attaches\n",
		       "layout", row->tokio_from, row->tokio_to);
}

void doctor_print_copy(const struct tokio_copy *copy)
{
	static const char *const symbols[] = { "none (stripped)",
					       "legacy mangling: paths without types",
					       "v0 mangling: full names" };
	static const char *const debuginfo[] = { "none", "line tables", "limited", "full" };
	const struct module *m = copy->module;
	char rustc[ESCAPE_SIZE(32)];

	escape_shorten(rustc, copy->rustc, 32);
	printf("\nTokio %s, rustc %s\n", copy->version[0] ? copy->version : "of unknown version",
	       rustc[0] ? rustc : "unknown");
	if (m) {
		print_path("module", m->path);
		if (m->replaced)
			printf("  %-12s the file on disk was replaced since the start; the running one is read\n",
			       "");
		printf("  %-12s %s\n", "build id", m->build_id[0] ? m->build_id : "none");
	}
	print_types(copy);
	printf("  %-12s %s\n", "symbols", symbols[copy->symbols]);
	printf("  %-12s %s\n", "debuginfo", debuginfo[copy->debuginfo]);
	print_context(copy);
	print_layout(copy);
	printf("  %-12s %s\n", "markers",
	       copy->marker_start && copy->marker_end ? "trace_blocking_start, trace_blocking_end"
						      : "none");
}

void doctor_print_findings(const struct doctor_finding *findings, size_t n)
{
	static const char *const grades[] = { "Exact", "Approximate", "Missing" };

	for (size_t g = 0; g < sizeof(grades) / sizeof(grades[0]); g++) {
		const char *title = grades[g];

		for (size_t i = 0; i < n; i++) {
			if (findings[i].grade != g)
				continue;
			printf("  %-12s %s\n", title, findings[i].what);
			if (findings[i].why)
				printf("  %-12s   because: %s\n", "", findings[i].why);
			if (findings[i].remedy.text[0])
				printf("  %-12s   → %s\n", "", findings[i].remedy.text);
			title = "";
		}
	}
}
