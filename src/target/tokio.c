/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/target.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/debuginfo.h"
#include "target/demangle.h"
#include "target/eh_frame.h"
#include "target/error.h"
#include "target/image.h"
#include "target/location.h"
#include "target/name.h"
#include "target/symbols.h"
#include "target/version.h"
#include "target/vtable.h"

/* What is read of one file, with ELF virtual addresses, before it becomes a tokio_copy. */
struct reading {
	struct elf_file *file;
	struct image img;
	struct raw_vtable *vtables;
	size_t n_vtables;
	struct tokio_symbols symbols;
	char version[16];
};

static void reading_clear(struct reading *r)
{
	free(r->vtables);
	symbols_clear(&r->symbols);
	image_clear(&r->img);
	elf_file_close(r->file);
}

bool tokio_is_too_old(const struct tokio_copy *c)
{
	unsigned int minor;

	return sscanf(c->version, "1.%u.", &minor) == 1 && minor < 23;
}

void tokio_copy_done(struct tokio_copy *c)
{
	for (size_t i = 0; i < c->n_vtables; i++) {
		free(c->vtables[i].name);
		free(c->vtables[i].symbol);
	}
	free(c->vtables);
	if (c->own_module) {
		free(c->own_module->path);
		free(c->own_module->open_path);
		free(c->own_module->probe_path);
		free(c->own_module);
	}
	*c = (struct tokio_copy){ 0 };
}

void tokio_copies_free(struct tokio_copy *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		tokio_copy_done(&c[i]);
	free(c);
}

