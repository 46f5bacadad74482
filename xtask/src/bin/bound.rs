//! The physical bound of a hook: a native program that reads stdin, does one write and one fdatasync, and ends.
use std::fs::OpenOptions;
use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    bytes.push(b'\n');
    let path = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: bound FILE"))?;
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(&bytes)?;
    file.sync_data()
}
