//! Exports: a self-proving event never panics the verifier, whatever its members hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_ledger::prove::verify_sealed;

fuzz_target!(|data: &[u8]| {
    if let Ok(value) = serde_json::from_slice(data) {
        let _ = verify_sealed(&value, None);
    }
});
