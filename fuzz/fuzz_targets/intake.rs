//! Bytes between hook and daemon: frames, spool files and gap tables never panic, and pieces of a spool lie within it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_intake::{Frame, GapTable, HookConf, pieces};

fuzz_target!(|data: &[u8]| {
    let _ = Frame::parse(data);
    let _ = Frame::parse_whole(data);
    let _ = GapTable::from_bytes(data).gaps();
    let _ = HookConf::parse(&String::from_utf8_lossy(data));
    for (at, _) in pieces(data, |_| true) {
        assert!(at <= data.len());
    }
});
