// SPDX-License-Identifier: MIT OR Apache-2.0
//! What blocks: a sleep or a loop, and a line on standard output that says when and for how long.

use std::io::Write;
use std::time::Duration;

pub fn now_ns() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime fills the struct it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

pub fn thread_id() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::gettid() }
}

/// A reader that went away is no reason to stop: println! would panic.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Holds the calling thread for `ms`: `spin`, `deepN` with N frames more, `naps` with many short sleeps before a long
/// one, one of `waits`, or any other kind for a sleep.
pub fn hold(kind: &str, ms: u64) {
    if kind == "spin" {
        spin(ms);
    } else if let Some(Ok(frames)) = kind.strip_prefix("deep").map(str::parse) {
        descend(frames, ms);
    } else if kind == "naps" {
        for _ in 0..100 {
            std::thread::sleep(Duration::from_micros(20));
        }
        rest(ms);
    } else if !crate::waits::hold(kind, ms) {
        std::thread::sleep(Duration::from_millis(ms));
    }
}

#[inline(never)]
fn spin(ms: u64) {
    let end = now_ns() + ms * 1_000_000;
    while now_ns() < end {
        burn(2000);
    }
}

#[inline(never)]
fn rest(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
    std::hint::black_box(ms); // no tail call
}

#[inline(never)]
fn descend(frames: u64, ms: u64) {
    if frames > 0 {
        descend(frames - 1, ms);
        std::hint::black_box(frames); // no tail call
    } else {
        spin(ms);
    }
}

pub fn burn(rounds: u64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..rounds {
        state = std::hint::black_box((state ^ (state >> 27)).wrapping_mul(0x2545_f491_4f6c_dd1d));
    }
}

/// Holds the thread and says so, before the poll it does it in has ended. `task` is 0 for a root future.
pub fn hold_and_say(kind: &str, ms: u64, task: u64) {
    let start = now_ns();
    hold(kind, ms);
    say_block(kind, start, task);
}

/// Of a block that has just ended.
pub fn say_block(kind: &str, start: u64, task: u64) {
    let ns = now_ns() - start;
    let tid = thread_id();
    say(&format!("block kind={kind} task={task} tid={tid} start={start} ns={ns}"));
}

/// The function names of a back trace taken here, innermost first.
#[inline(never)]
pub fn say_backtrace() {
    let text = std::backtrace::Backtrace::force_capture().to_string();
    let names: Vec<String> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("at "))
        .map(|line| line.trim_start().replace(' ', "_"))
        .collect();
    say(&format!("backtrace frames={} names={}", names.len(), names.join("|")));
}
