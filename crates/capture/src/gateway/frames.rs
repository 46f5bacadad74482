//! AWS event-stream frames, in which Bedrock wraps the events of the Messages API.
//!
//! ```text
//! 0 4  bytes of the whole frame, big-endian
//! 4 4  bytes of the headers
//! 8 4  CRC of these eight bytes
//! 12   headers: length of the name (1), name, type (1; 7 is text), length of the value (2), value
//!      payload: {"bytes": base64 of the event, …}
//! -4 4 CRC of everything before
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// 16 MiB: the longest frame that the encoding allows.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// Finds the events in a stream of frames, whatever the pieces it comes in. Checksums are the client's business.
#[derive(Debug, Default)]
pub struct Frames {
    held: Vec<u8>,
    broken: bool,
}

impl Frames {
    /// Takes the next piece; `each` gets the data of every event that ends in it. After a frame that cannot be one, nothing more is read.
    pub fn feed(&mut self, bytes: &[u8], each: &mut dyn FnMut(&[u8])) {
        if self.broken {
            return;
        }
        self.held.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = self.length(at) {
            if !(PRELUDE_BYTES + CRC_BYTES..=FRAME_BYTES_MAX).contains(&length) {
                (self.broken, self.held) = (true, Vec::new());
                return;
            }
            let Some(frame) = self.held.get(at..at + length) else { break };
            read(frame, each);
            at += length;
        }
        self.held.drain(..at);
    }

    /// Tells whether something came that is no frame.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Returns the length of the frame at `at`, once its first four bytes are there.
    fn length(&self, at: usize) -> Option<usize> {
        number(&self.held, at)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}

/// Gives the event of one frame; an exception of the service becomes an error event.
fn read(frame: &[u8], each: &mut dyn FnMut(&[u8])) {
    let Some(headers) = number(frame, 4) else { return };
    let end = frame.len() - CRC_BYTES;
    let (Some(heads), Some(payload)) = (frame.get(PRELUDE_BYTES..PRELUDE_BYTES + headers), frame.get(PRELUDE_BYTES + headers..end)) else {
        return;
    };
    let value: Value = serde_json::from_slice(payload).unwrap_or_default();
    if let Some(kind) = text_header(heads, b":exception-type") {
        let message = value.get("message").cloned().unwrap_or_default();
        let error = serde_json::json!({"type": "error", "error": {"type": kind, "message": message}});
        return each(error.to_string().as_bytes());
    }
    if let Some(event) = value.get("bytes").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok()) {
        each(&event);
    }
}

/// Finds a header that is a text; headers of other types end the search, Bedrock sends none.
fn text_header(mut heads: &[u8], wanted: &[u8]) -> Option<String> {
    loop {
        let (&length, rest) = heads.split_first()?;
        let name = rest.get(..usize::from(length))?;
        let rest = rest.get(usize::from(length)..)?;
        let (&7, rest) = rest.split_first()? else { return None };
        let size = usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
        let value = rest.get(2..2 + size)?;
        if name == wanted {
            return String::from_utf8(value.to_vec()).ok();
        }
        heads = &rest[2 + size..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut heads = Vec::new();
        for (name, value) in headers {
            heads.push(u8::try_from(name.len()).unwrap());
            heads.extend_from_slice(name.as_bytes());
            heads.push(7);
            heads.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
            heads.extend_from_slice(value.as_bytes());
        }
        let total = u32::try_from(PRELUDE_BYTES + heads.len() + payload.len() + CRC_BYTES).unwrap();
        let mut out = total.to_be_bytes().to_vec();
        out.extend_from_slice(&u32::try_from(heads.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&heads);
        out.extend_from_slice(payload);
        out.extend_from_slice(&[0; 4]);
        out
    }

    /// Protects the record of Bedrock's streams: split at every byte, the events are the same, and an exception is an error.
    #[test]
    fn a_split_at_any_byte_changes_nothing() {
        let chunk = format!("{{\"bytes\":\"{}\",\"p\":\"abc\"}}", STANDARD.encode(r#"{"type":"ping"}"#));
        let mut stream = frame(&[(":event-type", "chunk")], chunk.as_bytes());
        stream.extend(frame(&[(":message-type", "exception"), (":exception-type", "throttlingException")], br#"{"message":"slow"}"#));
        let read = |pieces: &[&[u8]]| {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            pieces.iter().for_each(|piece| frames.feed(piece, &mut |data| found.push(String::from_utf8_lossy(data).into_owned())));
            found
        };
        let whole = read(&[&stream]);
        assert_eq!(whole, [r#"{"type":"ping"}"#, r#"{"type":"error","error":{"type":"throttlingException","message":"slow"}}"#]);
        for at in 0..=stream.len() {
            assert_eq!(read(&[&stream[..at], &stream[at..]]), whole, "split at {at}");
        }
    }

    /// Protects the memory: a length that no frame has ends the reading.
    #[test]
    fn an_impossible_length_ends_the_reading() {
        let mut frames = Frames::default();
        frames.feed(&[0xff; 64], &mut |_| panic!("no event"));
        assert!(frames.is_broken());
        frames.feed(&[0; 64], &mut |_| panic!("no event"));
    }
}
