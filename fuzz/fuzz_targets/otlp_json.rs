//! OTLP requests in JSON, of any signal.
#![no_main]

mod otlp;

use libfuzzer_sys::fuzz_target;
use sealtrail_capture::otel::Encoding;

fuzz_target!(|data: &[u8]| otlp::run(Encoding::Json, data));
