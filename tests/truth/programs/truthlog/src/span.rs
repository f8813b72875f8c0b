// SPDX-License-Identifier: MIT OR Apache-2.0
//! A span is one record being written: a poll, a drop, or a window of `block_in_place`.

use crate::answers::{self, Answer};
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

const CAUSES: usize = 9;

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

/// What the windows of a record declared.
#[derive(Clone, Copy)]
pub struct Declared {
    /// Off-CPU time by cause.
    by_cause: [u64; CAUSES],
    /// The answer that most of the time was booked for, and that time.
    answer: u32,
    answer_ns: u64,
}

impl Declared {
    pub const NONE: Declared = Declared { by_cause: [0; CAUSES], answer: 0, answer_ns: 0 };

    fn add(&mut self, cause: Cause, booked_ns: u64, answer: u32, wall_ns: u64) {
        self.by_cause[cause as usize] += booked_ns;
        if answer == self.answer {
            self.answer_ns += wall_ns;
        } else if wall_ns > self.answer_ns {
            (self.answer, self.answer_ns) = (answer, wall_ns);
        }
    }
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
    outer_declared: Declared,
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
        let outer_declared = std::mem::replace(&mut log.declared, Declared::NONE);
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
            parts.store(log.record(self.index), cpu_ns, runq_ns, &declared.by_cause);
        }
        let record = log.record(self.index);
        record.answer = declared.answer;
        record.answer_us = u32::try_from(declared.answer_ns / 1000).unwrap_or(u32::MAX);
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

/// Part of a record that is declared to block. It must be closed: one that a panic ends declares nothing.
pub struct Window {
    cause: Cause,
    answer: u32,
    start_ns: u64,
    cpu_ns: u64,
}

impl Window {
    /// `path`, `file` and `line` are those of the call that will block.
    #[inline(never)]
    pub fn open(cause: Cause, path: &'static str, file: &'static str, line: u32) -> Window {
        let answer = answers::number_of(Answer { kind: "block", path, file, line });
        Window { cause, answer, start_ns: clock::now_ns(), cpu_ns: clock::thread_cpu_ns() }
    }

    /// Its off-CPU time is booked for the cause (for `Cause::Cpu`: all of its time, so that the declaration is not lost).
    #[inline(never)]
    pub fn close(self) {
        let wall_ns = clock::now_ns() - self.start_ns;
        let booked_ns = match self.cause {
            Cause::Cpu => wall_ns,
            _ => wall_ns.saturating_sub(clock::thread_cpu_ns() - self.cpu_ns),
        };
        if let Some(log) = ThreadLog::current() {
            log.declared.add(self.cause, booked_ns, self.answer, wall_ns);
        }
    }
}

/// Declares that the expression blocks because of `cause`. No closure, and so no frame, is around it.
#[macro_export]
macro_rules! blocks {
    ($cause:expr, $body:expr) => {{
        let window = $crate::Window::open($cause, $crate::function!(), file!(), line!());
        let result = $body;
        window.close();
        result
    }};
}
