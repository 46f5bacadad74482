//! What of a request's messages was in an earlier request: every turn sends the whole history again, and it is told once.
//!
//! The hash of a message is the one that the client writes into its transcript: SHA-256 of its JSON with sorted members, without spaces, without
//! `cache_control`. The hash of a history is a chain: `h(0)` is 32 zero bytes, `h(n) = SHA-256(h(n-1) ‖ message(n))`.

use std::collections::{HashMap, VecDeque};

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use crate::hash::{self, Hash};

/// 4: the main talk of an agent, a naming call, a summary, and one that was cut short.
const PER_KEY_MAX: usize = 4;

/// 131,072 messages of 64 bytes: 8 MiB. The history that was used longest ago goes first; it is then told anew.
const MESSAGES_MAX: usize = 131_072;

/// One message of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    raw: Hash,
    message: Hash,
}

/// How a request's messages relate to those before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// How many messages at the beginning were in an earlier request.
    pub kept: usize,
    /// Hash of the history of these.
    pub kept_hash: Hash,
    /// How many there are.
    pub count: usize,
    /// Hash of the history of all.
    pub hash: Hash,
    /// Hashes of the messages after the kept ones.
    pub new: Vec<Hash>,
}

/// The newest histories of every session and agent.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    by_key: HashMap<String, VecDeque<Vec<Known>>>,
    order: VecDeque<String>,
    messages: usize,
}

impl Histories {
    /// Compares the messages (JSON texts) with the histories of `key`, and remembers them.
    pub fn follow(&mut self, key: &str, messages: &[&str]) -> Followed {
        let raw: Vec<Hash> = messages.iter().map(|text| hash::sha256(text.as_bytes())).collect();
        let mut own: Vec<Option<Hash>> = vec![None; messages.len()];
        let earlier = self.by_key.get(key);
        let mut best = (0, None);
        for (n, old) in earlier.into_iter().flatten().enumerate() {
            let kept = common(old, &raw, messages, &mut own);
            if best.1.is_none() || kept > best.0 {
                best = (kept, Some(n));
            }
        }
        let known: Vec<Known> =
            (0..messages.len()).map(|n| Known { raw: raw[n], message: own[n].unwrap_or_else(|| message_hash(messages[n])) }).collect();
        let kept = best.0;
        let followed = Followed {
            kept,
            kept_hash: chain(&known[..kept]),
            count: known.len(),
            hash: chain(&known),
            new: known[kept..].iter().map(|known| known.message).collect(),
        };
        // A history that goes on takes the place of its beginning; one that shares nothing, or branches off early, is another.
        let replaced = best.1.filter(|n| earlier.and_then(|old| old.get(*n)).is_some_and(|old| old.len() == kept && kept > 0));
        self.remember(key, known, replaced);
        followed
    }

    /// Forgets the histories of a key.
    pub fn forget(&mut self, key: &str) {
        let gone = self.by_key.remove(key).unwrap_or_default();
        self.messages -= gone.iter().map(Vec::len).sum::<usize>();
        self.order.retain(|other| other != key);
    }

    fn remember(&mut self, key: &str, known: Vec<Known>, replaced: Option<usize>) {
        if let Some(at) = self.order.iter().position(|other| other == key) {
            self.order.remove(at);
        }
        self.order.push_back(key.to_owned());
        self.messages += known.len();
        let own = self.by_key.entry(key.to_owned()).or_default();
        let gone = replaced.and_then(|at| own.remove(at)).or_else(|| if own.len() >= PER_KEY_MAX { own.pop_front() } else { None });
        self.messages -= gone.map_or(0, |gone| gone.len());
        own.push_back(known);
        while self.messages > MESSAGES_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            let gone = self.by_key.remove(&oldest).unwrap_or_default();
            self.messages -= gone.iter().map(Vec::len).sum::<usize>();
        }
    }
}

/// Counts the messages that both begin with; a message whose text differs may still be the same message.
fn common(old: &[Known], raw: &[Hash], messages: &[&str], own: &mut [Option<Hash>]) -> usize {
    for (n, known) in old.iter().enumerate() {
        if n >= raw.len() {
            return n;
        }
        if raw[n] == known.raw {
            own[n] = Some(known.message);
        } else if *own[n].get_or_insert_with(|| message_hash(messages[n])) != known.message {
            return n;
        }
    }
    old.len()
}

