// SPDX-License-Identifier: MIT OR Apache-2.0
//! Loads over TCP on the loopback interface.

use crate::cpu::runtime;
use load::{chew, option, Work};
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MESSAGE: usize = 64;
/// An answer later than this counts as an error.
const PATIENCE: Duration = Duration::from_secs(5);
/// Every so many requests the server sleeps in its handler, so that there is something to report.
const BLOCK_EVERY: u64 = 4_096;

type Started = (&'static Work, Option<u16>);

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// What the server must answer to `request`.
fn transform(request: &[u8; MESSAGE]) -> [u8; MESSAGE] {
    let mut answer = *request;
    answer.iter_mut().for_each(|b| *b ^= 0x5a);
    answer
}

async fn serve_one(mut socket: TcpStream, work: &'static Work, blocking: bool) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut request = [0u8; MESSAGE];
    let mut count = 0u64;
    loop {
        // A client that closes between two requests is not an error.
        if socket.read_exact(&mut request).await.is_err() {
            return Ok(());
        }
        count += 1;
        if blocking && count % BLOCK_EVERY == 0 {
            std::thread::sleep(Duration::from_millis(6));
        }
        chew(200, count);
        socket.write_all(&transform(&request)).await?;
        work.slot(0).add_shared(1);
    }
}

fn start_server(blocking: bool) -> (&'static Work, u16) {
    let work = Work::new(1);
    let rt = runtime(2);
    let (listener, port) = rt.block_on(listen());
    rt.spawn(async move {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    tokio::spawn(async move {
                        if serve_one(socket, work, blocking).await.is_err() {
                            work.errors.add_shared(1);
                        }
                    });
                }
                Err(_) => work.errors.add_shared(1),
            }
        }
    });
    (work, port)
}

/// One unit is one request answered.
pub fn server() -> Started {
    let (work, port) = start_server(true);
    (work, Some(port))
}

/// The same without blocking requests; its clients run in a process of their own, whose cost is not counted.
pub fn echo() -> Started {
    let (work, port) = start_server(false);
    let connections = option("--connections").unwrap_or(16usize).to_string();
    let me = std::env::current_exe().expect("own path");
    let child = Command::new(me)
        .args(["client", "--port", &port.to_string(), "--connections", &connections])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("clients");
    // The clients end when this pipe closes, which is when this process ends, however it ends.
    std::mem::forget(child);
    (work, Some(port))
}

async fn exchange(socket: &mut TcpStream, n: u64) -> io::Result<()> {
    let mut request = [0u8; MESSAGE];
    request.chunks_exact_mut(8).for_each(|c| c.copy_from_slice(&n.to_le_bytes()));
    let mut answer = [0u8; MESSAGE];
    socket.write_all(&request).await?;
    socket.read_exact(&mut answer).await?;
    if answer != transform(&request) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "wrong answer"));
    }
    Ok(())
}

/// One connection kept for `requests` requests (0: for ever).
async fn connection(port: u16, work: &'static Work, requests: u64) -> io::Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.set_nodelay(true)?;
    for n in 1u64.. {
        tokio::time::timeout(PATIENCE, exchange(&mut socket, n)).await??;
        work.slot(0).add_shared(1);
        if n == requests {
            break;
        }
    }
    Ok(())
}

/// One unit is one right answer. One connection in addition is opened anew every 50 requests.
pub fn client() -> Started {
    let work = Work::new(1);
    let Some(port) = option::<u16>("--port") else {
        eprintln!("client needs --port");
        std::process::exit(2);
    };
    let connections = option("--connections").unwrap_or(16usize);
    let rt = runtime(1);
    for i in 0..connections + 1 {
        let requests = if i == connections { 50 } else { 0 };
        rt.spawn(async move {
            loop {
                if connection(port, work, requests).await.is_err() {
                    work.errors.add_shared(1);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                if requests > 0 {
                    // Few enough that ports in TIME_WAIT never run out.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    (work, None)
}
