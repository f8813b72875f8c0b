// SPDX-License-Identifier: MIT OR Apache-2.0
//! Watches for stalls of the machine itself: one thread a CPU, above all others where permitted,
//! sleeps 1 ms again and again and prints `CPU START_NS END_NS` when it woke more than 0.2 ms late.
//! Ends at the end of standard input. A stall seen here is nobody's fault in the scored process.

use std::io::Read;

const PERIOD_NS: u64 = 1_000_000;
const LATE_NS: u64 = 200_000;

fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the call to fill in.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Whether the thread now comes before all others. Without that, load also makes it late.
fn stay_on(cpu: usize) -> bool {
    // SAFETY: the structures are valid and as long as said.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        let priority = libc::sched_param { sched_priority: 50 };
        libc::sched_setscheduler(0, libc::SCHED_FIFO, &priority) == 0
    }
}

fn watch(cpu: usize) {
    println!("cpu {cpu} {}", if stay_on(cpu) { "first" } else { "not-first" });
    loop {
        let due_ns = now_ns() + PERIOD_NS;
        std::thread::sleep(std::time::Duration::from_nanos(PERIOD_NS));
        let woken_ns = now_ns();
        if woken_ns > due_ns + LATE_NS {
            println!("{cpu} {due_ns} {woken_ns}");
        }
    }
}

fn allowed_cpus() -> Vec<usize> {
    // SAFETY: the set is valid and as long as said.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        (0..libc::CPU_SETSIZE as usize).filter(|&cpu| libc::CPU_ISSET(cpu, &set)).collect()
    }
}

fn main() {
    // SAFETY: no pointers. Timers as exact as they get.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    for cpu in allowed_cpus() {
        std::thread::spawn(move || watch(cpu));
    }
    let _ = std::io::stdin().read(&mut [0; 64]);
}
