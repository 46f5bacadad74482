//! Where an import reads from: files, compressed ones too, or standard input; always within a limit.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::exit::Exit;
use crate::failure::Failure;

/// 64 MiB: a line is one delivery, and a delivery is at most half of that; longer ones are refused.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// 1 GiB: a file that is read as one document, after it was unpacked. CloudTrail's have some 50 MiB.
const WHOLE_BYTES_MAX: u64 = 1 << 30;

/// Opens a file, or standard input for `-`; one that begins like gzip is unpacked.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    let input: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|error| Failure::file("read", path, &error))?))
    };
    unpacked(input).map_err(|error| Failure::file("read", path, &error))
}

fn unpacked(mut input: Box<dyn BufRead>) -> io::Result<Box<dyn BufRead>> {
    let packed = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if packed { Box::new(BufReader::new(MultiGzDecoder::new(input))) } else { input })
}

/// Reads a whole file.
pub(super) fn whole(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    open(path)?.take(WHOLE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| Failure::file("read", path, &error))?;
    if bytes.len() as u64 > WHOLE_BYTES_MAX {
        let why = format!("{} has more than {WHOLE_BYTES_MAX} bytes when unpacked", path.display());
        return Err(Failure::new("import.size", Exit::Failed, why).hint("import it in parts"));
    }
    Ok(bytes)
}

/// Reads the next line, with its end if it has one.
pub(super) fn next_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let read = input.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(|error| Failure::of("import", &error))?;
    if read as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
        return Err(Failure::new("import.line", Exit::Failed, format!("a line has more than {LINE_BYTES_MAX} bytes")));
    }
    Ok((read > 0).then_some(line))
}
