//! Server-sent events, cut out of a stream that comes in pieces of any size.

/// 4 MiB: one event of the Messages API has a few hundred bytes; a tool's input sent in one piece may have a megabyte.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Finds the events in a stream, whatever the pieces it comes in.
#[derive(Debug, Default)]
pub struct Sse {
    line: Vec<u8>,
    data: Vec<u8>,
    /// The event has a line of data.
    any: bool,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    after_cr: bool,
    /// The event is too long: nothing of it is kept until it ends.
    over: bool,
    /// Events that were too long to be read.
    skipped: u64,
}

impl Sse {
    /// Takes the next piece; `each` gets the data of every event that ends in it.
    pub fn feed(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.after_cr {
                self.after_cr = false;
                if bytes[0] == b'\n' {
                    bytes = &bytes[1..];
                    continue;
                }
            }
            let end = memchr::memchr2(b'\n', b'\r', bytes);
            self.keep(&bytes[..end.unwrap_or(bytes.len())]);
            let Some(end) = end else { return };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.line_ends(each);
        }
    }

    /// Returns how many events were too long to be read.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn keep(&mut self, part: &[u8]) {
        if self.over || self.line.len() + self.data.len() + part.len() > EVENT_BYTES_MAX {
            self.over = true;
            // What was kept of it is worth nothing; one byte says that the line was not empty.
            if !part.is_empty() {
                self.line = b":".to_vec();
            }
            self.data = Vec::new();
            return;
        }
        self.line.extend_from_slice(part);
    }

    fn line_ends(&mut self, each: &mut dyn FnMut(&[u8])) {
        if self.line.is_empty() {
            if self.over {
                self.skipped += 1;
            } else if self.any {
                each(&self.data);
            }
            self.data.clear();
            (self.any, self.over) = (false, false);
            return;
        }
        if let Some(value) = self.line.strip_prefix(b"data:").or(if self.line == b"data" { Some(b"") } else { None }) {
            if self.any {
                self.data.push(b'\n');
            }
            self.any = true;
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> (Vec<String>, u64) {
        let (mut sse, mut found) = (Sse::default(), Vec::new());
        for piece in pieces {
            sse.feed(piece, &mut |data| found.push(String::from_utf8_lossy(data).into_owned()));
        }
        (found, sse.skipped())
    }

    /// Protects the record against how a network cuts a stream: split at every byte, the events are the same.
    #[test]
    fn a_split_at_any_byte_changes_nothing() {
        let stream = b"event: a\r\ndata: {\"x\":1}\r\n\r\n: note\ndata: one\ndata:two\n\ndata\r\rid: 7\n\ndata: last\n\n";
        let whole = read(&[stream]);
        assert_eq!(whole.0, ["{\"x\":1}", "one\ntwo", "", "last"]);
        for at in 0..=stream.len() {
            assert_eq!(read(&[&stream[..at], &stream[at..]]), whole, "split at {at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&bytes), whole);
    }

    /// Protects the memory: an event over the limit is left out and counted, and the next one is read.
    #[test]
    fn an_event_over_the_limit_is_counted() {
        let long = vec![b'x'; EVENT_BYTES_MAX];
        let (found, skipped) = read(&[b"data: ", &long, &long, b"\ndata: more\n\n", b"data: next\n\n"]);
        assert_eq!((found, skipped), (vec!["next".to_owned()], 1));
    }
}
