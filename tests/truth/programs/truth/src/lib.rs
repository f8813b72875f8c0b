// SPDX-License-Identifier: MIT OR Apache-2.0
//! The truth programs, one entry point for the executable and for the shared object.

mod assistant;
mod block;
mod combine;
mod control;
mod fault;
mod load;
mod nested;
mod places;
mod programs;
mod rng;
mod runtimes;
mod sets;

/// A row of the table of programs: a name and what runs it, given the seed; it never returns.
type Program = (&'static str, fn(u64) -> !);

const PROGRAMS: [Program; 16] = [
    ("multi", programs::multi),
    ("current", programs::current),
    ("localset", runtimes::localset),
    ("sets", sets::sets),
    ("runtimes", runtimes::runtimes),
    ("nested", nested::nested),
    ("places", places::places),
    ("migrate", programs::migrate),
    ("pressure", programs::pressure),
    ("sweep", programs::sweep),
    ("storm", programs::storm),
    ("root", runtimes::root_futures),
    ("long", programs::long),
    ("unconstrained", programs::unconstrained),
    ("healthy", programs::healthy),
    ("calm", programs::calm),
];

/// Runs a program for `seconds` after the `go` of its standard input (see control.rs). Returns an
/// exit code only when there is no such program.
pub fn run(name: &str, seconds: f64, seed: u64) -> i32 {
    let Some((_, program)) = PROGRAMS.iter().find(|(known, _)| *known == name) else {
        let names = PROGRAMS.map(|(name, _)| name).join(" | ");
        eprintln!("truth: no program '{name}'; there are: {names}");
        return 2;
    };
    // Panics of the programs are meant: they are caught, and counted by their logs.
    std::panic::set_hook(Box::new(|_| {}));
    control::start(seconds);
    program(seed)
}
