/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

/* A path of PATH_MAX bytes in which every byte is an escaped newline still fits. */
#define LINE_SIZE 32768
/* The kernel's default limit of mappings is 65530; somebody may have raised it. */
#define MAX_ROWS (1u << 18)
#define MAX_PATHS \
	(64u << 20) /* bytes of all paths: so many rows of the longest would be gigabytes */

static const char deleted[] = " (deleted)";

bool maps_parse_line(char *line, struct file_map *ret)
{
	struct file_map m = { 0 };
	unsigned int major, minor;
	int n = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n",
		   &m.map.start, &m.map.end, m.map.perms, &m.map.file_off, &major, &minor, &m.inode,
		   &n) < 7 ||
	    !n)
		return false;
	m.path = line + n;
	while (*m.path == ' ')
		m.path++;
	if (*m.path != '/' || !m.inode || m.map.end <= m.map.start)
		return false;
	m.dev = makedev(major, minor);
	*ret = m;
	return true;
}

static int append_row(struct file_maps *maps, size_t *room, const struct file_map *row)
{
	char *path;

	if (maps->n == MAX_ROWS)
		return -E2BIG;
	if (maps->n == *room) {
		size_t n = *room ? *room * 2 : 64;
		struct file_map *rows = reallocarray(maps->rows, n, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		maps->rows = rows;
		*room = n;
	}
	path = strdup(row->path);
	if (!path)
		return -ENOMEM;
	maps->rows[maps->n] = *row;
	maps->rows[maps->n++].path = path;
	return 0;
}

/* Reads a line of any length; one that does not fit is eaten whole and comes back empty. False at
 * the end. */
static bool next_line(FILE *in, char *buf, size_t size)
{
	size_t n;

	if (!fgets(buf, (int)size, in))
		return false;
	n = strlen(buf);
	if (n && buf[n - 1] == '\n') {
		buf[n - 1] = '\0';
		return true;
	}
	if (n + 1 < size)
		return true;
	buf[0] = '\0';
	for (int c = getc(in); c != EOF && c != '\n'; c = getc(in))
		;
	return true;
}

int maps_read(FILE *in, struct file_maps *ret)
{
	_cleanup_(file_maps_free) struct file_maps maps = { 0 };
	_cleanup_free_
	char *line = malloc(LINE_SIZE);
	size_t room = 0, paths = 0;
	int r;

	if (!line)
		return -ENOMEM;
	while (next_line(in, line, LINE_SIZE)) {
		struct file_map row;

		if (!maps_parse_line(line, &row))
			continue;
		paths += strlen(row.path) + 1;
		if (paths > MAX_PATHS)
			return -E2BIG;
		r = append_row(&maps, &room, &row);
		if (r < 0)
			return r;
	}
	if (ferror(in))
		return -EIO;
	*ret = maps;
	maps = (struct file_maps){ 0 };
	return 0;
}

void file_maps_free(struct file_maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->rows[i].path);
	free(m->rows);
	*m = (struct file_maps){ 0 };
}

void maps_unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++) {
		if (!strncmp(from, "\\012", 4)) {
			*to = '\n';
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

bool maps_cut_deleted(char *path)
{
	size_t n = strlen(path), cut = sizeof(deleted) - 1;

	if (n <= cut || strcmp(path + n - cut, deleted))
		return false;
	path[n - cut] = '\0';
	return true;
}
