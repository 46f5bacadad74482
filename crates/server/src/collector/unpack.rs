//! Compressed bodies: unpacked to a limit, so that a small body cannot become a large memory.

use std::io::Read;

use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, StatusCode};
use flate2::read::MultiGzDecoder;

use crate::collector::flight::Room;
use crate::problem::plain;
use crate::refusal::Refusal;
use crate::routes::Fault;
use crate::types::Problem;

/// 2^23: a sender at the highest ordinary level has a window of 8 MiB; more would be memory that one request may ask for.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// 256 KiB: what is unpacked between two looks at the limits.
const PIECE_BYTES: u64 = 256 * 1024;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Not at all.
    Plain,
    Gzip,
    Zstd,
}

/// Reads how the body is packed.
pub(crate) fn coding(headers: &HeaderMap) -> Result<Coding, Fault> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let unknown =
        || Fault::from(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding", "a body is sent as it is, or packed once with gzip or zstd"));
    let Some(coding) = codings.next() else { return Ok(Coding::Plain) };
    if codings.next().is_some() {
        return Err(unknown());
    }
    match coding.to_str().map(|word| word.trim().to_ascii_lowercase()).as_deref() {
        Ok("identity" | "") => Ok(Coding::Plain),
        Ok("gzip" | "x-gzip") => Ok(Coding::Gzip),
        Ok("zstd") => Ok(Coding::Zstd),
        _ => Err(unknown()),
    }
}

/// Unpacks to at most `bytes_max` bytes; each piece takes its room first.
pub(crate) fn unpack(packed: &[u8], coding: Coding, bytes_max: usize, room: &mut Room) -> Result<Vec<u8>, Fault> {
    match coding {
        Coding::Plain => Ok(packed.to_vec()),
        Coding::Gzip => bounded(MultiGzDecoder::new(packed), bytes_max, room),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
            bounded(decoder, bytes_max, room)
        }
    }
}

fn bounded(mut from: impl Read, bytes_max: usize, room: &mut Room) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    loop {
        let had = bytes.len();
        // Piece by piece: memory grows with what comes, and stops at the limits.
        from.by_ref().take(PIECE_BYTES).read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() == had {
            return Ok(bytes);
        }
        if bytes.len() > bytes_max {
            let detail = format!("a body has at most {bytes_max} bytes when it is unpacked");
            return Err(plain(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail).into());
        }
        if !room.grow(bytes.len() - had) {
            return Err(Refusal::Crowded.into());
        }
    }
}

fn damaged(error: std::io::Error) -> Problem {
    plain(StatusCode::BAD_REQUEST, "encoding", format!("cannot unpack the body: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write;

    use axum::response::IntoResponse;

    use super::*;
    use crate::collector::flight::Flights;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn told(packed: &[u8], coding: Coding, bytes_max: usize, flights: usize) -> Result<Vec<u8>, u16> {
        let mut room = Room::new(&Flights::new(flights));
        unpack(packed, coding, bytes_max, &mut room).map_err(|fault| fault.into_response().status().as_u16())
    }

    /// Protects the memory from a body that unpacks to far more than it is: both codings stop at the limit of the body and at that of all bodies
    /// together, and a damaged body is told as such.
    #[test]
    fn a_bomb_stops_at_the_limit() {
        let large = vec![b'0'; 4 << 20];
        let zstd = zstd::encode_all(&large[..], 19).unwrap();
        for (packed, coding) in [(gzip(&large), Coding::Gzip), (zstd, Coding::Zstd)] {
            assert!(packed.len() < 16 << 10, "{coding:?}");
            assert_eq!(told(&packed, coding, 1 << 20, 64 << 20), Err(413), "{coding:?}");
            assert_eq!(told(&packed, coding, 8 << 20, 1 << 20), Err(429), "{coding:?}");
            assert_eq!(told(&packed, coding, 4 << 20, 64 << 20).as_deref(), Ok(&large[..]), "{coding:?}");
            assert_eq!(told(&packed[..packed.len() / 2], coding, 8 << 20, 64 << 20), Err(400), "{coding:?}");
        }
    }
}
