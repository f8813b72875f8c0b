// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small HTTP/1.1 service on 127.0.0.1 with slow handlers among fast ones, and a load generator
//! for it: the shape of a service whose tail latency suffers from a handler that blocks.

mod handlers;
mod load;
mod server;

use std::time::Duration;

const USAGE: &str = "usage: http-service [--port N] [--load N] [--seconds N]

  --port N      listen on 127.0.0.1:N (default 8080; 0 takes any free port)
  --load N      make requests to itself over N connections, and print their latencies at the end
  --seconds N   end after N seconds (default: run until killed)

  GET /fast     answers at once
  GET /hash     0.2 ms of CPU time: not a block
  GET /cpu      30 ms of CPU time
  GET /slow     80 ms of std::thread::sleep";

struct Args {
    port: u16,
    load: usize,
    seconds: Option<u64>,
}

fn number<T: std::str::FromStr>(option: &str, value: Option<String>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("{} needs a number", option))?;
    value.parse().map_err(|_| format!("{}: not a valid number: {}", option, value))
}

fn parse_args() -> Result<Args, String> {
    let mut args = Args { port: 8080, load: 0, seconds: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--port" => args.port = number(&word, words.next())?,
            "--load" => args.load = number(&word, words.next())?,
            "--seconds" => args.seconds = Some(number(&word, words.next())?),
            "--help" | "-h" => {
                println!("{}", USAGE);
                std::process::exit(0);
            }
            other => return Err(format!("unknown argument: {}", other)),
        }
    }
    Ok(args)
}

async fn run(args: Args) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", args.port)).await?;
    let address = listener.local_addr()?;
    println!("http-service: pid {}, http://{}/", std::process::id(), address);
    tokio::spawn(server::accept_loop(listener));
    let latencies = load::start(address, args.load);
    match args.seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
    latencies.print();
    Ok(())
}

fn main() {
    let args = match parse_args() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("http-service: {}\n{}", why, USAGE);
            std::process::exit(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("cannot start the Tokio runtime");
    if let Err(why) = runtime.block_on(run(args)) {
        eprintln!("http-service: {}", why);
        std::process::exit(1);
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
}
