// SPDX-License-Identifier: MIT OR Apache-2.0
//! Uses each scheduler of Tokio once, so that their types are in the debug information.

use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::{spawn_blocking, spawn_local, yield_now, LocalSet};

async fn work(turns: u32) -> u32 {
    for _ in 0..turns {
        yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    turns
}

async fn root() {
    let spawned = tokio::spawn(work(3));
    let blocking = spawn_blocking(|| 1);
    println!("{} {}", spawned.await.unwrap(), blocking.await.unwrap());
}

fn main() {
    #[cfg(feature = "multi")]
    {
        let multi = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        multi.block_on(root());
    }

    let current = Builder::new_current_thread().enable_all().build().unwrap();
    current.block_on(root());

    let local = LocalSet::new();
    local.block_on(&current, async {
        println!("{}", spawn_local(work(2)).await.unwrap());
    });
}
