//! The one-line files: `log.json`, a segment's manifest, the high-water mark. Each file is its line and a newline.

use super::{COMMIT_LINE_BYTES_MAX, Cursor, Kind, LineError, ORIGIN_BYTES_MAX, Time, VKEY_BYTES_MAX, push_base64, push_hex, push_number};

/// 64 subtrees at most in a tree of fewer than 2^64 leaves.
const FRONTIER_MAX: usize = 64;
/// Before the CRC of a manifest.
const CRC: &str = ",\"crc\":\"";
/// A manifest: a frontier of 64 hashes, an escaped commit line, three file hashes and numbers.
const MANIFEST_BYTES_MAX: usize = FRONTIER_MAX * 47 + 2 * COMMIT_LINE_BYTES_MAX + 2_048;
/// A mark: a frontier of 64 hashes, two hashes, a file name and numbers.
const HIGHWATER_BYTES_MAX: usize = FRONTIER_MAX * 47 + 1_024;
/// `log.json`: an origin, a vkey and fixed fields.
const LOG_BYTES_MAX: usize = ORIGIN_BYTES_MAX + VKEY_BYTES_MAX + 512;

fn one_line<'a>(kind: Kind, file: &'a [u8], limit: usize) -> Result<Cursor<'a>, LineError> {
    let Some(line) = file.strip_suffix(b"\n") else {
        return Err(LineError::Expected { kind, expected: "a newline at the end", at: file.len() });
    };
    Cursor::new(kind, line, limit)
}

/// `log.json`: what the log is called, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInfo {
    /// Name of the log.
    pub origin: String,
    /// Random id of the log, 32 hex digits.
    pub log_id: String,
    /// When it was made.
    pub created: Time,
    /// Verifier key of the log key.
    pub vkey: String,
    /// Whether every event has a mac.
    pub hmac: bool,
}

impl LogInfo {
    /// Parses the file.
    pub fn parse(file: &[u8]) -> Result<Self, LineError> {
        let mut cursor = one_line(Kind::Log, file, LOG_BYTES_MAX)?;
        cursor.text("{\"format\":\"sealtrail-ledger/1\",\"origin\":\"")?;
        let origin = cursor.word(ORIGIN_BYTES_MAX, "an origin")?;
        if origin.contains('+') {
            return Err(cursor.error("an origin without a plus sign"));
        }
        cursor.text(",\"log_id\":\"")?;
        let log_id = cursor.hex::<16>("32 hex digits")?;
        cursor.text("\",\"created\":\"")?;
        let created = cursor.time()?;
        cursor.text(",\"vkey\":\"")?;
        let vkey = cursor.word(VKEY_BYTES_MAX, "a verifier key")?.to_owned();
        cursor.text(",\"hmac\":")?;
        let hmac = cursor.boolean()?;
        cursor.text("}")?;
        cursor.end()?;
        let mut id = Vec::with_capacity(32);
        push_hex(&mut id, &log_id);
        Ok(Self { origin: origin.to_owned(), log_id: String::from_utf8_lossy(&id).into_owned(), created, vkey, hmac })
    }

    /// Returns the file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Self { origin, log_id, created, vkey, hmac } = self;
        let line = format!(
            "{{\"format\":\"sealtrail-ledger/1\",\"origin\":\"{origin}\",\"log_id\":\"{log_id}\",\"created\":\"{created}\",\"vkey\":\"{vkey}\",\"hmac\":{hmac}}}\n"
        );
        line.into_bytes()
    }
}

/// How a segment's files are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Gzip members, `.gz` at the end of the names.
    Gzip,
    /// As they are.
    None,
}

impl Compression {
    /// Returns the word in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::None => "none",
        }
    }

    /// Returns the end of the file names.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::None => "",
        }
    }
}

/// Length and hash of a file as it lies on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSum {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: [u8; 32],
}

/// The three files of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ManifestFiles {
    /// Envelope lines.
    pub entries: FileSum,
    /// Slot lines.
    pub slots: FileSum,
    /// Mac and commit lines.
    pub commits: FileSum,
}

/// Bytes of the three files without compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainBytes {
    /// Envelope lines.
    pub entries: u64,
    /// Slot lines.
    pub slots: u64,
    /// Mac and commit lines.
    pub commits: u64,
}

