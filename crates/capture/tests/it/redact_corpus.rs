//! Planted secrets of every kind in every context, and clean text that looks like secrets. The same formats are compared with other
//! scanners by `oracles/run.sh`; this part needs no network.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealtrail_capture::redact::Redactor;
use serde_json::{Value, json};

use crate::kit;
use crate::redact_plant::{Dice, Plant, fill, plants};

/// So many bytes in a row of a secret are too many to be left.
const LEFT_MAX: usize = 10;

/// Returns the part of `secret` that is still in `text`.
fn left<'a>(secret: &'a str, text: &str) -> Option<&'a str> {
    secret.lines().find_map(|line| match line.len() {
        0..4 => None,
        4..=LEFT_MAX => text.contains(line).then_some(line),
        length => (0..=length - LEFT_MAX).map(|at| &line[at..at + LEFT_MAX]).find(|part| text.contains(part)),
    })
}

fn recall(found: usize, missed: &[String]) {
    let all = found + missed.len();
    let share = found as f64 / all as f64;
    assert!(share >= 0.98, "{share:.4} of {all}; missed: {missed:#?}");
}

/// Protects secrets in plain text of every kind: nothing of them is left, and the placeholder names a rule.
#[test]
fn planted_secrets_are_found_in_text() {
    let redactor = Redactor::new();
    let (mut found, mut missed) = (0, Vec::new());
    for Plant { what, text, secret } in plants(1) {
        let redacted = redactor.text(&text);
        match left(&secret, &redacted.text) {
            Some(part) => missed.push(format!("{what}: {part:?} is left in {:?}", redacted.text)),
            None => {
                found += 1;
                assert!(redacted.text.contains("[redacted:"), "{what}: {:?}", redacted.text);
                assert!(redacted.found.iter().all(|f| !f.rule.is_empty() && f.start < f.end && f.end <= text.len()), "{what}");
            }
        }
    }
    recall(found, &missed);
}

/// Protects secrets inside the JSON of hooks: in an output, a patch in lines, a JSON text in a JSON text, a batch, and base64.
#[test]
fn planted_secrets_are_found_in_hooks() {
    let redactor = Redactor::new();
    let (mut found, mut missed) = (0, Vec::new());
    for (number, Plant { what, text, secret }) in plants(2).into_iter().enumerate() {
        let (mut value, secret) = match number % 6 {
            0 => (json!({"tool_response": {"stdout": text, "stderr": ""}}), secret),
            1 => {
                let lines: Vec<String> = text.lines().map(|line| format!("+{line}")).collect();
                (json!({"tool_response": {"structuredPatch": [{"newStart": 1, "lines": lines}]}}), secret)
            }
            2 => (
                json!({"tool_response": [{"type": "text", "text": json!({"body": json!({"content": text}).to_string()}).to_string()}]}),
                secret,
            ),
            3 => (json!({"tool_calls": [{"tool_input": {"file_path": "/p/x"}, "tool_response": text}]}), secret),
            4 => (json!({"prompt": format!("please use this:\n{text}")}), secret),
            _ => {
                let encoded = STANDARD.encode(&text);
                (json!({"tool_response": {"stdout": encoded}}), encoded)
            }
        };
        let rules = redactor.value(&mut value);
        match left(&secret, &strings(&value)) {
            Some(part) => missed.push(format!("{what} ({}): {part:?} is left in {value}", number % 6)),
            None => {
                found += 1;
                assert!(rules.iter().all(|f| value.pointer(&f.path).is_some()), "{what}: {rules:?} in {value}");
            }
        }
    }
    recall(found, &missed);
}

fn strings(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(strings).collect::<Vec<_>>().join("\n"),
        Value::Object(members) => members.iter().map(|(name, value)| format!("{name}\n{}", strings(value))).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// Protects what is no secret: real hooks, the documentation, hashes, ids, lock files and pictures stay as they are.
#[test]
fn clean_text_stays() {
    let redactor = Redactor::new();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = made();
    for (name, hook) in kit::hooks() {
        texts.push((name, hook.to_string()));
    }
    for entry in fs::read_dir(root.join("docs")).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_some_and(|kind| kind == "md") && !path.ends_with("redaction.md") {
            texts.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
        }
    }
    texts.push(("Cargo.lock".to_owned(), fs::read_to_string(root.join("Cargo.lock")).unwrap()));
    for (name, text) in texts {
        // A made-up token that a fixture sends to a server; it is right to replace it.
        let text = text.replace("Bearer tok-123", "Bearer");
        let redacted = redactor.text(&text);
        let found: Vec<(&str, &str)> = redacted.found.iter().map(|f| (f.rule.as_str(), &text[f.start..f.end])).collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

/// Returns texts that look like secrets to a scanner that only measures entropy.
fn made() -> Vec<(String, String)> {
    let mut dice = Dice(7);
    let forms = [
        ("commit", "commit <h:40>\nindex <h:7>..<h:7> 100644\n"),
        ("uuid", "session_id=<h:8>-<h:4>-4<h:3>-a<h:3>-<h:12> request_id: <h:32>\n"),
        ("tool use", "{\"tool_use_id\": \"toolu_01<w:22>\", \"uuid\": \"<h:8>-<h:4>-4<h:3>-a<h:3>-<h:12>\"}\n"),
        ("lock file", "\"integrity\": \"sha512-<b:86>==\", \"resolved\": \"https://registry.example.net/a/-/a-1.2.3.tgz\"\n"),
        ("go.sum", "example.net/mod/v2 v2.1.0 h1:<b:43>=\n"),
        ("pip hash", "    --hash=sha256:<h:64> \\\n"),
        ("digest", "nginx@sha256:<h:64>\n<h:64>  app.tar.gz\nETag: \"<h:32>\"\n"),
        ("asset", "GET /assets/app.<h:20>.js?v=<h:8> HTTP/1.1\n"),
        ("public key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI<b:43> dev@box\n"),
        ("picture", "<img src=\"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA<b:2000>\">\n"),
    ];
    forms.into_iter().map(|(name, form)| (name.to_owned(), (0..50).map(|_| fill(form, &mut dice)).collect())).collect()
}
