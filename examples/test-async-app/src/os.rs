// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tasks that block their worker while they wait for somebody else: a pipe, a socket, a child.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::io::FromRawFd;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::blocking::every;
use crate::hooks::{self, TaskId};
use crate::report;

extern "C" {
    // std::io::pipe is newer than the oldest compiler this is built with.
    fn pipe(fds: *mut i32) -> i32;
}

/// The read and the write end of a new pipe.
fn open_pipe() -> io::Result<(File, File)> {
    let mut fds = [-1; 2];
    // SAFETY: pipe() writes two descriptors, which nobody else owns, or fails.
    unsafe {
        if pipe(fds.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1])))
    }
}

/// A thread that writes one byte, `delay` after each request.
fn spawn_slow_writer(mut sink: impl Write + Send + 'static, delay: Duration) -> mpsc::Sender<()> {
    let (ask, asked) = mpsc::channel();
    thread::spawn(move || {
        for () in asked {
            thread::sleep(delay);
            if sink.write_all(b"x").is_err() {
                return;
            }
        }
    });
    ask
}

pub async fn read_slow_pipe(id: TaskId) {
    let id = id.get().await;
    match open_pipe() {
        Ok((mut reader, writer)) => {
            let ask = spawn_slow_writer(writer, Duration::from_millis(60));
            let mut byte = [0];
            block_in("pipe", id, 3700, ask, || reader.read_exact(&mut byte)).await
        }
        Err(why) => eprintln!("test-async-app: no pipe: {}", why),
    }
}

pub async fn receive_from_slow_peer(id: TaskId) {
    let id = id.get().await;
    match connect_to_self() {
        Ok((mut reader, writer)) => {
            let ask = spawn_slow_writer(writer, Duration::from_millis(75));
            let mut byte = [0];
            block_in("socket", id, 4300, ask, || reader.read_exact(&mut byte)).await
        }
        Err(why) => eprintln!("test-async-app: no socket: {}", why),
    }
}

/// Both ends of a TCP connection on the loopback interface.
fn connect_to_self() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    Ok((client, server))
}

/// Asks for an answer again and again, and waits for it in `wait`.
async fn block_in(
    kind: &'static str,
    id: u64,
    period_ms: u64,
    ask: mpsc::Sender<()>,
    mut wait: impl FnMut() -> io::Result<()>,
) {
    let mut timer = every(period_ms);
    loop {
        timer.tick().await;
        hooks::set_current_task_id(id);
        let started = Instant::now();
        if ask.send(()).is_err() || wait().is_err() {
            return;
        }
        report::block(kind, id, started);
    }
}

pub async fn wait_for_child(id: TaskId) {
    let id = id.get().await;
    let mut timer = every(4700);
    loop {
        timer.tick().await;
        hooks::set_current_task_id(id);
        let started = Instant::now();
        if let Err(why) = Command::new("sleep").arg("0.05").status() {
            eprintln!("test-async-app: cannot run sleep: {}", why);
            return;
        }
        report::block("process", id, started);
    }
}
