// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line for each block, and the totals at the end.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

static QUIET: AtomicBool = AtomicBool::new(false);
static TOTALS: Mutex<Vec<Total>> = Mutex::new(Vec::new());

struct Total {
    kind: &'static str,
    count: u64,
    length: Duration,
}

pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// `block kind=sleep task=12 ms=80.06`
pub fn block(kind: &'static str, task_id: u64, started: Instant) {
    let length = started.elapsed();
    add_to_total(kind, length);
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    let task = if task_id == 0 { "none".to_string() } else { task_id.to_string() };
    let ms = length.as_secs_f64() * 1e3;
    // A reader that went away is no reason to stop: println! would panic.
    let _ = writeln!(std::io::stdout(), "block kind={} task={} ms={:.2}", kind, task, ms);
}

fn add_to_total(kind: &'static str, length: Duration) {
    if let Ok(mut totals) = TOTALS.lock() {
        match totals.iter_mut().find(|total| total.kind == kind) {
            Some(total) => {
                total.count += 1;
                total.length += length;
            }
            None => totals.push(Total { kind, count: 1, length }),
        }
    }
}

pub fn print_totals() {
    if let Ok(totals) = TOTALS.lock() {
        for Total { kind, count, length } in totals.iter() {
            let ms = length.as_secs_f64() * 1e3;
            let _ = writeln!(std::io::stdout(), "total kind={} count={} ms={:.2}", kind, count, ms);
        }
    }
}
