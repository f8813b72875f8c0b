/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/location.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	struct future_place place;
	unsigned int depth;
	bool found;
};

struct location_search {
	const struct image *img;
	const struct unwind_index *functions;
	uint64_t resumed_fn,
		other_fn[16]; /* callees known to be, or not to be, the panic for resumed bodies */
	size_t n_other;
	struct candidate user_any, dependency_body;
	/* bodies that were compiled into one function, in the order of their code */
	struct future_place bodies[FUTURE_PLACES];
	size_t n_bodies;
	uint64_t function; /* of the bodies */
	unsigned int depth;
	bool is_one_of_many; /* bodies called side by side: none of them is the future alone */
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

static struct future_place place_of(const struct code_location *l, const struct code_refs *refs,
				    size_t i, bool is_body)
{
	struct future_place place = { .line = l->line, .is_body = is_body };

	place.code[0] = refs->at[i];
	place.n_code = 1 + code_callers(refs, place.code + 1, FUTURE_CALLS - 1);
	_Static_assert(sizeof(place.file) == sizeof(l->file), "the whole path");
	memcpy(place.file, l->file, sizeof(place.file));
	return place;
}

static void keep(struct candidate *c, const struct future_place *place, unsigned int depth)
{
	if (!c->found)
		*c = (struct candidate){ *place, depth, true };
}

static void keep_body(struct location_search *s, const struct future_place *place,
		      const struct code_refs *refs)
{
	for (size_t i = 0; i < s->n_bodies; i++) {
		if (s->bodies[i].line == place->line && !strcmp(s->bodies[i].file, place->file))
			return;
	}
	if (s->n_bodies && s->function != refs->function) {
		s->is_one_of_many = true;
		return;
	}
	s->function = refs->function;
	s->depth = refs->depth;
	if (s->n_bodies < FUTURE_PLACES)
		s->bodies[s->n_bodies++] = *place;
}

static void see_location(struct location_search *s, const struct code_refs *refs, size_t i,
			 bool says_body)
{
	struct code_location at;
	struct future_place place;
	enum owner owner;

	if (!code_read_location(s->img, refs->addrs[i], &at))
		return;
	owner = owner_of(at.file);
	if (owner == OWNER_OTHER)
		return;
	says_body = says_body || is_resumed_function(s, refs->callee);
	place = place_of(&at, refs, i, says_body && owner == OWNER_USER);
	if (owner == OWNER_USER && says_body)
		keep_body(s, &place, refs);
	else if (refs->depth > MAX_VAGUE_DEPTH)
		return;
	else if (owner == OWNER_USER)
		keep(&s->user_any, &place, refs->depth);
	else if (says_body)
		keep(&s->dependency_body, &place, refs->depth);
}

static ssize_t take_best(const struct location_search *s, struct future_place ret[FUTURE_PLACES])
{
	const struct candidate *user = &s->user_any, *dependency = &s->dependency_body;
	const struct candidate *one =
		user->found && (!dependency->found || user->depth < dependency->depth) ? user
										       : dependency;

	if (s->n_bodies) {
		memcpy(ret, s->bodies, s->n_bodies * sizeof(*ret));
		for (size_t i = 0; i < s->n_bodies; i++)
			ret[i].is_one_of_many = s->is_one_of_many;
		return (ssize_t)s->n_bodies;
	}
	if (!one->found)
		return -ENOENT;
	ret[0] = one->place;
	ret[0].is_vague = one == user;
	return 1;
}

static int see_refs(const struct code_refs *refs, void *arg)
{
	struct location_search *s = arg;
	bool body = false;

	/* Deeper functions belong to what the body calls. */
	if (s->n_bodies && refs->depth > s->depth)
		return 1;
	for (size_t i = 0; i < refs->n && !body; i++)
		body = says_resumed(s->img, refs->addrs[i]);
	for (size_t i = 0; i < refs->n; i++)
		see_location(s, refs, i, body);
	return 0;
}

ssize_t location_of_future(const struct code_file *c, uint64_t poll,
			   struct future_place ret[FUTURE_PLACES])
{
	struct location_search *s = calloc(1, sizeof(*s));
	ssize_t r = s ? 0 : -ENOMEM;

	if (s) {
		s->img = &c->img;
		s->functions = &c->functions;
		r = code_walk(s->img, s->functions, poll, &poll_limits, see_refs, s);
	}
	if (r >= 0)
		r = take_best(s, ret);
	free(s);
	return r;
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
