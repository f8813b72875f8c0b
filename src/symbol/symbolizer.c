/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "symbol/symbolizer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "symbol/kallsyms.h"
#include "symbol/object.h"
#include "symbol/perfmap.h"
#include "symbol/strings.h"
#include "target/target.h"

#define uthash_fatal(msg) abort()
#include <uthash.h>

#define SYMBOLS_MAX 65536
#define STRINGS_MAX (16u << 20)

/* One address, as it is looked up: before a return address, at any other. */
struct request {
	uint64_t at;
	bool is_return;
	const struct module *module; /* NULL: none, or the kernel's */
	struct symbol *symbol; /* NULL: not looked for yet */
	struct request *next;
	UT_hash_handle hh;
};

/* An ELF file that has been opened, or could not be. */
struct opened {
	const struct module *module;
	struct object *object;
	char name[64];
	char directory[256];
	UT_hash_handle hh;
};

struct symbolizer {
	struct symbolizer_options options;
	pthread_t thread;
	struct problems *problems;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct request *all, *first, **last; /* first … last: waiting */
	size_t n_pending;
	atomic_bool is_ending;
	pthread_mutex_t reading; /* held by who uses the rest */
	struct opened *objects;
	struct strings *strings;
	struct kallsyms *kernel;
	struct perfmap *jit;
	bool has_tried_kernel;
	char root[32];
};

static void split_path(const char *path, struct opened *ret)
{
	const char *slash = strrchr(path, '/');

	snprintf(ret->name, sizeof(ret->name), "%s", slash ? slash + 1 : path);
	snprintf(ret->directory, sizeof(ret->directory), "%.*s", slash ? (int)(slash - path) : 0,
		 path);
}

static struct opened *open_object(struct symbolizer *s, const struct module *m)
{
	struct opened *o;

	HASH_FIND_PTR(s->objects, &m, o);
	if (o || !(o = calloc(1, sizeof(*o))))
		return o;
	o->module = m;
	split_path(m->path, o);
	HASH_ADD_PTR(s->objects, module, o);
	if (m->open_path)
		object_open(
			&(struct object_source){
				.open_path = m->open_path,
				.name = o->name,
				.debug_file = m->is_exe ? s->options.debug_file : NULL,
				.root = s->root,
				.directory = o->directory,
				.my_crates = s->options.my_crates,
				.stop = &s->is_ending,
				.problems = s->problems,
			},
			&o->object);
	return o;
}

static const char *kernel_name(struct symbolizer *s, uint64_t addr)
{
	if (s->options.has_kernel && !s->has_tried_kernel) {
		_cleanup_fclose_
		FILE *f = fopen("/proc/kallsyms", "re");

		s->kernel = f ? kallsyms_read(f) : NULL;
		s->has_tried_kernel = true;
	}
	return s->kernel ? kallsyms_name(s->kernel, addr) : NULL;
}

static size_t find_frames(struct symbolizer *s, const struct request *r,
			  struct frame frames[OBJECT_FRAMES])
{
	struct opened *o = r->module ? open_object(s, r->module) : NULL;
	size_t n = 0;

	frames[0] = (struct frame){ .module = o ? o->name : NULL };
	if (o && o->object)
		n = object_find(o->object, r->at - r->module->bias, s->strings, frames);
	else if (!r->module && r->at < KERNEL_START)
		frames[0].function = strings_keep(s->strings, perfmap_name(s->jit, r->at));
	if (r->at >= KERNEL_START)
		frames[0] = (struct frame){ .function = kernel_name(s, r->at),
					    .kind = FRAME_KERNEL };
	return n ? n : 1;
}

static struct symbol *look_up(struct symbolizer *s, const struct request *r)
{
	struct frame frames[OBJECT_FRAMES];
	struct symbol *symbol;
	size_t n;

	pthread_mutex_lock(&s->reading);
	n = find_frames(s, r, frames);
	pthread_mutex_unlock(&s->reading);
	symbol = malloc(sizeof(*symbol) + n * sizeof(*frames));
	if (!symbol)
		return NULL;
	symbol->n = n;
	for (size_t i = 0; i < n; i++) {
		symbol->frames[i] = frames[i];
		symbol->frames[i].addr = r->at + r->is_return;
		symbol->frames[i].offset = symbol->frames[i].addr -
					   (r->module ? r->module->bias : 0);
	}
	return symbol;
}

