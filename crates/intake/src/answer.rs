//! The recorder's answer to a frame.
//!
//! ```text
//!  0  1  'A' sealed, 'R' try later (spool it), 'D' not wanted, 'B' block, 'S' status
//!  1  8  sequence number ('A'), else 0
//!  9  2  bytes of the reason or status, then these in UTF-8
//! ```

/// Bytes of an answer without its reason.
pub const ANSWER_HEAD_BYTES: usize = 11;

/// 1 KiB: a reason is shown to a model or a person.
pub const REASON_BYTES_MAX: usize = 1024;

/// 48 KiB: a state has about 300 bytes, the fates of 256 events of about 110 bytes have 28 KiB.
pub const STATUS_BYTES_MAX: usize = 48 * 1024;

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Sealed: durable, in the tree, signed. The number is that of its first event.
    Sealed(u64),
    /// Not taken: the sender spools it.
    Retry,
    /// Not wanted: the trail is switched off, or the frame is of no use.
    Discarded,
    /// The action must not go on, for this reason.
    Block(String),
    /// What was asked for, as JSON: how the recorder is, or what became of each event.
    Status(String),
}

impl Answer {
    /// Returns the bytes; a reason over the limit is cut.
    pub fn encode(&self) -> Vec<u8> {
        let (word, seq, reason) = match self {
            Self::Sealed(seq) => (b'A', *seq, ""),
            Self::Retry => (b'R', 0, ""),
            Self::Discarded => (b'D', 0, ""),
            Self::Block(reason) => (b'B', 0, &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]),
            Self::Status(json) => (b'S', 0, &json[..json.floor_char_boundary(STATUS_BYTES_MAX)]),
        };
        let mut out = vec![word];
        out.extend_from_slice(&seq.to_be_bytes());
        out.extend_from_slice(&(reason.len() as u16).to_be_bytes());
        out.extend_from_slice(reason.as_bytes());
        out
    }

    /// Returns how many bytes of reason follow an answer's head.
    pub fn reason_bytes(head: &[u8; ANSWER_HEAD_BYTES]) -> usize {
        usize::from(u16::from_be_bytes([head[9], head[10]])).min(if head[0] == b'S' { STATUS_BYTES_MAX } else { REASON_BYTES_MAX })
    }

    /// Reads an answer; anything that is none means "try later".
    pub fn parse(head: &[u8; ANSWER_HEAD_BYTES], reason: &[u8]) -> Self {
        let mut seq = [0u8; 8];
        seq.copy_from_slice(&head[1..9]);
        match head[0] {
            b'A' => Self::Sealed(u64::from_be_bytes(seq)),
            b'D' => Self::Discarded,
            b'B' => Self::Block(String::from_utf8_lossy(reason).into_owned()),
            b'S' => Self::Status(String::from_utf8_lossy(reason).into_owned()),
            _ => Self::Retry,
        }
    }
}
