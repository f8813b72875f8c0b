// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program to profile: async tasks that block the executor in every usual way, each at its own
//! period, beside well-behaved ones. Each block is printed as it ends, so that what a profiler
//! says can be compared line by line.

mod blocking;
mod files;
mod healthy;
mod hooks;
mod os;
mod report;

use std::future::Future;
use std::time::Duration;

use hooks::TaskId;
use tokio::task::JoinHandle;

const WORKERS: usize = 4;

const USAGE: &str = "usage: test-async-app [--seconds N] [--quiet]

  --seconds N   end after N seconds (default: run until killed)
  --quiet       do not print a line for each block";

struct Args {
    seconds: Option<u64>,
    quiet: bool,
}

fn parse_args() -> Result<Args, String> {
    let mut args = Args { seconds: None, quiet: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                let value = words.next().ok_or("--seconds needs a number")?;
                let seconds = value.parse().map_err(|_| format!("not a number: {}", value))?;
                args.seconds = Some(seconds);
            }
            "--quiet" => args.quiet = true,
            "--help" | "-h" => {
                println!("{}", USAGE);
                std::process::exit(0);
            }
            other => return Err(format!("unknown argument: {}", other)),
        }
    }
    Ok(args)
}

/// Spawns a task that is told its own id.
fn start<F, T>(task: F) -> JoinHandle<()>
where
    F: FnOnce(TaskId) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let (id, sender) = TaskId::promise();
    let handle = tokio::spawn(task(id));
    sender.tell(&handle);
    handle
}

fn start_all() {
    start(blocking::upload_with_markers);
    start(blocking::sleep_in_handler);
    start(blocking::spin_in_handler);
    start(blocking::wait_for_mutex);
    start(files::write_slow_file);
    start(os::read_slow_pipe);
    start(os::receive_from_slow_peer);
    start(os::wait_for_child);
    tokio::spawn(blocking::abort_task_with_slow_drop());

    for index in 0..8 {
        tokio::spawn(healthy::timer_loop(Duration::from_millis(10 + index * 7)));
    }
    for _ in 0..2 {
        healthy::spawn_channel_pair();
    }
    tokio::spawn(healthy::offload_to_blocking_pool());
    tokio::spawn(healthy::announce_with_block_in_place());
}

fn main() {
    let args = match parse_args() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("test-async-app: {}\n{}", why, USAGE);
            std::process::exit(2);
        }
    };
    report::set_quiet(args.quiet);
    println!("test-async-app: pid {}, {} workers", std::process::id(), WORKERS);
    println!("every line below is one block of the executor: its kind, task id and length");

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_time()
        .build()
        .expect("cannot start the Tokio runtime");
    runtime.block_on(async {
        start_all();
        match args.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    report::print_totals();
}
