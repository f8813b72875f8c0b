// SPDX-License-Identifier: MIT OR Apache-2.0
//! Time, and work that the compiler cannot take out.

use std::time::Duration;

pub const HELD: Duration = Duration::from_millis(25);

pub fn now_ns() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime fills the struct it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// The value, of which the compiler knows nothing.
pub fn keep(value: u64) -> u64 {
    // SAFETY: a read of a local variable.
    unsafe { std::ptr::read_volatile(&value) }
}
