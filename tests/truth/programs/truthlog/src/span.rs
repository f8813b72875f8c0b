// SPDX-License-Identifier: MIT OR Apache-2.0
//! A span is one record being written: a poll, a drop, or a window of `block_in_place`.

use crate::clock;
use crate::log::{Record, ThreadLog};

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Poll = 1,
    Drop = 2,
    /// Code inside `block_in_place`: never a block.
    InPlace = 3,
    /// `task` got the Tokio id in `start_ns`, at `end_ns`.
    Spawn = 4,
    /// The poll of a `block_on` root future.
    Root = 5,
}

/// Bits: a root future may rightly be given more than one role.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Role(pub u8);

impl Role {
    pub const WORKER: Role = Role(1);
    pub const CURRENT_THREAD: Role = Role(2);
    pub const LOCAL_SET: Role = Role(4);
    pub const BLOCK_ON: Role = Role(8);

    pub const fn or(self, other: Role) -> Role {
        Role(self.0 | other.0)
    }
}

pub const CAUSES: usize = 9;

/// Why a poll blocks, declared by the program. `None`: nothing declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cause {
    None = 0,
    Cpu = 1,
    Sleep = 2,
    Lock = 3,
    File = 4,
    Socket = 5,
    Pipe = 6,
    Process = 7,
    PageFault = 8,
}

const FLAG_PANICKED: u8 = 1;
const FLAG_PARTS: u8 = 2;

/// Counters at the start of a span whose parts are wanted.
struct Parts {
    cpu_ns: u64,
    runq_ns: Option<u64>,
    usage: (u64, u64),
}

/// An open record; closed when dropped, also by a panic.
pub struct Span {
    index: u32,
    outer_open: u32,
    outer_declared: [u64; CAUSES],
    parts: Option<Parts>,
}

impl Span {
    /// Reads the clock before anything else. `None` when nothing is logged.
    #[inline]
    pub fn begin(kind: Kind, task: u32, roles: Role, with_parts: bool) -> Option<Span> {
        let start_ns = clock::now_ns();
        let log = ThreadLog::current()?;
        let index = log.push(Record {
            start_ns,
            task,
            parent: log.open,
            kind: kind as u8,
            roles: roles.0,
            ..Record::EMPTY
        })?;
        let outer_open = std::mem::replace(&mut log.open, index + 1);
        let outer_declared = std::mem::replace(&mut log.declared, [0; CAUSES]);
        let parts = with_parts.then(|| Parts {
            usage: clock::thread_usage(),
            runq_ns: clock::run_queue_ns(log.schedstat_fd),
            cpu_ns: clock::thread_cpu_ns(),
        });
        Some(Span { index, outer_open, outer_declared, parts })
    }
}

impl Drop for Span {
    /// Reads the clock after anything else.
    #[inline]
    fn drop(&mut self) {
        let Some(log) = ThreadLog::current() else { return };
        log.open = self.outer_open;
        let declared = std::mem::replace(&mut log.declared, self.outer_declared);
        if let Some(parts) = self.parts.take() {
            let cpu_ns = clock::thread_cpu_ns();
            let runq_ns = clock::run_queue_ns(log.schedstat_fd);
            parts.store(log.record(self.index), cpu_ns, runq_ns, &declared);
        }
        let record = log.record(self.index);
        if std::thread::panicking() {
            record.flags |= FLAG_PANICKED;
        }
        record.end_ns = clock::now_ns();
    }
}

impl Parts {
    fn store(self, record: &mut Record, cpu_ns: u64, runq_ns: Option<u64>, declared: &[u64]) {
        let usage = clock::thread_usage();
        record.nvcsw = (usage.0 - self.usage.0).min(u64::from(u16::MAX)) as u16;
        record.majflt = (usage.1 - self.usage.1).min(u64::from(u16::MAX)) as u16;
        let most = (0..declared.len()).max_by_key(|&cause| declared[cause]).unwrap_or(0);
        record.cause = if declared[most] > 0 { most as u8 } else { Cause::None as u8 };
        record.cause_ns = declared[most];
        if let (Some(before), Some(after)) = (self.runq_ns, runq_ns) {
            record.cpu_ns = cpu_ns - self.cpu_ns;
            record.runq_ns = after.saturating_sub(before);
            record.flags |= FLAG_PARTS;
        }
    }
}

/// Declares that `body` blocks because of `cause`; its off-CPU time is booked there (for
/// `Cause::Cpu`: all of its time, so that the declaration is not lost).
pub fn window<R>(cause: Cause, body: impl FnOnce() -> R) -> R {
    let (start_ns, cpu_ns) = (clock::now_ns(), clock::thread_cpu_ns());
    let result = body();
    let wall_ns = clock::now_ns() - start_ns;
    let booked_ns = match cause {
        Cause::Cpu => wall_ns,
        _ => wall_ns.saturating_sub(clock::thread_cpu_ns() - cpu_ns),
    };
    if let Some(log) = ThreadLog::current() {
        log.declared[cause as usize] += booked_ns;
    }
    result
}
