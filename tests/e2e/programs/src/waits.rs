// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blocks in system calls whose argument the test knows: a kind, and behind a colon what it is about.

use std::cell::UnsafeCell;
use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use crate::work;

static LOCK: Mutex<()> = Mutex::new(());

struct PthreadMutex(UnsafeCell<libc::pthread_mutex_t>);
// SAFETY: that is what it is for.
unsafe impl Sync for PthreadMutex {}
static PTHREAD: PthreadMutex = PthreadMutex(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));

/// %XX is a byte.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut i, mut out) = (0, Vec::new());
    while i < bytes.len() {
        if bytes[i] == b'%' {
            out.push(u8::from_str_radix(&text[i + 1..i + 3], 16).expect("two digits"));
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    out
}

fn c_path(bytes: &[u8]) -> CString {
    CString::new(bytes).expect("no NUL in a path")
}

fn file_at(bytes: &[u8], flags: i32) -> OwnedFd {
    // SAFETY: a string that is alive.
    let fd = unsafe { libc::open(c_path(bytes).as_ptr(), flags | libc::O_CLOEXEC, 0o600) };
    assert!(fd >= 0, "open: {}", std::io::Error::last_os_error());
    // SAFETY: it is ours alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Runs `then` on a thread called `helper` while the caller blocks; says which thread that is.
fn later(ms: u64, then: impl FnOnce() + Send + 'static) {
    let helper = std::thread::Builder::new().name("helper".into());
    helper
        .spawn(move || {
            work::say(&format!("helper tid={}", work::thread_id()));
            std::thread::sleep(Duration::from_millis(ms));
            then();
        })
        .expect("a thread");
}

fn read_one(fd: &OwnedFd) {
    let mut byte = 0_u8;
    // SAFETY: one byte is there to be written to.
    unsafe { libc::read(fd.as_raw_fd(), &mut byte as *mut u8 as *mut _, 1) };
}

fn write_one(fd: &OwnedFd) {
    // SAFETY: one byte is there to be read.
    unsafe { libc::write(fd.as_raw_fd(), b"x".as_ptr() as *const _, 1) };
}

/// A FIFO open both ways: reading blocks until the helper writes.
fn read_fifo(path: &[u8], ms: u64, is_deleted: bool) {
    let fifo = file_at(path, libc::O_RDWR);
    if is_deleted {
        // SAFETY: a string that is alive.
        unsafe { libc::unlink(c_path(path).as_ptr()) };
    }
    let other = fifo.try_clone().expect("dup");
    later(ms, move || write_one(&other));
    read_one(&fifo);
}

/// The descriptor becomes another file's as soon as the thread sleeps.
fn read_replaced(path: &[u8], ms: u64) {
    let fifo = file_at(path, libc::O_RDWR);
    let other = fifo.try_clone().expect("dup");
    let number = fifo.as_raw_fd();
    later(1, move || {
        let decoy = file_at(b"/dev/null", libc::O_RDONLY);
        // SAFETY: the descriptor is closed by its owner later, whatever it is then.
        unsafe { libc::dup2(decoy.as_raw_fd(), number) };
        std::thread::sleep(Duration::from_millis(ms));
        write_one(&other);
    });
    read_one(&fifo);
}

/// As many short sleeps as there are milliseconds.
fn read_often(path: &[u8], ms: u64) {
    let fifo = file_at(path, libc::O_RDWR);
    let other = fifo.try_clone().expect("dup");
    later(0, move || {
        for _ in 0..ms {
            std::thread::sleep(Duration::from_millis(1));
            write_one(&other);
        }
    });
    for _ in 0..ms {
        read_one(&fifo);
    }
}

fn open_fifo(path: &[u8], ms: u64) {
    let other = path.to_vec();
    later(ms, move || {
        let end = file_at(&other, libc::O_WRONLY);
        std::thread::sleep(Duration::from_millis(5));
        drop(end);
    });
    file_at(path, libc::O_RDONLY);
}

fn read_pipe(ms: u64) {
    let mut fds = [0; 2];
    // SAFETY: two descriptors are there to be written to.
    unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) };
    // SAFETY: they are ours alone.
    let [reader, writer] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    later(ms, move || write_one(&writer));
    read_one(&reader);
}

fn sleeper(ms: u64) -> Command {
    let mut command = Command::new("sleep");
    command.arg(format!("{}.{:03}", ms / 1000, ms % 1000));
    command
}

fn wait_for_child(ms: u64) {
    let mut child = sleeper(ms).spawn().expect("sleep is there");
    work::say(&format!("child pid={}", child.id()));
    let _ = child.wait();
}

