// SPDX-License-Identifier: MIT OR Apache-2.0
//! One future of each kind that a name has to be found for. Each waits, and then blocks.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::work;

const HOLD_MS: u64 = 40;

async fn pause() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

fn hold() {
    work::hold("spin", HOLD_MS);
}

async fn upload() {
    pause().await;
    hold();
}

/// What blocks is written in another one.
async fn outer() {
    upload().await;
}

async fn generic<T: Default + Send>() -> T {
    pause().await;
    hold();
    T::default()
}

struct Service(u64);

impl Service {
    async fn call(self) -> u64 {
        pause().await;
        hold();
        self.0
    }
}

struct ByHand {
    has_held: bool,
}

impl Future for ByHand {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.has_held {
            return Poll::Ready(());
        }
        self.has_held = true;
        hold();
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn boxed() -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async {
        pause().await;
        hold();
    })
}

async fn say_and_wait<T>(which: &str, task: JoinHandle<T>) {
    work::say(&format!("named which={which} task={}", task.id()));
    let _ = task.await;
}

pub async fn run(which: &str) {
    match which {
        "upload" => say_and_wait(which, tokio::spawn(upload())).await,
        "outer" => say_and_wait(which, tokio::spawn(outer())).await,
        "generic" => say_and_wait(which, tokio::spawn(generic::<Vec<String>>())).await,
        "method" => say_and_wait(which, tokio::spawn(Service(1).call())).await,
        "by-hand" => say_and_wait(which, tokio::spawn(ByHand { has_held: false })).await,
        "boxed" => say_and_wait(which, tokio::spawn(boxed())).await,
        "timeout" => {
            let limit = Duration::from_secs(9);
            say_and_wait(which, tokio::spawn(tokio::time::timeout(limit, upload()))).await
        }
        _ => work::say(&format!("nothing is named {which}")),
    }
}
