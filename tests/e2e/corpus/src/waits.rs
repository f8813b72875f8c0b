// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sites that wait in the kernel.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::io::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::busy::Site;
use crate::clock::{keep, HELD};

/// Does it in another thread, after a while.
fn later(work: impl FnOnce() + Send + 'static) {
    thread::spawn(move || {
        thread::sleep(HELD);
        work();
    });
}

/// Another thread has it for a while.
fn held<T: Send + 'static>(take: impl FnOnce(mpsc::Sender<()>) -> T + Send + 'static) {
    let (taken, is_taken) = mpsc::channel();
    thread::spawn(move || take(taken));
    is_taken.recv().unwrap();
}

async fn sleep_in_async_fn() {
    thread::sleep(HELD);
}

/// What comes after the sleep keeps it from being a jump.
#[inline(never)]
fn sleep_in_helper() -> u64 {
    thread::sleep(HELD);
    keep(4)
}

#[inline(always)]
fn sleep_inlined() {
    thread::sleep(HELD);
}

struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        thread::sleep(HELD);
        keep(6);
    }
}

async fn sleep_in_drop() {
    drop(Slow);
}

trait Waits {
    #[inline(never)]
    fn wait(&self) -> u64 {
        thread::sleep(HELD);
        keep(5)
    }
}

impl Waits for Slow {}

#[inline(never)]
fn sleep_in_provided() {
    struct Quick;
    impl Waits for Quick {}
    keep(Quick.wait());
}

async fn lock_mutex() {
    let mutex = Arc::new(Mutex::new(0));
    let theirs = mutex.clone();
    held(move |taken| {
        let _guard = theirs.lock();
        taken.send(()).unwrap();
        thread::sleep(HELD);
    });
    *mutex.lock().unwrap() += 1;
}

async fn read_rwlock() {
    let lock = Arc::new(RwLock::new(0));
    let theirs = lock.clone();
    held(move |taken| {
        let _guard = theirs.write();
        taken.send(()).unwrap();
        thread::sleep(HELD);
    });
    assert_eq!(*lock.read().unwrap(), 0);
}

async fn write_rwlock() {
    let lock = Arc::new(RwLock::new(0));
    let theirs = lock.clone();
    held(move |taken| {
        let _guard = theirs.read();
        taken.send(()).unwrap();
        thread::sleep(HELD);
    });
    *lock.write().unwrap() += 1;
}

async fn wait_condvar() {
    let mutex = Mutex::new(());
    let _ = Condvar::new().wait_timeout(mutex.lock().unwrap(), HELD);
}

async fn receive() {
    let (sender, receiver) = mpsc::channel();
    later(move || sender.send(1).unwrap());
    assert_eq!(receiver.recv(), Ok(1));
}

async fn receive_timeout() {
    let (_sender, receiver) = mpsc::channel::<u32>();
    assert!(receiver.recv_timeout(HELD).is_err());
}

async fn send_to_full() {
    let (sender, receiver) = mpsc::sync_channel(1);
    sender.send(1).unwrap();
    later(move || while receiver.recv().is_ok() {});
    sender.send(2).unwrap();
}

async fn join_thread() {
    let other = thread::spawn(|| thread::sleep(HELD));
    other.join().unwrap();
}

async fn park() {
    thread::park_timeout(HELD);
}

async fn wait_barrier() {
    let barrier = Arc::new(Barrier::new(2));
    let theirs = barrier.clone();
    later(move || {
        theirs.wait();
    });
    barrier.wait();
}

fn pipe() -> (File, File) {
    let mut fds = [-1; 2];
    // SAFETY: pipe() writes two descriptors, which nobody else owns.
    unsafe {
        assert_eq!(libc::pipe(fds.as_mut_ptr()), 0);
        (File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))
    }
}

async fn read_pipe() {
    let (mut reader, mut writer) = pipe();
    later(move || writer.write_all(b"x").unwrap());
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
}

async fn read_exactly() {
    let (mut reader, mut writer) = pipe();
    later(move || writer.write_all(b"xy").unwrap());
    reader.read_exact(&mut [0; 2]).unwrap();
}

async fn read_all() {
    let (mut reader, mut writer) = pipe();
    later(move || writer.write_all(b"xy").unwrap());
    reader.read_to_end(&mut Vec::new()).unwrap();
}

async fn write_pipe() {
    let (mut reader, mut writer) = pipe();
    later(move || {
        let _ = io::copy(&mut reader, &mut io::sink());
    });
    writer.write_all(&[0; 1 << 17]).unwrap();
}

fn both_ends() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

