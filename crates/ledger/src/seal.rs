//! Sealing: a closed WAL becomes three files of lines, a side file and a manifest, and goes.
//!
//! Everything is made again from the WAL whenever it was not finished, so a crash in any step costs only the work. The lines are
//! followed and compared with the last commit on the way: a WAL that is damaged stays.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use sealtrail_disk::{Disk, DiskError, DiskFile, Open, replace, write_all_at};
use sealtrail_tlog::{Frontier, leaf_hash};

use crate::head::{chain_next, chain_start, frontier_bytes, frontier_from};
use crate::layout::Layout;
use crate::line::{Compression, FileSum, Kind, Line, LineError, Manifest, ManifestFiles, PlainBytes};
use crate::read::blocks::Collect;
use crate::read::wal::Batches;
use crate::write::{Committer, remove_if_there};

/// 1,024 lines: one gzip member of commits.
const COMMITS_PER_MEMBER: u64 = 1_024;
/// 1 MiB is written at a time.
const WRITE_BYTES: usize = 1024 * 1024;

/// Why a segment cannot be sealed. Its WAL stays.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The disk refused.
    #[error("the disk refused")]
    Disk(#[from] DiskError),
    /// The compressor failed.
    #[error("the compressor failed")]
    Compress(#[from] io::Error),
    /// The manifest of the segment before is missing or damaged.
    #[error("{} is missing or damaged", path.display())]
    Before {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Option<LineError>,
    },
    /// The WAL does not hold what its commits say.
    #[error("{} is damaged at byte {offset}; run verify", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
}

/// Seals one WAL.
pub(crate) struct SealJob {
    disk: Arc<dyn Disk>,
    layout: Layout,
    origin: String,
    compression: Compression,
    pub(crate) first: u64,
    /// First position of the next WAL.
    size: u64,
    /// Whether it is the part of a copy, in which slots may be missing.
    part: bool,
}

impl SealJob {
    pub(crate) fn of(committer: &Committer, first: u64, size: u64) -> Self {
        Self {
            disk: committer.disk.clone(),
            layout: committer.layout.clone(),
            origin: committer.info.origin.clone(),
            compression: committer.options.compression,
            first,
            size,
            part: false,
        }
    }

    /// Seals the events `first` to `size` (not included) of a copy.
    pub(crate) fn of_copy(
        disk: Arc<dyn Disk>,
        layout: Layout,
        origin: String,
        compression: Compression,
        (first, size): (u64, u64),
        part: bool,
    ) -> Self {
        Self { disk, layout, origin, compression, first, size, part }
    }

    fn path(&self) -> PathBuf {
        if self.part { self.layout.part(self.first) } else { self.layout.wal(self.first) }
    }

    pub(crate) fn run(self) -> Result<(), SealError> {
        let manifest = self.layout.manifest(self.first);
        if self.disk.size(&manifest)?.is_none() {
            let sealed = self.write_files()?;
            // The names of the files are durable before the manifest that counts on them.
            self.disk.sync_dir(&self.layout.seg_dir())?;
            replace(&*self.disk, &manifest, &sealed.encode())?;
        }
        remove_if_there(&*self.disk, &self.path())?;
        Ok(self.disk.sync_dir(&self.layout.wal_dir())?)
    }

    fn write_files(&self) -> Result<Manifest, SealError> {
        let (mut frontier, mut chain) = self.before()?;
        let path = self.path();
        let file = self.disk.open(&path, Open::Read)?;
        let mut batches = if self.part { Batches::lenient(file, 0) } else { Batches::new(file, 0) };
        let [mut entries, mut slots, mut commits] = [self.output("entries")?, self.output("slots")?, self.output("commits")?];
        let (mut first_t, mut last, mut blocks) = (None, None, Collect::new(self.first));
        while let Some(batch) = batches.next()? {
            let damaged = || SealError::Damaged { path: path.clone(), offset: batch.offset };
            for line in batch.lines.split_inclusive(|byte| *byte == b'\n') {
                let text = line.strip_suffix(b"\n").ok_or_else(damaged)?;
                match Line::kind(text) {
                    Some(Kind::Envelope) => {
                        let leaf = leaf_hash(text);
                        if blocks.at_block() {
                            blocks.block(entries.end_member()?, slots.end_member()?);
                        }
                        blocks.event(text);
                        frontier.push(leaf);
                        chain = chain_next(&chain, &leaf);
                        entries.line(line)?;
                    }
                    Some(Kind::Slot) => slots.line(line)?,
                    Some(Kind::Mac) => commits.counted_line(line)?,
                    _ => return Err(damaged()),
                }
            }
            commits.counted_line(&[batch.commit_line, b"\n"].concat())?;
            let commit = &batch.commit.commit;
            if (commit.size, commit.root, commit.chain) != (frontier.size().0, frontier.root().0, chain) {
                return Err(damaged());
            }
            first_t.get_or_insert(commit.time);
            last = Some((commit.time, String::from_utf8_lossy(batch.commit_line).into_owned()));
        }
        let offset = batches.offset();
        let (Some(first_t), Some((last_t, commit))) = (first_t, last) else { return Err(SealError::Damaged { path, offset }) };
        if frontier.size().0 != self.size || batches.tail()?.bytes > 0 {
            return Err(SealError::Damaged { path, offset });
        }
        let ((entries, plain_entries), (slots, plain_slots), (commits, plain_commits)) =
            (entries.finish()?, slots.finish()?, commits.finish()?);
        write_blocks(&*self.disk, &self.layout.blocks(self.first), &blocks.encode(&entries, &slots))?;
        Ok(Manifest {
            first: self.first,
            size: self.size,
            first_t,
            last_t,
            chain,
            frontier: frontier_bytes(&frontier),
            commit,
            compression: self.compression,
            files: ManifestFiles { entries, slots, commits },
            plain: PlainBytes { entries: plain_entries, slots: plain_slots, commits: plain_commits },
        })
    }

    /// Returns the state before the segment, from the manifest of the one before.
    fn before(&self) -> Result<(Frontier, [u8; 32]), SealError> {
        if self.first == 0 {
            return Ok((Frontier::new(), chain_start(&self.origin)));
        }
        let manifests = self.disk.list(&self.layout.seg_dir())?;
        let before = manifests.iter().filter_map(|name| Layout::first_of(name, ".json")).filter(|first| *first < self.first).max();
        let path = self.layout.manifest(before.unwrap_or(0));
        let failed = |source| SealError::Before { path: path.clone(), source };
        let manifest = Manifest::parse(&self.disk.read(&path)?).map_err(|source| failed(Some(source)))?;
        let frontier = frontier_from(manifest.size, &manifest.frontier).filter(|_| manifest.size == self.first).ok_or(failed(None))?;
        Ok((frontier, manifest.chain))
    }

    fn output(&self, what: &str) -> Result<Output, DiskError> {
        let path = self.layout.segment(self.first, what, self.compression.suffix());
        Output::create(&*self.disk, &path, self.compression)
    }
}

/// Writes a side file and makes its content durable; its name is so with the next sync of the folder.
fn write_blocks(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    remove_if_there(disk, path)?;
    let file = disk.open(path, Open::New)?;
    write_all_at(&*file, bytes, 0)?;
    file.sync_data()
}

/// One file of lines, compressed in members, summed up as it is written.
pub(crate) struct Output {
    file: Arc<dyn DiskFile>,
    encoder: Option<GzEncoder<Vec<u8>>>,
    buffer: Vec<u8>,
    lines: u64,
    in_member: bool,
    plain: u64,
    written: u64,
    digest: Context,
}

impl Output {
    /// Creates the file; one of that name was left by a crash and is replaced.
    pub(crate) fn create(disk: &dyn Disk, path: &Path, compression: Compression) -> Result<Self, DiskError> {
        remove_if_there(disk, path)?;
        let encoder = (compression == Compression::Gzip).then(|| GzEncoder::new(Vec::new(), Level::default()));
        let file = disk.open(path, Open::New)?;
        let digest = Context::new(&SHA256);
        Ok(Self { file, encoder, buffer: Vec::new(), lines: 0, in_member: false, plain: 0, written: 0, digest })
    }

    /// Writes one line, newline included.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), SealError> {
        self.plain += line.len() as u64;
        self.in_member = true;
        match &mut self.encoder {
            Some(encoder) => encoder.write_all(line)?,
            None => self.buffer.extend_from_slice(line),
        }
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn counted_line(&mut self, line: &[u8]) -> Result<(), SealError> {
        if self.lines > 0 && self.lines.is_multiple_of(COMMITS_PER_MEMBER) {
            self.end_member()?;
        }
        self.lines += 1;
        self.line(line)
    }

    /// Ends the gzip member, unless nothing is in it; returns where the next line will start in the file.
    pub(crate) fn end_member(&mut self) -> Result<u64, SealError> {
        if let Some(encoder) = &mut self.encoder
            && std::mem::take(&mut self.in_member)
        {
            let done = std::mem::replace(encoder, GzEncoder::new(Vec::new(), Level::default()));
            self.buffer.extend(done.finish()?);
        }
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(self.written + self.buffer.len() as u64)
    }

    fn flush(&mut self) -> Result<(), SealError> {
        write_all_at(&*self.file, &self.buffer, self.written)?;
        self.digest.update(&self.buffer);
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file durable; returns its sum and its plain length.
    pub(crate) fn finish(mut self) -> Result<(FileSum, u64), SealError> {
        self.end_member()?;
        self.flush()?;
        self.file.sync_data()?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        Ok((FileSum { bytes: self.written, sha256 }, self.plain))
    }
}
