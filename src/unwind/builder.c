/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "unwind/builder.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "unwind/mappings.h"

#include <utlist.h>

struct job {
	uint32_t number;
	char *path;
	bool is_done, is_put;
	struct job *next;
};

struct table_builder {
	table_builder_put put;
	void *context;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct job *jobs; /* in order; the done ones come first */
	size_t n, bytes, n_left_out;
	bool is_ending;
};

/* Only the builder's thread changes the two; others look. */
static bool has_room(struct table_builder *b, size_t bytes)
{
	bool has = bytes <= TABLE_BYTES_MAX - b->bytes;

	pthread_mutex_lock(&b->lock);
	if (has)
		b->bytes += bytes;
	else
		b->n_left_out++;
	pthread_mutex_unlock(&b->lock);
	return has;
}

static bool build(struct table_builder *b, const struct job *j)
{
	struct unwind_table table = {};
	struct unwind_rows rows = {};
	struct elf_file *file = NULL;
	void *image;
	bool is_put;
	size_t size;

	if (!j->path) {
		size = unwind_vdso(&image);
		if (size)
			unwind_rows_of_image(image, size, &rows);
	} else if (!elf_file_open(j->path, &file, NULL)) {
		unwind_rows_read(file, &rows);
		elf_file_close(file);
	}
	unwind_table_build(&rows, &table);
	unwind_rows_clear(&rows);
	is_put = table.n && has_room(b, table.n * sizeof(*table.parts)) &&
		 !b->put(b->context, j->number, &table);
	unwind_table_clear(&table);
	return is_put;
}

static struct job *next_job(const struct table_builder *b)
{
	struct job *j;

	LL_FOREACH(b->jobs, j) {
		if (!j->is_done)
			return j;
	}
	return NULL;
}

static void *work(void *arg)
{
	struct table_builder *b = arg;

	setpriority(PRIO_PROCESS, 0, 10); /* of this thread alone, on Linux */
	pthread_mutex_lock(&b->lock);
	while (!b->is_ending) {
		struct job *j = next_job(b);
		bool is_put;

		if (!j) {
			pthread_cond_wait(&b->wanted, &b->lock);
			continue;
		}
		pthread_mutex_unlock(&b->lock);
		is_put = build(b, j);
		pthread_mutex_lock(&b->lock);
		j->is_put = is_put;
		j->is_done = true;
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

struct table_builder *table_builder_new(table_builder_put put, void *context)
{
	struct table_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->put = put;
	b->context = context;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wanted, NULL);
	if (pthread_create(&b->thread, NULL, work, b)) {
		free(b);
		return NULL;
	}
	return b;
}

static void free_job(struct job *j)
{
	free(j->path);
	free(j);
}

struct table_builder *table_builder_free(struct table_builder *b)
{
	struct job *j, *next;

	if (!b)
		return NULL;
	pthread_mutex_lock(&b->lock);
	b->is_ending = true;
	pthread_cond_signal(&b->wanted);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	LL_FOREACH_SAFE(b->jobs, j, next)
		free_job(j);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->wanted);
	free(b);
	return NULL;
}

int table_builder_want(struct table_builder *b, uint32_t number, const char *path)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->number = number;
	j->path = path ? strdup(path) : NULL;
	if (path && !j->path) {
		free(j);
		return -ENOMEM;
	}
	pthread_mutex_lock(&b->lock);
	LL_APPEND(b->jobs, j);
	b->n++;
	pthread_cond_signal(&b->wanted);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

bool table_builder_take(struct table_builder *b, uint32_t *ret_number, bool *ret_is_put)
{
	struct job *j;

	pthread_mutex_lock(&b->lock);
	j = b->jobs && b->jobs->is_done ? b->jobs : NULL;
	if (j) {
		LL_DELETE(b->jobs, j);
		b->n--;
	}
	pthread_mutex_unlock(&b->lock);
	if (!j)
		return false;
	*ret_number = j->number;
	*ret_is_put = j->is_put;
	free_job(j);
	return true;
}

size_t table_builder_bytes(struct table_builder *b, size_t *ret_n_left_out)
{
	size_t bytes;

	pthread_mutex_lock(&b->lock);
	bytes = b->bytes;
	*ret_n_left_out = b->n_left_out;
	pthread_mutex_unlock(&b->lock);
	return bytes;
}

size_t table_builder_pending(const struct table_builder *b)
{
	return b->n; /* changed by the caller's thread only */
}
