//! Tests of the capturer on what the real client sent.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod command_any;
mod command_golden;
mod command_hooks;
mod gateway_any;
mod hooks_fixtures;
mod hooks_instructions;
mod hooks_odd;
mod hooks_page;
mod hooks_pairing;
mod hooks_secrets;
mod hooks_sessions;
mod hooks_settings;
mod imports;
mod kit;
mod mcp;
mod otel_fixtures;
mod otel_forms;
mod otel_kit;
mod otel_sequences;
mod redact_corpus;
mod redact_environment;
mod redact_plant;
mod redact_text;
mod transcripts;
