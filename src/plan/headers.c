/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "plan/headers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/cleanup.h"

#define BATCH 512
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

static bool is_candidate(uint64_t word)
{
	return word >= 0x10000 && word < USER_SPACE_END && !(word & 7);
}

static int check_batch(pid_t pid, const uint64_t *addrs, size_t n, const struct tokio_copy *c,
		       const struct vtable_index *x, struct found_header *ret, size_t max)
{
	uint64_t heads[BATCH][3]; /* state, queue_next, vtable */
	bool ok[BATCH];
	size_t found = 0;

	read_each(pid, addrs, n, heads, sizeof(heads[0]), ok);
	for (size_t i = 0; i < n && found < max; i++) {
		struct found_header h = { .addr = addrs[i], .state = heads[i][0] };
		ssize_t v = ok[i] ? vtable_index_find(x, heads[i][2]) : -1;

		if (v < 0)
			continue;
		h.vtable = v;
		if (process_read(pid, h.addr + c->vtables[v].id_off, &h.id, sizeof(h.id)) ||
		    process_read(pid, h.addr + c->vtables[v].scheduler_off, &h.scheduler,
				 sizeof(h.scheduler)))
			continue;
		ret[found++] = h;
	}
	return found;
}

static bool seen_before(const uint64_t *addrs, size_t n, uint64_t addr)
{
	for (size_t i = 0; i < n; i++)
		if (addrs[i] == addr)
			return true;
	return false;
}

int headers_on_stack(pid_t pid, uint64_t sp, size_t len, const struct tokio_copy *c,
		     const struct vtable_index *x, struct found_header *ret, size_t max)
{
	_cleanup_free_
	uint64_t *words = NULL;
	uint64_t addrs[BATCH];
	size_t n = 0, found = 0;
	struct iovec local, remote;
	ssize_t got;

	if (len > STACK_MAX)
		len = STACK_MAX;
	words = malloc(len);
	if (!words)
		return -ENOMEM;
	local = (struct iovec){ words, len };
	remote = (struct iovec){ (void *)(uintptr_t)(sp & ~7ULL), len };
	got = process_vm_readv(pid, &local, 1, &remote, 1, 0); /* short at the end of the mapping */
	if (got < 0)
		return -errno;
	for (size_t i = 0; i < (size_t)got / 8 && found < max; i++) {
		if (!is_candidate(words[i]) || seen_before(addrs, n, words[i]))
			continue;
		addrs[n++] = words[i];
		if (n == BATCH) {
			found += check_batch(pid, addrs, n, c, x, ret + found, max - found);
			n = 0;
		}
	}
	if (n)
		found += check_batch(pid, addrs, n, c, x, ret + found, max - found);
	return found;
}
