// SPDX-License-Identifier: MIT OR Apache-2.0
//! The programs around one runtime.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Runtime;
use truthlog::{in_place, root, Role, Spawner};

use crate::block::{cpu, sleep, Blocker, EVERY};
use crate::load::{self, block_time, blocking};
use crate::rng::Rng;

/// What a `block_on` on the thread of a current_thread runtime may be called.
pub const ROOT_OF_CURRENT_THREAD: Role = Role::CURRENT_THREAD.or(Role::BLOCK_ON);

/// Runs `main` on this thread, for ever.
pub fn forever(runtime: &Runtime, roles: Role, main: impl Future<Output = ()>) -> ! {
    runtime.block_on(root(
        async {
            main.await;
            std::future::pending::<()>().await;
        },
        roles,
    ));
    unreachable!("a pending future does not end")
}

/// multi_thread with every cause, drops and panics, beside tasks that behave well.
pub fn multi(seed: u64) -> ! {
    let (runtime, mut rng) = (load::multi_thread(4), Rng::new(seed));
    let spawner = Spawner::worker(runtime.handle());
    load::every_cause(&spawner, 100.0, &mut rng);
    load::slow_drops(&spawner, &mut rng);
    load::slow_completions(&spawner, &mut rng);
    load::panics(&spawner, &mut rng);
    load::well_behaved(&spawner, 10, &mut rng);
    forever(&runtime, Role::BLOCK_ON, async {})
}

/// The same on a current_thread runtime.
pub fn current(seed: u64) -> ! {
    let (runtime, mut rng) = (load::current_thread(), Rng::new(seed));
    let spawner = Spawner::current_thread(runtime.handle());
    load::every_cause(&spawner, 250.0, &mut rng);
    load::slow_drops(&spawner, &mut rng);
    load::slow_completions(&spawner, &mut rng);
    load::panics(&spawner, &mut rng);
    load::well_behaved(&spawner, 10, &mut rng);
    forever(&runtime, ROOT_OF_CURRENT_THREAD, async {})
}

/// Tasks that move between workers: all are spawned from one, and block there now and then.
pub fn migrate(seed: u64) -> ! {
    let (runtime, mut rng) = (load::multi_thread(4), Rng::new(seed));
    let spawner = Spawner::worker(runtime.handle());
    let (inner, mut parent) = (spawner.clone(), rng.fork());
    spawner.slow(async move {
        for _ in 0..40 {
            inner.slow(wandering(parent.fork()));
        }
    });
    forever(&runtime, Role::BLOCK_ON, async {})
}

async fn wandering(mut rng: Rng) {
    loop {
        for _ in 0..8 {
            cpu(Duration::from_micros(30));
            tokio::task::yield_now().await;
        }
        match rng.next() % 24 {
            0 => cpu(rng.millis(6.0, 12.0)),
            1 | 2 => sleep(rng.millis(6.0, 15.0)),
            _ => (),
        }
        tokio::time::sleep(rng.millis(5.0, 40.0)).await;
    }
}

/// CPU hogs beside: polls that would be short are starved.
pub fn pressure(seed: u64) -> ! {
    load::hogs(4, Duration::ZERO);
    let (runtime, mut rng) = (load::multi_thread(2), Rng::new(seed));
    let spawner = Spawner::worker(runtime.handle());
    for _ in 0..3 {
        let mut rng = rng.fork();
        spawner.slow(async move {
            loop {
                tokio::time::sleep(rng.millis(20.0, 60.0)).await;
                cpu(rng.millis(2.0, 8.0));
            }
        });
    }
    spawner.slow(blocking(Blocker::Sleep, 60.0, rng.fork()));
    load::well_behaved(&spawner, 5, &mut rng);
    forever(&runtime, Role::BLOCK_ON, async {})
}

