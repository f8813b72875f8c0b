/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "target/proc.h"

#define FILE_MAX (32 << 20)
#define REST 20 /* times as long as the last reading took, before the next */
#define ROWS_MAX 1000000
#define NAME_LENGTH_MAX 4096

struct row {
	uint64_t start, size;
	uint32_t name; /* offset in text */
	uint32_t number; /* of its line */
};

struct perfmap {
	char root[64], path[64];
	struct stat seen;
	uint64_t next_ns; /* not read again before */
	char *text;
	struct row *rows;
	size_t n;
};

struct perfmap *perfmap_new_at(const char *root, const char *path)
{
	struct perfmap *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	snprintf(m->root, sizeof(m->root), "%s", root);
	snprintf(m->path, sizeof(m->path), "%s", path);
	return m;
}

struct perfmap *perfmap_new(pid_t pid)
{
	char root[32], path[48];
	pid_t inner = proc_inner_pid(pid);

	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", inner > 0 ? inner : pid);
	return perfmap_new_at(root, path);
}

static void forget(struct perfmap *m)
{
	free(m->text);
	free(m->rows);
	m->text = NULL;
	m->rows = NULL;
	m->n = 0;
}

struct perfmap *perfmap_free(struct perfmap *m)
{
	if (m)
		forget(m);
	free(m);
	return NULL;
}

/* Anyone may put a link or a FIFO there: links are not followed, and nothing is waited for. */
static int open_file(const struct perfmap *m, struct stat *ret)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW,
		.resolve = RESOLVE_IN_ROOT,
	};
	_cleanup_close_
	int dir = open(m->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_
	int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, m->path, &how, sizeof(how));

	if (fd < 0 || fstat(fd, ret) || !S_ISREG(ret->st_mode) || ret->st_size > FILE_MAX)
		return -1;
	return take_fd(&fd);
}

static char *read_text(int fd, size_t size)
{
	char *text = malloc(size + 1);
	size_t used = 0;
	ssize_t n = 1;

	while (text && used < size && n > 0) {
		n = read(fd, text + used, size - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (text)
		text[used] = 0;
	return text;
}

/* One line, its end replaced by a NUL. The last one may be half written. */
static bool parse(const char *text, char *line, struct row *ret)
{
	char *end, *name;

	errno = 0;
	ret->start = strtoull(line, &end, 16);
	if (end == line || *end != ' ')
		return false;
	ret->size = strtoull(end, &name, 16);
	if (name == end || *name != ' ' || errno || !ret->size ||
	    ret->start + ret->size < ret->start)
		return false;
	name++;
	if (strlen(name) > NAME_LENGTH_MAX)
		name[NAME_LENGTH_MAX] = 0;
	ret->name = (uint32_t)(name - text);
	return *name;
}

static int by_start(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; n < ROWS_MAX && (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static void parse_all(struct perfmap *m)
{
	size_t lines = count_lines(m->text), number = 0;
	char *line = m->text, *end;

	m->rows = calloc(lines + 1, sizeof(*m->rows));
	for (; m->rows && number < lines && (end = strchr(line, '\n')); line = end + 1) {
		*end = 0;
		m->rows[m->n].number = (uint32_t)number++;
		m->n += parse(m->text, line, &m->rows[m->n]);
	}
	if (m->n)
		qsort(m->rows, m->n, sizeof(*m->rows), by_start);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void refresh(struct perfmap *m)
{
	uint64_t start = now_ns();
	struct stat st;
	_cleanup_close_
	int fd = open_file(m, &st);

	if (fd >= 0 && (is_same(&st, &m->seen) || start < m->next_ns))
		return;
	forget(m);
	m->seen = (struct stat){};
	if (fd < 0)
		return;
	m->text = read_text(fd, (size_t)st.st_size);
	if (!m->text)
		return;
	m->seen = st;
	parse_all(m);
	m->next_ns = now_ns() + REST * (now_ns() - start);
}

const char *perfmap_name(struct perfmap *m, uint64_t addr)
{
	size_t low = 0, high;

	refresh(m);
	high = m->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->rows[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	/* The last that was written of those that begin there: code is replaced. */
	return low && addr - m->rows[low - 1].start < m->rows[low - 1].size
		       ? m->text + m->rows[low - 1].name
		       : NULL;
}