static void *work(void *arg)
{
	struct symbolizer *s = arg;

	setpriority(PRIO_PROCESS, 0, 10); /* of this thread alone, on Linux */
	pthread_mutex_lock(&s->lock);
	while (!s->is_ending) {
		struct request *r = s->first;
		struct symbol *found;

		if (!r) {
			pthread_cond_wait(&s->wanted, &s->lock);
			continue;
		}
		s->first = r->next;
		if (!s->first)
			s->last = &s->first;
		pthread_mutex_unlock(&s->lock);
		found = look_up(s, r);
		pthread_mutex_lock(&s->lock);
		r->symbol = found;
		s->n_pending--;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct symbolizer *symbolizer_new(const struct symbolizer_options *options)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->options = *options;
	s->last = &s->first;
	snprintf(s->root, sizeof(s->root), "/proc/%d/root", options->process->pid);
	s->strings = strings_new(STRINGS_MAX);
	s->problems = problems_new();
	s->jit = perfmap_new(options->process->pid);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->reading, NULL);
	pthread_cond_init(&s->wanted, NULL);
	if (!s->strings || !s->problems || !s->jit || pthread_create(&s->thread, NULL, work, s)) {
		strings_free(s->strings);
		problems_free(s->problems);
		perfmap_free(s->jit);
		free(s);
		return NULL;
	}
	return s;
}

static void free_contents(struct symbolizer *s)
{
	struct request *r, *next_request;
	struct opened *o, *next_object;

	HASH_ITER(hh, s->all, r, next_request) {
		HASH_DEL(s->all, r);
		free(r->symbol);
		free(r);
	}
	HASH_ITER(hh, s->objects, o, next_object) {
		HASH_DEL(s->objects, o);
		object_close(o->object);
		free(o);
	}
	strings_free(s->strings);
	problems_free(s->problems);
	perfmap_free(s->jit);
	kallsyms_free(s->kernel);
}

void symbolizer_end(struct symbolizer *s)
{
	pthread_mutex_lock(&s->lock);
	s->is_ending = true;
	pthread_cond_signal(&s->wanted);
	pthread_mutex_unlock(&s->lock);
}

struct symbolizer *symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return NULL;
	symbolizer_end(s);
	pthread_join(s->thread, NULL);
	free_contents(s);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->reading);
	pthread_cond_destroy(&s->wanted);
	free(s);
	return NULL;
}

static const struct module *module_at(const struct process *p, uint64_t addr)
{
	for (size_t i = 0; i < p->n_modules; i++) {
		const struct module *m = &p->modules[i];

		for (size_t k = 0; k < m->n_maps; k++) {
			if (addr >= m->maps[k].start && addr < m->maps[k].end)
				return m;
		}
	}
	return NULL;
}

static struct request *request_at(struct symbolizer *s, uint64_t at)
{
	struct request *r;

	HASH_FIND(hh, s->all, &at, sizeof(at), r);
	return r;
}

bool symbolizer_want(struct symbolizer *s, uint64_t addr, bool is_return)
{
	uint64_t at = addr - is_return;
	struct request *r;

	/* `all` is changed by this thread only; the lock is for the queue and the results */
	if (request_at(s, at))
		return true;
	if (HASH_COUNT(s->all) >= SYMBOLS_MAX || !(r = calloc(1, sizeof(*r))))
		return false;
	r->at = at;
	r->is_return = is_return;
	r->module = at < KERNEL_START ? module_at(s->options.process, at) : NULL;
	HASH_ADD(hh, s->all, at, sizeof(r->at), r);
	pthread_mutex_lock(&s->lock);
	*s->last = r;
	s->last = &r->next;
	s->n_pending++;
	pthread_cond_signal(&s->wanted);
	pthread_mutex_unlock(&s->lock);
	return true;
}

const struct symbol *symbolizer_find(struct symbolizer *s, uint64_t addr, bool is_return)
{
	struct request *r = request_at(s, addr - is_return);
	const struct symbol *found;

	if (!r)
		return NULL;
	pthread_mutex_lock(&s->lock);
	found = r->symbol;
	pthread_mutex_unlock(&s->lock);
	return found;
}

void symbolizer_describe(struct symbolizer *s, const struct code_file *code,
			 const struct tokio_copy *c, size_t vtable, struct future *ret)
{
	struct opened *o;

	pthread_mutex_lock(&s->reading);
	o = open_object(s, c->module);
	future_describe(o ? o->object : NULL, code, c, vtable, ret);
	pthread_mutex_unlock(&s->reading);
}

bool symbolizer_take_problem(struct symbolizer *s, char ret[static PROBLEM_SIZE])
{
	return problems_take(s->problems, ret);
}

size_t symbolizer_pending(struct symbolizer *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->n_pending;
	pthread_mutex_unlock(&s->lock);
	return n;
}