/// Polls from 3 to 8 ms in steps of 0.1 ms, on both sides of the threshold.
pub fn sweep(_seed: u64) -> ! {
    let runtime = load::multi_thread(2);
    let spawner = Spawner::worker(runtime.handle());
    for block in [cpu as fn(Duration), sleep] {
        spawner.slow(async move {
            loop {
                for step in 30..=80 {
                    tokio::time::sleep(Duration::from_millis(4)).await;
                    block(Duration::from_micros(step * 100));
                }
            }
        });
    }
    forever(&runtime, Role::BLOCK_ON, async {})
}

/// 100 000 short polls a second beside a few slow ones.
pub fn storm(seed: u64) -> ! {
    let (runtime, mut rng) = (load::multi_thread(2), Rng::new(seed));
    let spawner = Spawner::worker(runtime.handle());
    load::short_polls(&spawner, 10, 100);
    for make in EVERY {
        spawner.slow(blocking(make(), 500.0, rng.fork()));
    }
    forever(&runtime, Role::BLOCK_ON, async {})
}

/// Blocks of 0.2 to 1 s (seldom 2 s), which are to be reported while they last.
pub fn long(seed: u64) -> ! {
    let (runtime, mut rng) = (load::multi_thread(4), Rng::new(seed));
    let spawner = Spawner::worker(runtime.handle());
    for index in [0, 1, 3, 6] {
        let (mut blocker, mut rng) = (EVERY[index](), rng.fork());
        spawner.slow(async move {
            loop {
                tokio::time::sleep(rng.millis(50.0, 200.0)).await;
                let most = if rng.next() % 8 == 0 { 2000.0 } else { 700.0 };
                blocker.block(rng.millis(200.0, most));
            }
        });
    }
    forever(&runtime, Role::BLOCK_ON, async {})
}

/// `unconstrained` futures block; `block_in_place` does not.
pub fn unconstrained(seed: u64) -> ! {
    let (runtime, mut rng) = (load::multi_thread(3), Rng::new(seed));
    let spawner = Spawner::worker(runtime.handle());
    for make in [EVERY[0], EVERY[1], EVERY[2], EVERY[6]] {
        let free = tokio::task::unconstrained(blocking(make(), 100.0, rng.fork()));
        spawner.slow(free);
    }
    in_place_closures(&spawner, &mut rng);
    load::well_behaved(&spawner, 10, &mut rng);
    let mut rng = rng.fork();
    forever(&runtime, Role::BLOCK_ON, async move {
        tokio::task::unconstrained(async {
            loop {
                tokio::time::sleep(rng.millis(50.0, 100.0)).await;
                sleep(block_time(&mut rng));
            }
        })
        .await;
    })
}

fn in_place_closures(spawner: &Spawner, rng: &mut Rng) {
    for block in [cpu as fn(Duration), sleep] {
        let mut rng = rng.fork();
        spawner.slow(async move {
            loop {
                tokio::time::sleep(rng.millis(30.0, 90.0)).await;
                in_place(|| block(rng.millis(10.0, 50.0)));
            }
        });
    }
}

/// Long work where it belongs: nothing to report.
pub fn calm(seed: u64) -> ! {
    let (runtime, mut rng) = (load::multi_thread(2), Rng::new(seed));
    let spawner = Spawner::worker(runtime.handle());
    in_place_closures(&spawner, &mut rng);
    for block in [cpu as fn(Duration), sleep] {
        let mut rng = rng.fork();
        spawner.light(async move {
            loop {
                let how_long = rng.millis(10.0, 50.0);
                let _ = tokio::task::spawn_blocking(move || block(how_long)).await;
                tokio::time::sleep(rng.millis(20.0, 60.0)).await;
            }
        });
    }
    load::well_behaved(&spawner, 100, &mut rng);
    load::short_polls(&spawner, 2, 4);
    forever(&runtime, Role::BLOCK_ON, async {})
}

/// The same beside CPU hogs: nothing to report but what they take away.
pub fn healthy(seed: u64) -> ! {
    load::hogs(2, Duration::from_millis(500));
    calm(seed)
}
