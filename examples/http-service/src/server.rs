// SPDX-License-Identifier: MIT OR Apache-2.0
//! As much HTTP/1.1 as the example needs: GET, keep-alive, no bodies in requests.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::handlers;

const MAX_REQUEST: usize = 8192;

pub async fn accept_loop(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(stream));
            }
            // Out of descriptors, most likely: wait until some connections have ended.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve_connection(mut stream: TcpStream) {
    // An error here means that the client went away.
    let _ = serve_requests(&mut stream).await;
}

async fn serve_requests(stream: &mut TcpStream) -> io::Result<()> {
    let mut pending = Vec::new();
    while let Some(head) = read_head(stream, &mut pending).await? {
        let (status, body) = route(&head).await;
        let reply = format!(
            "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}",
            status,
            body.len(),
            body
        );
        stream.write_all(reply.as_bytes()).await?;
    }
    Ok(())
}

/// The next request's head, taken off the front of `pending`; None at the end of the connection.
async fn read_head(stream: &mut TcpStream, pending: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
            return Ok(Some(pending.drain(..end + 4).collect()));
        }
        if pending.len() > MAX_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            n => pending.extend_from_slice(&buffer[..n]),
        }
    }
}

async fn route(head: &[u8]) -> (&'static str, String) {
    let line = head.split(|&b| b == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&b| b == b' ');
    if words.next() != Some(&b"GET"[..]) {
        return ("405 Method Not Allowed", "only GET\n".into());
    }
    match words.next() {
        Some(b"/fast") => ("200 OK", handlers::fast().await),
        Some(b"/hash") => ("200 OK", handlers::hash().await),
        Some(b"/cpu") => ("200 OK", handlers::cpu().await),
        Some(b"/slow") => ("200 OK", handlers::slow().await),
        _ => ("404 Not Found", "try /fast, /hash, /cpu or /slow\n".into()),
    }
}
