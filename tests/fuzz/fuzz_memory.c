/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Any bytes as the memory of the target: finding its thread-local context, task headers on a stack, the queues of a
 * LocalSet. The target is this process; the bytes lie at an address that inputs can name. The input: what is looked for (a
 * few bytes), then the memory.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "plan/calibrate.h"
#include "plan/local.h"

#define MEMORY_ADDR 0x20000000ULL
#define MEMORY_SIZE 8192
#define THREADS 2

static struct task_vtable vtables[] = {
	{ .addr = MEMORY_ADDR + 64, .id_off = 40, .scheduler_off = 32, .trailer_off = 192 },
	{ .addr = MEMORY_ADDR + 192, .id_off = 136, .scheduler_off = 128, .trailer_off = 256 },
};

static unsigned char *memory(void)
{
	static unsigned char *at;

	if (!at)
		at = mmap((void *)MEMORY_ADDR, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	FUZZ_CHECK(at == (void *)MEMORY_ADDR);
	return at;
}

static uint64_t take_addr(struct fuzz_input *in)
{
	return MEMORY_ADDR + 8 * fuzz_take(in, 2);
}

static void find_tick(const struct calibration *found, uint64_t core)
{
	int16_t prior[RS_TICKS];
	struct tick_watch w;

	memset(&w, 0, sizeof(w));
	tick_watch_init(&w, found, "1.47.1", true);
	for (int i = 0; i < 3; i++)
		tick_watch_feed(&w, getpid(), core);
	tick_watch_prior(&w, prior);
	tick_watch_settled(&w);
}

static void find_queues(const unsigned char *bytes, int16_t pop)
{
	uint64_t words[128];
	struct local_queues q;

	memcpy(words, bytes, sizeof(words));
	if (!local_queues_find(words, 128, pop, &q))
		local_queues_prove(words, 128, &q, bytes[0] & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	uint64_t kind = fuzz_take(&in, 1);
	struct module module = { .is_exe = kind & 1,
				 .start = MEMORY_ADDR + 0x10000,
				 .end = MEMORY_ADDR + 0x20000 };
	struct tokio_copy copy = { .module = &module,
				   .version = "1.47.1",
				   .vtables = vtables,
				   .n_vtables = 2,
				   .tls_memsz = 8 * fuzz_take(&in, 1),
				   .tls_align = 8,
				   .context_sym = kind & 2 ? (int64_t)fuzz_take(&in, 1) : -1,
				   .local_sym = -1 };
	struct rs_thread_info threads[THREADS] = { 0 };
	struct stack_area area = { .sp = take_addr(&in),
				   .len = fuzz_take(&in, 2),
				   .is_outermost_first = kind & 4 };
	uint64_t core = take_addr(&in);
	int16_t pop = (int16_t)fuzz_take(&in, 2);
	struct vtable_index *x = NULL;
	struct found_header header;
	struct calibration found;

	for (size_t i = 0; i < THREADS; i++)
		threads[i] = (struct rs_thread_info){ .tid = (uint32_t)i + 1,
						      .fsbase = take_addr(&in),
						      .sp = take_addr(&in) };
	fuzz_fill(&in, memory(), MEMORY_SIZE);
	FUZZ_CHECK(!vtable_index_new(&copy, &x));
	if (header_of_task(getpid(), &area, &copy, x, 42, &header) == 1)
		FUZZ_CHECK(header.id == 42 && header.vtable < 2);
	if (!calibrate(getpid(), &copy, x, threads, THREADS, &found)) {
		FUZZ_CHECK(found.threads && found.ids_right <= found.ids_checked);
		find_tick(&found, core);
	}
	find_queues(memory(), pop);
	vtable_index_free(x);
	return 0;
}
