// SPDX-License-Identifier: MIT OR Apache-2.0
//! A runtime of one of several shapes, on a thread of its own, that runs commands one after another.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};
use tokio::task::{self, JoinHandle, LocalSet};

use crate::{named, work};

#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    Multi,
    Current,
    Local,
    /// current_thread with a task that never waits.
    Busy,
    /// multi_thread with tasks that do everything right.
    Healthy,
}

impl Shape {
    pub fn parse(word: &str) -> Option<Shape> {
        Some(match word {
            "multi" => Shape::Multi,
            "current" => Shape::Current,
            "local" => Shape::Local,
            "busy" => Shape::Busy,
            "healthy" => Shape::Healthy,
            _ => return None,
        })
    }

    fn build(self) -> Runtime {
        let mut builder = match self {
            #[cfg(feature = "multi")]
            Shape::Multi | Shape::Healthy => Builder::new_multi_thread(),
            _ => Builder::new_current_thread(),
        };
        builder.worker_threads(2).enable_time().build().expect("cannot start the runtime")
    }

    fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self {
            Shape::Local => task::spawn_local(future),
            _ => tokio::spawn(future),
        }
    }
}

pub struct Executor {
    commands: UnboundedSender<String>,
}

impl Executor {
    /// Says `ready` once the runtime runs its first future.
    pub fn start(shape: Shape) -> Executor {
        let (commands, receiver) = unbounded_channel();
        std::thread::spawn(move || {
            let runtime = shape.build();
            match shape {
                Shape::Local => LocalSet::new().block_on(&runtime, serve(shape, receiver)),
                _ => runtime.block_on(serve(shape, receiver)),
            }
        });
        Executor { commands }
    }

    pub fn submit(&self, command: &str) {
        self.commands.send(command.to_string()).expect("the runtime has ended");
    }
}

async fn serve(shape: Shape, mut commands: UnboundedReceiver<String>) {
    match shape {
        Shape::Busy => drop(tokio::spawn(never_wait())),
        Shape::Healthy => spawn_healthy(),
        _ => (),
    }
    work::say(&format!("ready pid={}", std::process::id()));
    while let Some(line) = commands.recv().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |i: usize| words.get(i).and_then(|w| w.parse().ok()).unwrap_or(1);
        match words[0] {
            "block" => block(shape, words[1], number(2), number(3)).await,
            "named" => named::run(words[1]).await,
            "root" => work::hold_and_say(words[1], number(2), 0),
            "drops" => block_around_drop(shape, number(1), number(2)).await,
            "storm" => drop(shape.spawn(storm(number(1)))),
            "panic" => panic_in_task(shape, number(1)).await,
            "pool-panic" => panic_in_pool(number(1)).await,
            "pool" => hold_pool(number(1)).await,
            "in-place" => hold_in_place(number(1)).await,
            "backtrace" => {
                shape.spawn(async { work::say_backtrace() }).await.expect("it is no panic")
            }
            "ping" => shape.spawn(async { work::say("pong") }).await.expect("it is no panic"),
            other => work::say(&format!("unknown command {other}")),
        }
    }
}

fn own_id() -> u64 {
    task::id().to_string().parse().unwrap_or(0)
}

/// `count` tasks, one after another, each of which blocks once.
async fn block(shape: Shape, kind: &str, ms: u64, count: u64) {
    for _ in 0..count {
        let kind = kind.to_string();
        let handle = shape.spawn(async move { work::hold_and_say(&kind, ms, own_id()) });
        handle.await.expect("it is no panic");
    }
    work::say("done");
}

/// Like `block`, but half way through each task drops the handle of one that has finished: Tokio
/// drops that one's output then and there, as if it were the current task.
async fn block_around_drop(shape: Shape, ms: u64, count: u64) {
    for _ in 0..count {
        let finished = shape.spawn(async { Box::new(0_u8) });
        while !finished.is_finished() {
            task::yield_now().await;
        }
        let handle = shape.spawn(async move {
            let start = work::now_ns();
            work::hold("sleep", ms / 2);
            drop(finished);
            work::hold("sleep", ms / 2);
            work::say_block("sleep", start, own_id());
        });
        handle.await.expect("it is no panic");
    }
    work::say("done");
}

async fn panic_in_task(shape: Shape, count: u64) {
    let mut caught = 0;
    for number in 0..count {
        let handle = shape.spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            panic!("panic {number}, as asked for");
        });
        caught += handle.await.is_err_and(|e| e.is_panic()) as u64;
    }
    work::say(&format!("panics caught={caught}"));
}

async fn panic_in_pool(count: u64) {
    let mut caught = 0;
    for number in 0..count {
        let handle = task::spawn_blocking(move || panic!("panic {number}, as asked for"));
        caught += handle.await.is_err_and(|e| e.is_panic()) as u64;
    }
    work::say(&format!("panics caught={caught}"));
}

async fn hold_pool(ms: u64) {
    let _ = task::spawn_blocking(move || work::hold("sleep", ms)).await;
    work::say("done");
}

async fn hold_in_place(ms: u64) {
    let _ = tokio::spawn(async move { in_place(|| work::hold("sleep", ms)) }).await;
    work::say("done");
}

/// As many polls a second as there can be, beside whatever else is asked for; says `calm` in the end.
async fn storm(ms: u64) {
    let until = work::now_ns() + ms * 1_000_000;
    while work::now_ns() < until {
        task::yield_now().await;
    }
    work::say("calm");
}

#[cfg(feature = "multi")]
fn in_place(hold: impl FnOnce()) {
    task::block_in_place(hold);
}

#[cfg(not(feature = "multi"))]
fn in_place(_hold: impl FnOnce()) {}

async fn never_wait() {
    loop {
        work::burn(5000);
        task::yield_now().await;
    }
}

fn spawn_healthy() {
    for period_ms in [1, 7, 20, 50] {
        tokio::spawn(async move {
            loop {
                work::burn(1000);
                tokio::time::sleep(Duration::from_millis(period_ms)).await;
            }
        });
    }
    tokio::spawn(async {
        loop {
            let _ = task::spawn_blocking(|| work::hold("sleep", 50)).await;
            in_place(|| work::hold("sleep", 30));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    // A thread that is not Tokio's and keeps a CPU busy half of the time.
    std::thread::spawn(|| loop {
        work::hold("spin", 20);
        work::hold("sleep", 20);
    });
}
