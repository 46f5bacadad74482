//! Every line and file kind of a ledger: what is accepted is written back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_ledger::line::{HighWater, Line, LogInfo, Manifest};

fuzz_target!(|data: &[u8]| {
    if let Ok(info) = LogInfo::parse(data) {
        assert_eq!(info.encode(), data);
    }
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(manifest.encode(), data);
    }
    if let Ok(mark) = HighWater::parse(data) {
        assert_eq!(mark.encode(), data);
    }
    for line in data.split(|byte| *byte == b'\n') {
        let _ = Line::parse(line);
    }
});
