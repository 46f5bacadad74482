//! An API that answers every request with the same stream, at once or after its first piece never again.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Events of an answer.
pub(crate) const EVENTS: usize = 24;

/// A held stream ends with the benchmark.
const HELD: Duration = Duration::from_secs(600);

pub(crate) struct Api {
    pub(crate) address: SocketAddr,
}

impl Api {
    pub(crate) fn start() -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("cannot listen: {error}"))?;
        let address = listener.local_addr().map_err(|error| format!("cannot listen: {error}"))?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(&stream));
            }
        });
        Ok(Self { address })
    }
}

/// Answers the requests of one connection until it ends; a connection that breaks off has nobody to tell.
fn serve(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let pieces = pieces();
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(held) = read_request(&mut reader) {
        let whole: Vec<u8> = pieces.concat();
        let sent = if held { writer.write_all(&[&pieces[0][..], &pieces[1]].concat()) } else { writer.write_all(&whole) };
        if sent.is_err() {
            return;
        }
        if held {
            // Nothing is ever sent: receiving with a timeout is the wait.
            let (_sender, never) = channel::<()>();
            let _ = never.recv_timeout(HELD);
            return;
        }
    }
}

/// Reads a request; tells whether its answer is to be held.
fn read_request(reader: &mut impl BufRead) -> Option<bool> {
    let (mut length, mut held) = (0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        held |= line.starts_with("x-bench-hold");
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(held)
}

/// The answer in pieces: the head, then each event in a chunk of its own.
fn pieces() -> Vec<Vec<u8>> {
    let mut data = vec![
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-bench-1","usage":{"input_tokens":9000,"output_tokens":1}}}"#
            .to_owned(),
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned(),
    ];
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"twenty-four characters.."}}"#;
    data.extend(std::iter::repeat_n(delta.to_owned(), EVENTS - 5));
    data.extend(
        [
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":120}}"#,
            r#"{"type":"message_stop"}"#,
        ]
        .map(str::to_owned),
    );
    let head =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nrequest-id: req_bench\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let mut pieces = vec![head];
    for data in data {
        let event = format!("event: x\ndata: {data}\n\n");
        pieces.push(format!("{:x}\r\n{event}\r\n", event.len()).into_bytes());
    }
    pieces.push(b"0\r\n\r\n".to_vec());
    pieces
}
