/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes as the kernel side's records and rows: blocks, ended or under way, and stacks. */
#include <string.h>

#include "fuzz.h"
#include "model/decode.h"
#include "model/stacks.h"

static struct task_vtable vtables[] = {
	{ .schedule = 0x100, .name = "app::handler", .name_source = "v0" },
	{ .schedule = 0x200, .name = "closure", .name_source = "v0", .blocking = true },
};
static struct module module = { .path = "/nonexistent", .open_path = NULL };
static struct tokio_copy copies[RS_COPIES] = {
	{ .module = &module, .vtables = vtables, .n_vtables = 2 },
};

static void check(const struct block *b)
{
	FUZZ_CHECK(b->runq_ns + b->offcpu_ns + b->oncpu_ns == b->duration_ns);
	FUZZ_CHECK(b->n_syscalls <= BLOCK_SYSCALLS && b->cause < CAUSE_MAX);
	FUZZ_CHECK(memchr(b->thread, 0, sizeof(b->thread)));
}

static void decode(struct decoder *d, struct fuzz_input in)
{
	struct rs_event_block e;
	struct rs_thread t;
	struct block b;
	char comm[16];
	size_t size = (size_t)(in.end - in.p);
	uint64_t now;

	fuzz_fill(&in, &e, sizeof(e));
	if (!decode_block(d, &e, size < sizeof(e) ? size : sizeof(e), &b))
		check(&b);
	if (!decode_block(d, &e, sizeof(e), &b))
		check(&b);
	now = fuzz_take(&in, 8);
	fuzz_fill(&in, comm, sizeof(comm));
	comm[sizeof(comm) - 1] = 0;
	fuzz_fill(&in, &t, sizeof(t));
	/* as the reader of rows makes sure of */
	if (e.poll.start_hi < e.poll.start_lo || now < e.poll.start_hi)
		return;
	decode_ongoing(d, &t, &e.poll, comm, now, &b);
	check(&b);
}

static void add_stacks(struct fuzz_input in)
{
	struct stacks *s = stacks_new();
	const struct stack *found;

	FUZZ_CHECK(s);
	while (in.p < in.end) {
		struct rs_event_stack e;
		size_t size = (size_t)(in.end - in.p);

		fuzz_fill(&in, &e, sizeof(e));
		if (stacks_add(s, &e, size < sizeof(e) ? size : sizeof(e)))
			continue;
		found = stacks_find(s, e.hash);
		FUZZ_CHECK(found && found->n_user <= RS_FRAMES &&
			   found->n_kernel <= RS_KERNEL_FRAMES);
	}
	stacks_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	static struct places *places; /* have threads: one for all inputs */
	static struct symbolizer *symbolizer;
	static struct process process;
	struct decoder d = { .copies = copies, .n_copies = 1 };

	if (fuzz_take(&in, 1) & 1) {
		add_stacks(in);
		return 0;
	}
	d.tasks = tasks_new();
	if (!places) {
		symbolizer = symbolizer_new(&(struct symbolizer_options){ .process = &process });
		FUZZ_CHECK(symbolizer);
		places = places_new(copies, symbolizer);
	}
	d.places = places;
	FUZZ_CHECK(d.tasks && d.places);
	d.slow_ns = fuzz_take(&in, 4);
	d.critical_ns = fuzz_take(&in, 4);
	d.period_ns = fuzz_take(&in, 4);
	tasks_learn(d.tasks, 0, fuzz_take(&in, 1), (uint32_t)fuzz_take(&in, 1), 0);
	decode(&d, in);
	tasks_free(d.tasks);
	return 0;
}
