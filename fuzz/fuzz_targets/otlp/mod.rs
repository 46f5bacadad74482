//! What both encodings of OTLP have in common: whatever comes, each record is one event within the limits, and what is no request is kept as bytes.

use std::sync::{Arc, LazyLock};

use sealtrail_capture::otel::{Arrival, Encoding, Sequences, Signal, decode, gap, unparsed};
use sealtrail_capture::redact::Redactor;
use sealtrail_event::{Event, SLOT_BYTES_MAX};

static REDACTOR: LazyLock<Arc<Redactor>> = LazyLock::new(|| Arc::new(Redactor::new()));

/// Takes a request of the signal that the first byte names.
pub fn run(encoding: Encoding, data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let arrival = Arrival { recorded_unix_ns: 1, redactor: Arc::clone(&REDACTOR), id_key: [7; 32] };
    match decode(Signal::ALL[usize::from(first % 3)], encoding, bytes) {
        Ok(export) => {
            let mut sequences = Sequences::default();
            let count = export.records();
            let made: Vec<_> = export.events(arrival.clone()).collect();
            assert_eq!(made.len(), count);
            for made in &made {
                check(&made.event);
                made.heard.iter().for_each(|heard| sequences.hear(heard, true, 1));
            }
            sequences.end().iter().for_each(|missing| check(&gap(missing, &arrival)));
        }
        Err(error) => check(&unparsed(bytes, &error, &arrival)),
    }
}

fn check(event: &Event) {
    assert!(event.envelope.check().is_ok());
    assert!(event.slots.iter().all(|slot| slot.json.len() <= SLOT_BYTES_MAX && !slot.json.contains('\n')));
}
