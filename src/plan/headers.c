/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "plan/headers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/cleanup.h"

#define AT_ONCE \
	16 /* addresses in one call: a bad one ends it, and the rest must be asked for again */
#define STACK_MAX (128 * 1024)
#define USER_SPACE_END 0x800000000000ULL

struct vtable_entry {
	uint64_t addr;
	size_t index;
};

struct vtable_index {
	size_t n;
	struct vtable_entry entries[];
};

static int compare_entries(const void *a, const void *b)
{
	const struct vtable_entry *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

int vtable_index_new(const struct tokio_copy *c, struct vtable_index **ret)
{
	struct vtable_index *x = malloc(sizeof(*x) + c->n_vtables * sizeof(x->entries[0]));

	if (!x)
		return -ENOMEM;
	x->n = c->n_vtables;
	for (size_t i = 0; i < x->n; i++)
		x->entries[i] = (struct vtable_entry){ c->vtables[i].addr, i };
	qsort(x->entries, x->n, sizeof(x->entries[0]), compare_entries);
	*ret = x;
	return 0;
}

struct vtable_index *vtable_index_free(struct vtable_index *x)
{
	free(x);
	return NULL;
}

ssize_t vtable_index_find(const struct vtable_index *x, uint64_t addr)
{
	struct vtable_entry key = { .addr = addr };
	const struct vtable_entry *e = bsearch(&key, x->entries, x->n, sizeof(key),
					       compare_entries);

	return e ? (ssize_t)e->index : -1;
}

/* Reads `len` bytes at up to AT_ONCE addresses; returns how many could be read before the first bad one. */
static size_t read_some(pid_t pid, const uint64_t *addrs, size_t n, void *buf, size_t len)
{
	struct iovec local = { buf, n * len }, remote[AT_ONCE];
	ssize_t got;

	for (size_t i = 0; i < n; i++)
		remote[i] = (struct iovec){ (void *)(uintptr_t)addrs[i], len };
	got = process_vm_readv(pid, &local, 1, remote, n, 0);
	return got < 0 ? 0 : (size_t)got / len;
}

/* Reads `len` bytes at each address; ok[i] says which could be read. One bad address does not cost the others. */
static void read_each(pid_t pid, const uint64_t *addrs, size_t n, void *buf, size_t len, bool *ok)
{
	memset(ok, 0, n * sizeof(*ok));
	for (size_t done = 0; done < n;) {
		size_t some = n - done < AT_ONCE ? n - done : AT_ONCE;
		size_t got = read_some(pid, addrs + done, some, (char *)buf + done * len, len);

		for (size_t i = 0; i < got; i++)
			ok[done + i] = true;
		done += got < some ? got + 1 : got; /* past the bad one */
	}
}

/* What is on a stack are mostly places of code and of the stack itself. A header is in neither. */
static bool is_candidate(uint64_t word, const struct stack_area *area, const struct module *m)
{
	return word >= 0x10000 && word < USER_SPACE_END && !(word & 7) &&
	       (word < area->sp || word >= area->sp + area->len) &&
	       (word < m->start || word >= m->end);
}

static bool seen_before(const uint64_t *addrs, size_t n, uint64_t addr)
{
	for (size_t i = 0; i < n; i++)
		if (addrs[i] == addr)
			return true;
	return false;
}

/* Up to AT_ONCE candidates from word *at on, which is moved on. */
static size_t next_batch(const uint64_t *words, size_t n_words, const struct stack_area *area,
			 const struct module *m, size_t *at, uint64_t ret[AT_ONCE])
{
	size_t n = 0;

	for (; *at < n_words && n < AT_ONCE; (*at)++) {
		uint64_t word = words[area->is_outermost_first ? n_words - 1 - *at : *at];

		if (is_candidate(word, area, m) && !seen_before(ret, n, word))
			ret[n++] = word;
	}
	return n;
}

/* `head`: its first words, state, queue_next and vtable. */
static bool read_header(pid_t pid, uint64_t addr, const uint64_t head[3],
			const struct tokio_copy *c, const struct vtable_index *x,
			struct found_header *ret)
{
	ssize_t v = vtable_index_find(x, head[2]);

	if (v < 0)
		return false;
	*ret = (struct found_header){ .addr = addr, .state = head[0], .vtable = v };
	return !process_read(pid, addr + c->vtables[v].id_off, &ret->id, sizeof(ret->id)) &&
	       !process_read(pid, addr + c->vtables[v].scheduler_off, &ret->scheduler,
			     sizeof(ret->scheduler));
}

bool header_at(pid_t pid, uint64_t addr, const struct tokio_copy *c, const struct vtable_index *x,
	       struct found_header *ret)
{
	uint64_t head[3];

	return !process_read(pid, addr, head, sizeof(head)) &&
	       read_header(pid, addr, head, c, x, ret);
}

static int check_batch(pid_t pid, const uint64_t *addrs, size_t n, const struct tokio_copy *c,
		       const struct vtable_index *x, struct found_header ret[AT_ONCE])
{
	uint64_t heads[AT_ONCE][3];
	bool ok[AT_ONCE];
	size_t found = 0;

	read_each(pid, addrs, n, heads, sizeof(heads[0]), ok);
	for (size_t i = 0; i < n; i++)
		if (ok[i] && read_header(pid, addrs[i], heads[i], c, x, &ret[found]))
			found++;
	return found;
}

int header_of_task(pid_t pid, const struct stack_area *where, const struct tokio_copy *c,
		   const struct vtable_index *x, uint64_t id, struct found_header *ret)
{
	_cleanup_free_
	uint64_t *words = NULL;
	struct stack_area area = *where;
	uint64_t addrs[AT_ONCE];
	struct found_header found[AT_ONCE];
	struct iovec local, remote;
	size_t at = 0, n;
	int n_headers = 0;
	ssize_t got;

	area.sp &= ~7ULL;
	if (area.len > STACK_MAX)
		area.len = STACK_MAX;
	words = malloc(area.len);
	if (!words)
		return -ENOMEM;
	local = (struct iovec){ words, area.len };
	remote = (struct iovec){ (void *)(uintptr_t)area.sp, area.len };
	got = process_vm_readv(pid, &local, 1, &remote, 1, 0); /* short at the end of the mapping */
	if (got < 0)
		return -errno;
	area.len = got;
	while ((n = next_batch(words, got / 8, &area, c->module, &at, addrs))) {
		int some = check_batch(pid, addrs, n, c, x, found);

		n_headers += some;
		for (int i = 0; i < some; i++) {
			if (found[i].id != id)
				continue;
			*ret = found[i];
			return 1;
		}
	}
	return n_headers ? 0 : -ENOENT;
}