fn chain(known: &[Known]) -> Hash {
    known.iter().fold(Hash::default(), |before, known| hash::sha256(&[before, known.message].concat()))
}

/// Returns the hash of one message; of a text that is no JSON object, the hash of the text.
pub fn message_hash(json: &str) -> Hash {
    let Ok(mut message) = serde_json::from_str::<Value>(json) else { return hash::sha256(json.as_bytes()) };
    strip(&mut message);
    let mut context = Context::new(&SHA256);
    feed(&mut context, &message);
    let mut out = Hash::default();
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Takes `cache_control` off the blocks of a message, and off the blocks of a tool's result; what a tool was given stays whole.
fn strip(message: &mut Value) {
    let Some(Value::Array(blocks)) = message.get_mut("content") else { return };
    for block in blocks {
        if let Value::Object(members) = block {
            members.shift_remove("cache_control");
        }
        if block.get("type").and_then(Value::as_str) == Some("tool_result") {
            strip(block);
        }
    }
}

fn feed(context: &mut Context, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            context.update(b"{");
            for (n, name) in names.into_iter().enumerate() {
                context.update(if n > 0 { b"," } else { b"" });
                context.update(Value::from(name.as_str()).to_string().as_bytes());
                context.update(b":");
                feed(context, &members[name]);
            }
            context.update(b"}");
        }
        Value::Array(items) => {
            context.update(b"[");
            for (n, item) in items.iter().enumerate() {
                context.update(if n > 0 { b"," } else { b"" });
                feed(context, item);
            }
            context.update(b"]");
        }
        other => context.update(other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = r#"{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}"#;
    const A_LATER: &str = r#"{"content":[{"text":"a","type":"text"}], "role":"user"}"#;
    const B: &str = r#"{"role":"assistant","content":"b"}"#;
    const C: &str = r#"{"role":"user","content":"c"}"#;

    /// Protects "told once": a turn that goes on keeps what went before, although the marks of the cache moved.
    #[test]
    fn a_history_that_goes_on_keeps_its_beginning() {
        let mut histories = Histories::default();
        let first = histories.follow("s", &[A]);
        assert_eq!((first.kept, first.count, first.new.len()), (0, 1, 1));
        let second = histories.follow("s", &[A_LATER, B, C]);
        assert_eq!((second.kept, second.count, second.new.len()), (1, 3, 2));
        assert_eq!(second.kept_hash, first.hash);
        let retried = histories.follow("s", &[A_LATER, B, C]);
        assert_eq!((retried.kept, retried.new.len(), retried.hash), (3, 0, second.hash));
        assert_eq!(histories.follow("other", &[A]).kept, 0);
    }

    /// Protects the cross-check with transcripts: the hash of a message is the one that the client writes there.
    #[test]
    fn a_message_has_the_hash_of_the_transcript() {
        let message = r#"{"role":"assistant","content":[{"type":"text","text":"Summary turn.","cache_control":{"type":"ephemeral"}}]}"#;
        assert_eq!(hash::hex(&message_hash(message)), "179146ce78816ba469c8aff83d5dd5ef4388577e2a5d45d8ee9e23f30d2e8f2c");
    }

    /// Protects against a side call that hides the main talk: both are followed.
    #[test]
    fn a_side_call_does_not_end_a_history() {
        let mut histories = Histories::default();
        histories.follow("s", &[A, B]);
        histories.follow("s", &[C]);
        assert_eq!(histories.follow("s", &[A, B, C]).kept, 2);
        assert_eq!(histories.follow("s", &[C, B]).kept, 1);
    }

    /// Protects the memory: however many sessions come, the messages remembered stay under the limit.
    #[test]
    fn the_memory_is_bounded() {
        let mut histories = Histories::default();
        let many = vec![C; 1000];
        for n in 0..200 {
            histories.follow(&n.to_string(), &many);
        }
        assert!(histories.messages <= MESSAGES_MAX, "{}", histories.messages);
        let held: usize = histories.by_key.values().flatten().map(Vec::len).sum();
        assert_eq!(held, histories.messages);
    }
}