fn read_from_child(ms: u64) {
    let mut child = sleeper(ms).stdout(Stdio::piped()).spawn().expect("sleep is there");
    work::say(&format!("child pid={}", child.id()));
    let mut out = child.stdout.take().expect("as asked for");
    let _ = out.read(&mut [0]);
    let _ = child.wait();
}

fn lock_file(path: &[u8], ms: u64) {
    let (first, second) =
        (file_at(path, libc::O_RDWR | libc::O_CREAT), file_at(path, libc::O_RDWR));
    // SAFETY: no memory involved.
    unsafe { libc::flock(first.as_raw_fd(), libc::LOCK_EX) };
    later(ms, move || drop(first));
    // SAFETY: no memory involved.
    unsafe { libc::flock(second.as_raw_fd(), libc::LOCK_EX) };
}

fn read_tcp(ms: u64) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("bound");
    let mut stream = std::net::TcpStream::connect(addr).expect("it listens");
    let (mut other, _) = listener.accept().expect("it has connected");
    work::say(&format!("peer port={}", addr.port()));
    later(ms, move || {
        let _ = other.write(b"x");
    });
    let _ = stream.read(&mut [0]);
}

/// Nobody accepts, and the queue is full: the SYN is dropped.
fn connect_tcp(ms: u64) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    // SAFETY: no memory involved.
    unsafe { libc::listen(listener.as_raw_fd(), 0) };
    let addr = listener.local_addr().expect("bound");
    let _full = std::net::TcpStream::connect(addr).expect("room for one");
    work::say(&format!("peer port={}", addr.port()));
    // SAFETY: a new socket and an address that is alive.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        let limit =
            libc::timeval { tv_sec: (ms / 1000) as i64, tv_usec: (ms % 1000 * 1000) as i64 };
        let size = std::mem::size_of_val(&limit) as u32;
        let at = &limit as *const _ as *const _;
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_SNDTIMEO, at, size);
        let mut to: libc::sockaddr_in = std::mem::zeroed();
        to.sin_family = libc::AF_INET as u16;
        to.sin_port = addr.port().to_be();
        to.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let size = std::mem::size_of_val(&to) as u32;
        libc::connect(fd, &to as *const _ as *const _, size);
        libc::close(fd);
    }
}

fn read_udp(ms: u64) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.connect("127.0.0.1:9").expect("no packet is sent");
    let _ = socket.set_read_timeout(Some(Duration::from_millis(ms)));
    let _ = socket.recv(&mut [0]);
}

fn read_unix(listener: UnixListener, mut stream: UnixStream, ms: u64) {
    let (mut other, _) = listener.accept().expect("it has connected");
    later(ms, move || {
        let _ = other.write(b"x");
    });
    let _ = stream.read(&mut [0]);
}

fn read_unix_path(path: Vec<u8>, ms: u64) {
    let path = std::ffi::OsString::from_vec(path);
    let listener = UnixListener::bind(&path).expect("a new path");
    let stream = UnixStream::connect(&path).expect("it listens");
    read_unix(listener, stream, ms);
}

fn read_unix_abstract(name: &[u8], ms: u64) {
    use std::os::linux::net::SocketAddrExt;
    let addr = std::os::unix::net::SocketAddr::from_abstract_name(name).expect("short enough");
    let listener = UnixListener::bind_addr(&addr).expect("a new name");
    let stream = UnixStream::connect_addr(&addr).expect("it listens");
    read_unix(listener, stream, ms);
}

fn poll_pipes(ms: u64) {
    let mut fds = [0; 4];
    // SAFETY: descriptors of our own, and memory for them.
    unsafe {
        libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC);
        libc::pipe2(fds[2..].as_mut_ptr(), libc::O_CLOEXEC);
        let poll = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut set = [poll(fds[0]), poll(fds[2])];
        libc::poll(set.as_mut_ptr(), 2, ms as i32);
        for fd in fds {
            libc::close(fd);
        }
    }
}

fn lock_std(ms: u64) {
    let (taken, is_taken) = std::sync::mpsc::channel();
    later(0, move || {
        let guard = LOCK.lock();
        taken.send(()).expect("somebody waits for it");
        std::thread::sleep(Duration::from_millis(ms));
        drop(guard);
    });
    let _ = is_taken.recv();
    let _guard = LOCK.lock();
}

fn lock_pthread(ms: u64) {
    let (taken, is_taken) = std::sync::mpsc::channel();
    later(0, move || hold_pthread(ms, || taken.send(()).expect("somebody waits for it")));
    let _ = is_taken.recv();
    hold_pthread(0, || ());
}

