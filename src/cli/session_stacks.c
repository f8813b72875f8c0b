/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stacks: tables for the kernel side, names for what it tells, and blocks that wait for theirs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/poll_roots.h"
#include "cli/session_parts.h"
#include "model/callsite.h"
#include "model/detail.h"
#include "probe/tables.h"
#include "target/elf_file.h"
#include "unwind/builder.h"
#include "unwind/mappings.h"

#include <utlist.h>

#define VDSO_TABLE (RS_TABLES - 1)
#define TABLES_STEP_NS 10000000 /* between two looks whether a table is done */
#define SYMBOLS_STEP_NS 3000000
#define PATIENCE_NS 1000000000ULL /* with names: then a block is told without */
#define WAITING_MAX 1024

_Static_assert(RS_STACKS <= BLOCK_STACKS, "a block has room for the stacks of its poll");

/* A block that has ended, until its frames are known. */
struct waiting {
	struct rs_event_block event;
	uint64_t until_ns;
	struct waiting *next;
};

struct session_stacks {
	struct stacks *known;
	struct symbolizer *symbolizer;
	struct table_builder *builder;
	struct poll_roots roots;
	uint32_t tables[RS_TABLES]; /* of modules */
	size_t n_wanted; /* modules */
	bool has_left_out; /* and that has been said */
	struct waiting *waiting;
	size_t n_waiting;
	uint64_t n_lost;
	struct frame frames[RS_STACKS][BLOCK_FRAMES]; /* of the block that is being told */
	char name[FUTURE_STACK_NAME]; /* of its task */
};

static int put_table(void *session, uint32_t number, const struct unwind_table *t)
{
	return tables_put(((struct session *)session)->watch, number, t->parts, t->n);
}

/* A file of another build would give wrong lines; it is not used, and that is said. */
static void check_debug_file(struct session *s)
{
	const char *path = s->options->debug_file;
	struct elf_file *f = NULL;
	char id[41];

	if (!path)
		return;
	if (elf_file_open(path, &f, NULL)) {
		session_warn(s, "%s cannot be used: it is no readable ELF file", path);
		return;
	}
	elf_file_build_id(f, id);
	if (strcmp(id, s->process->modules[0].build_id))
		session_warn(s, "%s is of another build than the program, and not used", path);
	elf_file_close(f);
}

int stacks_open(struct session *s)
{
	struct symbolizer_options options = {
		.process = s->process,
		.debug_file = s->options->debug_file,
		.my_crates = s->options->my_crates,
		.has_kernel = s->sink->shows_kernel,
	};
	struct session_stacks *x = s->stacks = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	memset(x->tables, 0xff, sizeof(x->tables));
	check_debug_file(s);
	x->known = stacks_new();
	x->symbolizer = symbolizer_new(&options);
	x->builder = table_builder_new(put_table, s);
	return x->known && x->symbolizer && x->builder ? 0 : -ENOMEM;
}

void stacks_stop(struct session *s)
{
	if (s->stacks && s->stacks->symbolizer)
		symbolizer_end(s->stacks->symbolizer);
}

void stacks_close(struct session *s)
{
	struct session_stacks *x = s->stacks;
	struct waiting *w, *next;

	if (!x)
		return;
	table_builder_free(x->builder);
	symbolizer_free(x->symbolizer);
	stacks_free(x->known);
	poll_roots_clear(&x->roots);
	LL_FOREACH_SAFE(x->waiting, w, next)
		free(w);
	free(x);
	s->stacks = NULL;
}

struct symbolizer *stacks_symbolizer(const struct session *s)
{
	return s->stacks->symbolizer;
}

static void want_tables(struct session *s)
{
	struct session_stacks *x = s->stacks;

	for (; x->n_wanted < s->process->n_modules && x->n_wanted < VDSO_TABLE; x->n_wanted++) {
		const struct module *m = &s->process->modules[x->n_wanted];

		if (m->open_path)
			table_builder_want(x->builder, x->n_wanted, m->open_path);
		if (!x->n_wanted) /* second, after the executable's */
			table_builder_want(x->builder, VDSO_TABLE, NULL);
	}
}

static void take_tables(struct session *s, uint64_t now)
{
	struct session_stacks *x = s->stacks;
	bool is_put, is_new = false;
	size_t n_left_out;
	uint32_t number;

	table_builder_bytes(x->builder, &n_left_out);
	if (n_left_out && !x->has_left_out)
		session_warn(
			s,
			"unwinding by tables is limited to %u MB of them: stacks end in some files",
			TABLE_BYTES_MAX >> 20);
	x->has_left_out = n_left_out;
	while (table_builder_take(x->builder, &number, &is_put)) {
		x->tables[number] = is_put ? number : UNWIND_NO_TABLE;
		is_new |= is_put;
	}
	if (is_new) {
		struct rs_mappings *maps = malloc(sizeof(*maps));

		if (!maps)
			return;
		unwind_mappings(s->process, x->tables, x->tables[VDSO_TABLE], maps);
		tables_set_mappings(s->watch, maps);
		free(maps);
		if (!table_builder_pending(x->builder))
			switches_want_stacks(s, now); /* asleep since before */
	}
}

