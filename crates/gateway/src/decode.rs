//! A copy of an encoded answer is decoded for the record; what the client gets stays encoded.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use sealtrail_capture::gateway::{BatchResult, Reader};

/// 256 MiB out of one answer: what unpacks to more is no answer of a model.
const DECODED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// 8 MiB: what a decoder of zstd may remember; the format's own recommendation for the web.
const WINDOW_LOG_MAX: u32 = 23;

const BROTLI_BUFFER_BYTES: usize = 4 * 1024;

/// Reads an answer through its encoding.
pub(crate) enum Decoder {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<Counted>>),
    Deflate(Box<ZlibDecoder<Counted>>),
    Brotli(Box<DecompressorWriter<Counted>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Counted>>),
    /// The encoding is unknown, or the bytes are not of it.
    Unread(&'static str, Counted),
}

/// A reader that stops at the limit.
pub(crate) struct Counted {
    reader: Option<Reader>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        if self.bytes > DECODED_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if let Some(reader) = &mut self.reader {
            reader.feed(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// Makes a decoder for a `Content-Encoding`.
    pub(crate) fn new(encoding: &str, reader: Reader) -> Self {
        let counted = Counted { reader: Some(reader), bytes: 0 };
        match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Plain(counted),
            "gzip" | "x-gzip" => Self::Gzip(Box::new(MultiGzDecoder::new(counted))),
            "deflate" => Self::Deflate(Box::new(ZlibDecoder::new(counted))),
            "br" => Self::Brotli(Box::new(DecompressorWriter::new(counted, BROTLI_BUFFER_BYTES))),
            "zstd" => zstd_decoder(counted),
            _ => Self::Unread("unknown_encoding", counted),
        }
    }

    /// Takes the next piece as it passes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let written = match self {
            Self::Plain(to) => to.write_all(bytes),
            // Flushed each time, so that what a stream said so far is known when it is cut.
            Self::Gzip(to) => to.write_all(bytes).and_then(|()| to.flush()),
            Self::Deflate(to) => to.write_all(bytes).and_then(|()| to.flush()),
            Self::Brotli(to) => to.write_all(bytes).and_then(|()| to.flush()),
            Self::Zstd(to) => to.write_all(bytes).and_then(|()| to.flush()),
            Self::Unread(..) => Ok(()),
        };
        if written.is_err() {
            let counted = Counted { reader: self.counted().reader.take(), bytes: 0 };
            *self = Self::Unread("not_decodable", counted);
        }
    }

    /// Takes the results of a batch that were found since the last time; `ended` says that no more bytes come.
    pub(crate) fn results(&mut self, ended: bool) -> Vec<BatchResult> {
        self.counted().reader.as_mut().map(|reader| reader.results(ended)).unwrap_or_default()
    }

    /// Ends; returns the reader, and why the answer was not decoded, if it was not.
    pub(crate) fn finish(mut self) -> (Option<Reader>, Option<&'static str>) {
        let why = if let Self::Unread(why, _) = self { Some(why) } else { None };
        (self.counted().reader.take(), why)
    }

    fn counted(&mut self) -> &mut Counted {
        match self {
            Self::Plain(counted) | Self::Unread(_, counted) => counted,
            Self::Gzip(to) => to.get_mut(),
            Self::Deflate(to) => to.get_mut(),
            Self::Brotli(to) => to.get_mut(),
            Self::Zstd(to) => to.get_mut(),
        }
    }
}

fn zstd_decoder(counted: Counted) -> Decoder {
    let Ok(mut raw) = zstd::stream::raw::Decoder::new() else { return Decoder::Unread("no_decoder", counted) };
    // A window over the limit is an error when it comes; setting the limit cannot fail for a number in range.
    let _ = raw.set_parameter(zstd::stream::raw::DParameter::WindowLogMax(WINDOW_LOG_MAX));
    Decoder::Zstd(Box::new(zstd::stream::write::Decoder::with_decoder(counted, raw)))
}
