/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/source.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/utf8.h"

#define FILE_MAX (16 << 20)
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Other files are none of a program's business: its debuginfo could name /etc/shadow. */
static const char *const endings[] = { ".rs", ".c",   ".h",   ".cc", ".cpp", ".cxx",
				       ".hh", ".hpp", ".hxx", ".S",  ".s" };

static bool is_source_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = slash ? strrchr(slash, '.') : NULL;

	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(*endings); i++) {
		if (!strcmp(dot, endings[i]))
			return true;
	}
	return false;
}

/* Links in another root lead to places in that root. */
static int open_in(const char *root, const char *path)
{
	struct open_how how = { .flags = OPEN_FLAGS, .resolve = RESOLVE_IN_ROOT };
	_cleanup_close_
	int dir = -1;

	if (!root || !root[0])
		return open(path, OPEN_FLAGS);
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static FILE *open_source(const struct source_file *file)
{
	int fd = open_in(file->root, file->path);
	struct stat st;
	FILE *ret;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX ||
	    (file->built && st.st_mtime > file->built) || !(ret = fdopen(fd, "r"))) {
		close(fd);
		return NULL;
	}
	return ret;
}

/* Without white space at both ends. False: nothing is left, or it is no text. */
static bool take_text(char *text, size_t len, char ret[static SOURCE_LINE_SIZE])
{
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = 0;
	if (strlen(text) != len)
		return false;
	while (isspace((unsigned char)*text))
		text++;
	if (!*text)
		return false;
	utf8_shorten(ret, SOURCE_LINE_SIZE, text);
	return true;
}

bool source_read(const struct source_file *file, uint32_t line, char ret[static SOURCE_LINE_SIZE])
{
	_cleanup_fclose_
	FILE *in = NULL;
	_cleanup_free_
	char *text = NULL;
	size_t size = 0, total = 0;
	ssize_t n = 0;

	if (!line || !file->path || file->path[0] != '/' || !is_source_name(file->path))
		return false;
	in = open_source(file);
	if (!in)
		return false;
	/* It may grow meanwhile. */
	for (; line && total <= FILE_MAX && (n = getline(&text, &size, in)) >= 0; line--)
		total += (size_t)n;
	return !line && take_text(text, (size_t)n, ret);
}

bool source_line(const char *path, uint32_t line, char ret[static SOURCE_LINE_SIZE])
{
	return source_read(&(struct source_file){ .path = path }, line, ret);
}