void stacks_add_record(struct session *s, const void *record, size_t size)
{
	s->stacks->n_lost += stacks_add(s->stacks->known, record, size) < 0;
}

uint64_t stacks_table_bytes(const struct session *s)
{
	size_t n_left_out;

	return table_builder_bytes(s->stacks->builder, &n_left_out);
}

uint64_t stacks_lost(const struct session *s)
{
	return s->stacks->n_lost;
}

/* The innermost poll function on a stack is that of the task, unless another one is being dropped in it. */
static bool find_type(struct session *s, const struct rs_poll *p, uint32_t *ret_vtable)
{
	for (size_t i = 0; i < RS_STACKS && p->stacks[i].hash; i++) {
		const struct stack *stack = stacks_find(s->stacks->known, p->stacks[i].hash);

		for (size_t k = stack ? stack->n_kernel : 0;
		     stack && k < stack->n_kernel + stack->n_user; k++) {
			enum poll_place at = places_poll_at(
				s->decoder.places, p->copy,
				stack->addrs[k] - stack_is_return(stack, k), ret_vtable);

			if (at != POLL_NOWHERE)
				return at == POLL_OF_TYPE;
		}
	}
	return false;
}

/*
 * A task that nobody inspected while it was polled: its stack tells the type. True when that is done, or cannot be. (Of polls
 * that began before the hello more would have to be known; and the thread's own task is told by others.)
 */
static bool learn_type(struct session *s, const struct rs_poll *p)
{
	struct task_type type;
	uint32_t vtable;

	if (!p->id || p->flags & RS_POLL_EXACT_START || !p->stacks[0].hash ||
	    p->copy >= s->n_copies || p->start_lo < s->decoder.hello_ns ||
	    tasks_find(s->decoder.tasks, p->copy, p->id, &type))
		return true;
	if (!places_know_polls(s->decoder.places, p->copy))
		return false;
	if (find_type(s, p, &vtable) && !s->copies[p->copy].vtables[vtable].blocking)
		tasks_learn(s->decoder.tasks, p->copy, p->id, vtable, 0);
	return true;
}

void stacks_want(struct session *s, const struct rs_poll *p)
{
	for (size_t i = 0; i < RS_STACKS && p->stacks[i].hash; i++) {
		const struct stack *stack = stacks_find(s->stacks->known, p->stacks[i].hash);
		size_t n = stack ? stack->n_kernel + stack->n_user : 0;

		/* The program's own frames first. */
		for (size_t k = 0; k < n; k++) {
			size_t at = (k + stack->n_kernel) % n;

			symbolizer_want(s->stacks->symbolizer, stack->addrs[at],
					stack_is_return(stack, at));
		}
	}
}

static bool is_named(const struct session_stacks *x, const struct stack *stack)
{
	for (size_t k = 0; stack && k < stack->n_kernel + stack->n_user; k++) {
		if (!symbolizer_find(x->symbolizer, stack->addrs[k], stack_is_return(stack, k)))
			return false;
	}
	return true;
}

static bool are_named(struct session *s, const struct rs_poll *p)
{
	const struct session_stacks *x = s->stacks;

	if (!learn_type(s, p) || !decode_is_named(&s->decoder, p))
		return false;
	if (!symbolizer_pending(x->symbolizer))
		return true;
	for (size_t i = 0; i < RS_STACKS && p->stacks[i].hash; i++) {
		if (!is_named(x, stacks_find(x->known, p->stacks[i].hash)))
			return false;
	}
	return true;
}

/* Where the kernel's part begins: what looks at a switch, ourselves included, lies on top of the scheduler. */
static size_t first_frame(const struct session_stacks *x, const struct stack *stack)
{
	for (size_t k = 0; k < stack->n_kernel; k++) {
		const struct symbol *symbol = symbolizer_find(x->symbolizer, stack->addrs[k],
							      stack_is_return(stack, k));

		if (symbol && symbol->frames[0].function &&
		    !strcmp(symbol->frames[0].function, "schedule"))
			return k;
	}
	return 0;
}

/* Returns how many; of them up to the innermost by which the runtime polls a task, 0: there is none. */
static size_t fill_frames(struct session_stacks *x, const struct stack *stack,
			  struct frame ret[BLOCK_FRAMES], size_t *ret_to_root)
{
	size_t n = 0, to_root = 0;

