/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/stacks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(msg) abort()
#include <uthash.h>

#define STACKS_BYTES_MAX (8u << 20)

struct entry {
	uint64_t hash;
	UT_hash_handle hh;
	struct stack stack; /* the last: its addresses follow */
};

struct stacks {
	struct entry *all;
	size_t used;
};

struct stacks *stacks_new(void)
{
	return calloc(1, sizeof(struct stacks));
}

struct stacks *stacks_free(struct stacks *s)
{
	struct entry *e, *next;

	if (!s)
		return NULL;
	HASH_ITER(hh, s->all, e, next) {
		HASH_DEL(s->all, e);
		free(e);
	}
	free(s);
	return NULL;
}

static struct entry *entry_of(const struct stacks *s, uint64_t hash)
{
	struct entry *e;

	HASH_FIND(hh, s->all, &hash, sizeof(hash), e);
	return e;
}

int stacks_add(struct stacks *s, const struct rs_event_stack *e, size_t size)
{
	size_t n, bytes;
	struct entry *entry;

	if (size < sizeof(*e) || !e->n || e->n > RS_FRAMES || e->n_kernel > RS_KERNEL_FRAMES)
		return -EBADMSG;
	if (entry_of(s, e->hash))
		return 0; /* another CPU has told it, too */
	n = e->n_kernel + e->n;
	bytes = sizeof(*entry) + n * sizeof(uint64_t);
	if (bytes > STACKS_BYTES_MAX - s->used)
		return -ENOSPC;
	entry = calloc(1, bytes);
	if (!entry)
		return -ENOMEM;
	entry->hash = e->hash;
	entry->stack.n_kernel = e->n_kernel;
	entry->stack.n_user = e->n;
	entry->stack.end = e->end;
	memcpy(entry->stack.exact, e->exact, sizeof(e->exact));
	memcpy(entry->stack.addrs, e->kernel, e->n_kernel * sizeof(uint64_t));
	memcpy(entry->stack.addrs + e->n_kernel, e->user, e->n * sizeof(uint64_t));
	s->used += bytes;
	HASH_ADD(hh, s->all, hash, sizeof(entry->hash), entry);
	return 0;
}

const struct stack *stacks_find(const struct stacks *s, uint64_t hash)
{
	struct entry *e = entry_of(s, hash);

	return e ? &e->stack : NULL;
}

bool stack_is_return(const struct stack *s, size_t i)
{
	size_t user = i - s->n_kernel;

	if (i < s->n_kernel)
		return i > 0;
	return !(s->exact[user / 64 & 1] >> (user & 63) & 1);
}
