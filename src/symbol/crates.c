/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/crates.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 65536
#define NAME_MAX_LENGTH 64
#define HITS_MAX 200000
#define SEARCH_MAX (512ULL << 20) /* bytes of constants */

/* Where cargo unpacks what it has fetched, a folder for each registry and in it one for each crate; and where people have it
 * put copies, whose folders mostly have no version. */
static const char registry[] = "/registry/src/", vendor[] = "/vendor/";

struct list {
	char *names; /* LIST_MAX bytes, ",a,b," while it is being made */
	size_t used, hits;
};

static void add(struct list *l, const char *name, size_t n)
{
	char entry[NAME_MAX_LENGTH + 3];

	entry[0] = ',';
	for (size_t i = 0; i < n; i++)
		entry[1 + i] = name[i] == '-' ? '_' : name[i];
	entry[n + 1] = ',';
	entry[n + 2] = 0;
	if (strstr(l->names, entry) || l->used + n + 2 > LIST_MAX)
		return;
	strcpy(l->names + l->used, entry + 1);
	l->used += n + 1;
}

/* The folder's name: "hyper-util-0.1.3/src/…", up to the version's number. */
static void note_folder(struct list *l, const char *name, const char *end, bool needs_version)
{
	const char *at = name, *dash = NULL;

	for (; at < end && (isalnum((unsigned char)*at) || strchr("-_.+", *at)) && *at; at++) {
		if (!dash && *at == '-' && at + 1 < end && isdigit((unsigned char)at[1]))
			dash = at;
	}
	if (at >= end || *at != '/' || (needs_version && !dash))
		return;
	if (!dash)
		dash = at;
	if (dash > name && dash - name <= NAME_MAX_LENGTH)
		add(l, name, dash - name);
}

/* "/registry/src/index.crates.io-6f17d22bba15001f/hyper-util-0.1.3/src/…" */
static int note_fetched(const struct elf_match *m, void *arg)
{
	struct list *l = arg;
	const char *end = m->text + m->after, *at = m->text + sizeof(registry) - 1;

	while (at < end && *at != '/')
		at++;
	if (at < end)
		note_folder(l, at + 1, end, true);
	return ++l->hits > HITS_MAX;
}

/* "/vendor/hyper-util/src/…" */
static int note_vendored(const struct elf_match *m, void *arg)
{
	struct list *l = arg;

	note_folder(l, m->text + sizeof(vendor) - 1, m->text + m->after, false);
	return ++l->hits > HITS_MAX;
}

char *crates_of_file(const struct elf_file *file)
{
	const struct elf_section *s = elf_file_section(file, ".rodata");
	struct list l = { .names = calloc(1, LIST_MAX + 1), .used = 1 };
	char *ret;

	if (!l.names)
		return NULL;
	l.names[0] = ',';
	if (s) {
		uint64_t size = s->size < SEARCH_MAX ? s->size : SEARCH_MAX;

		elf_file_search(file, s->offset, size, registry, 0, 256, note_fetched, &l);
		elf_file_search(file, s->offset, size, vendor, 0, 256, note_vendored, &l);
	}
	ret = strdup(l.names + 1);
	free(l.names);
	return ret;
}