	for (size_t k = first_frame(x, stack); k < stack->n_kernel + stack->n_user; k++) {
		bool is_return = stack_is_return(stack, k);
		const struct symbol *symbol = symbolizer_find(x->symbolizer, stack->addrs[k],
							      is_return);

		if (!symbol && n < BLOCK_FRAMES)
			ret[n++] = (struct frame){
				.addr = stack->addrs[k],
				.kind = k < stack->n_kernel ? FRAME_KERNEL : FRAME_UNKNOWN,
			};
		for (size_t i = 0; symbol && i < symbol->n && n < BLOCK_FRAMES; i++)
			ret[n++] = symbol->frames[i];
		if (!to_root && k >= stack->n_kernel &&
		    poll_roots_has(&x->roots, stack->addrs[k] - is_return))
			to_root = n; /* with all that is inlined in it */
	}
	*ret_to_root = to_root;
	return n;
}

static int heaviest_first(const void *a, const void *b)
{
	const struct block_stack *x = a, *y = b;

	return x->ns > y->ns ? -1 : x->ns < y->ns;
}

/* Of a root nothing else is known, and of a boxed future only that it is one. */
static void name_by_stack(struct session_stacks *x, struct block *b)
{
	struct task_name *t = &b->task;
	bool is_vague = !t->name || !strcmp(t->source, "address") || !strncmp(t->name, "dyn ", 4) ||
			!strncmp(t->name, FUTURE_DOUBT "dyn ", sizeof(FUTURE_DOUBT) + 3);

	for (size_t i = 0; is_vague && i < b->n_stacks; i++) {
		if (!future_of_stack(b->stacks[i].frames, b->stacks[i].n, x->name))
			continue;
		t->name = x->name;
		t->source = "stack";
		return;
	}
}

void stacks_attach(struct session *s, const struct rs_poll *p, struct block *b)
{
	struct session_stacks *x = s->stacks;

	b->n_stacks = 0;
	poll_roots_update(&x->roots, s->copies, s->n_copies, s->process->pid);
	for (size_t i = 0; i < RS_STACKS && p->stacks[i].hash; i++) {
		const struct stack *stack = stacks_find(x->known, p->stacks[i].hash);
		struct frame *frames = x->frames[b->n_stacks];
		size_t to_root;

		struct block_stack *told = &b->stacks[b->n_stacks];

		if (!stack)
			continue;
		*told = (struct block_stack){
			.frames = frames,
			.n = fill_frames(x, stack, frames, &to_root),
			.ns = p->stacks[i].ns,
			.is_asleep = p->stacks[i].is_asleep,
			.end = stack->end,
		};
		told->n_to_root = to_root;
		told->is_complete = to_root || stack->end == RS_UNWIND_COMPLETE ||
				    stack->end == RS_UNWIND_GUESSED;
		b->n_stacks++;
	}
	qsort(b->stacks, b->n_stacks, sizeof(b->stacks[0]), heaviest_first);
	name_by_stack(x, b);
	b->culprit = b->n_stacks ? callsite_culprit(&b->stacks[0], b->task_id) : -1;
	detail_name_resolution(b);
}

static void tell_first(struct session *s)
{
	struct waiting *w = s->stacks->waiting;

	LL_DELETE(s->stacks->waiting, w);
	s->stacks->n_waiting--;
	report_ended(s, &w->event);
	free(w);
}

/* In the order they ended, each as soon as its frames and those of the blocks before it are known. */
static void tell_waiting(struct session *s, uint64_t now)
{
	struct session_stacks *x = s->stacks;

	while (x->waiting && (now >= x->waiting->until_ns || are_named(s, &x->waiting->event.poll)))
		tell_first(s);
}

void stacks_hold(struct session *s, const struct rs_event_block *e)
{
	struct session_stacks *x = s->stacks;
	struct waiting *w = malloc(sizeof(*w));

	if (!w || x->n_waiting >= WAITING_MAX) {
		free(w);
		while (x->waiting)
			tell_first(s);
		report_ended(s, e);
		return;
	}
	*w = (struct waiting){ .event = *e, .until_ns = s->stepped_ns + PATIENCE_NS };
	stacks_want(s, &e->poll);
	LL_APPEND(x->waiting, w);
	x->n_waiting++;
}

/* One a step: the note of the stats holds few. */
static void tell_problem(struct session *s)
{
	char text[PROBLEM_SIZE];

	if (!s->news[0] && symbolizer_take_problem(s->stacks->symbolizer, text))
		session_warn(s, "%s", text);
}

void stacks_step(struct session *s, uint64_t now)
{
	tell_problem(s);
	want_tables(s);
	take_tables(s, now);
	tell_waiting(s, now);
}

uint64_t stacks_due(const struct session *s)
{
	const struct session_stacks *x = s->stacks;
	uint64_t due = UINT64_MAX;

	if (table_builder_pending(x->builder))
		due = s->stepped_ns + TABLES_STEP_NS;
	if (x->waiting)
		due = s->stepped_ns + SYMBOLS_STEP_NS;
	return due;
}

void stacks_finish(struct session *s)
{
	struct timespec pause = { 0, SYMBOLS_STEP_NS };

	tell_waiting(s, now_ns());
	while (s->stacks->waiting) {
		nanosleep(&pause, NULL);
		tell_waiting(s, now_ns());
	}
}
