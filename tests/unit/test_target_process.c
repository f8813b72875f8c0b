/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf_fixture.h"
#include "target/maps.h"
#include "target/target.h"

static void test_parse_line(void **state)
{
	char ok[] = "7f0000001000-7f0000003000 r-xp 00002000 fd:01 1234567    "
		    "                /usr/lib/a b\\012c.so (deleted)";
	char heap[] =
		"55d0c0000000-55d0c0021000 rw-p 00000000 00:00 0                          [heap]";
	char anon[] = "7f0000001000-7f0000003000 rw-p 00000000 00:00 0 ";
	char junk[] = "hello /x";
	char backwards[] = "7f0000003000-7f0000001000 r-xp 00002000 fd:01 12 /x";
	struct file_map m;

	assert_true(maps_parse_line(ok, &m));
	assert_int_equal(m.map.start, 0x7f0000001000);
	assert_int_equal(m.map.end, 0x7f0000003000);
	assert_int_equal(m.map.file_off, 0x2000);
	assert_string_equal(m.map.perms, "r-xp");
	assert_int_equal(m.dev, makedev(0xfd, 1));
	assert_int_equal(m.inode, 1234567);
	assert_string_equal(m.path, "/usr/lib/a b\\012c.so (deleted)");
	assert_true(maps_cut_deleted(m.path));
	assert_false(maps_cut_deleted(m.path));
	maps_unescape(m.path);
	assert_string_equal(m.path, "/usr/lib/a b\nc.so");
	assert_false(maps_parse_line(heap, &m));
	assert_false(maps_parse_line(anon, &m));
	assert_false(maps_parse_line(junk, &m));
	assert_false(maps_parse_line(backwards, &m));
}

/* A line longer than any path is skipped, what follows it is not. */
static void test_long_line(void **state)
{
	char *text = malloc(200000), *p = text;
	struct file_maps maps = { 0 };
	FILE *in;

	p += sprintf(p, "1000-2000 r-xp 00000000 fd:01 1 /");
	memset(p, 'x', 100000);
	p += 100000;
	sprintf(p, "\n3000-4000 r-xp 00000000 fd:01 2 /short\n"
		   "5000-6000 r-xp 00000000 fd:01 3 /no-newline");
	in = fmemopen(text, strlen(text), "r");
	assert_int_equal(maps_read(in, &maps), 0);
	fclose(in);
	assert_int_equal(maps.n, 2);
	assert_string_equal(maps.rows[0].path, "/short");
	assert_string_equal(maps.rows[1].path, "/no-newline");
	file_maps_free(&maps);
	free(text);
}

/* Row after row of the longest path there can be. */
static ssize_t endless_rows(void *cookie, char *buf, size_t size)
{
	static const char head[] = "1000-2000 r-xp 00000000 fd:01 2 /";
	size_t *at = cookie;

	for (size_t i = 0; i < size; i++, (*at)++) {
		size_t in_row = *at % 16384;

		buf[i] = in_row < strlen(head) ? head[in_row] : in_row == 16383 ? '\n' : 'x';
	}
	return (ssize_t)size;
}

static void test_endless(void **state)
{
	const cookie_io_functions_t functions = { .read = endless_rows };
	struct file_maps maps = { 0 };
	size_t at = 0;
	FILE *in = fopencookie(&at, "r", functions);

	assert_int_equal(maps_read(in, &maps), -E2BIG);
	assert_in_range(at, 1, 80 << 20);
	assert_int_equal(maps.n, 0);
	fclose(in);
}

/* The bias of every module as the dynamic linker knows it. */
static int check_bias(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct process *p = arg;

	for (size_t i = 0; i < p->n_modules; i++) {
		const struct module *m = &p->modules[i];

		if ((uintptr_t)info->dlpi_phdr < m->start || (uintptr_t)info->dlpi_phdr >= m->end)
			continue;
		assert_int_equal(m->bias, info->dlpi_addr);
		return 0;
	}
	/* The vdso is no file. */
	assert_true(!*info->dlpi_name || strstr(info->dlpi_name, "vdso"));
	return 0;
}

