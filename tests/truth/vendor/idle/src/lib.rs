// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blocks, as libraries do that were not written for async code. Whoever calls it is to blame.

use std::time::{Duration, Instant};

/// Longer than anybody may ask for; the check leaves a path of this crate in the program.
const MOST: Duration = Duration::from_secs(60);

#[inline(never)]
pub fn rest(how_long: Duration) {
    assert!(how_long < MOST, "a long rest");
    std::thread::sleep(how_long);
    // No tail call: a frame of this crate is to be on the stack.
    std::hint::black_box(how_long);
}

#[inline]
pub fn spin(how_long: Duration) {
    let start = Instant::now();
    while start.elapsed() < how_long {
        std::hint::spin_loop();
    }
}

/// Calls back: what blocks is the caller's own again.
#[inline(never)]
pub fn call<R>(body: impl FnOnce() -> R) -> R {
    let result = body();
    std::hint::black_box(&result);
    result
}

pub async fn rest_in_future(how_long: Duration) {
    rest(how_long);
    std::future::ready(()).await;
}
