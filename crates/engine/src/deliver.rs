//! A recorded call of a hook, handed to the daemon as the hook itself would have done it.

use sealtrail_intake::{Answer, Frame, Kind};

use crate::client::{ClientError, ask, record_frame};
use crate::home::Home;
use crate::trail::HookInput;

/// Has the daemon capture and seal what a client gave a hook; returns the number of its first event.
pub fn deliver_hook(home: &Home, input: &HookInput<'_>) -> Result<u64, ClientError> {
    let frame = record_frame(input.bytes);
    let received_unix_ns = input.received_unix_ns.unwrap_or(frame.received_unix_ns);
    let frame = Frame { kind: Kind::Hook, received_unix_ns, client: input.client.to_owned(), ..frame };
    match ask(home, &frame, input.bytes)? {
        Answer::Sealed(seq) => Ok(seq),
        Answer::Block(reason) => Err(ClientError::Refused { reason }),
        Answer::Discarded => Err(ClientError::Refused { reason: "capturing is switched off".to_owned() }),
        Answer::Retry | Answer::Status(_) => Err(ClientError::Later),
    }
}