/// The manifest of a sealed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Position of the first event.
    pub first: u64,
    /// Tree size after the last.
    pub size: u64,
    /// Time of the first commit.
    pub first_t: Time,
    /// Time of the last commit.
    pub last_t: Time,
    /// Hash chain after the last event.
    pub chain: [u8; 32],
    /// Hashes of the full subtrees of a tree of `size` leaves, largest first.
    pub frontier: Vec<[u8; 32]>,
    /// The last commit line.
    pub commit: String,
    /// How the files are stored.
    pub compression: Compression,
    /// What the files are.
    pub files: ManifestFiles,
    /// How long they are without compression.
    pub plain: PlainBytes,
}

impl Manifest {
    /// Parses the file.
    pub fn parse(file: &[u8]) -> Result<Self, LineError> {
        let mut cursor = one_line(Kind::Manifest, file, MANIFEST_BYTES_MAX)?;
        cursor.text("{\"first\":")?;
        let first = cursor.number()?;
        cursor.text(",\"size\":")?;
        let size = cursor.number()?;
        cursor.text(",\"first_t\":\"")?;
        let first_t = cursor.time()?;
        cursor.text(",\"last_t\":\"")?;
        let last_t = cursor.time()?;
        cursor.text(",\"chain\":\"")?;
        let chain = cursor.base64("the base64 of a chain value")?;
        cursor.text("\",\"frontier\":[")?;
        let frontier = parse_frontier(&mut cursor)?;
        cursor.text(",\"commit\":\"")?;
        let commit = parse_quoted_line(&mut cursor)?;
        cursor.text(",\"compression\":\"")?;
        let compression = if cursor.take("gzip\"") {
            Compression::Gzip
        } else {
            cursor.text("none\"")?;
            Compression::None
        };
        cursor.text(",\"files\":{\"entries\":")?;
        let entries = parse_sum(&mut cursor)?;
        cursor.text(",\"slots\":")?;
        let slots = parse_sum(&mut cursor)?;
        cursor.text(",\"commits\":")?;
        let commits = parse_sum(&mut cursor)?;
        let files = ManifestFiles { entries, slots, commits };
        cursor.text("},\"plain\":{\"entries\":")?;
        let entries = cursor.number()?;
        cursor.text(",\"slots\":")?;
        let slots = cursor.number()?;
        cursor.text(",\"commits\":")?;
        let commits = cursor.number()?;
        cursor.text("}")?;
        if compression == Compression::None {
            let before = crc32c::crc32c(file.get(..cursor.at()).unwrap_or_default());
            cursor.text(CRC)?;
            if cursor.hex("8 hex digits")? != before.to_be_bytes() {
                return Err(cursor.error("the CRC of what stands before it"));
            }
            cursor.text("\"")?;
        }
        cursor.text("}")?;
        cursor.end()?;
        let plain = PlainBytes { entries, slots, commits };
        Ok(Self { first, size, first_t, last_t, chain, frontier, commit, compression, files, plain })
    }

    /// Returns the file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2_048);
        let head = format!(
            "{{\"first\":{},\"size\":{},\"first_t\":\"{}\",\"last_t\":\"{}\",\"chain\":\"",
            self.first, self.size, self.first_t, self.last_t
        );
        out.extend_from_slice(head.as_bytes());
        push_base64(&mut out, &self.chain);
        out.extend_from_slice(b"\",\"frontier\":[");
        push_frontier(&mut out, &self.frontier);
        out.extend_from_slice(b",\"commit\":\"");
        out.extend_from_slice(self.commit.replace('"', "\\\"").as_bytes());
        out.extend_from_slice(b"\",\"compression\":\"");
        out.extend_from_slice(self.compression.as_str().as_bytes());
        out.extend_from_slice(b"\",\"files\":{\"entries\":");
        push_sum(&mut out, &self.files.entries);
        out.extend_from_slice(b",\"slots\":");
        push_sum(&mut out, &self.files.slots);
        out.extend_from_slice(b",\"commits\":");
        push_sum(&mut out, &self.files.commits);
        let PlainBytes { entries, slots, commits } = self.plain;
        out.extend_from_slice(format!("}},\"plain\":{{\"entries\":{entries},\"slots\":{slots},\"commits\":{commits}}}").as_bytes());
        if self.compression == Compression::None {
            let before = crc32c::crc32c(&out);
            out.extend_from_slice(CRC.as_bytes());
            push_hex(&mut out, &before.to_be_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b"}\n");
        out
    }
}

