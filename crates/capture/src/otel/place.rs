//! Which slot an attribute belongs to by its name, so that persons, paths, prompts, inputs and outputs can be erased apart.

use std::net::IpAddr;

use sealtrail_event::SlotName;
use serde_json::{Map, Value};

use super::attributes::Attributes;
use crate::draft::{Draft, Members};

/// Member under which attributes keep their names; the same in every slot, so that an event shows them together.
pub(super) const ATTRIBUTES: &str = "attributes";

/// Member that holds what OTLP says beside the attributes.
pub(super) const OTEL: &str = "otel";

/// Puts who it was where every event says it.
pub(super) fn name_person(attributes: &mut Attributes, draft: &mut Draft) {
    for (key, name) in [("user.id", "user_id"), ("user.email", "email"), ("host.name", "host")] {
        if attributes.text(key).is_some_and(|text| !text.is_empty())
            && let Some(value) = attributes.take(key)
        {
            draft.put(SlotName::Identity, name, value);
        }
    }
    if attributes.text("client.address").is_some_and(|text| text.parse::<IpAddr>().is_ok())
        && let Some(value) = attributes.take("client.address")
    {
        draft.put(SlotName::Identity, "source_ip", value);
    }
}

/// Keeps the attributes that are left under their own names, each in the slot of its class.
pub(super) fn keep(attributes: Attributes, draft: &mut Draft) {
    for (key, value) in attributes.0 {
        draft.put_in(slot_of(&key), ATTRIBUTES, &key, value);
    }
}

/// Keeps resource, scope and metric; persons and machines that they name go to the slot `identity`.
pub(super) fn keep_head(head: &Map<String, Value>, draft: &mut Draft) {
    for (name, value) in head {
        if name == "metric" {
            draft.put(SlotName::Content, "metric", value.clone());
            continue;
        }
        let Value::Object(members) = value else { continue };
        let (mut mine, mut apart) = (Map::new(), Members::new());
        for (member, value) in members {
            match value {
                Value::Object(attributes) if member == ATTRIBUTES => {
                    let (persons, rest) = split(attributes);
                    insert(&mut mine, member, rest);
                    insert(&mut apart, member, persons);
                }
                value => {
                    mine.insert(member.clone(), value.clone());
                }
            }
        }
        if !mine.is_empty() {
            draft.put_in(SlotName::Content, OTEL, name, Value::Object(mine));
        }
        if !apart.is_empty() {
            draft.put_in(SlotName::Identity, OTEL, name, Value::Object(apart));
        }
    }
}

fn split(attributes: &Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    attributes.iter().map(|(key, value)| (key.clone(), value.clone())).partition(|(key, _)| slot_of(key) == SlotName::Identity)
}

fn insert(into: &mut Map<String, Value>, name: &str, members: Map<String, Value>) {
    if !members.is_empty() {
        into.insert(name.to_owned(), Value::Object(members));
    }
}

/// Beginnings of names that tell of persons and machines.
const PERSONS: &[&str] = &["user.", "enduser.", "organization.", "host.", "client.", "net.peer.", "network.peer.", "source.", "device."];

/// Returns the slot of an attribute.
pub(super) fn slot_of(key: &str) -> SlotName {
    match key {
        "user_id" | "email" | "process.owner" | "service.instance.id" | "k8s.pod.name" | "k8s.node.name" => SlotName::Identity,
        // What the machine is, not which one.
        "host.arch" | "host.type" => SlotName::Content,
        "file_path"
        | "file.path"
        | "path"
        | "cwd"
        | "url"
        | "url.full"
        | "url.path"
        | "url.query"
        | "http.url"
        | "http.target"
        | "body_ref"
        | "process.working_directory"
        | "process.executable.path"
        | "code.file.path"
        | "code.filepath" => SlotName::Resource,
        "prompt" | "prompt_text" | "user_prompt" | "gen_ai.prompt" | "gen_ai.input.messages" | "gen_ai.system_instructions" => {
            SlotName::Prompt
        }
        "tool_input"
        | "tool_parameters"
        | "full_command"
        | "bash_command"
        | "command"
        | "process.command_line"
        | "process.command_args"
        | "gen_ai.tool.call.arguments"
        | "db.query.text"
        | "db.statement" => SlotName::Input,
        "output"
        | "content"
        | "diff"
        | "response"
        | "error"
        | "error.message"
        | "exception.message"
        | "exception.stacktrace"
        | "gen_ai.completion"
        | "gen_ai.output.messages"
        | "gen_ai.tool.call.result" => SlotName::Output,
        key if PERSONS.iter().any(|begin| key.starts_with(begin)) => SlotName::Identity,
        _ => SlotName::Content,
    }
}
