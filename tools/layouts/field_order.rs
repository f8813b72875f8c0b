// SPDX-License-Identifier: MIT OR Apache-2.0
//! Prints how a compiler orders the fields of structures like Tokio's. Compile it alone with each
//! rustc: where the output changes, a new entry in GENERATIONS of emit_c.py begins. Seen: the same
//! for 1.63 to 1.66, for 1.67 to 1.70, and from 1.71 to 1.97.0-nightly.
#![allow(dead_code)]
use std::cell::{Cell, RefCell};
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::ptr::addr_of;
use std::sync::atomic::AtomicPtr;
use std::sync::Arc;
use std::time::Instant;

struct MultiThreadContext {
    worker: Arc<u64>,
    core: RefCell<Option<Box<u64>>>,
    defer: RefCell<Vec<u64>>,
}

struct Stats {
    started_at: Instant,
    polled: usize,
    ewma: f64,
}

struct Core {
    tick: u32,
    lifo_slot: Option<Box<u8>>,
    lifo_enabled: bool,
    run_queue: Arc<u64>,
    is_searching: bool,
    is_shutdown: bool,
    park: Option<Arc<u8>>,
    stats: Stats,
    global_queue_interval: u32,
    rand: (u32, u32),
}

enum Handle {
    CurrentThread(Arc<u8>),
    MultiThread(Arc<u16>),
}

struct HandleCell {
    handle: RefCell<Option<Handle>>,
    depth: Cell<usize>,
}

#[derive(Clone, Copy)]
enum EnterRuntime {
    Entered { allow_block_in_place: bool },
    NotEntered,
}

/// `I` is u64 up to Tokio 1.39, then NonZeroU64.
struct Context<I> {
    thread_id: Cell<Option<NonZeroU64>>,
    current: HandleCell,
    scheduler: Cell<*const u8>,
    id: Cell<Option<I>>,
    runtime: Cell<EnterRuntime>,
    rng: Cell<Option<(u32, u32)>>,
    budget: Cell<Option<u8>>,
}

struct Worker {
    handle: Arc<u8>,
    index: usize,
    core: AtomicPtr<u8>,
}

macro_rules! show {
    ($type:ty: $($($field:ident).+),+) => {{
        print!("{}:", stringify!($type));
        let place = MaybeUninit::<$type>::uninit();
        let start = place.as_ptr();
        $(
            let offset = unsafe { addr_of!((*start).$($field).+) } as usize - start as usize;
            print!(" {} {}", stringify!($($field).+), offset);
        )+
        println!();
    }};
}

fn main() {
    show!(MultiThreadContext: worker, core, defer);
    show!(Core: tick, lifo_slot, run_queue, park, stats.started_at, stats.polled, rand);
    show!(Context<u64>: thread_id, current, current.depth, scheduler, id, runtime, rng, budget);
    show!(Context<NonZeroU64>: thread_id, current, scheduler, id, runtime, rng, budget);
    show!(Worker: handle, index, core);
}
