//! `audit.yaml`: any text gives a configuration or problems, never a panic, and no alias bomb.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = sealtrail_config::load(Some(("audit.yaml", &String::from_utf8_lossy(data))));
});
