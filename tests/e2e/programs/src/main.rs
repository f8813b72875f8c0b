// SPDX-License-Identifier: MIT OR Apache-2.0
//! A Tokio program that does what its standard input says, one command a line, and ends with it.
//!
//! usage: e2e-target SHAPE        multi, current, local, busy, healthy; none: no runtime yet

mod executor;
mod named;
mod object_call;
mod waits;
mod work;

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::exit;

use executor::{Executor, Shape};
use object_call::Object;

#[derive(Default)]
struct Program {
    executor: Option<Executor>,
    object: Option<Object>,
}

impl Program {
    fn start(&mut self, shape: &str) {
        self.executor = Shape::parse(shape).map(Executor::start);
        if self.executor.is_none() {
            work::say(&format!("ready pid={}", std::process::id()));
        }
    }

    fn run(&mut self, line: &str) {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "runtime" => self.start(rest),
            "dlopen" => self.object = Some(Object::open(rest)),
            "object" => self.object.as_ref().expect("dlopen comes first").submit(rest),
            "fork" => fork_and_spin(rest.parse().unwrap_or(100)),
            "exec" => exec(rest),
            "switches" => switch(rest.parse().unwrap_or(100)),
            "exit" => exit(rest.parse().unwrap_or(0)),
            "kill" => kill_self(rest.parse().unwrap_or(libc::SIGKILL)),
            _ => self.executor.as_ref().expect("runtime comes first").submit(line),
        }
    }
}

/// Two threads, none of Tokio's, that wake each other as fast as they can.
fn switch(ms: u64) {
    let end = work::now_ns() + ms * 1_000_000;
    let (mut near, mut far) = UnixStream::pair().expect("no more descriptors");
    std::thread::spawn(move || {
        while work::now_ns() < end
            && near.write_all(&[0]).and_then(|()| near.read_exact(&mut [0])).is_ok()
        {}
    });
    std::thread::spawn(move || {
        while far.read_exact(&mut [0]).and_then(|()| far.write_all(&[0])).is_ok() {}
    });
}

/// The child has this thread alone, and blocks in it.
fn fork_and_spin(ms: u64) {
    // SAFETY: the child calls nothing that could need a lock another thread held.
    match unsafe { libc::fork() } {
        0 => {
            work::hold("spin", ms);
            // SAFETY: ends the process without running anything of it.
            unsafe { libc::_exit(0) }
        }
        child => {
            let mut status = 0;
            // SAFETY: waits for our own child.
            unsafe { libc::waitpid(child, &mut status, 0) };
            work::say(&format!("forked child={child} status={status}"));
        }
    }
}

fn exec(words: &str) -> ! {
    let words: Vec<CString> =
        words.split(' ').map(|w| CString::new(w).expect("no NUL in a line")).collect();
    let mut argv: Vec<_> = words.iter().map(|w| w.as_ptr()).collect();
    argv.push(std::ptr::null());
    // SAFETY: a NULL-terminated array of strings that are alive.
    unsafe { libc::execv(argv[0], argv.as_ptr()) };
    work::say("exec failed");
    exit(126)
}

fn kill_self(signal: i32) {
    // SAFETY: no memory involved.
    unsafe { libc::raise(signal) };
}

fn main() {
    let shape = std::env::args().nth(1).unwrap_or_else(|| "multi".to_string());
    let mut program = Program::default();
    program.start(&shape);
    for line in std::io::stdin().lines() {
        match line {
            Ok(line) => program.run(&line),
            Err(_) => break,
        }
    }
}
