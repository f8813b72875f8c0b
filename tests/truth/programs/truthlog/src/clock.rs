// SPDX-License-Identifier: MIT OR Apache-2.0
//! The clocks and counters a record is made of.

fn read_clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the call to fill in.
    unsafe { libc::clock_gettime(id, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CLOCK_MONOTONIC in nanoseconds: the clock every event of the profiler is in.
pub fn now_ns() -> u64 {
    read_clock(libc::CLOCK_MONOTONIC)
}

/// CPU time of this thread in nanoseconds. A real system call, unlike [`now_ns`].
pub fn thread_cpu_ns() -> u64 {
    read_clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// (voluntary context switches, major faults) of this thread so far.
pub fn thread_usage() -> (u64, u64) {
    // SAFETY: an all-zero rusage is valid, and the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage
    };
    (usage.ru_nvcsw as u64, usage.ru_majflt as u64)
}

/// The thread's own schedstat file, kept open; -1 where the kernel has none.
pub fn open_schedstat(tid: libc::pid_t) -> libc::c_int {
    let path = format!("/proc/self/task/{tid}/schedstat\0");
    // SAFETY: `path` is NUL-terminated.
    unsafe { libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC) }
}

/// Time this thread has waited on a run queue so far: the second number of schedstat.
pub fn run_queue_ns(schedstat_fd: libc::c_int) -> Option<u64> {
    if schedstat_fd < 0 {
        return None;
    }
    let mut text = [0u8; 96];
    // SAFETY: the buffer is as long as said.
    let len = unsafe { libc::pread(schedstat_fd, text.as_mut_ptr().cast(), text.len(), 0) };
    let text = std::str::from_utf8(text.get(..usize::try_from(len).ok()?)?).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}
