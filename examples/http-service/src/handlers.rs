// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two handlers that are fine and two that block the executor.

use std::time::{Duration, Instant};

pub async fn fast() -> String {
    "fast\n".into()
}

/// Work, but far below any threshold: no block.
pub async fn hash() -> String {
    format!("{:016x}\n", hash_for(Duration::from_micros(200)))
}

/// Too much work for an executor thread; it belongs on the blocking pool.
pub async fn cpu() -> String {
    format!("{:016x}\n", hash_for(Duration::from_millis(30)))
}

/// The classic mistake: a blocking call in an async function.
pub async fn slow() -> String {
    query_database();
    "slow\n".into()
}

#[inline(never)]
fn query_database() {
    std::thread::sleep(Duration::from_millis(80));
}

#[inline(never)]
fn hash_for(length: Duration) -> u64 {
    let started = Instant::now();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while started.elapsed() < length {
        for _ in 0..1000 {
            state = (state ^ (state >> 27)).wrapping_mul(0x2545_f491_4f6c_dd1d);
        }
    }
    state
}
