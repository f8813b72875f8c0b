/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/named_files.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *entry_text(Dwarf_Die *die, unsigned int attribute)
{
	Dwarf_Attribute at;

	return dwarf_formstring(dwarf_attr(die, attribute, &at));
}

const char *named_dwo(Dwarf_Die *skeleton)
{
	const char *name = entry_text(skeleton, DW_AT_dwo_name);

	return name ? name : entry_text(skeleton, DW_AT_GNU_dwo_name);
}

/* Absolute paths stand for themselves, as libdw has it. */
static bool is_harmless(const char *directory, const char *within, const char *name)
{
	char path[2 * PATH_MAX];
	struct stat st;
	int n;

	if (name[0] == '/')
		n = snprintf(path, sizeof(path), "%s", name);
	else if (within[0] == '/')
		n = snprintf(path, sizeof(path), "%s/%s", within, name);
	else
		n = snprintf(path, sizeof(path), "%s/%s/%s", directory, within, name);
	/* What is too long cannot be opened either. */
	return n >= (int)sizeof(path) || stat(path, &st) || S_ISREG(st.st_mode);
}

static void directory_of(int fd, char ret[PATH_MAX])
{
	char link[32], *slash;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, PATH_MAX - 1);
	ret[n > 0 ? n : 0] = 0;
	slash = strrchr(ret, '/');
	if (slash)
		*slash = 0;
}

bool named_dwo_is_harmless(Dwarf_Die *skeleton, int fd)
{
	const char *name = named_dwo(skeleton);
	const char *compiled_in = entry_text(skeleton, DW_AT_comp_dir);
	char directory[PATH_MAX];

	if (!name)
		return true;
	directory_of(fd, directory);
	return is_harmless(directory, "", name) &&
	       (!compiled_in || is_harmless(directory, compiled_in, name));
}

bool named_alt_is_harmless(Dwarf *dwarf, int fd)
{
	char directory[PATH_MAX];
	const char *name;
	const void *id;

	if (dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id) <= 0)
		return true;
	directory_of(fd, directory);
	return is_harmless(directory, "", name);
}
