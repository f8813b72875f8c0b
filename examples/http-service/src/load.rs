// SPDX-License-Identifier: MIT OR Apache-2.0
//! The built-in load: mostly fast requests, now and then a blocking one. The latencies it prints
//! show what the few blocking requests do to the many fast ones.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Of `CYCLE` requests of a connection, one goes to /slow, one to /cpu, some to /hash.
const CYCLE: usize = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// Nanoseconds that requests to /fast took.
#[derive(Clone, Default)]
pub struct Latencies {
    fast_ns: Arc<Mutex<Vec<u64>>>,
}

impl Latencies {
    fn add(&self, length: Duration) {
        if let Ok(mut all) = self.fast_ns.lock() {
            all.push(length.as_nanos() as u64);
        }
    }

    pub fn print(&self) {
        let mut all = match self.fast_ns.lock() {
            Ok(all) => all.clone(),
            Err(_) => return,
        };
        if all.is_empty() {
            return;
        }
        all.sort_unstable();
        let ms = |permille: usize| all[(all.len() - 1) * permille / 1000] as f64 / 1e6;
        println!(
            "/fast: {} requests, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms",
            all.len(),
            ms(500),
            ms(990),
            ms(999),
            ms(1000)
        );
    }
}

pub fn start(address: SocketAddr, connections: usize) -> Latencies {
    let latencies = Latencies::default();
    for index in 0..connections {
        tokio::spawn(load_connection(address, index, latencies.clone()));
    }
    latencies
}

async fn load_connection(address: SocketAddr, index: usize, latencies: Latencies) {
    if let Err(why) = request_forever(address, index, latencies).await {
        eprintln!("http-service: load connection {}: {}", index, why);
    }
}

async fn request_forever(
    address: SocketAddr,
    index: usize,
    latencies: Latencies,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // Connections start at different points of the cycle, or they would all block at once.
    let mut turn = index * 37;
    loop {
        let path = path_for(turn % CYCLE);
        let started = Instant::now();
        request(&mut stream, path).await?;
        if path == "/fast" {
            latencies.add(started.elapsed());
        }
        turn += 1;
        sleep(PAUSE).await;
    }
}

fn path_for(turn: usize) -> &'static str {
    match turn {
        50 => "/slow",
        150 => "/cpu",
        t if t % 10 == 3 => "/hash",
        _ => "/fast",
    }
}

async fn request(stream: &mut TcpStream, path: &str) -> io::Result<()> {
    let head = format!("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    stream.write_all(head.as_bytes()).await?;
    let mut reply = Vec::new();
    let mut buffer = [0; 1024];
    // Every reply of this server is a head and one line.
    while !reply.ends_with(b"\n") || reply.ends_with(b"\r\n") {
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => reply.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(())
}
