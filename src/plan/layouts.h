/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Known layouts of Tokio's scheduler structures, by Tokio version and compiler.
 *
 * These are a prior, not a truth: the structures are repr(Rust). A row only says where to look
 * first; what is found there must be checked against the running process before it is used.
 */
#ifndef RUNTIME_SCOPE_PLAN_LAYOUTS_H
#define RUNTIME_SCOPE_PLAN_LAYOUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKIO_LAYOUT_CT_VARIANTS 6

/* The version as one number, to compare: 1.24.2 is TOKIO_VERSION(24, 2). */
#define TOKIO_VERSION(minor, patch) ((uint32_t)(minor)*1000U + (uint32_t)(patch))

/*
 * current_thread::Core depends on the features (the driver is stored inline), so a row has several
 * candidates. Unused entries have tick = -1.
 */
struct tokio_layout_ct {
	int16_t size; /* of Core */
	int16_t tick; /* u32 */
	/*
	 * Option<Instant> of the start of the current batch: i64 seconds, then u32 nanoseconds at
	 * started_nsec, where >= 1e9 means None. -1: not kept.
	 */
	int16_t started, started_nsec;
	int16_t poll_count; /* u64; tokio_unstable only */
};

/*
 * All offsets are in bytes; -1 means that the field does not exist. Pointers to Arc and Rc are as
 * they lie in memory: they point to the counts, the value comes 16 bytes later. Offsets named
 * worker_*, local_context_* already contain these 16 bytes.
 */
struct tokio_layout {
	const char *tokio_from, *tokio_to; /* both inclusive: measured; for messages */
	const char *rustc_note;
	uint32_t from, to; /* TOKIO_VERSION(), both inclusive; rows of one kind leave no gap */
	uint16_t rustc_from, rustc_to; /* rustc 1.x, both inclusive: the compiler orders fields */
	bool unstable; /* built with --cfg tokio_unstable */
	bool solo; /* without the feature rt-multi-thread: enums of schedulers have one variant and no tag */

	/* runtime::context::Context. size = -1: there is none (<= 1.21) */
	int16_t size;
	int16_t tls_value; /* the value's offset in the TLS symbol CONTEXT */
	int16_t tls_size; /* st_size of that symbol */
	int16_t thread_id; /* Option<NonZeroU64> */
	int16_t id_tag; /* u64: 0 none, 1 some; -1: the id is one word, 0 = none */
	int16_t id; /* u64; -1: no id in TLS (<= 1.21) */
	int16_t scheduler; /* *const scheduler::Context; -1: a TLS symbol of its own (<= 1.28) */
	int16_t handle_tag; /* u64, see handle_{ct,mt,none}; -1: solo, the handle is NULL for none */
	int16_t handle; /* Arc of the runtime's handle */
	uint8_t handle_ct, handle_mt, handle_none;
	int16_t runtime; /* u8: 0 entered, 1 entered and may block_in_place, runtime_not_entered */
	uint8_t runtime_not_entered;
	int16_t budget; /* u8: 0 none, 1 some */
	int16_t budget_value; /* u8: polls left */
	int16_t rng, defer;

	/* scheduler::Context, to which CONTEXT.scheduler points (<= 1.28: CURRENT::FOO) */
	int16_t ctx_size;
	int16_t ctx_tag; /* u64; -1: the two schedulers have a TLS symbol each (<= 1.28), or solo */
	uint8_t ctx_tag_ct, ctx_tag_mt;
	int16_t ctx_worker_or_handle; /* Arc<Worker> (multi-thread) or Arc<Handle> (current) */
	int16_t ctx_core_borrow; /* isize RefCell flag; 0 = free */
	int16_t ctx_core; /* Box<Core>, 0 = none */

	/* multi_thread::worker::Worker, from the pointer in the context */
	int16_t worker_handle; /* Arc<Handle>, the same pointer as CONTEXT's handle */
	int16_t worker_index; /* usize */
	int16_t worker_core; /* AtomicPtr<Core>: parked or handed-over core */

	/* multi_thread::worker::Core */
	int16_t core_size_mt;
	int16_t core_tick_mt; /* u32 */
	int16_t core_lifo_mt; /* task header or 0; -1: kept elsewhere */
	int16_t core_lifo_enabled_mt; /* u8 bool: false while no more LIFO polls are allowed */
	int16_t core_run_queue_mt;
	int16_t core_batch_mt; /* usize tasks_polled_in_batch */
	int16_t core_ewma_mt; /* f64 nanoseconds, mean poll time */
	int16_t core_started_mt; /* Instant: i64 seconds of the current batch's start */
	int16_t core_started_nsec_mt; /* u32 */
	int16_t core_poll_count_mt; /* u64 polls of this worker; tokio_unstable only */
	int16_t core_poll_started_mt; /* Instant of the running poll's start, seconds */

	/* current_thread::Core */
	struct tokio_layout_ct ct[TOKIO_LAYOUT_CT_VARIANTS];

	/* task::local: TLS symbol CURRENT, LocalSet. local_ctx = -1: not known */
	int16_t local_tls_value;
	int16_t local_ctx; /* Rc<local::Context>, 0 outside of a LocalSet */
	int16_t local_wake; /* u8 bool: entered, not polled */
	int16_t local_context_shared; /* Arc<Shared>, from that pointer */
	/*
	 * From Arc<Shared>: usize that moves with each task popped off the LocalSet's own queue
	 * (modulo its capacity, >= 64). Tells polls of one local task apart: all of them may share
	 * one tick. Tasks woken by other threads do not pass there.
	 */
	int16_t local_shared_queue_pop;
	int16_t local_set_tick; /* u8, in LocalSet */
	int16_t local_set_context; /* Rc<local::Context>, in LocalSet */
};

/* The table, ordered by version. ret_n gets the number of rows. */
const struct tokio_layout *tokio_layouts(size_t *ret_n);

/*
 * The row for Tokio 1.minor.patch compiled by rustc 1.rustc_minor (0 = not known: the newest).
 * Versions newer than all rows get the newest row. NULL for versions older than all rows.
 */
const struct tokio_layout *tokio_layout_find(uint32_t minor, uint32_t patch, uint32_t rustc_minor,
					     bool unstable);

#endif