/// A task on the other worker holds it. (The newest task of a worker is not given to another one: it gets company.)
fn lock_of_task(ms: u64) {
    let (taken, is_taken) = std::sync::mpsc::channel();
    tokio::spawn(async move {
        work::say(&format!("holder task={} tid={}", tokio::task::id(), work::thread_id()));
        hold_pthread(ms, || taken.send(()).expect("somebody waits for it"));
    });
    tokio::spawn(async {});
    let _ = is_taken.recv();
    hold_pthread(0, || ());
}

fn hold_pthread(ms: u64, taken: impl FnOnce()) {
    // SAFETY: a static one, unlocked by who has locked it.
    unsafe { libc::pthread_mutex_lock(PTHREAD.0.get()) };
    taken();
    std::thread::sleep(Duration::from_millis(ms));
    // SAFETY: as above.
    unsafe { libc::pthread_mutex_unlock(PTHREAD.0.get()) };
}

/// As a Mutex would be whose data looks like what glibc keeps behind its lock.
fn lock_lookalike(ms: u64) {
    let words = [2, 0, std::process::id(), 1, 0];
    let limit = libc::timespec { tv_sec: 0, tv_nsec: ms as i64 * 1_000_000 };
    let op = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
    let mut until = limit;
    // SAFETY: words and times that are alive.
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut until);
        until.tv_nsec += limit.tv_nsec;
        until.tv_sec += until.tv_nsec / 1_000_000_000;
        until.tv_nsec %= 1_000_000_000;
        let none = std::ptr::null::<u32>();
        libc::syscall(libc::SYS_futex, words.as_ptr(), op, 2, &until, none, !0_u32);
    }
}

/// A page that is there only when the helper has put it there: anonymous memory, or of a memfd.
fn touch_late_page(ms: u64, is_file: bool) {
    const PAGE: usize = 4096;
    // SAFETY: memory and descriptors of our own; the requests are those of linux/userfaultfd.h.
    unsafe {
        let (flags, fd) = if is_file {
            let fd = libc::memfd_create(b"late\0".as_ptr() as *const _, libc::MFD_CLOEXEC);
            libc::ftruncate(fd, PAGE as i64);
            (libc::MAP_SHARED, fd)
        } else {
            (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
        };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let page = libc::mmap(std::ptr::null_mut(), PAGE, protection, flags, fd, 0);
        let faults = libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) as i32;
        let mut api = [0xaa_u64, 0, 0];
        assert_eq!(libc::ioctl(faults, 0xc018_aa3f, api.as_mut_ptr()), 0, "UFFDIO_API");
        let mut range = [page as u64, PAGE as u64, 1, 0];
        assert_eq!(libc::ioctl(faults, 0xc020_aa00, range.as_mut_ptr()), 0, "UFFDIO_REGISTER");
        let address = page as u64;
        later(ms, move || {
            let content = [7_u8; PAGE];
            let mut copy = [address, content.as_ptr() as u64, PAGE as u64, 0, 0];
            libc::ioctl(faults, 0xc028_aa03, copy.as_mut_ptr());
        });
        std::hint::black_box(std::ptr::read_volatile(page as *const u64));
        libc::munmap(page, PAGE);
        libc::close(faults);
        libc::close(fd);
    }
}

/// With a name server that does not answer.
fn resolve() {
    use std::net::ToSocketAddrs;
    let _ = ("name.invalid", 80).to_socket_addrs();
}

/// False: it is none of these.
pub fn hold(kind: &str, ms: u64) -> bool {
    let (kind, about) = kind.split_once(':').unwrap_or((kind, ""));
    let about = decode(about);
    match kind {
        "read-fifo" => read_fifo(&about, ms, false),
        "read-deleted" => read_fifo(&about, ms, true),
        "read-often" => read_often(&about, ms),
        "read-replaced" => read_replaced(&about, ms),
        "open-fifo" => open_fifo(&about, ms),
        "read-pipe" => read_pipe(ms),
        "poll-pipes" => poll_pipes(ms),
        "child" => wait_for_child(ms),
        "read-child" => read_from_child(ms),
        "flock" => lock_file(&about, ms),
        "read-tcp" => read_tcp(ms),
        "connect-tcp" => connect_tcp(ms),
        "read-udp" => read_udp(ms),
        "read-unix" => read_unix_path(about, ms),
        "read-abstract" => read_unix_abstract(&about, ms),
        "lock-std" => lock_std(ms),
        "lock-pthread" => lock_pthread(ms),
        "lock-of-task" => lock_of_task(ms),
        "fault" => touch_late_page(ms, false),
        "fault-file" => touch_late_page(ms, true),
        "resolve" => resolve(),
        "lock-lookalike" => lock_lookalike(ms),
        _ => return false,
    }
    true
}
