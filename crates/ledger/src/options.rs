//! What a caller may choose.

use std::path::PathBuf;

use crate::line::Compression;
use crate::own::ForkOf;

/// 16 MiB: how a WAL grows, so that a sync has no change of size to journal.
const PREALLOCATE: u64 = 16 * 1024 * 1024;
/// 65,536 events: a segment is recovered in well under a second and fills 256 tiles.
const SEGMENT_EVENTS: u64 = 65_536;
/// 256 MiB: a segment fits in memory of a small machine when somebody must.
const SEGMENT_BYTES: u64 = 256 * 1024 * 1024;
/// 100,000 events: the format's longest epoch.
const EPOCH_EVENTS: u64 = 100_000;

/// How to make a log.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    /// Name of the log for ever; `localhost/sealtrail/<log id>` when absent.
    pub origin: Option<String>,
    /// Whether every event gets an HMAC under an evolving key.
    pub hmac: bool,
    /// The log this one continues after a loss.
    pub fork_of: Option<ForkOf>,
    /// Everything that may differ at each opening.
    pub open: OpenOptions,
}

/// How to open a log for writing.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// How sealed segments are stored.
    pub compression: Compression,
    /// A second place for the high-water mark, on another disk or machine; a log that is behind it is refused.
    pub highwater_copy: Option<PathBuf>,
    /// How a WAL grows, in bytes.
    pub preallocate: u64,
    /// When a segment is closed.
    pub segment: SegmentLimits,
    /// The most events of one epoch; at most 100,000.
    pub epoch_events: u64,
    /// Read everything from event 0 and write all tiles again, even when the high-water mark holds.
    pub rebuild: bool,
    /// Process id, written into `ledger.start`.
    pub pid: u32,
}

/// When a segment is closed, besides midnight UTC.
#[derive(Clone, Copy, Debug)]
pub struct SegmentLimits {
    /// At most so many events, at most 65,536.
    pub events: u64,
    /// At most so many bytes in the WAL, unless one batch is larger.
    pub bytes: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            compression: Compression::Gzip,
            highwater_copy: None,
            preallocate: PREALLOCATE,
            segment: SegmentLimits { events: SEGMENT_EVENTS, bytes: SEGMENT_BYTES },
            epoch_events: EPOCH_EVENTS,
            rebuild: false,
            pid: 0,
        }
    }
}
