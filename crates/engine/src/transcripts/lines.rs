//! Whole lines of a growing file: a line that has no end yet stays where it is.

use std::io::{self, BufRead};

use sealtrail_capture::transcript::LINE_BYTES_MAX;

use crate::transcripts::prefix::Prefix;

/// 4 KiB before what is new are compared before it is believed.
const TAIL_BYTES: usize = 4 * 1024;

/// The end of the bytes that were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tail {
    pub(crate) bytes: Vec<u8>,
}

/// Reads the next whole line and takes it into `prefix`; nothing when there is none yet, and then `prefix` is as it was.
///
/// Of a line over the limit of what is understood, the beginning is returned, one byte longer than that limit.
pub(crate) fn next_line(input: &mut impl BufRead, prefix: &mut Prefix, tail: &mut Tail) -> io::Result<Option<Vec<u8>>> {
    let before = prefix.clone();
    let mut line = Vec::new();
    let mut end = Vec::new();
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            *prefix = before;
            return Ok(None);
        }
        let at = memchr::memchr(b'\n', buffer);
        let now = &buffer[..at.map_or(buffer.len(), |at| at + 1)];
        prefix.feed(now);
        let room = (LINE_BYTES_MAX + 1).saturating_sub(line.len());
        line.extend_from_slice(&now[..now.len().min(room)]);
        end.extend_from_slice(&now[now.len().saturating_sub(TAIL_BYTES)..]);
        end.drain(..end.len().saturating_sub(TAIL_BYTES));
        let used = now.len();
        input.consume(used);
        if at.is_some() {
            prefix.lines += 1;
            tail.bytes.extend_from_slice(&end);
            tail.bytes.drain(..tail.bytes.len().saturating_sub(TAIL_BYTES));
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::BufReader;

    use super::*;

    /// Protects lines from being read by halves: however small the pieces are in which bytes come, only whole lines are taken, and counted.
    #[test]
    fn only_whole_lines_are_taken() {
        let text = b"one\n\ntwo\nthree";
        for capacity in 1..8 {
            let mut input = BufReader::with_capacity(capacity, &text[..]);
            let (mut prefix, mut tail) = (Prefix::new(), Tail::default());
            let mut lines = Vec::new();
            while let Some(line) = next_line(&mut input, &mut prefix, &mut tail).unwrap() {
                lines.push(String::from_utf8(line).unwrap());
            }
            assert_eq!(lines, ["one", "", "two"]);
            assert_eq!((prefix.bytes, prefix.lines, tail.bytes.as_slice()), (9, 3, &text[..9]));
        }
    }

    /// Protects memory from a line without end: what is beyond the limit is hashed and let go.
    #[test]
    fn a_line_over_the_limit_is_cut() {
        let text = [vec![b'x'; LINE_BYTES_MAX + 10], b"\nnext\n".to_vec()].concat();
        let mut input = BufReader::new(&text[..]);
        let (mut prefix, mut tail) = (Prefix::new(), Tail::default());
        assert_eq!(next_line(&mut input, &mut prefix, &mut tail).unwrap().unwrap().len(), LINE_BYTES_MAX + 1);
        assert_eq!(next_line(&mut input, &mut prefix, &mut tail).unwrap().unwrap(), b"next");
        assert_eq!(prefix.bytes, text.len() as u64);
    }
}