async fn read_socket() {
    let (mut near, mut far) = both_ends();
    later(move || far.write_all(b"x").unwrap());
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
}

async fn accept_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    later(move || drop(TcpStream::connect(address)));
    listener.accept().unwrap();
}

async fn receive_datagram() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(HELD)).unwrap();
    assert!(socket.recv_from(&mut [0; 8]).is_err());
}

async fn read_unix_socket() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    later(move || far.write_all(b"x").unwrap());
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
}

async fn run_command() {
    assert!(Command::new("sleep").arg("0.03").status().unwrap().success());
}

async fn take_output() {
    assert!(Command::new("sleep").arg("0.03").output().unwrap().status.success());
}

async fn wait_for_child() {
    let mut child = Command::new("sleep").arg("0.03").spawn().unwrap();
    assert!(child.wait().unwrap().success());
}

#[inline(never)]
fn scratch() -> std::path::PathBuf {
    // Not /tmp, which is often kept in memory, where nothing waits.
    std::path::Path::new("/var/tmp").join(format!("corpus-{}", std::process::id()))
}

async fn sync_file() {
    let path = scratch();
    let mut file = OpenOptions::new().write(true).create(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let started = Instant::now();
    while started.elapsed() < HELD {
        file.write_all(b"x").unwrap();
        file.sync_data().unwrap();
    }
    // Closing a file without a name waits as well, and that is another call.
    std::mem::forget(file);
}

async fn lock_file() {
    let path = scratch();
    let ours = File::create(&path).unwrap();
    let theirs = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    held(move |taken| {
        // SAFETY: a descriptor that is open.
        unsafe { libc::flock(theirs.as_raw_fd(), libc::LOCK_EX) };
        taken.send(()).unwrap();
        thread::sleep(HELD);
    });
    // SAFETY: as above.
    assert_eq!(unsafe { libc::flock(ours.as_raw_fd(), libc::LOCK_EX) }, 0);
}

async fn two_in_one(which: u32) {
    if which == 0 {
        thread::sleep(HELD + Duration::from_millis(1));
    } else {
        let (mut reader, mut writer) = pipe();
        later(move || writer.write_all(b"x").unwrap());
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
    }
}

async fn call_helper() {
    sleep_in_helper();
    keep(1);
}

async fn call_inlined() {
    sleep_inlined();
    keep(2);
}

async fn call_provided() {
    sleep_in_provided();
    keep(3);
}

pub fn sites() -> Vec<Site> {
    vec![
        ("sleep-async-fn", |_| Box::pin(sleep_in_async_fn())),
        ("sleep-helper", |_| Box::pin(call_helper())),
        ("sleep-inlined", |_| Box::pin(call_inlined())),
        ("sleep-drop", |_| Box::pin(sleep_in_drop())),
        ("sleep-provided", |_| Box::pin(call_provided())),
        ("lock-mutex", |_| Box::pin(lock_mutex())),
        ("lock-rwlock-read", |_| Box::pin(read_rwlock())),
        ("lock-rwlock-write", |_| Box::pin(write_rwlock())),
        ("lock-condvar", |_| Box::pin(wait_condvar())),
        ("lock-recv", |_| Box::pin(receive())),
        ("lock-recv-timeout", |_| Box::pin(receive_timeout())),
        ("lock-send", |_| Box::pin(send_to_full())),
        ("lock-join", |_| Box::pin(join_thread())),
        ("lock-park", |_| Box::pin(park())),
        ("lock-barrier", |_| Box::pin(wait_barrier())),
        ("pipe-read", |_| Box::pin(read_pipe())),
        ("pipe-read-exact", |_| Box::pin(read_exactly())),
        ("pipe-read-all", |_| Box::pin(read_all())),
        ("pipe-write", |_| Box::pin(write_pipe())),
        ("socket-read", |_| Box::pin(read_socket())),
        ("socket-accept", |_| Box::pin(accept_connection())),
        ("socket-datagram", |_| Box::pin(receive_datagram())),
        ("socket-unix", |_| Box::pin(read_unix_socket())),
        ("process-status", |_| Box::pin(run_command())),
        ("process-output", |_| Box::pin(take_output())),
        ("process-wait", |_| Box::pin(wait_for_child())),
        ("file-lock", |_| Box::pin(lock_file())),
        ("two-sleep", |_| Box::pin(two_in_one(0))),
        ("two-read", |_| Box::pin(two_in_one(1))),
        // Last: each of its many sleeps takes from the number of stacks that the tool allows itself in a second.
        ("file-sync", |_| Box::pin(sync_file())),
    ]
}
