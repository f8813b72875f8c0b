// SPDX-License-Identifier: MIT OR Apache-2.0
//! The loads the cost harness attaches to, in one program: `load NAME [options]`.

mod cpu;
mod net;

use load::{answer, option, ready, Work};

type Start = fn() -> (&'static Work, Option<u16>);

const LOADS: &[(&str, Start, &str)] = &[
    ("storm", cpu::storm, "millions of polls a second (--workers N, --tasks N per worker)"),
    ("pingpong", cpu::pingpong, "two tasks on two threads of one CPU, a context switch per message (--cpu N)"),
    ("spawn", cpu::spawn, "tasks that are spawned and end at once"),
    ("idle50", cpu::idle50, "50 worker threads with a few timers"),
    ("blocks", cpu::blocks, "ten blocking polls a second, half asleep, half computing"),
    ("spin", cpu::spin, "one thread computing, no runtime (--cpu N)"),
    ("echo", net::echo, "TCP echo server under load from a second process (--connections N)"),
    ("server", net::server, "TCP request/response server, prints its port"),
    ("client", net::client, "its clients; counts wrong, late and missing answers (--port N, --connections N)"),
];

fn usage() -> ! {
    eprintln!("usage: load NAME [--seconds N] [options]");
    for (name, _, what) in LOADS {
        eprintln!("  {name:<10}{what}");
    }
    std::process::exit(2);
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_else(|| usage());
    let Some((name, start, _)) = LOADS.iter().find(|l| l.0 == name) else { usage() };
    let (work, port) = start();
    ready(name, port);
    answer(work, option("--seconds"));
}
