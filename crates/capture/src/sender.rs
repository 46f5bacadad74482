//! Who handed something in over the network: what the collector itself knows, never what the sender says of itself.

use sealtrail_event::{Event, SlotName, Token};
use serde_json::{Map, Value, json};

/// The holder of a write key at the other end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// Name of the write key.
    pub key: String,
    /// The application that the key is bound to.
    pub application_id: Option<Token>,
    /// Network address of the other end.
    pub source_ip: Option<String>,
    /// Subject of the certificate that the other end proved to hold.
    pub certificate: Option<String>,
}

impl Sender {
    /// Writes the sender into an event: `collector` in the identity slot, beside whatever address or application the event itself names; the
    /// application that the key is bound to takes the place of one that was only said.
    pub fn stamp(&self, event: &mut Event) {
        let mut members = self.members();
        if let Some(bound) = &self.application_id {
            let said = event.envelope.application_id.replace(bound.clone()).filter(|said| said != bound);
            if let (Some(said), Some(Value::Object(collector))) = (said, members.get_mut("collector")) {
                collector.insert("application_id_sent".to_owned(), said.as_str().into());
            }
        }
        event.put(SlotName::Identity, members);
    }

    /// Returns the members of the identity slot. All are there, known or not: a member that is missing could be set by a record of the same name.
    pub(crate) fn members(&self) -> Map<String, Value> {
        let collector =
            json!({"key": self.key, "source_ip": self.source_ip, "certificate": self.certificate, "application_id_sent": Value::Null});
        Map::from_iter([("collector".to_owned(), collector)])
    }
}
