// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every load shares: counting units of work and answering for them.
//!
//! A load prints one `ready` line, then answers each line on standard input with one `report` line: the units of work
//! done so far and the CPU time this process used so far, read together. It ends when standard input is closed (or,
//! with `--seconds N`, after N seconds), with a last report.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A counter with one writer, alone in its cache lines: counting must not cost what is to be measured.
#[repr(align(128))]
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Only ever called by the one task that owns the counter, so load and store need not be one step.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// For counters several tasks share.
    #[inline]
    pub fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Work done and errors seen by one load.
pub struct Work {
    slots: Vec<Counter>,
    pub errors: Counter,
}

impl Work {
    /// `slots` counters, one for each task that counts. Lives as long as the process.
    pub fn new(slots: usize) -> &'static Work {
        let slots = (0..slots.max(1)).map(|_| Counter::default()).collect();
        Box::leak(Box::new(Work { slots, errors: Counter::default() }))
    }

    pub fn slot(&'static self, index: usize) -> &'static Counter {
        &self.slots[index]
    }

    pub fn units(&self) -> u64 {
        self.slots.iter().map(Counter::get).sum()
    }
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid timespec; a failing clock leaves it zero.
    unsafe { libc::clock_gettime(clock, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// User and system time of all threads of this process, dead ones too: what getrusage() gives, but in ns.
pub fn cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn context_switches() -> u64 {
    // SAFETY: rusage is plain numbers, and the kernel fills it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    (usage.ru_nvcsw + usage.ru_nivcsw) as u64
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The reader may be gone: then there is nobody to tell.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn report(work: &Work) {
    // Order matters: the units are read next to the CPU clock, and the reads are short beside any window.
    let (units, cpu) = (work.units(), cpu_ns());
    say(&format!(
        "{{\"type\":\"report\",\"at_ns\":{},\"units\":{units},\"cpu_ns\":{cpu},\"switches\":{},\"errors\":{}}}",
        clock_ns(libc::CLOCK_MONOTONIC),
        context_switches(),
        work.errors.get()
    ));
}

/// The ready line; `port` for the loads that listen.
pub fn ready(name: &str, port: Option<u16>) {
    let port = port.map_or("null".to_string(), |p| p.to_string());
    say(&format!("{{\"type\":\"ready\",\"name\":\"{name}\",\"pid\":{},\"port\":{port}}}", std::process::id()));
}

/// Answers standard input until it is closed, or for `seconds`; then ends the process, tasks and all.
pub fn answer(work: &'static Work, seconds: Option<f64>) -> ! {
    if let Some(s) = seconds {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs_f64(s));
            report(work);
            std::process::exit(0);
        });
    }
    for line in std::io::stdin().lock().lines() {
        if line.is_err() {
            break;
        }
        report(work);
    }
    if seconds.is_some() {
        loop {
            std::thread::park();
        }
    }
    report(work);
    std::process::exit(0);
}

/// Some arithmetic the compiler cannot remove, always the same amount: a unit of CPU work.
#[inline(never)]
pub fn chew(rounds: u64, seed: u64) -> u64 {
    let mut x = seed | 1;
    for _ in 0..rounds {
        x = std::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
    }
    x
}

/// Value of `--NAME V` on the command line.
pub fn option<T: std::str::FromStr>(name: &str) -> Option<T> {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|a| a == name)?;
    match args.get(at + 1).map(|v| v.parse()) {
        Some(Ok(v)) => Some(v),
        _ => {
            eprintln!("{name} needs a number");
            std::process::exit(2);
        }
    }
}