static int by_addr(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Names of the vtables' poll functions; of all of Tokio's poll functions without vtables. */
static int read_symbols(struct reading *in)
{
	_cleanup_free_
	uint64_t *addrs = calloc(in->n_vtables + 1, sizeof(*addrs));
	size_t n = 0;

	if (!addrs)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_vtables; i++)
		addrs[i] = in->vtables[i].poll;
	qsort(addrs, in->n_vtables, sizeof(*addrs), by_addr);
	for (size_t i = 0; i < in->n_vtables; i++) {
		if (!n || addrs[n - 1] != addrs[i])
			addrs[n++] = addrs[i];
	}
	return symbols_read(in->file, addrs, n, &in->symbols);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Name, symbol and their source. `poll` is an ELF virtual address. */
static int name_vtable(struct task_vtable *v, const struct reading *in, const struct module *m,
		       uint64_t poll)
{
	const char *mangled = symbols_name(&in->symbols, poll);
	_cleanup_free_
	char *text = malloc(DEMANGLE_MAX);
	char name[FUTURE_NAME_SIZE];

	if (!text)
		return -ENOMEM;
	if (mangled && demangle(mangled, text, DEMANGLE_MAX)) {
		v->symbol = strdup(text);
		if (!v->symbol)
			return -ENOMEM;
		v->blocking = strstr(text,
				     "tokio::runtime::blocking::schedule::BlockingSchedule") ||
			      strstr(text, "tokio::runtime::blocking::task::BlockingTask<");
	}
	if (v->symbol && future_name(v->symbol, name)) {
		v->name_source = "v0";
	} else {
		snprintf(name, sizeof(name), "poll@%.64s+0x%" PRIx64, base_name(m->path), poll);
		replace_controls(name);
		v->name_source = "address";
	}
	v->name = strdup(name);
	return v->name ? 0 : -ENOMEM;
}

static uint64_t file_offset(const struct elf_file *f, uint64_t vaddr)
{
	uint64_t offset;

	return vaddr && !elf_file_offset(f, vaddr, &offset) ? offset : 0;
}

static int fill_vtables(struct tokio_copy *c, const struct reading *in)
{
	const struct module *m = c->module;

	c->vtables = calloc(in->n_vtables ? in->n_vtables : 1, sizeof(*c->vtables));
	if (!c->vtables)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_vtables; i++) {
		const struct raw_vtable *raw = &in->vtables[i];
		struct task_vtable *v = &c->vtables[c->n_vtables++];
		int r;

		v->addr = raw->addr + m->bias;
		v->poll = raw->poll + m->bias;
		v->schedule = raw->schedule + m->bias;
		v->dealloc = raw->dealloc + m->bias;
		v->drop_join_handle = raw->drop_join_handle + m->bias;
		v->shutdown = raw->shutdown + m->bias;
		v->trailer_off = raw->trailer_off;
		v->scheduler_off = raw->scheduler_off;
		v->id_off = raw->id_off;
		v->spawn_off = raw->spawn_off;
		v->poll_file_off = file_offset(in->file, raw->poll);
		v->shutdown_file_off = file_offset(in->file, raw->shutdown);
		r = name_vtable(v, in, m, raw->poll);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Tokio <= 1.22 has vtables of another shape: its poll functions, if symbols name them, are still
 * good for probes. */
static int fill_from_symbols(struct tokio_copy *c, const struct reading *in)
{
	const struct tokio_symbols *s = &in->symbols;

	free(c->vtables);
	c->vtables = calloc(s->n_names ? s->n_names : 1, sizeof(*c->vtables));
	if (!c->vtables)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_names; i++) {
		struct task_vtable *v = &c->vtables[c->n_vtables++];
		int r;

		v->poll = s->names[i].addr + c->module->bias;
		v->poll_file_off = file_offset(in->file, s->names[i].addr);
		r = name_vtable(v, in, c->module, s->names[i].addr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Without types in the symbols: all vtables that share BlockingSchedule's schedule function are
 * blocking. */
static int mark_blocking(struct tokio_copy *c, const struct reading *in)
{
	_cleanup_(unwind_index_clear) struct unwind_index functions = { 0 };
	uint64_t seen[32];
	bool blocking[32];
	size_t n = 0, k;
	int r;

	r = unwind_index_load(in->file, &functions);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_vtables; i++) {
		uint64_t schedule = in->vtables[i].schedule;

		for (k = 0; k < n && seen[k] != schedule; k++)
			;
		if (k == n) {
			if (n == sizeof(seen) / sizeof(seen[0]))
				break;
			seen[n] = schedule;
			blocking[n++] = location_is_blocking_schedule(&in->img, &functions,
								      schedule);
		}
		c->vtables[i].blocking |= blocking[k];
	}
	return 0;
}

static int fill_copy(struct tokio_copy *c, const struct reading *in)
{
	const struct elf_segment *tls = elf_file_segment(in->file, PT_TLS);
	int r;

	memcpy(c->version, in->version, sizeof(c->version));
	version_rustc(in->file, c->rustc);
	c->symbols = in->symbols.kind;
	c->debuginfo = debuginfo_level(in->file);
	c->tls_memsz = tls ? tls->memsz : 0;
	c->tls_align = tls ? tls->align : 0;
	c->context_sym = in->symbols.context;
	c->context_sym_size = in->symbols.context_size;
	c->local_sym = in->symbols.local;
	c->marker_start = file_offset(in->file, in->symbols.markers[MARKER_START]);
	c->marker_end = file_offset(in->file, in->symbols.markers[MARKER_END]);
	c->set_task_id = file_offset(in->file, in->symbols.markers[MARKER_SET_TASK_ID]);
	r = fill_vtables(c, in);
	if (!r && in->n_vtables)
		r = mark_blocking(c, in);
	else if (!r)
		r = fill_from_symbols(c, in);
	return r;
}

/*
 * Reads one file. 1: it holds Tokio, 0: it does not. The tests stand in the order of their cost;
 * most libraries of a system end at the first, for Tokio's context is a thread-local and so its
 * module has a TLS segment.
 */
static int read_module(const char *path, const struct module *m, struct tokio_copy *ret,
		       struct rs_error *err)
{
	_cleanup_(reading_clear) struct reading in = { .symbols = { .context = -1, .local = -1 } };
	struct tokio_copy copy = { .module = m };
	int r;

	r = elf_file_open(path, &in.file, err);
	if (r < 0 || !elf_file_segment(in.file, PT_TLS))
		return r;
	r = image_load(in.file, &in.img);
	if (!r) {
		r = vtables_find(&in.img, &in.vtables);
		in.n_vtables = r > 0 ? (size_t)r : 0;
	}
	if (r >= 0)
		r = version_tokio(in.file, in.version);
	if (r >= 0 && !in.n_vtables && !in.version[0])
		return 0;
	if (r >= 0)
		r = read_symbols(&in);
	if (r >= 0)
		r = fill_copy(&copy, &in);
	if (r < 0) {
		tokio_copy_done(&copy);
		return error_set(err, r, "cannot read %s: %s", path, strerror(-r));
	}
	*ret = copy;
	return 1;
}

int tokio_find(const struct process *p, size_t first_module, struct tokio_copy **ret,
	       struct rs_error *err)
{
	struct tokio_copy *copies = NULL;
	size_t n = 0;

	for (size_t i = first_module; i < p->n_modules; i++) {
		const struct module *m = &p->modules[i];
		struct tokio_copy copy, *more;
		int r;

		if (!m->open_path) {
			error_set(err, 0, "cannot open %s as process %d sees it: %s", m->path,
				  p->pid,
				  m->replaced ? "the file was replaced on disk since it was mapped"
					      : "permission denied or gone");
			continue;
		}
		r = read_module(m->open_path, m, &copy, err);
		if (r == -ENOMEM) {
			tokio_copies_free(copies, n);
			return r;
		}
		if (r <= 0)
			continue;
		more = reallocarray(copies, n + 1, sizeof(*copies));
		if (!more) {
			tokio_copy_done(&copy);
			tokio_copies_free(copies, n);
			return -ENOMEM;
		}
		copies = more;
		copies[n++] = copy;
	}
	*ret = copies;
	return (int)n;
}

static struct module *file_module(const char *path)
{
	_cleanup_(elf_file_closep) struct elf_file *f = NULL;
	struct module *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->path = strdup(path);
	m->open_path = strdup(path);
	m->probe_path = strdup(path);
	m->is_exe = true;
	if (!elf_file_open(path, &f, NULL))
		elf_file_build_id(f, m->build_id);
	return m;
}

int tokio_find_in_file(const char *path, struct tokio_copy **ret, struct rs_error *err)
{
	struct tokio_copy found = { .own_module = file_module(path) },
			  *copy = calloc(1, sizeof(*copy));
	struct module *m = found.own_module;
	int r;

	if (!copy || !m || !m->path || !m->open_path || !m->probe_path) {
		tokio_copy_done(&found);
		free(copy);
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = read_module(path, m, copy, err);
	if (r <= 0) {
		tokio_copy_done(&found);
		free(copy);
		*ret = r ? *ret : NULL;
		return r;
	}
	copy->own_module = m;
	*ret = copy;
	return 1;
}
