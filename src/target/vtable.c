/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "target/vtable.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "target/eh_frame.h"

/*
 * tokio::runtime::task::raw::Vtable since 1.23: poll, schedule, dealloc, try_read_output,
 * drop_join_handle_slow, drop_abort_handle, shutdown; then trailer_offset, scheduler_offset,
 * id_offset. repr(Rust), but in this order in every build seen. With tokio_unstable (since 1.46) spawn_location_offset
 * follows: the word behind the id.
 */
#define N_FUNCTIONS 7
#define N_WORDS 10
/* Words looked at at a time. */
#define PIECE 65536
/* The header is 4 words at least; S follows it, at the alignment of the cell (128 since 1.29). */
#define MIN_SCHEDULER 32
#define MAX_SCHEDULER 512
/* The id comes right after S, an Arc or a small struct. */
#define MAX_SCHEDULER_SIZE 64
#define MAX_TRAILER (64u << 20)
/* Without section headers data inside the executable segment looks like code: so many of the seven
 * must be function starts in .eh_frame_hdr. Thunks may have no entry there. */
#define MIN_FUNCTION_STARTS 5

static bool plausible_offsets(uint64_t trailer, uint64_t scheduler, uint64_t id)
{
	return !((trailer | scheduler | id) & 7) && scheduler >= MIN_SCHEDULER &&
	       scheduler <= MAX_SCHEDULER && id >= scheduler &&
	       id <= scheduler + MAX_SCHEDULER_SIZE && id < trailer && trailer < MAX_TRAILER;
}

/* Identical functions may be merged, but these four never do the same. */
static bool plausible_functions(const uint64_t *w)
{
	return w[0] != w[1] && w[0] != w[2] && w[0] != w[6] && w[1] != w[2] && w[2] != w[6];
}

static bool are_function_starts(const struct unwind_index *starts, const uint64_t *w)
{
	int n = 0;

	for (int i = 0; i < N_FUNCTIONS; i++)
		n += unwind_index_has(starts, w[i]);
	return n >= MIN_FUNCTION_STARTS;
}

/* Ten words of which the first seven point to code. */
static bool is_vtable(const uint64_t *w, const struct unwind_index *starts)
{
	return plausible_offsets(w[7], w[8], w[9]) && plausible_functions(w) &&
	       (!starts || are_function_starts(starts, w));
}

static int append(struct raw_vtable **rows, size_t *n, size_t *room, uint64_t addr,
		  const uint64_t *w, uint64_t next)
{
	if (*n == INT_MAX)
		return -E2BIG;
	if (*n == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct raw_vtable *p = reallocarray(*rows, more, sizeof(*p));

		if (!p)
			return -ENOMEM;
		*rows = p;
		*room = more;
	}
	(*rows)[(*n)++] = (struct raw_vtable){
		.addr = addr,
		.poll = w[0],
		.schedule = w[1],
		.dealloc = w[2],
		.drop_join_handle = w[4],
		.shutdown = w[6],
		.trailer_off = (uint32_t)w[7],
		.scheduler_off = (uint32_t)w[8],
		.id_off = (uint32_t)w[9],
		.spawn_off = next == w[9] + 8 ? (uint32_t)next : 0,
	};
	return 0;
}

struct vtable_scan {
	const struct image *img;
	const struct unwind_index *starts; /* NULL: not needed */
	struct raw_vtable *rows;
	size_t n, room;
};

/* `run` counts the pointers to code in front of the word looked at; a match consumes its words, so
 * none counts twice. */
static int scan_words(struct vtable_scan *s, uint64_t addr, const uint64_t *words, size_t n)
{
	size_t run = 0;

	for (size_t i = 0; i + (N_WORDS - N_FUNCTIONS) <= n; i++) {
		if (run >= N_FUNCTIONS && is_vtable(&words[i - N_FUNCTIONS], s->starts)) {
			const uint64_t *w = &words[i - N_FUNCTIONS];
			int r;

			r = append(&s->rows, &s->n, &s->room, addr + (i - N_FUNCTIONS) * 8, w,
				   i + 3 < n ? words[i + 3] : 0);
			if (r < 0)
				return r;
			i += N_WORDS - N_FUNCTIONS - 1;
			run = 0;
			continue;
		}
		run = image_is_code(s->img, words[i]) ? run + 1 : 0;
	}
	return 0;
}

/* Piece by piece. The pieces overlap by a vtable and the word behind it; what is found twice is dropped later. */
static int scan_data(struct vtable_scan *s, const struct image_data *d, uint64_t *piece)
{
	for (size_t first = 0; first < d->n_words; first += PIECE - N_WORDS - 1) {
		size_t n = d->n_words - first < PIECE ? d->n_words - first : PIECE;
		int r;

		r = image_words(s->img, d, first, n, piece);
		if (!r)
			r = scan_words(s, d->addr + 8 * (uint64_t)first, piece, n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct raw_vtable *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Pieces overlap, and sections of a hostile file may: the same address is one vtable. */
static size_t drop_overlaps(struct raw_vtable *rows, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept && rows[i].addr == rows[kept - 1].addr)
			rows[kept - 1].spawn_off |= rows[i].spawn_off;
		if (!kept || rows[i].addr >= rows[kept - 1].addr + N_WORDS * 8)
			rows[kept++] = rows[i];
	}
	return kept;
}

static void scan_clear(struct vtable_scan *s)
{
	free(s->rows);
}

int vtables_find(const struct image *img, struct raw_vtable **ret)
{
	_cleanup_(unwind_index_clear) struct unwind_index starts = { 0 };
	_cleanup_(scan_clear) struct vtable_scan s = { .img = img };
	_cleanup_free_
	uint64_t *piece = malloc(PIECE * sizeof(*piece));
	int r;

	if (!piece)
		return -ENOMEM;
	if (img->by_segment) {
		r = unwind_index_load(img->file, &starts);
		if (r < 0)
			return r;
		s.starts = &starts;
	}
	for (size_t i = 0; i < img->n_data; i++) {
		r = img->data[i].got ? 0 : scan_data(&s, &img->data[i], piece);
		if (r < 0)
			return r;
	}
	if (s.n)
		qsort(s.rows, s.n, sizeof(*s.rows), by_addr);
	s.n = drop_overlaps(s.rows, s.n);
	*ret = take_ptr(s.rows);
	return (int)s.n;
}
