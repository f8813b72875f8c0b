// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tasks that block their worker without the help of the operating system's I/O: CPU work, sleep,
//! a contended lock, a slow destructor.

use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{interval, sleep, Interval, MissedTickBehavior};

use crate::hooks::{self, TaskId};
use crate::report;

/// A timer whose first tick comes after one period, and which does not hurry after a late one.
pub fn every(period_ms: u64) -> Interval {
    let mut timer = interval(Duration::from_millis(period_ms));
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.reset();
    timer
}

/// 450 ms of CPU time between the two marker functions.
pub async fn upload_with_markers(id: TaskId) {
    let id = id.get().await;
    let mut timer = every(4000);
    loop {
        timer.tick().await;
        hooks::set_current_task_id(id);
        let started = Instant::now();
        hooks::trace_blocking_start(id);
        process_large_file(started, Duration::from_millis(450));
        hooks::trace_blocking_end(id);
        report::block("marker", id, started);
    }
}

#[inline(never)]
fn process_large_file(started: Instant, length: Duration) {
    burn_cpu(started, length, 4000);
}

pub async fn sleep_in_handler(id: TaskId) {
    let id = id.get().await;
    let mut timer = every(1700);
    loop {
        timer.tick().await;
        hooks::set_current_task_id(id);
        let started = Instant::now();
        thread::sleep(Duration::from_millis(80));
        report::block("sleep", id, started);
    }
}

pub async fn spin_in_handler(id: TaskId) {
    let id = id.get().await;
    let mut timer = every(2300);
    loop {
        timer.tick().await;
        hooks::set_current_task_id(id);
        let started = Instant::now();
        compute_checksum(started, Duration::from_millis(40));
        report::block("spin", id, started);
    }
}

#[inline(never)]
fn compute_checksum(started: Instant, length: Duration) {
    burn_cpu(started, length, 2000);
}

/// `rounds` between two looks at the clock: functions that are alike but for their name are made one by the compiler.
#[inline(always)]
fn burn_cpu(started: Instant, length: Duration, rounds: u32) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while started.elapsed() < length {
        for _ in 0..rounds {
            state = (state ^ (state >> 27)).wrapping_mul(0x2545_f491_4f6c_dd1d);
        }
        hooks::keep(state);
    }
}

/// Waits for a std mutex that an ordinary thread holds for 60 ms.
pub async fn wait_for_mutex(id: TaskId) {
    let id = id.get().await;
    let mutex = Arc::new(Mutex::new(0_u64));
    let is_held = Arc::new(Notify::new());
    let ask = spawn_mutex_holder(mutex.clone(), is_held.clone());
    let mut timer = every(2900);
    loop {
        timer.tick().await;
        if ask.send(()).is_err() {
            return;
        }
        is_held.notified().await;
        hooks::set_current_task_id(id);
        let started = Instant::now();
        if let Ok(mut count) = mutex.lock() {
            *count += 1;
        }
        report::block("lock", id, started);
    }
}

fn spawn_mutex_holder(mutex: Arc<Mutex<u64>>, is_held: Arc<Notify>) -> mpsc::Sender<()> {
    let (ask, asked) = mpsc::channel();
    thread::spawn(move || {
        for () in asked {
            let guard = mutex.lock();
            is_held.notify_one();
            thread::sleep(Duration::from_millis(60));
            drop(guard);
        }
    });
    ask
}

/// A value whose destructor blocks, as one that flushes a buffer or joins a thread does.
struct SlowToDrop {
    task_id: u64,
}

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        hooks::set_current_task_id(self.task_id);
        let started = Instant::now();
        thread::sleep(Duration::from_millis(70));
        report::block("drop", self.task_id, started);
    }
}

async fn hold_slow_value(id: TaskId) {
    let _value = SlowToDrop { task_id: id.get().await };
    std::future::pending::<()>().await;
}

/// Aborts a task again and again; it is the aborted task that blocks, while it is dropped.
pub async fn abort_task_with_slow_drop() {
    let mut timer = every(5300);
    loop {
        timer.tick().await;
        let victim = crate::start(hold_slow_value);
        sleep(Duration::from_millis(20)).await;
        victim.abort();
        // A cancelled task is what was asked for.
        let _ = victim.await;
    }
}
