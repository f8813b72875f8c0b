// SPDX-License-Identifier: MIT OR Apache-2.0
//! What makes a `LocalSet` hard to see through: growing queues, wakes from other threads, sets that
//! are entered and not polled, sets kept in thread-locals.

use std::task::Poll;
use std::time::Duration;

use tokio::task::LocalSet;
use truthlog::{root, Role, Spawner};

use crate::assistant::Assistant;
use crate::block::sleep;
use crate::control::spawn_thread;
use crate::load;
use crate::programs::{forever, ROOT_OF_CURRENT_THREAD};
use crate::rng::Rng;

/// Each kind on a runtime of its own.
pub fn sets(seed: u64) -> ! {
    let mut rng = Rng::new(seed);
    let mut theirs = rng.fork();
    spawn_thread("kept", move || kept_in_thread_local(&mut theirs));
    let mut theirs = rng.fork();
    spawn_thread("entered", move || entered_only(&mut theirs));
    let runtime = load::multi_thread(2);
    load::well_behaved(&Spawner::worker(runtime.handle()), 5, &mut rng);
    let local = LocalSet::new();
    let roles = Role::BLOCK_ON.or(Role::LOCAL_SET);
    forever(&runtime, roles, local.run_until(hard_tasks(&mut rng)))
}

/// A set that lies in a thread-local of the program, as Tokio's own pointer to it does.
fn kept_in_thread_local(rng: &mut Rng) {
    thread_local!(static OWN: LocalSet = LocalSet::new());
    let runtime = load::current_thread();
    let roles = ROOT_OF_CURRENT_THREAD.or(Role::LOCAL_SET);
    OWN.with(|set| runtime.block_on(root(set.run_until(hard_tasks(rng)), roles)));
}

async fn hard_tasks(rng: &mut Rng) {
    load::well_behaved(&Spawner::Local, 5, rng);
    Spawner::Local.slow(crowding(rng.fork()));
    Spawner::Local.slow(woken_from_elsewhere(rng.fork()));
    std::future::pending::<()>().await;
}

/// One poll, in the middle of which the set's queue grows.
async fn crowding(mut rng: Rng) {
    loop {
        tokio::time::sleep(rng.millis(100.0, 200.0)).await;
        sleep(rng.millis(4.0, 8.0));
        let crowd: Vec<_> = (0..150).map(|_| Spawner::Local.light(async {})).collect();
        sleep(rng.millis(4.0, 8.0));
        for one in crowd {
            let _ = one.await;
        }
    }
}

/// Two polls in one turn, the second because of a wake by another thread during the first.
async fn woken_from_elsewhere(mut rng: Rng) {
    let (wakers, inbox) = std::sync::mpsc::channel::<std::task::Waker>();
    let assistant = Assistant::new(move || {
        if let Ok(waker) = inbox.recv() {
            waker.wake();
        }
    });
    loop {
        tokio::time::sleep(rng.millis(80.0, 160.0)).await;
        let mut blocks = [rng.millis(7.0, 12.0), rng.millis(7.0, 12.0)].into_iter();
        std::future::poll_fn(|context| {
            let Some(how_long) = blocks.next() else { return Poll::Ready(()) };
            let _ = wakers.send(context.waker().clone());
            assistant.act_after(Duration::from_millis(2));
            sleep(how_long);
            Poll::Pending
        })
        .await;
    }
}

/// Tasks of the runtime itself block, while a set is entered on the thread.
fn entered_only(rng: &mut Rng) {
    let runtime = load::current_thread();
    let set = LocalSet::new();
    let _guard = set.enter();
    let spawner = Spawner::current_thread(runtime.handle());
    for _ in 0..3 {
        let mut rng = rng.fork();
        spawner.slow(async move {
            loop {
                tokio::time::sleep(rng.millis(60.0, 120.0)).await;
                sleep(rng.millis(6.0, 12.0));
            }
        });
    }
    forever(&runtime, ROOT_OF_CURRENT_THREAD, std::future::pending());
}
