// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs every call site some times, one after another, each in a task of its own, and says when: `site NAME start=… end=…`.

mod busy;
mod clock;
mod waits;

use std::future::Future;

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn run(name: &str, round: u32, site: impl Fn(u32) -> Task) {
    let start = clock::now_ns();
    let _ = tokio::spawn(site(round)).await;
    println!("site {} start={} end={}", name, start, clock::now_ns());
}

async fn run_all(rounds: u32) {
    for round in 0..rounds {
        for (name, site) in busy::sites().into_iter().chain(waits::sites()) {
            run(name, round, site).await;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    runtime.block_on(run_all(rounds));
    println!("done");
    std::io::stdin().read_line(&mut line).unwrap();
}
