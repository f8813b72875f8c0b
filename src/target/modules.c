/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/modules.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "target/elf_file.h"
#include "target/error.h"

#define HEAD_SIZE 4096

void module_clear(struct module *m)
{
	free(m->path);
	free(m->open_path);
	free(m->probe_path);
	free(m->maps);
	*m = (struct module){ 0 };
}

static bool is_exec(const struct file_map *row)
{
	return row->map.perms[2] == 'x';
}

static bool holds_exe(const struct module_source *src, const struct file_map *rows, size_t n)
{
	if (!src->phdr)
		return src->exe && !strcmp(rows[0].path, src->exe);
	for (size_t i = 0; i < n; i++) {
		if (src->phdr >= rows[i].map.start && src->phdr < rows[i].map.end)
			return true;
	}
	return false;
}

/*
 * A path in the target's mount namespace may name another file by now. The ELF header and what
 * follows it in the first page (program headers, most often the build id) tell.
 */
static bool same_head(pid_t pid, const struct file_map *rows, size_t n, const struct elf_file *f)
{
	unsigned char file[HEAD_SIZE], memory[HEAD_SIZE];
	size_t len = f->size < HEAD_SIZE ? (size_t)f->size : HEAD_SIZE;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].map.file_off || process_read(pid, rows[i].map.start, memory, len) < 0)
			continue;
		return !elf_file_read(f, 0, file, len) && !memcmp(file, memory, len);
	}
	return false;
}

static bool same_inode(const char *path, uint64_t inode)
{
	struct stat st;

	return !stat(path, &st) && (uint64_t)st.st_ino == inode;
}

static int try_open(const char *path, char **ret_path, struct elf_file **ret)
{
	int r = elf_file_open(path, ret, NULL);

	if (r < 0)
		return r;
	*ret_path = strdup(path);
	if (*ret_path)
		return 0;
	*ret = elf_file_close(*ret);
	return -ENOMEM;
}

/*
 * The mapped file itself when the kernel lets us (map_files needs CAP_CHECKPOINT_RESTORE), else by
 * name through the target's root, if what is there is still what is mapped.
 */
static int open_mapped(const struct module_source *src, const struct file_map *rows, size_t n,
		       bool exe, char **ret_path, struct elf_file **ret)
{
	_cleanup_free_
	char *name = NULL, *by_name = NULL;
	char path[96];
	int r = -ENOENT;

	if (exe) {
		snprintf(path, sizeof(path), "/proc/%d/exe", src->pid);
		r = try_open(path, ret_path, ret);
		if (!r || r == -ENOEXEC || r == -ENOMEM)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_exec(&rows[i]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, src->pid,
			 rows[i].map.start, rows[i].map.end);
		r = try_open(path, ret_path, ret);
		if (!r || r == -ENOEXEC || r == -ENOMEM)
			return r;
		break;
	}
	name = strdup(rows[0].path);
	if (!name)
		return -ENOMEM;
	maps_unescape(name);
	if (asprintf(&by_name, "/proc/%d/root%s", src->pid, name) < 0) {
		by_name = NULL;
		return -ENOMEM;
	}
	r = try_open(by_name, ret_path, ret);
	if (r < 0)
		return r;
	if (same_head(src->pid, rows, n, *ret))
		return 0;
	*ret = elf_file_close(*ret);
	free(take_ptr(*ret_path));
	return -ESTALE;
}

/* The PT_LOAD an executable mapping comes from; one that starts there wins over one that only
 * contains it. */
static const struct elf_segment *exec_segment(const struct elf_file *f, uint64_t file_off)
{
	const struct elf_segment *inside = NULL;

	for (size_t i = 0; i < f->n_segments; i++) {
		const struct elf_segment *s = &f->segments[i];
		uint64_t page = s->offset & ~4095ULL;

		if (s->type != PT_LOAD || !(s->flags & PF_X))
			continue;
		if (page == file_off)
			return s;
		if (file_off > page && file_off - s->offset < s->filesz)
			inside = s;
	}
	return inside;
}

static void image_bounds(const struct elf_file *f, uint64_t *ret_low, uint64_t *ret_high)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < f->n_segments; i++) {
		const struct elf_segment *s = &f->segments[i];

		if (s->type != PT_LOAD || !s->memsz)
			continue;
		if ((s->vaddr & ~4095ULL) < low)
			low = s->vaddr & ~4095ULL;
		if (s->vaddr + s->memsz > high)
			high = s->vaddr + s->memsz;
	}
	*ret_low = low;
	*ret_high = high;
}

