//! Checkpoint bodies: what is accepted is written back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_tlog::{Checkpoint, TreeSize};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
        assert!(checkpoint.size <= TreeSize::MAX);
    }
});
