/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "model/places.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define uthash_fatal(msg) abort()
#include <uthash.h>

#define PLACES_MAX 8192

struct request {
	uint64_t key; /* copy << 32 | vtable */
	struct place *place; /* NULL: not found, or not looked for yet */
	struct request *next;
	UT_hash_handle hh;
};

struct places {
	const struct tokio_copy *copies;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct request *all, *first, **last; /* first … last: waiting */
	bool is_ending;
};

static struct place *look_up(const struct tokio_copy *c, uint32_t vtable)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return NULL;
	if (tokio_vtable_location(c, vtable, place->file, sizeof(place->file), &place->line) < 0) {
		free(place);
		return NULL;
	}
	snprintf(place->name, sizeof(place->name), "%s:%u", place->file, place->line);
	return place;
}

static void *work(void *arg)
{
	struct places *p = arg;

	setpriority(PRIO_PROCESS, 0, 10); /* of this thread alone, on Linux */
	pthread_mutex_lock(&p->lock);
	while (!p->is_ending) {
		struct request *r = p->first;
		struct place *found;

		if (!r) {
			pthread_cond_wait(&p->wanted, &p->lock);
			continue;
		}
		p->first = r->next;
		if (!p->first)
			p->last = &p->first;
		pthread_mutex_unlock(&p->lock);
		found = look_up(&p->copies[r->key >> 32], (uint32_t)r->key);
		pthread_mutex_lock(&p->lock);
		r->place = found;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct places *places_new(const struct tokio_copy *copies)
{
	struct places *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->copies = copies;
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
		free(r->place);
		free(r);
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

void places_want(struct places *p, uint32_t copy, uint32_t vtable)
{
	struct request *r;

	/* `all` is changed by this thread only; the lock is for the queue and the results */
	if (find_request(p, copy, vtable) || HASH_COUNT(p->all) >= PLACES_MAX)
		return;
	r = calloc(1, sizeof(*r));
	if (!r)
		return;
	r->key = (uint64_t)copy << 32 | vtable;
	HASH_ADD(hh, p->all, key, sizeof(r->key), r);
	pthread_mutex_lock(&p->lock);
	*p->last = r;
	p->last = &r->next;
	pthread_cond_signal(&p->wanted);
	pthread_mutex_unlock(&p->lock);
}

const struct place *places_find(struct places *p, uint32_t copy, uint32_t vtable)
{
	struct request *r = find_request(p, copy, vtable);
	const struct place *place;

	if (!r)
		return NULL;
	pthread_mutex_lock(&p->lock);
	place = r->place;
	pthread_mutex_unlock(&p->lock);
	return place;
}
