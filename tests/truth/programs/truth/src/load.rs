// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tasks that programs are put together from.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use truthlog::Spawner;

use crate::block::{cpu, sleep, Blocker, EVERY};
use crate::combine::polled_again;
use crate::control::spawn_thread;
use crate::rng::Rng;

pub fn multi_thread(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_all().build().expect("cannot start a runtime")
}

pub fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("cannot start a runtime")
}

/// Mostly blocks of 6 to 30 ms; every fourth too short to be reported.
pub fn block_time(rng: &mut Rng) -> Duration {
    match rng.next() % 4 {
        0 => rng.millis(0.5, 4.5),
        _ => rng.millis(6.0, 30.0),
    }
}

/// Blocks again and again in the same way, about `gap_ms` apart.
pub async fn blocking(mut blocker: Blocker, gap_ms: f64, mut rng: Rng) {
    loop {
        tokio::time::sleep(rng.millis(gap_ms * 0.5, gap_ms * 1.5)).await;
        blocker.block(block_time(&mut rng));
        // Another poll, so that what follows is no part of the block.
        tokio::time::sleep(Duration::from_millis(1)).await;
        blocker.reset();
    }
}

pub fn every_cause(spawner: &Spawner, gap_ms: f64, rng: &mut Rng) {
    for make in EVERY {
        spawner.slow(blocking(make(), gap_ms, rng.fork()));
    }
}

/// Blocks while its future is dropped.
pub struct BlocksWhenDropped(Duration);

impl Drop for BlocksWhenDropped {
    fn drop(&mut self) {
        sleep(self.0);
    }
}

/// Tasks aborted while suspended: their futures are dropped by the runtime, slowly.
pub fn slow_drops(spawner: &Spawner, rng: &mut Rng) {
    let (inner, mut rng) = (spawner.clone(), rng.fork());
    spawner.light(async move {
        loop {
            let guard = BlocksWhenDropped(rng.millis(6.0, 15.0));
            let victim = inner.slow(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            tokio::time::sleep(Duration::from_millis(60)).await;
            victim.abort();
            let _ = victim.await;
        }
    });
}

/// Tasks that complete, and whose futures are then slow to drop, still inside the same poll.
pub fn slow_completions(spawner: &Spawner, rng: &mut Rng) {
    let (inner, mut rng) = (spawner.clone(), rng.fork());
    spawner.light(async move {
        loop {
            let guard = BlocksWhenDropped(rng.millis(6.0, 15.0));
            let mut is_done = false;
            let done = inner.slow(std::future::poll_fn(move |context| {
                let _owned = &guard;
                if std::mem::replace(&mut is_done, true) {
                    return std::task::Poll::Ready(());
                }
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            }));
            let _ = done.await;
            tokio::time::sleep(Duration::from_millis(70)).await;
        }
    });
}

/// Tasks that block, then panic; the panic ends in their handles.
pub fn panics(spawner: &Spawner, rng: &mut Rng) {
    if cfg!(panic = "abort") {
        return;
    }
    let (inner, mut rng) = (spawner.clone(), rng.fork());
    spawner.light(async move {
        loop {
            let how_long = rng.millis(6.0, 12.0);
            let victim = inner.slow(async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                cpu(how_long);
                panic!("meant");
            });
            assert!(victim.await.unwrap_err().is_panic());
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    });
}

/// Timers, channels and short bursts of work: all that a healthy program does.
pub fn well_behaved(spawner: &Spawner, timers: u64, rng: &mut Rng) {
    for _ in 0..timers {
        let mut rng = rng.fork();
        spawner.light(async move {
            loop {
                tokio::time::sleep(rng.millis(1.0, 10.0)).await;
            }
        });
    }
    ping_pong(spawner);
    let mut rng = rng.fork();
    spawner.slow(async move {
        loop {
            tokio::time::sleep(rng.millis(5.0, 20.0)).await;
            cpu(rng.millis(0.1, 1.5));
        }
    });
}

fn ping_pong(spawner: &Spawner) {
    let (to_pong, mut at_pong) = mpsc::channel::<u32>(4);
    let (to_ping, mut at_ping) = mpsc::channel::<u32>(4);
    spawner.light(async move {
        loop {
            for number in 0..8 {
                let _ = to_pong.send(number).await;
                at_ping.recv().await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    spawner.light(async move {
        while let Some(number) = at_pong.recv().await {
            let _ = to_ping.send(number).await;
        }
    });
}

/// Tasks that together are polled about `polls_per_ms` times a millisecond.
pub fn short_polls(spawner: &Spawner, tasks: u32, polls_per_ms: u32) {
    for _ in 0..tasks {
        spawner.light(async move {
            let mut every = tokio::time::interval(Duration::from_millis(1));
            // The interval catches up after a block, and so does the rate.
            loop {
                every.tick().await;
                for _ in 1..polls_per_ms / tasks {
                    polled_again().await;
                }
            }
        });
    }
}

/// Plain threads that take the CPUs away, half a second on and `rest` off.
pub fn hogs(count: usize, rest: Duration) {
    for _ in 0..count {
        spawn_thread("hog", move || loop {
            let start = std::time::Instant::now();
            while start.elapsed() < Duration::from_millis(500) {
                std::hint::black_box(0);
            }
            std::thread::sleep(rest);
        });
    }
}
