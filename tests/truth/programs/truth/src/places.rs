// SPDX-License-Identifier: MIT OR Apache-2.0
//! One task for each way in which the function, the line or the task of a blocking call is hard to name.

mod helpers;

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use truthlog::{blocks, root, spawn_into, Cause, Role, Spawner};

use crate::rng::Rng;
use helpers::{BoxedFuture, Guard, Handler, Service, Sleeper, Spinner};

const DEPTH: u32 = 60;

pub fn places(seed: u64) -> ! {
    main_body(Rng::new(seed));
    unreachable!("its future does not end")
}

#[tokio::main(flavor = "multi_thread", worker_threads = 3)]
async fn main_body(mut rng: Rng) {
    let spawner = Spawner::worker(&Handle::current());
    spawn_callers(&spawner, &mut rng);
    spawn_libraries(&spawner, &mut rng);
    spawn_containers(&spawner, &mut rng);
    spawn_blocks(&spawner, &mut rng);
    let body = async move {
        loop {
            pause(&mut rng).await;
            blocks!(Cause::Sleep, std::thread::sleep(block_time(&mut rng)));
        }
    };
    root(body, Role::BLOCK_ON).await;
}

/// Always; but the compiler must not know it. A body that can end has a panic for whoever polls it then, as have those of
/// request handlers; one that cannot, and that cannot unwind, has nothing that tells where it is from.
fn goes_on() -> bool {
    std::hint::black_box(true)
}

fn pause(rng: &mut Rng) -> tokio::time::Sleep {
    tokio::time::sleep(rng.millis(150.0, 450.0))
}

fn block_time(rng: &mut Rng) -> Duration {
    rng.millis(7.0, 14.0)
}

fn spawn_callers(spawner: &Spawner, rng: &mut Rng) {
    spawner.slow(sleeps_itself(rng.fork()));
    spawner.slow(spins_itself(rng.fork()));
    spawner.slow(calls_inlined(rng.fork()));
    spawner.slow(spins_inlined(rng.fork()));
    spawner.slow(calls_inlined_deeper(rng.fork()));
    spawner.slow(calls_apart(rng.fork()));
    spawner.slow(spins_apart(rng.fork()));
    spawner.slow(calls_generic(rng.fork()));
    spawner.slow(calls_closure(rng.fork()));
    spawner.slow(calls_deep(rng.fork()));
    spawner.slow(calls_dynamic(Box::new(Sleeper), rng.fork()));
    spawner.slow(calls_dynamic(Box::new(Spinner(Instant::now())), rng.fork()));
    spawner.slow(is_generic(Sleeper, rng.fork()));
    spawner.slow(is_generic(Spinner(Instant::now()), rng.fork()));
}

async fn sleeps_itself(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        let how_long = block_time(&mut rng);
        blocks!(Cause::Sleep, std::thread::sleep(how_long));
    }
}

async fn spins_itself(mut rng: Rng) {
    loop {
        pause(&mut rng).await;
        let (start, how_long) = (Instant::now(), block_time(&mut rng));
        blocks!(
            Cause::Cpu,
            while start.elapsed() < how_long {
                std::hint::spin_loop();
            }
        );
    }
}

async fn calls_inlined(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        helpers::sleep_inlined(block_time(&mut rng));
    }
}

async fn spins_inlined(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        helpers::spin_inlined(block_time(&mut rng));
    }
}

async fn calls_inlined_deeper(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        helpers::sleep_inlined_deeper(block_time(&mut rng));
    }
}

async fn calls_apart(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        helpers::sleep_apart(block_time(&mut rng));
    }
}

async fn spins_apart(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        helpers::spin_apart(block_time(&mut rng));
    }
}

async fn calls_generic(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        helpers::sleep_generic(8u8);
        pause(&mut rng).await;
        helpers::sleep_generic(9.5f32);
    }
}

async fn calls_closure(mut rng: Rng) {
    let block = |how_long| blocks!(Cause::Sleep, std::thread::sleep(how_long));
    while goes_on() {
        pause(&mut rng).await;
        block(block_time(&mut rng));
    }
}

async fn calls_deep(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        std::hint::black_box(helpers::sleep_deep(DEPTH, block_time(&mut rng)));
    }
}

async fn calls_dynamic(blocker: Box<dyn helpers::Blocks>, mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        blocker.block(block_time(&mut rng));
    }
}

async fn is_generic<B: helpers::Blocks>(blocker: B, mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        blocker.block(block_time(&mut rng));
    }
}

/// What blocks is a library: the function of ours that called it is to be told.
fn spawn_libraries(spawner: &Spawner, rng: &mut Rng) {
    spawner.slow(calls_library(rng.fork()));
    spawner.slow(calls_spinning_library(rng.fork()));
    spawner.slow(is_called_by_library(rng.fork()));
    spawner.slow(awaits_library(rng.fork()));
    spawner.slow(waits_in_parking_lot(rng.fork()));
}

async fn calls_library(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        let how_long = block_time(&mut rng);
        blocks!(Cause::Sleep, idle::rest(how_long));
    }
}

async fn calls_spinning_library(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        let how_long = block_time(&mut rng);
        blocks!(Cause::Cpu, idle::spin(how_long));
    }
}

async fn is_called_by_library(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        let how_long = block_time(&mut rng);
        idle::call(|| blocks!(Cause::Sleep, std::thread::sleep(how_long)));
    }
}

async fn awaits_library(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        let how_long = block_time(&mut rng);
        blocks!(Cause::Sleep, idle::rest_in_future(how_long).await);
    }
}

