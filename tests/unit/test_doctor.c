/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The verdict of doctor on programs and kernels that are not at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cli/doctor.h"

static struct doctor_finding findings[DOCTOR_MAX_FINDINGS];
static size_t n_findings;

static struct features all_ok(void)
{
	struct features f = { .release = "test" };

	for (size_t i = 0; i < FEATURE_COUNT; i++)
		f.facts[i].state = FEATURE_OK;
	return f;
}

static struct task_vtable vtables[] = {
	{ .addr = 1, .poll = 0x10, .name = "a", .name_source = "v0" },
	{ .addr = 2, .poll = 0x20, .name = "b", .name_source = "v0" },
	{ .addr = 3, .poll = 0x10, .name = "a", .name_source = "v0" },
	{ .addr = 4, .poll = 0x30, .name = "blocking", .name_source = "v0", .blocking = true },
};

static struct tokio_copy good_copy(void)
{
	return (struct tokio_copy){ .version = "1.47.1",
				    .symbols = SYMBOLS_V0,
				    .debuginfo = DEBUGINFO_FULL,
				    .vtables = vtables,
				    .n_vtables = 4,
				    .tls_memsz = 200,
				    .context_sym = 16,
				    .marker_start = 1,
				    .marker_end = 2 };
}

static const struct doctor_finding *judge(const struct features *f, const struct tokio_copy *copy,
					  const char *what)
{
	n_findings = doctor_judge(f, copy, findings);
	assert_in_range(n_findings, 1, DOCTOR_MAX_FINDINGS);
	for (size_t i = 0; i < n_findings; i++) {
		if (strstr(findings[i].what, what))
			return &findings[i];
	}
	return NULL;
}

static void assert_grade(const struct features *f, const struct tokio_copy *copy, const char *what,
			 enum doctor_grade grade, const char *remedy)
{
	const struct doctor_finding *found = judge(f, copy, what);

	assert_non_null(found);
	assert_int_equal(found->grade, grade);
	if (remedy)
		assert_non_null(strstr(found->remedy.text, remedy));
	else
		assert_string_equal(found->remedy.text, "");
}

static void test_count_types(void **state)
{
	struct tokio_copy copy = good_copy();

	assert_int_equal(doctor_count_types(&copy, NULL), 2);
	assert_int_equal(doctor_count_types(&copy, "v0"), 2);
	assert_int_equal(doctor_count_types(&copy, "address"), 0);
	copy.n_vtables = 0;
	assert_int_equal(doctor_count_types(&copy, NULL), 0);
}

static void test_best_case(void **state)
{
	struct features f = all_ok();
	struct tokio_copy copy = good_copy();

	judge(&f, &copy, "");
	for (size_t i = 0; i < n_findings; i++)
		assert_int_not_equal(findings[i].grade, GRADE_MISSING);
	assert_grade(&f, &copy, "names of tasks", GRADE_EXACT, NULL);
	assert_grade(&f, &copy, "each poll of a task", GRADE_EXACT, NULL);
}

static void test_binary(void **state)
{
	struct features f = all_ok();
	struct tokio_copy copy = good_copy();
	struct task_vtable named[] = { { .poll = 1, .name_source = "symbol" },
				       { .poll = 2, .name_source = "address" } };

	copy.vtables = named;
	copy.n_vtables = 2;
	copy.debuginfo = DEBUGINFO_LIMITED;
	assert_grade(&f, &copy, "names of tasks", GRADE_EXACT, NULL);
	copy.debuginfo = DEBUGINFO_NONE;
	assert_grade(&f, &copy, "names of tasks", GRADE_APPROXIMATE, NULL);
	copy.symbols = SYMBOLS_LEGACY;
	assert_grade(&f, &copy, "names of tasks", GRADE_APPROXIMATE, "symbol-mangling-version=v0");
	copy.symbols = SYMBOLS_NONE;
	named[0].name_source = "address"; /* until watch looks for the place of its code */
	assert_grade(&f, &copy, "names of tasks", GRADE_APPROXIMATE, "strip = \"none\"");
	assert_grade(&f, &copy, "source files and lines", GRADE_APPROXIMATE, NULL);
	copy.marker_end = 0;
	assert_grade(&f, &copy, "marker functions", GRADE_MISSING, NULL);
}

static void test_old_tokio(void **state)
{
	struct features f = all_ok();
	struct tokio_copy copy = good_copy();

	/* With symbols, its poll functions are found; that is not enough. */
	strcpy(copy.version, "1.22.0");
	assert_grade(&f, &copy, "", GRADE_MISSING, "Tokio 1.23");
	assert_int_equal(n_findings, 1);
	copy.n_vtables = 0;
	strcpy(copy.version, "1.20.1");
	assert_grade(&f, &copy, "", GRADE_MISSING, "Tokio 1.23");
	assert_int_equal(n_findings, 1);
	strcpy(copy.version, "1.23.0");
	assert_grade(&f, &copy, "exact timing", GRADE_MISSING, "Sampled timing works");
	assert_null(judge(&f, &copy, "names of tasks"));
	copy.version[0] = '\0';
	assert_grade(&f, &copy, "task ids", GRADE_EXACT, NULL);
}

static void test_kernel(void **state)
{
	struct features f = all_ok();
	struct tokio_copy copy = good_copy();

	f.facts[FEATURE_UPROBE_MULTI].state = f.facts[FEATURE_PERF_UPROBE].state = FEATURE_MISSING;
	f.facts[FEATURE_UPROBE_MULTI].error = -EOPNOTSUPP;
	f.facts[FEATURE_PERF_UPROBE].error = -EACCES;
	assert_grade(&f, &copy, "exact timing", GRADE_MISSING, "Linux 6.6");
	assert_grade(&f, &copy, "sleeps", GRADE_EXACT, NULL);
	f.facts[FEATURE_BPF].state = FEATURE_MISSING;
	f.facts[FEATURE_BPF].error = -EPERM;
	assert_grade(&f, &copy, "everything that is measured", GRADE_MISSING, NULL);
	assert_null(judge(&f, &copy, "sleeps"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_types), cmocka_unit_test(test_best_case),
		cmocka_unit_test(test_binary),	    cmocka_unit_test(test_old_tokio),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
