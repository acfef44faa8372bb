//! An application behind the server: it answers every request as a function says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Serves until the process ends.
pub(crate) fn start(answer: fn(&[u8]) -> (u16, Vec<u8>)) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream, answer));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: fn(&[u8]) -> (u16, Vec<u8>)) {
    let mut buffer = Vec::new();
    loop {
        let Some((head, length)) = head(&mut stream, &mut buffer) else { return };
        while buffer.len() < head + length {
            if !more(&mut stream, &mut buffer) {
                return;
            }
        }
        let rest = buffer.split_off(head + length);
        let (status, body) = answer(&buffer[head..]);
        buffer = rest;
        let mut bytes =
            format!("HTTP/1.1 {status} As-asked\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(&body);
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// How long the head is, and how long it says that the body is.
fn head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(usize, usize)> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if !more(stream, buffer) {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    Some((end, length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)))
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk) {
        Ok(read) if read > 0 => {
            buffer.extend_from_slice(&chunk[..read]);
            true
        }
        _ => false,
    }
}
