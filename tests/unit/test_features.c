/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "probe/features.h"

static struct features all_ok(void)
{
	struct features f = { .release = "test" };

	for (size_t i = 0; i < FEATURE_COUNT; i++)
		f.facts[i].state = FEATURE_OK;
	return f;
}

static void take_away(struct features *f, enum feature which, int error)
{
	f->facts[which].state = FEATURE_MISSING;
	f->facts[which].error = error;
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Whatever this machine allows: every fact has a state that fits its error, and nothing stays open. */
static void test_trials(void **state)
{
	struct features f;
	int before, tried = 0;

	features_try(&f); /* libraries may keep something of their own open from the first use on */
	before = count_fds();
	features_try(&f);
	assert_int_equal(count_fds(), before);
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		assert_true(f.facts[i].error <= 0);
		assert_int_equal(f.facts[i].state == FEATURE_MISSING, f.facts[i].error < 0);
		tried += f.facts[i].state != FEATURE_UNTRIED;
	}
	assert_true(tried >= 8);
	assert_true(f.release[0] != '\0');
	features_try_target(&f, getpid());
	assert_true(feature_ok(&f, FEATURE_READ_TARGET));
	/* Greater than any pid Linux gives. */
	features_try_target(&f, 0x7ffffffe);
	assert_int_equal(f.facts[FEATURE_READ_TARGET].error, -ESRCH);
}

static void test_infos_complete(void **state)
{
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		assert_non_null(feature_infos[i].name);
		assert_in_range(strlen(feature_infos[i].name), 1, 32);
		assert_non_null(feature_infos[i].purpose);
		assert_non_null(feature_infos[i].remedy);
		assert_in_range(feature_infos[i].instead, 0, FEATURE_COUNT - 1);
	}
}

static void test_nothing_missed(void **state)
{
	struct features f = all_ok();
	struct rs_error err = { "" };

	assert_int_equal(features_require(&f, NEED_ALL, &err), 0);
	assert_int_equal(features_require(&f, NEED_EXACT, &err), 0);
	assert_string_equal(err.text, "");
}

static void test_privileges(void **state)
{
	struct features f = all_ok();
	struct rs_error err = { "" };

	take_away(&f, FEATURE_BPF, -EPERM);
	take_away(&f, FEATURE_CAP_BPF, -EPERM);
	take_away(&f, FEATURE_CAP_SYS_ADMIN, -EPERM);
	assert_int_equal(features_require(&f, NEED_ALL, &err), -EPERM);
	assert_non_null(strstr(err.text, "CAP_BPF and CAP_PERFMON"));
	assert_non_null(strstr(err.text, "sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep /"));
	f = all_ok();
	take_away(&f, FEATURE_READ_TARGET, -EPERM);
	take_away(&f, FEATURE_CAP_SYS_PTRACE, -EPERM);
	assert_int_equal(features_require(&f, NEED_ALL, &err), -EPERM);
	assert_non_null(strstr(err.text, "It needs CAP_SYS_PTRACE."));
}

/* The capabilities are held and the kernel refuses all the same: setcap would not help. */
static void test_refused_in_spite(void **state)
{
	struct features f = all_ok();
	struct rs_error err = { "" };

	take_away(&f, FEATURE_BPF, -EPERM);
	assert_int_equal(features_require(&f, NEED_ALL, &err), -EPERM);
	assert_null(strstr(err.text, "setcap"));
	assert_non_null(strstr(err.text, "seccomp"));
}

static void test_kernel_lacks(void **state)
{
	struct features f = all_ok();
	struct rs_error err = { "" };

	take_away(&f, FEATURE_BTF, -ENOENT);
	assert_int_equal(features_require(&f, NEED_ALL, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "kernel types (BTF)"));
	assert_non_null(strstr(err.text, "CONFIG_DEBUG_INFO_BTF"));
}

static void test_one_kind_of_uprobe_is_enough(void **state)
{
	struct features f = all_ok();
	struct rs_error err = { "" };

	take_away(&f, FEATURE_PERF_UPROBE, -EACCES);
	take_away(&f, FEATURE_CAP_SYS_ADMIN, -EPERM);
	assert_int_equal(features_require(&f, NEED_EXACT, &err), 0);
	assert_false(feature_missed(&f, FEATURE_CAP_SYS_ADMIN));
	take_away(&f, FEATURE_UPROBE_MULTI, -EOPNOTSUPP);
	assert_true(feature_missed(&f, FEATURE_CAP_SYS_ADMIN));
	assert_int_equal(features_require(&f, NEED_EXACT, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "Linux 6.6"));
	assert_int_equal(features_require(&f, NEED_ALL, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trials),
		cmocka_unit_test(test_infos_complete),
		cmocka_unit_test(test_nothing_missed),
		cmocka_unit_test(test_privileges),
		cmocka_unit_test(test_refused_in_spite),
		cmocka_unit_test(test_kernel_lacks),
		cmocka_unit_test(test_one_kind_of_uprobe_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
