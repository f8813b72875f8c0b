// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ways to block a thread, each clearly of one cause and declared as such to the log.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use truthlog::{blocks, Cause};

use crate::assistant::Assistant;
use crate::fault::SlowPages;

#[inline(never)]
pub fn cpu(how_long: Duration) {
    let (start, mut value) = (Instant::now(), 1u64);
    blocks!(
        Cause::Cpu,
        while start.elapsed() < how_long {
            for _ in 0..64 {
                value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005) | 1);
            }
        }
    );
}

#[inline(never)]
pub fn sleep(how_long: Duration) {
    blocks!(Cause::Sleep, std::thread::sleep(how_long));
}

/// One way to block, with what it needs to do so.
pub enum Blocker {
    Cpu,
    Sleep,
    Mutex(HeldMutex),
    Condvar(Arc<(Mutex<bool>, Condvar)>, Assistant),
    File(File, Box<Aligned>),
    Socket(TcpStream, Assistant),
    Pipe(File, Assistant),
    Process,
    PageFault(SlowPages),
}

/// Constructors of every kind of blocker.
pub const EVERY: [fn() -> Blocker; 9] = [
    || Blocker::Cpu,
    || Blocker::Sleep,
    || Blocker::Mutex(HeldMutex::new()),
    condvar,
    file,
    socket,
    pipe,
    || Blocker::Process,
    || Blocker::PageFault(SlowPages::new()),
];

impl Blocker {
    /// Blocks for about as long as asked.
    pub fn block(&mut self, how_long: Duration) {
        match self {
            Blocker::Cpu => cpu(how_long),
            Blocker::Sleep => sleep(how_long),
            Blocker::Mutex(mutex) => mutex.lock(how_long),
            Blocker::Condvar(flag, notifier) => wait_condvar(flag, notifier, how_long),
            Blocker::File(file, buffer) => write_slowly(file, buffer, how_long),
            Blocker::Socket(socket, peer) => read_byte(Cause::Socket, socket, peer, how_long),
            Blocker::Pipe(pipe, peer) => read_byte(Cause::Pipe, pipe, peer, how_long),
            Blocker::Process => wait_for_child(how_long),
            Blocker::PageFault(pages) => pages.touch(how_long),
        }
    }

    /// To be called between two blocks, in another poll.
    pub fn reset(&mut self) {
        if let Blocker::PageFault(pages) = self {
            pages.reset();
        }
    }
}

/// A mutex that its assistant holds until told to let go after a while.
pub struct HeldMutex {
    mutex: Arc<Mutex<()>>,
    is_held: Arc<AtomicBool>,
    holder: Assistant,
}

impl HeldMutex {
    fn new() -> HeldMutex {
        let mutex = Arc::new(Mutex::new(()));
        let is_held = Arc::new(AtomicBool::new(false));
        let (theirs, flag) = (mutex.clone(), is_held.clone());
        let holder = Assistant::with_inbox(move |inbox| hold(&theirs, &flag, &inbox));
        HeldMutex { mutex, is_held, holder }
    }

    #[inline(never)]
    fn lock(&self, how_long: Duration) {
        while !self.is_held.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        self.holder.act_after(how_long);
        let _guard = blocks!(Cause::Lock, self.mutex.lock());
        self.is_held.store(false, Ordering::SeqCst);
    }
}

fn hold(mutex: &Mutex<()>, is_held: &AtomicBool, inbox: &Receiver<Duration>) {
    loop {
        let guard = mutex.lock();
        is_held.store(true, Ordering::SeqCst);
        let Ok(delay) = inbox.recv() else { return };
        std::thread::sleep(delay);
        drop(guard);
        // The waiter must have had it before it is taken again: std's mutex is not fair.
        while is_held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

fn condvar() -> Blocker {
    let flag = Arc::new((Mutex::new(false), Condvar::new()));
    let set = flag.clone();
    let notifier = Assistant::new(move || {
        *set.0.lock().unwrap() = true;
        set.1.notify_one();
    });
    Blocker::Condvar(flag, notifier)
}

#[inline(never)]
fn wait_condvar(flag: &(Mutex<bool>, Condvar), notifier: &Assistant, how_long: Duration) {
    notifier.act_after(how_long);
    let mut is_set = flag.0.lock().unwrap();
    while !*is_set {
        is_set = blocks!(Cause::Lock, flag.1.wait(is_set).unwrap());
    }
    *is_set = false;
}

fn socket() -> Blocker {
    let listener = TcpListener::bind("127.0.0.1:0").expect("cannot listen on loopback");
    let near = TcpStream::connect(listener.local_addr().unwrap()).expect("cannot connect");
    let (mut far, _) = listener.accept().expect("cannot accept");
    far.set_nodelay(true).expect("cannot set TCP_NODELAY");
    let peer = Assistant::new(move || far.write_all(b"x").unwrap_or(()));
    Blocker::Socket(near, peer)
}

fn pipe() -> Blocker {
    let mut ends = [0; 2];
    // SAFETY: `ends` takes the two descriptors, each owned once below.
    let (reader, mut writer) = unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0, "cannot make a pipe");
        (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]))
    };
    let peer = Assistant::new(move || writer.write_all(b"x").unwrap_or(()));
    Blocker::Pipe(reader, peer)
}

#[inline(never)]
fn read_byte(cause: Cause, from: &mut impl Read, peer: &Assistant, how_long: Duration) {
    peer.act_after(how_long);
    blocks!(cause, from.read_exact(&mut [0])).expect("the peer is gone");
}

#[inline(never)]
fn wait_for_child(how_long: Duration) {
    let seconds = format!("{:.4}", how_long.as_secs_f64());
    blocks!(Cause::Process, Command::new("sleep").arg(seconds).status()).expect("no `sleep`");
}

/// A buffer as O_DIRECT wants it.
#[repr(align(4096))]
pub struct Aligned([u8; 64 << 10]);

fn file() -> Blocker {
    Blocker::File(scratch_file(libc::O_DIRECT), Box::new(Aligned([7; 64 << 10])))
}

/// Writes that wait for the disk, until the time is over.
#[inline(never)]
fn write_slowly(file: &File, buffer: &Aligned, how_long: Duration) {
    let start = Instant::now();
    blocks!(
        Cause::File,
        while start.elapsed() < how_long {
            // SAFETY: the buffer is as long as said. A full disk shows in the log as no block.
            unsafe {
                libc::pwrite(file.as_raw_fd(), buffer.0.as_ptr().cast(), buffer.0.len(), 0);
                libc::fdatasync(file.as_raw_fd());
            }
        }
    );
}

/// A file without a name, in TRUTH_SCRATCH (a real disk, not a tmpfs) or the temporary folder.
pub fn scratch_file(flags: libc::c_int) -> File {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let folder = std::env::var_os("TRUTH_SCRATCH").map_or_else(std::env::temp_dir, PathBuf::from);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("truth-{}-{number}", std::process::id()));
    let open = |flags| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).custom_flags(flags);
        options.open(&path)
    };
    // Not every file system has O_DIRECT.
    let file = open(flags).or_else(|_| open(0)).expect("cannot create a scratch file");
    let _ = std::fs::remove_file(&path);
    file
}