/// The newest mark that a writer may not fall behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HighWater {
    /// Tree size.
    pub size: u64,
    /// Tree root.
    pub root: [u8; 32],
    /// Hash chain.
    pub chain: [u8; 32],
    /// Hashes of the full subtrees, largest first.
    pub frontier: Vec<[u8; 32]>,
    /// Name of the active segment's file in `wal/`.
    pub wal: String,
    /// Offset of the byte after the commit line in that file.
    pub offset: u64,
    /// The epoch of the commit.
    pub epoch: u64,
}

impl HighWater {
    /// Parses the file.
    pub fn parse(file: &[u8]) -> Result<Self, LineError> {
        let mut cursor = one_line(Kind::HighWater, file, HIGHWATER_BYTES_MAX)?;
        cursor.text("{\"size\":")?;
        let size = cursor.number()?;
        cursor.text(",\"root\":\"")?;
        let root = cursor.base64("the base64 of a root")?;
        cursor.text("\",\"chain\":\"")?;
        let chain = cursor.base64("the base64 of a chain value")?;
        cursor.text("\",\"frontier\":[")?;
        let frontier = parse_frontier(&mut cursor)?;
        cursor.text(",\"wal\":\"")?;
        let wal = cursor.word(64, "a file name")?.to_owned();
        cursor.text(",\"offset\":")?;
        let offset = cursor.number()?;
        cursor.text(",\"epoch\":")?;
        let epoch = cursor.number()?;
        cursor.text("}")?;
        cursor.end()?;
        Ok(Self { size, root, chain, frontier, wal, offset, epoch })
    }

    /// Returns the file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1_024);
        out.extend_from_slice(b"{\"size\":");
        push_number(&mut out, self.size);
        out.extend_from_slice(b",\"root\":\"");
        push_base64(&mut out, &self.root);
        out.extend_from_slice(b"\",\"chain\":\"");
        push_base64(&mut out, &self.chain);
        out.extend_from_slice(b"\",\"frontier\":[");
        push_frontier(&mut out, &self.frontier);
        let Self { wal, offset, epoch, .. } = self;
        out.extend_from_slice(format!(",\"wal\":\"{wal}\",\"offset\":{offset},\"epoch\":{epoch}}}\n").as_bytes());
        out
    }
}

/// Takes the hashes after the opening bracket, and the closing bracket.
fn parse_frontier(cursor: &mut Cursor<'_>) -> Result<Vec<[u8; 32]>, LineError> {
    let mut hashes = Vec::new();
    if cursor.take("]") {
        return Ok(hashes);
    }
    while hashes.len() < FRONTIER_MAX {
        cursor.text("\"")?;
        hashes.push(cursor.base64("the base64 of a hash")?);
        cursor.text("\"")?;
        if cursor.take("]") {
            return Ok(hashes);
        }
        cursor.text(",")?;
    }
    Err(cursor.error("at most 64 hashes"))
}

fn push_frontier(out: &mut Vec<u8>, frontier: &[[u8; 32]]) {
    for (at, hash) in frontier.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        push_base64(out, hash);
        out.push(b'"');
    }
    out.push(b']');
}

/// Takes a JSON string whose only escape is `\"`, and its closing quote.
fn parse_quoted_line(cursor: &mut Cursor<'_>) -> Result<String, LineError> {
    let mut text = String::new();
    while text.len() <= COMMIT_LINE_BYTES_MAX {
        match cursor.rest() {
            [b'"', ..] => {
                cursor.text("\"")?;
                return Ok(text);
            }
            [b'\\', b'"', ..] => {
                cursor.text("\\\"")?;
                text.push('"');
            }
            [b, ..] if b.is_ascii_graphic() && *b != b'\\' => {
                text.push(char::from(*b));
                cursor.bytes(1, "a character")?;
            }
            _ => return Err(cursor.error("a commit line as a JSON string")),
        }
    }
    Err(cursor.error("a commit line within its limit"))
}

fn parse_sum(cursor: &mut Cursor<'_>) -> Result<FileSum, LineError> {
    cursor.text("{\"bytes\":")?;
    let bytes = cursor.number()?;
    cursor.text(",\"sha256\":\"")?;
    let sha256 = cursor.hex("64 hex digits")?;
    cursor.text("\"}")?;
    Ok(FileSum { bytes, sha256 })
}

fn push_sum(out: &mut Vec<u8>, sum: &FileSum) {
    out.extend_from_slice(b"{\"bytes\":");
    push_number(out, sum.bytes);
    out.extend_from_slice(b",\"sha256\":\"");
    push_hex(out, &sum.sha256);
    out.extend_from_slice(b"\"}");
}