/* Takes the mappings that lie in [low, high). */
static int take_maps(struct module *m, const struct file_map *rows, size_t n, uint64_t low,
		     uint64_t high)
{
	m->maps = calloc(n, sizeof(*m->maps));
	if (!m->maps)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct mapping *map = &rows[i].map;

		if (map->start < low || map->start >= high)
			continue;
		if (!m->n_maps)
			m->start = map->start;
		m->end = map->end;
		m->maps[m->n_maps++] = *map;
	}
	return 0;
}

static int fill_names(struct module *m, const struct module_source *src, const struct file_map *row,
		      const char *open_path)
{
	m->dev = row->dev;
	m->inode = row->inode;
	m->path = strdup(row->path);
	if (!m->path)
		return -ENOMEM;
	if (maps_cut_deleted(m->path)) {
		char full[4200];

		/* Unless it is really called so. */
		snprintf(full, sizeof(full), "/proc/%d/root%s", src->pid, row->path);
		m->replaced = !same_inode(full, row->inode);
		if (!m->replaced)
			strcpy(m->path, row->path);
	}
	if (!open_path)
		return 0;
	m->probe_path = strdup(open_path);
	m->open_path = strdup(m->is_exe && src->binary ? src->binary : open_path);
	return m->probe_path && m->open_path ? 0 : -ENOMEM;
}

/* Neither path nor memory could be read: the module is listed all the same, so that it can be
 * named. */
static int unreadable_module(const struct module_source *src, const struct file_map *rows, size_t n,
			     bool exe, bool stale, struct module *ret)
{
	struct module m = { .is_exe = exe };
	int r;

	r = take_maps(&m, rows, n, 0, UINT64_MAX);
	if (!r)
		r = fill_names(&m, src, &rows[0], NULL);
	if (r < 0) {
		module_clear(&m);
		return r;
	}
	m.replaced |= stale;
	m.bias = rows[0].map.start - rows[0].map.file_off;
	*ret = m;
	return 1;
}

static int check_binary(const char *binary, const char *build_id, struct rs_error *err)
{
	_cleanup_(elf_file_closep) struct elf_file *f = NULL;
	char id[41];
	int r;

	r = elf_file_open(binary, &f, err);
	if (r < 0)
		return r;
	elf_file_build_id(f, id);
	if (*build_id && *id && strcmp(build_id, id))
		return error_set(
			err, -ESTALE,
			"%s is not the program that runs: its build id is %s, the process has "
			"%s; give the unstripped file of the same build",
			binary, id, build_id);
	return 0;
}

static bool known_bias(const struct module *m, int n, uint64_t bias)
{
	for (int i = 0; i < n; i++) {
		if (m[i].bias == bias)
			return true;
	}
	return false;
}

static int one_module(const struct module_source *src, const struct file_map *rows, size_t n,
		      const struct elf_file *f, const struct module *proto, const char *open_path,
		      struct module *ret)
{
	struct module m = *proto;
	uint64_t low, high;
	int r;

	image_bounds(f, &low, &high);
	r = take_maps(&m, rows, n, low + m.bias, high + m.bias);
	m.is_exe = m.is_exe && (!src->phdr || (src->phdr >= m.start && src->phdr < m.end));
	if (!r)
		r = fill_names(&m, src, &rows[0], open_path);
	if (r < 0) {
		module_clear(&m);
		return r;
	}
	*ret = m;
	return 0;
}

int modules_from_file(const struct module_source *src, const struct file_map *rows, size_t n,
		      struct module *ret, size_t max, struct rs_error *err)
{
	_cleanup_(elf_file_closep) struct elf_file *f = NULL;
	_cleanup_free_
	char *path = NULL;
	struct module proto = { .is_exe = holds_exe(src, rows, n) };
	int r, count = 0;

	if (!max)
		return 0;
	r = open_mapped(src, rows, n, proto.is_exe, &path, &f);
	if (r == -ENOEXEC)
		return 0;
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return unreadable_module(src, rows, n, proto.is_exe, r == -ESTALE, ret);
	elf_file_build_id(f, proto.build_id);
	if (proto.is_exe && src->binary) {
		r = check_binary(src->binary, proto.build_id, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n && (size_t)count < max; i++) {
		const struct elf_segment *s;

		s = is_exec(&rows[i]) ? exec_segment(f, rows[i].map.file_off) : NULL;
		if (!s)
			continue;
		proto.bias = rows[i].map.start - rows[i].map.file_off + s->offset - s->vaddr;
		if (known_bias(ret, count, proto.bias))
			continue;
		r = one_module(src, rows, n, f, &proto, path, &ret[count]);
		if (r < 0)
			goto fail;
		if (ret[count].n_maps)
			count++;
		else
			module_clear(&ret[count]);
	}
	return count;
fail:
	while (count)
		module_clear(&ret[--count]);
	return r;
}
