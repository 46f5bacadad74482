//! Server-sent events, read on a copy: the data of each event is one message.

use crate::lines::{LINE_BYTES_MAX, Lines, Piece};

/// The state of one stream.
pub(super) struct Events {
    /// Lines of the stream, whichever way they end.
    line: Vec<u8>,
    /// Whether the last byte was a carriage return: a newline after it ends no second line.
    after_return: bool,
    /// How many bytes of the line have gone into `data` already, because it is long.
    long: bool,
    /// Whether the line is one of data.
    data: Lines,
    any: bool,
    begun: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { line: Vec::new(), after_return: false, long: false, data: Lines::whole(LINE_BYTES_MAX), any: false, begun: false }
    }
}

/// 64 KiB of a line are held before it is known to be one of data; names of fields are short.
const LINE_HELD_MAX: usize = 64 * 1024;

impl Events {
    /// Takes the next bytes of the stream and gives the data of each event that they end.
    pub(super) fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (part, behind) = rest.split_at(at);
            let second_half = part.is_empty() && self.after_return && behind[0] == b'\n' && self.line.is_empty() && !self.long;
            self.after_return = behind[0] == b'\r';
            rest = &behind[1..];
            if !second_half {
                self.add(part, take);
                self.end_line(take);
            }
        }
        if !rest.is_empty() {
            self.after_return = false;
            self.add(rest, take);
        }
    }

    fn add(&mut self, part: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
        if self.long {
            return self.data.push(part, take);
        }
        self.line.extend_from_slice(part);
        if self.line.len() > LINE_HELD_MAX {
            let line = std::mem::take(&mut self.line);
            self.field(&line, take);
            self.long = true;
        }
    }

    fn end_line(&mut self, take: &mut dyn FnMut(Piece<'_>)) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.long) {
            return;
        }
        if !line.is_empty() {
            return self.field(&line, take);
        }
        if std::mem::take(&mut self.any) {
            self.data.finish(take);
            self.data = Lines::whole(LINE_BYTES_MAX);
        }
    }

    /// Takes a line, or the beginning of a long one; only data counts.
    fn field(&mut self, line: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
        let line = if std::mem::replace(&mut self.begun, true) { line } else { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) };
        let Some(value) = line.strip_prefix(b"data") else { return };
        let value = match value {
            [] => value,
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            _ => return,
        };
        if std::mem::replace(&mut self.any, true) {
            self.data.push(b"\n", take);
        }
        self.data.push(value, take);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8], chunk: usize) -> Vec<String> {
        let mut events = Events::default();
        let mut found = Vec::new();
        for part in stream.chunks(chunk) {
            events.push(part, &mut |piece| {
                if let Piece::Line(data) = piece {
                    found.push(String::from_utf8(data.to_vec()).unwrap())
                }
            });
        }
        found
    }

    /// Protects the copy: the data of every event is found, however lines end and wherever the stream is cut.
    #[test]
    fn data_is_found_wherever_the_stream_is_cut() {
        let stream =
            b"\xef\xbb\xbf: hi\r\nevent: message\r\ndata: {\"a\":\r\ndata:1}\r\n\r\nid: 7\n\ndata: two\n\nretry: 5\ndata\n\ndata: lost";
        for chunk in 1..stream.len() {
            assert_eq!(read(stream, chunk), ["{\"a\":\n1}", "two"], "{chunk}");
        }
        assert_eq!(read(b"data: a\r\rdata: b\r\r", 1), ["a", "b"]);
        let long = format!("data: {}\n\n", "x".repeat(3 * LINE_HELD_MAX));
        assert_eq!(read(long.as_bytes(), 1000)[0].len(), 3 * LINE_HELD_MAX);
    }
}