static void test_own_process(void **state)
{
	struct process *p = NULL;
	struct rs_error err = { "" };
	int value = 42, copy = 0;

	assert_int_equal(process_open(getpid(), NULL, &p, &err), 0);
	assert_true(p->n_modules >= 2);
	assert_true(p->modules[0].is_exe);
	assert_string_equal(p->modules[0].path, p->exe);
	for (size_t i = 1; i < p->n_modules; i++)
		assert_false(p->modules[i].is_exe);
	dl_iterate_phdr(check_bias, p);
	assert_int_equal(process_refresh(p), 0);
	assert_int_equal(process_read(getpid(), (uintptr_t)&value, &copy, sizeof(copy)), 0);
	assert_int_equal(copy, 42);
	assert_int_equal(process_read(getpid(), 8, &copy, sizeof(copy)), -EFAULT);
	process_free(p);
}

static int copy_file(const char *from, char to[32])
{
	FILE *in = fopen(from, "r");
	char *bytes = malloc(64 << 20);
	size_t n;
	int r;

	n = fread(bytes, 1, 64 << 20, in);
	fclose(in);
	r = fixture_write(bytes, n, to);
	free(bytes);
	return r;
}

/* A library that is loaded later and deleted on disk, and mapped a second time as plain data. */
static void test_refresh(void **state)
{
	struct process *p = NULL;
	struct rs_error err = { "" };
	const struct module *exe, *m;
	char path[32];
	Dl_info cmocka;
	void *lib, *data;
	int fd;

	assert_int_not_equal(dladdr((void *)(uintptr_t)_cmocka_run_group_tests, &cmocka), 0);
	assert_int_equal(process_open(getpid(), NULL, &p, &err), 0);
	exe = &p->modules[0];
	assert_int_equal(copy_file(cmocka.dli_fname, path), 0);
	fd = open(path, O_RDONLY);
	data = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(data, MAP_FAILED);
	close(fd);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(lib);
	unlink(path);
	assert_int_equal(process_refresh(p), 1);
	assert_ptr_equal(exe, &p->modules[0]);
	m = &p->modules[p->n_modules - 1];
	assert_string_equal(m->path, path);
	assert_true(m->replaced);
	assert_int_equal(m->bias, ((struct link_map *)lib)->l_addr);
	assert_true((uintptr_t)data < m->start || (uintptr_t)data >= m->end);
	assert_int_equal(process_refresh(p), 0);
	munmap(data, 65536);
	process_free(p);
}

static void test_wrong_pids(void **state)
{
	struct process *p = NULL;
	struct rs_error err = { "" };
	pid_t child = fork();

	if (!child)
		_exit(0);
	assert_int_equal(process_open(0x3fffffff, NULL, &p, &err), -ESRCH);
	assert_string_equal(err.text, "there is no process 1073741823");
	assert_int_equal(process_open(-1, NULL, &p, &err), -ESRCH);
	usleep(100000);
	assert_int_equal(process_open(child, NULL, &p, &err), -ESRCH);
	assert_non_null(strstr(err.text, "has ended"));
	waitpid(child, NULL, 0);
	assert_int_equal(process_open(getpid(), "/nonexistent", &p, &err), -ENOENT);
	assert_int_equal(process_open(getpid(), "/dev/null", &p, &err), -ENOEXEC);
	assert_null(p);
}

/* The process dies between two looks. */
static void test_gone(void **state)
{
	struct process *p = NULL;
	struct rs_error err = { "" };
	pid_t child = fork();

	if (!child) {
		pause();
		_exit(0);
	}
	assert_int_equal(process_open(child, NULL, &p, &err), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(process_refresh(p), -ESRCH);
	process_free(p);
}

static void test_by_name(void **state)
{
	struct process_candidate c[4];
	char name[16];
	pid_t child;

	snprintf(name, sizeof(name), "rs)x %d", getpid());
	child = fork();
	if (!child) {
		/* Else a failure here would leave it behind, and that fail the next run. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		pause();
		_exit(0);
	}
	usleep(100000);
	assert_int_equal(process_find_by_name(name, c, 4), 1);
	assert_int_equal(c[0].pid, child);
	assert_string_equal(c[0].comm, name);
	assert_int_equal(process_find_by_name(name, c, 0), 1);
	/* By its executable's name; this process itself does not count. */
	assert_int_equal(process_find_by_name(strrchr(program_invocation_name, '/') + 1, c, 4), 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(process_find_by_name(name, c, 4), 0);
	assert_int_equal(process_find_by_name("kthreadd", c, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_line), cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_endless),	   cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_refresh),	   cmocka_unit_test(test_wrong_pids),
		cmocka_unit_test(test_gone),	   cmocka_unit_test(test_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
