/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/places.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#define uthash_fatal(msg) abort()
#include <uthash.h>

#include "bpf/wire.h"

#define PLACES_MAX 8192
#define ALL_POLLS UINT32_MAX /* instead of a vtable: a request for the copy's poll functions */

struct request {
	uint64_t key; /* copy << 32 | vtable */
	struct future *future; /* NULL: not looked for yet */
	struct request *next;
	UT_hash_handle hh;
};

struct places {
	const struct tokio_copy *copies;
	struct symbolizer *symbolizer;
	struct code_file files[RS_COPIES]; /* the thread's own */
	bool is_open[RS_COPIES];
	struct poll_index polls[RS_COPIES]; /* empty until asked for */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct request *all, *first, **last; /* first … last: waiting */
	bool is_ending;
};

static const struct code_file *code_of(struct places *p, uint32_t copy)
{
	const char *path = p->copies[copy].module->open_path;

	if (!p->is_open[copy] && path)
		code_file_open(path, &p->files[copy]); /* what could not be read stays empty */
	p->is_open[copy] = true;
	return &p->files[copy];
}

static struct future *look_up(struct places *p, uint64_t key)
{
	struct future *future = calloc(1, sizeof(*future));
	uint32_t copy = key >> 32;

	if (!future || copy >= RS_COPIES)
		return future;
	if ((uint32_t)key == ALL_POLLS)
		poll_index_build(code_of(p, copy), &p->copies[copy], &p->polls[copy]);
	else
		symbolizer_describe(p->symbolizer, code_of(p, copy), &p->copies[copy],
				    (uint32_t)key, future);
	return future;
}

static void *work(void *arg)
{
	struct places *p = arg;

	setpriority(PRIO_PROCESS, 0, 10); /* of this thread alone, on Linux */
	pthread_mutex_lock(&p->lock);
	while (!p->is_ending) {
		struct request *r = p->first;
		struct future *found;

		if (!r) {
			pthread_cond_wait(&p->wanted, &p->lock);
			continue;
		}
		p->first = r->next;
		if (!p->first)
			p->last = &p->first;
		pthread_mutex_unlock(&p->lock);
		found = look_up(p, r->key);
		pthread_mutex_lock(&p->lock);
		r->future = found;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct places *places_new(const struct tokio_copy *copies, struct symbolizer *symbolizer)
{
	struct places *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->copies = copies;
	p->symbolizer = symbolizer;
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wanted, NULL);
	if (pthread_create(&p->thread, NULL, work, p)) {
		free(p);
		return NULL;
	}
	return p;
}

struct places *places_free(struct places *p)
{
	struct request *r, *next;

	if (!p)
		return NULL;
	pthread_mutex_lock(&p->lock);
	p->is_ending = true;
	pthread_cond_signal(&p->wanted);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	HASH_ITER(hh, p->all, r, next) {
		HASH_DEL(p->all, r);
		if (r->future)
			free(r->future->type);
		free(r->future);
		free(r);
	}
	for (size_t i = 0; i < RS_COPIES; i++) {
		poll_index_clear(&p->polls[i]);
		code_file_clear(&p->files[i]);
	}
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wanted);
	free(p);
	return NULL;
}

static struct request *find_request(struct places *p, uint32_t copy, uint32_t vtable)
{
	uint64_t key = (uint64_t)copy << 32 | vtable;
	struct request *r;

	HASH_FIND(hh, p->all, &key, sizeof(key), r);
	return r;
}

bool places_want(struct places *p, uint32_t copy, uint32_t vtable)
{
	struct request *r;

	/* `all` is changed by this thread only; the lock is for the queue and the results */
	if (find_request(p, copy, vtable))
		return true;
	if (HASH_COUNT(p->all) >= PLACES_MAX || !(r = calloc(1, sizeof(*r))))
		return false;
	r->key = (uint64_t)copy << 32 | vtable;
	HASH_ADD(hh, p->all, key, sizeof(r->key), r);
	pthread_mutex_lock(&p->lock);
	*p->last = r;
	p->last = &r->next;
	pthread_cond_signal(&p->wanted);
	pthread_mutex_unlock(&p->lock);
	return true;
}

const struct future *places_find(struct places *p, uint32_t copy, uint32_t vtable)
{
	struct request *r = find_request(p, copy, vtable);
	const struct future *future;

	if (!r)
		return NULL;
	pthread_mutex_lock(&p->lock);
	future = r->future;
	pthread_mutex_unlock(&p->lock);
	return future;
}

bool places_know_polls(struct places *p, uint32_t copy)
{
	return places_find(p, copy, ALL_POLLS) || !places_want(p, copy, ALL_POLLS);
}

enum poll_place places_poll_at(struct places *p, uint32_t copy, uint64_t addr, uint32_t *ret_vtable)
{
	if (copy >= RS_COPIES || !places_find(p, copy, ALL_POLLS))
		return POLL_NOWHERE;
	/* Once they are known nobody changes them any more. */
	return poll_index_find(&p->polls[copy], addr - p->copies[copy].module->bias, ret_vtable);
}
