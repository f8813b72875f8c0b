// SPDX-License-Identifier: MIT OR Apache-2.0

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, seconds, seed] = arguments.as_slice() else {
        eprintln!("usage: truth PROGRAM SECONDS SEED");
        std::process::exit(2);
    };
    let (Ok(seconds), Ok(seed)) = (seconds.parse(), seed.parse()) else {
        eprintln!("truth: SECONDS and SEED are numbers");
        std::process::exit(2);
    };
    std::process::exit(truth::run(name, seconds, seed));
}
