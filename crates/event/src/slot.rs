//! Slots: content and identity beside the envelope, bound to it by a salted commitment, erasable alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The slots an event may have. The name stays visible after erasure, so it says a class, never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotName {
    /// Who: user, e-mail, address, host, operating system account.
    Identity,
    /// What was touched: paths, URLs, working folder.
    Resource,
    /// What a person or a parent agent asked.
    Prompt,
    /// What a tool was given.
    Input,
    /// What a tool gave back.
    Output,
    /// Everything else that is free text, and every member the schema does not know.
    Content,
    /// Bytes that could not be understood, kept as they came.
    Raw,
}

impl SlotName {
    /// Every slot name, in the order in which slots are stored.
    pub const ALL: &[Self] = &[Self::Identity, Self::Resource, Self::Prompt, Self::Input, Self::Output, Self::Content, Self::Raw];

    /// Returns the name as it stands in envelopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
            Self::Input => "input",
            Self::Output => "output",
            Self::Content => "content",
            Self::Raw => "raw",
        }
    }

    /// Finds the name, exactly as written.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|slot| slot.as_str() == name)
    }
}

/// One slot: the text of a JSON object whose members are merged into the event when it is viewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which slot.
    pub name: SlotName,
    /// Compact JSON text of one object, without a raw newline.
    pub json: String,
}