async fn waits_in_parking_lot(mut rng: Rng) {
    let pair = Arc::new((Mutex::new(()), Condvar::new()));
    while goes_on() {
        pause(&mut rng).await;
        let (how_long, mut guard) = (block_time(&mut rng), pair.0.lock());
        blocks!(Cause::Lock, pair.1.wait_for(&mut guard, how_long));
    }
}

/// Futures inside futures, and tasks whose futures are boxed, collected or dropped.
fn spawn_containers(spawner: &Spawner, rng: &mut Rng) {
    spawner.slow(awaits_outer(rng.fork()));
    spawner.slow(awaits_method(rng.fork()));
    spawner.slow(awaits_boxed_method(rng.fork()));
    spawner.slow(selects(rng.fork()));
    spawner.slow(joins(rng.fork()));
    spawner.slow(collects_unordered(rng.fork()));
    spawner.light(keeps_join_set(rng.fork()));
    spawner.light(drops_guards(spawner.clone(), rng.fork()));
    let boxed: BoxedFuture<'static> = Box::pin(is_boxed(rng.fork()));
    spawner.slow(boxed);
}

async fn awaits_outer(mut rng: Rng) {
    while goes_on() {
        awaits_inner(&mut rng).await;
    }
}

async fn awaits_inner(rng: &mut Rng) {
    pause(rng).await;
    blocks_innermost(block_time(rng)).await;
}

async fn blocks_innermost(how_long: Duration) {
    tokio::task::yield_now().await;
    blocks!(Cause::Sleep, std::thread::sleep(how_long));
}

async fn awaits_method(mut rng: Rng) {
    let mut service = Service { calls: 0 };
    while goes_on() {
        pause(&mut rng).await;
        service.serve(block_time(&mut rng)).await;
    }
}

async fn awaits_boxed_method(mut rng: Rng) {
    let mut handler: Box<dyn Handler> = Box::new(Service { calls: 0 });
    while goes_on() {
        pause(&mut rng).await;
        handler.handle(block_time(&mut rng)).await;
    }
}

/// A child of the three below.
async fn is_child(wait: Duration, how_long: Duration) {
    tokio::time::sleep(wait).await;
    blocks!(Cause::Sleep, std::thread::sleep(how_long));
}

async fn selects(mut rng: Rng) {
    while goes_on() {
        tokio::select! {
            () = is_child(rng.millis(150.0, 450.0), block_time(&mut rng)) => (),
            () = std::future::pending() => (),
        }
    }
}

async fn joins(mut rng: Rng) {
    while goes_on() {
        let how_long = block_time(&mut rng);
        tokio::join!(pause(&mut rng), is_child(Duration::from_millis(100), how_long));
    }
}

async fn collects_unordered(mut rng: Rng) {
    while goes_on() {
        let child =
            |number: u64| is_child(Duration::from_millis(100 * number), block_time(&mut rng));
        let mut children: FuturesUnordered<_> = (1..4).map(child).collect();
        while children.next().await.is_some() {}
        pause(&mut rng).await;
    }
}

async fn keeps_join_set(mut rng: Rng) {
    while goes_on() {
        let mut set = JoinSet::new();
        for number in 1..3 {
            spawn_into(&mut set, is_member(Duration::from_millis(100 * number), rng.fork()));
        }
        while set.join_next().await.is_some() {}
        pause(&mut rng).await;
    }
}

async fn is_member(wait: Duration, mut rng: Rng) {
    tokio::time::sleep(wait).await;
    let how_long = block_time(&mut rng);
    blocks!(Cause::Sleep, std::thread::sleep(how_long));
}

/// Tasks aborted while suspended: their futures are dropped by the runtime, and block.
async fn drops_guards(spawner: Spawner, mut rng: Rng) {
    while goes_on() {
        let victim = spawner.slow(holds_guard(Guard(block_time(&mut rng))));
        pause(&mut rng).await;
        victim.abort();
        let boxed: Box<dyn Any + Send> = Box::new(Guard(block_time(&mut rng)));
        let victim = spawner.slow(holds_boxes(vec![boxed]));
        pause(&mut rng).await;
        victim.abort();
    }
}

async fn holds_guard(guard: Guard) {
    std::future::pending::<()>().await;
    drop(guard);
}

async fn holds_boxes(boxes: Vec<Box<dyn Any + Send>>) {
    std::future::pending::<()>().await;
    drop(boxes);
}

async fn is_boxed(mut rng: Rng) {
    while goes_on() {
        pause(&mut rng).await;
        let how_long = block_time(&mut rng);
        blocks!(Cause::Sleep, std::thread::sleep(how_long));
    }
}

/// What this makes has the macro's lines, or those of its call.
macro_rules! spawn_made {
    ($spawner:expr, $rng:expr) => {{
        let mut rng = $rng;
        $spawner.slow(async move {
            while goes_on() {
                pause(&mut rng).await;
                let how_long = block_time(&mut rng);
                blocks!(Cause::Sleep, std::thread::sleep(how_long));
            }
        })
    }};
}

/// Async blocks instead of async functions.
fn spawn_blocks(spawner: &Spawner, rng: &mut Rng) {
    spawn_made!(spawner, rng.fork());
    let mut own = rng.fork();
    spawner.slow(async move {
        while goes_on() {
            pause(&mut own).await;
            let how_long = block_time(&mut own);
            blocks!(Cause::Sleep, std::thread::sleep(how_long));
        }
    });
}
