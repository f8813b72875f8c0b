// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tasks that do everything right. None of them may ever be reported.

use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::{interval, sleep};

pub async fn timer_loop(period: Duration) {
    let mut timer = interval(period);
    loop {
        timer.tick().await;
    }
}

/// Two tasks that send a number back and forth.
pub fn spawn_channel_pair() {
    let (to_echo, from_client) = mpsc::channel(1);
    let (to_client, from_echo) = mpsc::channel(1);
    tokio::spawn(channel_echo(from_client, to_client));
    tokio::spawn(channel_client(to_echo, from_echo));
}

async fn channel_client(to_echo: mpsc::Sender<u64>, mut from_echo: mpsc::Receiver<u64>) {
    let mut number = 0;
    while to_echo.send(number).await.is_ok() {
        match from_echo.recv().await {
            Some(reply) => number = reply + 1,
            None => return,
        }
        sleep(Duration::from_millis(1)).await;
    }
}

async fn channel_echo(mut from_client: mpsc::Receiver<u64>, to_client: mpsc::Sender<u64>) {
    while let Some(number) = from_client.recv().await {
        if to_client.send(number).await.is_err() {
            return;
        }
    }
}

/// Blocks where blocking is allowed: on the blocking pool.
pub async fn offload_to_blocking_pool() {
    loop {
        sleep(Duration::from_millis(900)).await;
        let _ = spawn_blocking(|| thread::sleep(Duration::from_millis(50))).await;
    }
}

/// Blocks after it has told the runtime, which moves the other tasks to another thread first.
pub async fn announce_with_block_in_place() {
    loop {
        sleep(Duration::from_millis(1300)).await;
        block_in_place(|| thread::sleep(Duration::from_millis(30)));
    }
}
