// SPDX-License-Identifier: MIT OR Apache-2.0
//! One file a thread, mapped shared: a header and an array of records.
//!
//! `truthlog.py` beside the scorer reads the same layout; change both together.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use crate::answers::Answer;
use crate::clock;

/// Sparse, so that only what is written costs memory: 1 GiB of addresses is 16 million records.
const FILE_BYTES: usize = 1 << 30;

#[repr(C)]
pub struct Header {
    magic: [u8; 8],
    tid: u32,
    pid: u32,
    capacity: u64,
    pub count: u64,
    pub lost: u64,
    reserved: [u64; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Record {
    pub start_ns: u64,
    /// 0 while it lasts.
    pub end_ns: u64,
    /// The log's own number of the future; a `Kind::Spawn` record gives its Tokio id.
    pub task: u32,
    /// 1 + index of the enclosing record on this thread, 0 for none.
    pub parent: u32,
    pub kind: u8,
    pub roles: u8,
    pub cause: u8,
    pub flags: u8,
    pub majflt: u16,
    pub nvcsw: u16,
    pub cpu_ns: u64,
    pub runq_ns: u64,
    /// Off-CPU time inside the declared windows of `cause`.
    pub cause_ns: u64,
    /// Number of the answer (see answers.rs): of the longest blocking call, or of the future's kind in `Kind::Spawn`.
    pub answer: u32,
    /// How long that call took, with the waits in it, in microseconds.
    pub answer_us: u32,
}

const _: () = assert!(size_of::<Header>() == 64);
const _: () = assert!(size_of::<Record>() == 64);

impl Record {
    pub const EMPTY: Record = Record {
        start_ns: 0,
        end_ns: 0,
        task: 0,
        parent: 0,
        kind: 0,
        roles: 0,
        cause: 0,
        flags: 0,
        majflt: 0,
        nvcsw: 0,
        cpu_ns: 0,
        runq_ns: 0,
        cause_ns: 0,
        answer: 0,
        answer_us: 0,
    };
}

/// What a thread needs to log; leaked, because polls may run while its thread-locals are torn down.
pub struct ThreadLog {
    header: *mut Header,
    records: *mut Record,
    capacity: u64,
    /// 1 + index of the innermost open record.
    pub open: u32,
    /// Of the innermost open record, so far.
    pub declared: crate::span::Declared,
    pub schedstat_fd: libc::c_int,
    pub answers: HashMap<Answer, u32>,
}

thread_local! {
    static THREAD: Cell<*mut ThreadLog> = const { Cell::new(std::ptr::null_mut()) };
}

pub fn directory() -> Option<&'static CString> {
    static DIRECTORY: OnceLock<Option<CString>> = OnceLock::new();
    DIRECTORY.get_or_init(|| CString::new(std::env::var_os("TRUTH_DIR")?.as_bytes()).ok()).as_ref()
}

impl ThreadLog {
    /// The calling thread's log, made at its first use; `None` when TRUTH_DIR is not set.
    pub fn current() -> Option<&'static mut ThreadLog> {
        let mut log = THREAD.with(Cell::get);
        if log.is_null() {
            log = Box::into_raw(Box::new(ThreadLog::create(directory()?)));
            THREAD.with(|slot| slot.set(log));
        }
        // SAFETY: only this thread has the pointer, and no caller keeps the reference across a
        // call of user code.
        Some(unsafe { &mut *log })
    }

    fn create(directory: &CString) -> ThreadLog {
        // SAFETY: no arguments.
        let (tid, pid) = unsafe { (libc::gettid(), libc::getpid()) };
        let name = format!("{}/p{pid}.t{tid}.truth\0", directory.to_string_lossy());
        let header = map_file(&name);
        let capacity = ((FILE_BYTES - size_of::<Header>()) / size_of::<Record>()) as u64;
        // SAFETY: the mapping is FILE_BYTES long, page-aligned and zeroed.
        unsafe {
            (*header).magic = *b"TRUTHLG1";
            (*header).tid = tid as u32;
            (*header).pid = pid as u32;
            (*header).capacity = capacity;
            ThreadLog {
                header,
                records: header.add(1).cast(),
                capacity,
                open: 0,
                declared: crate::span::Declared::NONE,
                schedstat_fd: clock::open_schedstat(tid),
                answers: HashMap::new(),
            }
        }
    }

    /// Appends a record; `None` when the file is full, which the header counts.
    pub fn push(&mut self, record: Record) -> Option<u32> {
        // SAFETY: `header` and the records up to `capacity` are mapped for the process's life.
        unsafe {
            let count = (*self.header).count;
            if count >= self.capacity {
                (*self.header).lost += 1;
                return None;
            }
            self.records.add(count as usize).write(record);
            // The count is what makes the record valid to a reader after a kill.
            std::sync::atomic::fence(std::sync::atomic::Ordering::Release);
            (*self.header).count = count + 1;
            Some(count as u32)
        }
    }

    pub fn record(&mut self, index: u32) -> &mut Record {
        // SAFETY: indexes come from push().
        unsafe { &mut *self.records.add(index as usize) }
    }
}

/// A program that cannot log is of no use to the scorer: it ends at once, saying why.
fn map_file(name: &str) -> *mut Header {
    // SAFETY: `name` is NUL-terminated; results are checked.
    unsafe {
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC;
        let fd = libc::open(name.as_ptr().cast(), flags, 0o600);
        if fd < 0 || libc::ftruncate(fd, FILE_BYTES as libc::off_t) != 0 {
            give_up("cannot create a log file in TRUTH_DIR");
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
        let map = libc::mmap(std::ptr::null_mut(), FILE_BYTES, protection, flags, fd, 0);
        libc::close(fd);
        if map == libc::MAP_FAILED {
            give_up("cannot map a log file in TRUTH_DIR");
        }
        map.cast()
    }
}

fn give_up(what: &str) -> ! {
    eprintln!("truthlog: {what}: {}", std::io::Error::last_os_error());
    std::process::abort()
}
