/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/location.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/code.h"
#include "target/error.h"
#include "target/target.h"

/* In a debug build a dozen small functions lie between raw::poll and the future's own. */
static const struct code_limits poll_limits = { .depth = 12,
						.functions = 1024,
						.bytes = 512 * 1024 };
static const struct code_limits schedule_limits = { .depth = 2, .functions = 8, .bytes = 4096 };

/* Below that, only an async body of the user's own still says whose future it is. */
#define MAX_VAGUE_DEPTH 5

/* What every async body's panic says; the place it names is the body's. */
static const char resumed[] = "`async fn` resumed after ";

enum owner { OWNER_OTHER, OWNER_DEPENDENCY, OWNER_USER };

struct candidate {
	struct code_location at;
	unsigned int depth;
	bool found;
};

struct location_search {
	const struct image *img;
	const struct unwind_index *functions;
	uint64_t resumed_fn,
		other_fn[16]; /* callees known to be, or not to be, the panic for resumed bodies */
	size_t n_other;
	struct candidate user_body, user_any, dependency_body;
};

static bool contains(const char *text, const char *part)
{
	return strstr(text, part);
}

static enum owner owner_of(const char *file)
{
	if (!strncmp(file, "library/", 8) || contains(file, "/rustc/") ||
	    contains(file, "/rustlib/") || contains(file, "/rust/deps/") ||
	    contains(file, "/tokio-1.") || !strncmp(file, "tokio-1.", 8))
		return OWNER_OTHER;
	if (contains(file, "/registry/") || contains(file, "/git/checkouts/") ||
	    contains(file, "/vendor/"))
		return OWNER_DEPENDENCY;
	return OWNER_USER;
}

static bool is_resumed_text(const struct image *img, uint64_t addr)
{
	char text[sizeof(resumed) - 1];

	return !elf_file_read_at(img->file, addr, text, sizeof(text)) &&
	       !memcmp(text, resumed, sizeof(text));
}

/* The text itself, or fmt::Arguments pieces that point to it. */
static bool says_resumed(const struct image *img, uint64_t addr)
{
	uint64_t text;

	return is_resumed_text(img, addr) ||
	       (image_word(img, addr, &text) && is_resumed_text(img, text));
}

static int see_resumed(const struct code_refs *refs, void *arg)
{
	const struct image *img = arg;

	for (size_t i = 0; i < refs->n; i++) {
		if (says_resumed(img, refs->addrs[i]))
			return 1;
	}
	return 0;
}

/* Newer compilers call a function of its own for that panic, with the location only. */
static bool is_resumed_function(struct location_search *s, uint64_t callee)
{
	static const struct code_limits limits = { .depth = 0, .functions = 1, .bytes = 256 };

	if (!callee || callee == s->resumed_fn)
		return callee;
	for (size_t i = 0; i < s->n_other; i++) {
		if (s->other_fn[i] == callee)
			return false;
	}
	if (code_walk(s->img, s->functions, callee, &limits, see_resumed, (void *)s->img) == 1) {
		s->resumed_fn = callee;
		return true;
	}
	if (s->n_other < sizeof(s->other_fn) / sizeof(s->other_fn[0]))
		s->other_fn[s->n_other++] = callee;
	return false;
}

static void keep(struct candidate *c, const struct code_location *at, unsigned int depth)
{
	if (!c->found)
		*c = (struct candidate){ *at, depth, true };
}

static int see_refs(const struct code_refs *refs, void *arg)
{
	struct location_search *s = arg;
	bool body = false;

	/* Deeper functions belong to what the body calls. */
	if (s->user_body.found && refs->depth > s->user_body.depth)
		return 1;
	for (size_t i = 0; i < refs->n && !body; i++)
		body = says_resumed(s->img, refs->addrs[i]);
	for (size_t i = 0; i < refs->n; i++) {
		struct code_location at;
		enum owner owner;

		if (!code_read_location(s->img, refs->addrs[i], &at))
			continue;
		owner = owner_of(at.file);
		if (owner == OWNER_OTHER)
			continue;
		body = body || is_resumed_function(s, refs->callee);
		if (owner == OWNER_USER && body)
			keep(&s->user_body, &at, refs->depth);
		else if (refs->depth > MAX_VAGUE_DEPTH)
			continue;
		else if (owner == OWNER_USER)
			keep(&s->user_any, &at, refs->depth);
		else if (body)
			keep(&s->dependency_body, &at, refs->depth);
	}
	return 0;
}

/* The constants of a file and its functions, for both users below. */
struct code_file {
	struct elf_file *file;
	struct image img;
	struct unwind_index functions;
};

static void code_file_clear(struct code_file *c)
{
	image_clear(&c->img);
	unwind_index_clear(&c->functions);
	c->file = elf_file_close(c->file);
}

static int code_file_open(const char *path, struct code_file *ret)
{
	int r;

	r = elf_file_open(path, &ret->file, NULL);
	if (!r)
		r = image_load(ret->file, &ret->img);
	if (!r)
		r = unwind_index_load(ret->file, &ret->functions);
	return r;
}

int tokio_vtable_location(const struct tokio_copy *c, size_t vtable_index, char *ret_file,
			  size_t size, uint32_t *ret_line)
{
	_cleanup_(code_file_clear) struct code_file f = { 0 };
	struct location_search s = { .img = &f.img, .functions = &f.functions };
	const struct candidate *best = NULL;
	int r;

	if (vtable_index >= c->n_vtables || !size)
		return -EINVAL;
	if (!c->module->open_path)
		return -ENOENT;
	r = code_file_open(c->module->open_path, &f);
	if (r < 0)
		return r;
	r = code_walk(&f.img, &f.functions, c->vtables[vtable_index].poll - c->module->bias,
		      &poll_limits, see_refs, &s);
	if (r < 0)
		return r;
	if (s.user_body.found)
		best = &s.user_body;
	else if (s.user_any.found)
		best = &s.user_any;
	else if (s.dependency_body.found)
		best = &s.dependency_body;
	if (!best)
		return -ENOENT;
	snprintf(ret_file, size, "%s", best->at.file);
	*ret_line = best->at.line;
	return 0;
}

static int see_blocking(const struct code_refs *refs, void *arg)
{
	const struct image *img = arg;

	for (size_t i = 0; i < refs->n; i++) {
		struct code_location at;

		if (code_read_location(img, refs->addrs[i], &at) &&
		    contains(at.file, "/runtime/blocking/schedule.rs"))
			return 1;
	}
	return 0;
}

bool location_is_blocking_schedule(const struct image *img, const struct unwind_index *functions,
				   uint64_t schedule)
{
	return code_walk(img, functions, schedule, &schedule_limits, see_blocking, (void *)img) ==
	       1;
}
