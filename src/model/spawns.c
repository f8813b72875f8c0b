/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/spawns.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define uthash_fatal(msg) return NULL
#include <uthash.h>

#define SPAWNS_MAX 4096
#define LINE_MAX_SANE 10000000
#define COLUMN_MAX_SANE 100000

/* core::panic::Location, in the program's constants. */
struct location {
	uint64_t file, len;
	uint32_t line, column;
};

struct spawn_entry {
	uint64_t location;
	bool is_sane;
	struct spawn_place place;
	UT_hash_handle hh;
};

struct spawns {
	struct spawn_entry *all;
};

struct spawns *spawns_new(void)
{
	return calloc(1, sizeof(struct spawns));
}

struct spawns *spawns_free(struct spawns *s)
{
	struct spawn_entry *e, *next;

	if (!s)
		return NULL;
	HASH_ITER(hh, s->all, e, next) {
		HASH_DEL(s->all, e);
		free(e);
	}
	free(s);
	return NULL;
}

static bool is_constant(const struct module *m, uint64_t addr, uint64_t len)
{
	for (size_t i = 0; i < m->n_maps; i++) {
		const struct mapping *p = &m->maps[i];

		if (p->perms[1] != 'w' && addr >= p->start && addr < p->end && len <= p->end - addr)
			return true;
	}
	return false;
}

static bool is_path(const char *text, size_t len)
{
	if (len < 4 || memcmp(text + len - 3, ".rs", 3) || memchr(text, 0, len))
		return false;
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t c;

		n = utf8_decode(text + i, len - i, &c);
		if (!n || c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

/* Whatever is there may be something else: only what looks like a place in every respect is one. */
static bool read_place(pid_t pid, const struct module *m, uint64_t addr, struct spawn_place *ret)
{
	struct location l;

	if (!is_constant(m, addr, sizeof(l)) || process_read(pid, addr, &l, sizeof(l)) ||
	    l.len >= sizeof(ret->file) || !is_constant(m, l.file, l.len) || !l.line ||
	    l.line > LINE_MAX_SANE || !l.column || l.column > COLUMN_MAX_SANE ||
	    process_read(pid, l.file, ret->file, l.len))
		return false;
	ret->file[l.len] = 0;
	ret->line = l.line;
	return is_path(ret->file, l.len);
}

const struct spawn_place *spawns_read(struct spawns *s, pid_t pid, const struct tokio_copy *c,
				      uint32_t vtable, uint64_t header)
{
	uint32_t offset = c->vtables[vtable].spawn_off;
	struct spawn_entry *e;
	uint64_t location;

	if (!offset || !header || process_read(pid, header + offset, &location, sizeof(location)))
		return NULL;
	HASH_FIND(hh, s->all, &location, sizeof(location), e);
	if (!e) {
		if (HASH_COUNT(s->all) >= SPAWNS_MAX || !(e = calloc(1, sizeof(*e))))
			return NULL;
		e->location = location;
		e->is_sane = read_place(pid, c->module, location, &e->place);
		HASH_ADD(hh, s->all, location, sizeof(e->location), e);
	}
	return e->is_sane ? &e->place : NULL;
}
