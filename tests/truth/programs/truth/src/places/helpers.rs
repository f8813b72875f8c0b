// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions that block, for the tasks of places.rs, which is another file.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use truthlog::{blocks, Cause};

#[inline(always)]
pub fn sleep_inlined(how_long: Duration) {
    blocks!(Cause::Sleep, std::thread::sleep(how_long));
}

#[inline(always)]
pub fn spin_inlined(how_long: Duration) {
    let start = Instant::now();
    blocks!(
        Cause::Cpu,
        while start.elapsed() < how_long {
            std::hint::spin_loop();
        }
    );
}

/// Inlined twice over.
#[inline(always)]
pub fn sleep_inlined_deeper(how_long: Duration) {
    sleep_inlined(how_long);
}

#[inline(never)]
pub fn sleep_apart(how_long: Duration) {
    blocks!(Cause::Sleep, std::thread::sleep(how_long));
}

#[inline(never)]
pub fn spin_apart(how_long: Duration) {
    let start = Instant::now();
    blocks!(
        Cause::Cpu,
        while start.elapsed() < how_long {
            std::hint::spin_loop();
        }
    );
}

#[inline(never)]
pub fn sleep_generic<T: Into<f64>>(millis: T) {
    let how_long = Duration::from_secs_f64(millis.into() / 1000.0);
    blocks!(Cause::Sleep, std::thread::sleep(how_long));
}

/// At the bottom of many frames.
#[inline(never)]
pub fn sleep_deep(depth: u32, how_long: Duration) -> u32 {
    if depth > 0 {
        return sleep_deep(depth - 1, how_long) + std::hint::black_box(1);
    }
    blocks!(Cause::Sleep, std::thread::sleep(how_long));
    depth
}

pub trait Blocks: Send {
    fn block(&self, how_long: Duration);
}

pub struct Sleeper;

impl Blocks for Sleeper {
    fn block(&self, how_long: Duration) {
        blocks!(Cause::Sleep, std::thread::sleep(how_long));
    }
}

pub struct Spinner(pub Instant);

impl Blocks for Spinner {
    fn block(&self, how_long: Duration) {
        let end = self.0.elapsed() + how_long;
        blocks!(
            Cause::Cpu,
            while self.0.elapsed() < end {
                std::hint::spin_loop();
            }
        );
    }
}

pub type BoxedFuture<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// As `async-trait` writes it.
pub trait Handler: Send {
    fn handle(&mut self, how_long: Duration) -> BoxedFuture<'_>;
}

pub struct Service {
    pub calls: u32,
}

impl Handler for Service {
    fn handle(&mut self, how_long: Duration) -> BoxedFuture<'_> {
        Box::pin(async move {
            self.calls += 1;
            blocks!(Cause::Sleep, std::thread::sleep(how_long));
            tokio::task::yield_now().await;
        })
    }
}

impl Service {
    pub async fn serve(&mut self, how_long: Duration) {
        tokio::task::yield_now().await;
        self.calls += 1;
        blocks!(Cause::Sleep, std::thread::sleep(how_long));
    }
}

/// Blocks while it is dropped.
pub struct Guard(pub Duration);

impl Drop for Guard {
    fn drop(&mut self) {
        blocks!(Cause::Sleep, std::thread::sleep(self.0));
    }
}
