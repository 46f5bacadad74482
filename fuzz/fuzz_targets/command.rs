//! Command lines: any text gives the same bounded list each time, and every verb is a word that an envelope may hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealtrail_capture::command::{ACTIONS_MAX, understand};
use sealtrail_event::Token;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let actions = understand(text, Some("/home/dev/p"));
    assert!(actions.len() <= ACTIONS_MAX);
    assert_eq!(actions, understand(text, Some("/home/dev/p")));
    for action in &actions {
        assert!(Token::parse(&action.action).is_ok() && Token::parse(action.event_type).is_ok(), "{action:?}");
        assert!(action.target.as_ref().is_none_or(|target| (1..=4096).contains(&target.len())), "{action:?}");
    }
});
