//! The frame: one delivery, header and body.
//!
//! ```text
//!   0  4  "STH1"               magic and version
//!   4  2  header bytes         whole header; what a reader does not know it skips
//!   6  1  kind                 1 hook, 2 record, 3 status, 4 events
//!   7  1  zero
//!   8 16  delivery id          UUIDv7
//!  24  8  received             nanoseconds since 1970
//!  32  4  uid                  of the sender, as it says
//!  36  4  pid                  of the sender, as it says
//!  40  4  client pid           0: not known
//!  44  8  bytes seen           >= body bytes; more means that the rest was dropped
//!  52  4  body bytes
//!  56  1  length of the client text, then the text
//! ```
//! All numbers are big-endian. The body follows the header.

use crate::BODY_BYTES_MAX;

const MAGIC: &[u8; 4] = b"STH1";

/// Bytes of a header without its client text.
pub const HEADER_BYTES: usize = 57;

/// 64 bytes of client text are kept: `claude-code_2-1-329_harness` has 27.
pub const CLIENT_BYTES_MAX: usize = 64;

/// 512: the longest header that a reader accepts, so that later versions have room to add members.
pub const HEADER_BYTES_MAX: usize = 512;

/// The id of one delivery: a UUIDv7, made by the sender, the same each time it tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delivery([u8; 16]);

impl Delivery {
    /// Makes an id from nanoseconds since 1970 and ten random bytes.
    pub fn new(unix_ns: u64, entropy: [u8; 10]) -> Self {
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&(unix_ns / 1_000_000).to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&entropy);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Returns the milliseconds since 1970 inside the id.
    pub fn unix_ms(&self) -> u64 {
        let mut ms = [0u8; 8];
        ms[2..].copy_from_slice(&self.0[..6]);
        u64::from_be_bytes(ms)
    }

    /// Returns the ten bytes after the time.
    pub fn tail(&self) -> [u8; 10] {
        let mut tail = [0u8; 10];
        tail.copy_from_slice(&self.0[6..]);
        tail
    }

    /// Returns the 32 hex digits.
    pub fn hex(&self) -> String {
        self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
    }
}

/// What the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The standard input of a hook of the client.
    Hook,
    /// One JSON event of Sealtrail itself (`system.audit_log_accessed`, …); taken only from the trail's owner.
    Record,
    /// A question how the recorder is; no body. Answered only to the trail's owner.
    Status,
    /// Events that another process made, as a JSON list of envelopes with their slots; answered with the fate of each.
    Events,
}

/// One delivery without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the body is.
    pub kind: Kind,
    /// Which delivery.
    pub delivery: Delivery,
    /// When the sender took it in, nanoseconds since 1970.
    pub received_unix_ns: u64,
    /// User of the sender, as it says; the socket knows better, a spool does not.
    pub uid: u32,
    /// Process of the sender, as it says.
    pub pid: u32,
    /// Process of the client, 0 when not known.
    pub client_pid: u32,
    /// Bytes that came in; more than the body holds when the rest was dropped.
    pub seen: u64,
    /// Bytes of the body.
    pub body: u32,
    /// What the client says it is (`AI_AGENT`); empty when it does not.
    pub client: String,
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The first bytes are not those of a frame of this version.
    Magic,
    /// The header is shorter or longer than a header can be.
    Header(usize),
    /// There are fewer bytes than the header says.
    Short,
    /// A kind that this version does not know.
    Kind(u8),
    /// The body is larger than the limit.
    Body(u32),
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Magic => write!(f, "cannot read frame: it does not begin with STH1"),
            Self::Header(bytes) => {
                write!(f, "cannot read frame: header of {bytes} bytes, allowed are {HEADER_BYTES} to {HEADER_BYTES_MAX}")
            }
            Self::Short => write!(f, "cannot read frame: it ends early"),
            Self::Kind(kind) => write!(f, "cannot read frame: kind {kind} is not known"),
            Self::Body(bytes) => write!(f, "cannot read frame: body of {bytes} bytes, the limit is {BODY_BYTES_MAX}"),
        }
    }
}

impl std::error::Error for FrameError {}

impl Frame {
    /// Returns the header; a client text over the limit is cut.
    pub fn header(&self) -> Vec<u8> {
        let mut client = self.client.as_bytes();
        if client.len() > CLIENT_BYTES_MAX {
            client = &client[..self.client.floor_char_boundary(CLIENT_BYTES_MAX)];
        }
        let length = HEADER_BYTES + client.len();
        let mut out = Vec::with_capacity(length);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(length as u16).to_be_bytes());
        out.push(match self.kind {
            Kind::Hook => 1,
            Kind::Record => 2,
            Kind::Status => 3,
            Kind::Events => 4,
        });
        out.push(0);
        out.extend_from_slice(&self.delivery.0);
        out.extend_from_slice(&self.received_unix_ns.to_be_bytes());
        out.extend_from_slice(&self.uid.to_be_bytes());
        out.extend_from_slice(&self.pid.to_be_bytes());
        out.extend_from_slice(&self.client_pid.to_be_bytes());
        out.extend_from_slice(&self.seen.to_be_bytes());
        out.extend_from_slice(&self.body.to_be_bytes());
        out.push(client.len() as u8);
        out.extend_from_slice(client);
        out
    }

    /// Reads a header, all of whose bytes must be there; the body is what follows it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let length = header_length(bytes)?;
        let head = bytes.get(..length).ok_or(FrameError::Short)?;
        let kind = match head[6] {
            1 => Kind::Hook,
            2 => Kind::Record,
            3 => Kind::Status,
            4 => Kind::Events,
            other => return Err(FrameError::Kind(other)),
        };
        let body = u32_at(head, 52);
        if body as usize > BODY_BYTES_MAX {
            return Err(FrameError::Body(body));
        }
        let client = head.get(HEADER_BYTES..HEADER_BYTES + usize::from(head[56])).ok_or(FrameError::Header(length))?;
        let mut delivery = [0u8; 16];
        delivery.copy_from_slice(&head[8..24]);
        Ok(Self {
            kind,
            delivery: Delivery(delivery),
            received_unix_ns: u64_at(head, 24),
            uid: u32_at(head, 32),
            pid: u32_at(head, 36),
            client_pid: u32_at(head, 40),
            seen: u64_at(head, 44).max(u64::from(body)),
            body,
            client: String::from_utf8_lossy(client).into_owned(),
        })
    }

    /// Reads a whole delivery that lies in memory: header and body, nothing after it.
    pub fn parse_whole(bytes: &[u8]) -> Result<(Self, &[u8]), FrameError> {
        let frame = Self::parse(bytes)?;
        let body = &bytes[header_length(bytes)?..];
        if body.len() != frame.body as usize {
            return Err(FrameError::Short);
        }
        Ok((frame, body))
    }
}

/// Returns how many bytes the header has that `bytes` begin with; the first [`HEADER_BYTES`] must be there.
pub fn header_length(bytes: &[u8]) -> Result<usize, FrameError> {
    if !bytes.starts_with(MAGIC) {
        return Err(FrameError::Magic);
    }
    if bytes.len() < HEADER_BYTES {
        return Err(FrameError::Short);
    }
    let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
    if !(HEADER_BYTES..=HEADER_BYTES_MAX).contains(&length) {
        return Err(FrameError::Header(length));
    }
    Ok(length)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0u8; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0u8; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(number)
}
