// SPDX-License-Identifier: MIT OR Apache-2.0
//! The talk with the runner, on a plain thread: prints `ready`, waits for a line, prints `go NS`,
//! and `done NS` when the time is over, waits for another line, and ends the process.

use std::io::Write;
use std::time::Duration;

/// Long enough for every runtime and thread of a program to be up.
const SETTLE: Duration = Duration::from_millis(250);

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The runner may be gone; then the end of standard input ends the program.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn wait_for_line() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

pub fn start(seconds: f64) {
    let talk = move || {
        std::thread::sleep(SETTLE);
        say("ready");
        wait_for_line();
        say(&format!("go {}", truthlog::now_ns()));
        std::thread::sleep(Duration::from_secs_f64(seconds));
        say(&format!("done {}", truthlog::now_ns()));
        wait_for_line();
        // SAFETY: ends the process. Not exit(): destructors would race with the runtimes.
        unsafe { libc::_exit(0) }
    };
    spawn_thread("control", talk);
}

/// A thread that is none of Tokio's.
pub fn spawn_thread(name: &str, body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().name(name.into());
    thread.spawn(body).expect("cannot start a thread");
}
