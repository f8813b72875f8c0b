// SPDX-License-Identifier: MIT OR Apache-2.0
//! Executors inside executors, and tasks that end in unusual ways.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::LocalSet;
use truthlog::{in_place, root, Role, Spawner};

use crate::block::{cpu, sleep};
use crate::combine::{join, polled_again, select};
use crate::control::spawn_thread;
use crate::load;
use crate::programs::{forever, ROOT_OF_CURRENT_THREAD};
use crate::rng::Rng;

pub fn nested(seed: u64) -> ! {
    let mut rng = Rng::new(seed);
    let mut theirs = rng.fork();
    spawn_thread("local", move || nested_local_sets(&mut theirs));
    let runtime = load::multi_thread(3);
    let spawner = Spawner::worker(runtime.handle());
    block_on_in_place(&spawner, &mut rng);
    block_on_in_blocking_thread(&spawner, &mut rng);
    runtime_in_blocking_thread(&spawner, &mut rng);
    combined(&spawner, &mut rng);
    load::slow_drops(&spawner, &mut rng);
    load::slow_completions(&spawner, &mut rng);
    load::panics(&spawner, &mut rng);
    forever(&runtime, Role::BLOCK_ON, async {})
}

/// A set inside a task of a set, inside a root future; each level blocks.
fn nested_local_sets(rng: &mut Rng) -> ! {
    let runtime = load::current_thread();
    let local = LocalSet::new();
    let (mut middle, mut inner) = (rng.fork(), rng.fork());
    let roles = ROOT_OF_CURRENT_THREAD.or(Role::LOCAL_SET);
    forever(
        &runtime,
        roles,
        local.run_until(async move {
            // Spawned by hand: a LocalSet is not Send, and Spawner takes only what is.
            let spawner = Spawner::Local;
            spawner.slow(async move {
                loop {
                    tokio::time::sleep(middle.millis(80.0, 160.0)).await;
                    cpu(middle.millis(6.0, 10.0));
                }
            });
            let set = LocalSet::new();
            set.run_until(async move {
                Spawner::Local.slow(async move {
                    loop {
                        tokio::time::sleep(inner.millis(60.0, 120.0)).await;
                        sleep(inner.millis(6.0, 12.0));
                    }
                });
                std::future::pending::<()>().await;
            })
            .await;
        }),
    )
}

/// `block_on` inside `block_in_place`: not in the executor's way.
fn block_on_in_place(spawner: &Spawner, rng: &mut Rng) {
    let mut rng = rng.fork();
    spawner.slow(async move {
        loop {
            tokio::time::sleep(rng.millis(60.0, 120.0)).await;
            let how_long = rng.millis(6.0, 12.0);
            in_place(|| {
                let inside = async move {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    sleep(how_long);
                };
                Handle::current().block_on(root(inside, Role::BLOCK_ON));
            });
        }
    });
}

/// `block_on` on a thread of the blocking pool: an executor of its own.
fn block_on_in_blocking_thread(spawner: &Spawner, rng: &mut Rng) {
    let mut rng = rng.fork();
    spawner.light(async move {
        loop {
            let (wait, how_long) = (rng.millis(20.0, 60.0), rng.millis(6.0, 12.0));
            let closure = move || {
                sleep(Duration::from_millis(8));
                let inside = async move {
                    tokio::time::sleep(wait).await;
                    sleep(how_long);
                };
                Handle::current().block_on(root(inside, Role::BLOCK_ON));
            };
            let _ = tokio::task::spawn_blocking(closure).await;
        }
    });
}

/// A whole current_thread runtime on a thread of the blocking pool.
fn runtime_in_blocking_thread(spawner: &Spawner, rng: &mut Rng) {
    let mut rng = rng.fork();
    spawner.light(async move {
        loop {
            let mut theirs = rng.fork();
            let closure = move || {
                let runtime = load::current_thread();
                let spawner = Spawner::current_thread(runtime.handle());
                let (wait, how_long) = (theirs.millis(10.0, 40.0), theirs.millis(6.0, 12.0));
                let task = spawner.slow(async move {
                    tokio::time::sleep(wait).await;
                    cpu(how_long);
                });
                let wait = async {
                    let _ = task.await;
                };
                runtime.block_on(root(wait, ROOT_OF_CURRENT_THREAD));
            };
            let _ = tokio::task::spawn_blocking(closure).await;
            tokio::time::sleep(rng.millis(20.0, 60.0)).await;
        }
    });
}

/// Children of one task, each too short alone, that block together; and one that loses a race.
fn combined(spawner: &Spawner, rng: &mut Rng) {
    let mut rng = rng.fork();
    spawner.slow(async move {
        loop {
            tokio::time::sleep(rng.millis(60.0, 120.0)).await;
            let mut children = Vec::new();
            for _ in 0..4 {
                let how_long = rng.millis(2.0, 3.0);
                let child = async move {
                    polled_again().await;
                    sleep(how_long);
                };
                children.push(Box::pin(child) as _);
            }
            join(children).await;
            tokio::time::sleep(rng.millis(20.0, 40.0)).await;
            let how_long = rng.millis(6.0, 10.0);
            let slow = async move { sleep(how_long) };
            select(vec![Box::pin(slow), Box::pin(std::future::pending())]).await;
        }
    });
}
