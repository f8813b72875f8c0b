// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs about who polls: several runtimes, `LocalSet`s, root futures.

use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::LocalSet;
use truthlog::{root, Role, Spawner};

use crate::block::{sleep, EVERY};
use crate::combine::polled_again;
use crate::control::spawn_thread;
use crate::load::{self, block_time, blocking};
use crate::programs::{forever, ROOT_OF_CURRENT_THREAD};
use crate::rng::Rng;

const ROOT_WITH_LOCAL_SET: Role = Role::LOCAL_SET.or(Role::BLOCK_ON);

/// A `LocalSet` on a current_thread runtime and one in `block_on` of a multi-thread runtime.
pub fn localset(seed: u64) -> ! {
    let mut rng = Rng::new(seed);
    let mut theirs = rng.fork();
    spawn_thread("local", move || {
        let runtime = load::current_thread();
        let local = LocalSet::new();
        let roles = ROOT_WITH_LOCAL_SET.or(Role::CURRENT_THREAD);
        forever(&runtime, roles, local.run_until(local_tasks(&mut theirs)))
    });
    let runtime = load::multi_thread(2);
    load::well_behaved(&Spawner::worker(runtime.handle()), 5, &mut rng);
    let local = LocalSet::new();
    forever(&runtime, ROOT_WITH_LOCAL_SET, local.run_until(local_tasks(&mut rng)))
}

async fn local_tasks(rng: &mut Rng) {
    let spawner = Spawner::Local;
    load::every_cause(&spawner, 400.0, rng);
    load::slow_drops(&spawner, rng);
    load::well_behaved(&spawner, 5, rng);
    // Polled again at once, in the same turn of the set.
    let mut rng = rng.fork();
    spawner.slow(async move {
        loop {
            tokio::time::sleep(rng.millis(150.0, 250.0)).await;
            sleep(rng.millis(6.0, 12.0));
            polled_again().await;
            sleep(rng.millis(6.0, 12.0));
        }
    });
    std::future::pending::<()>().await;
}

/// Three runtimes that stay, and one that comes and goes.
pub fn runtimes(seed: u64) -> ! {
    let mut rng = Rng::new(seed);
    let mut theirs = rng.fork();
    spawn_thread("single", move || {
        let runtime = load::current_thread();
        let spawner = Spawner::current_thread(runtime.handle());
        load::every_cause(&spawner, 300.0, &mut theirs);
        forever(&runtime, ROOT_OF_CURRENT_THREAD, async {})
    });
    let mut theirs = rng.fork();
    spawn_thread("named", move || {
        let mut builder = Builder::new_multi_thread();
        let builder = builder.worker_threads(1).thread_name("my-own-name").enable_all();
        let runtime = builder.build().expect("cannot start a runtime");
        let spawner = Spawner::worker(runtime.handle());
        load::every_cause(&spawner, 300.0, &mut theirs);
        forever(&runtime, Role::BLOCK_ON, async {})
    });
    let mut theirs = rng.fork();
    spawn_thread("brief", move || loop {
        brief_runtime(&mut theirs);
    });
    let runtime = load::multi_thread(2);
    load::every_cause(&Spawner::worker(runtime.handle()), 300.0, &mut rng);
    forever(&runtime, Role::BLOCK_ON, async {})
}

/// Lives for 0.3 s. Its tasks are dropped by its shutdown.
fn brief_runtime(rng: &mut Rng) {
    let runtime = load::multi_thread(1);
    let spawner = Spawner::worker(runtime.handle());
    spawner.slow(blocking(EVERY[1](), 40.0, rng.fork()));
    load::slow_drops(&spawner, rng);
    runtime.block_on(root(tokio::time::sleep(Duration::from_millis(300)), Role::BLOCK_ON));
    drop(runtime);
    std::thread::sleep(Duration::from_millis(100));
}

/// Root futures that block: on a multi-thread runtime, beside its workers, and on a current_thread
/// runtime, in the way of its tasks.
pub fn root_futures(seed: u64) -> ! {
    let mut rng = Rng::new(seed);
    let mut theirs = rng.fork();
    spawn_thread("single", move || {
        let runtime = load::current_thread();
        load::well_behaved(&Spawner::current_thread(runtime.handle()), 3, &mut theirs);
        forever(&runtime, ROOT_OF_CURRENT_THREAD, blocking_root(theirs))
    });
    let runtime = load::multi_thread(2);
    load::well_behaved(&Spawner::worker(runtime.handle()), 5, &mut rng);
    forever(&runtime, Role::BLOCK_ON, blocking_root(rng))
}

async fn blocking_root(mut rng: Rng) {
    let mut blockers = EVERY.map(|make| make());
    loop {
        for blocker in &mut blockers {
            tokio::time::sleep(rng.millis(10.0, 60.0)).await;
            blocker.block(block_time(&mut rng));
            tokio::time::sleep(Duration::from_millis(2)).await;
            blocker.reset();
        }
    }
}
