//! Fingerprints of values, to tell whether two hooks show the same input or output.

use aws_lc_rs::digest::{Context, SHA256, digest};
use serde_json::Value;

/// SHA-256.
pub(crate) type Hash = [u8; 32];

/// 1 KiB: a longer text counts by its hash, so that a text which was cut for a slot has the fingerprint of the whole.
const LONG_BYTES: usize = 1024;

/// Returns the SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Returns lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

/// Reads 64 hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Hash> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes?.try_into().ok()
}

/// Returns the fingerprint of a value; the order of members does not count.
pub(crate) fn of_value(value: &Value) -> Hash {
    let mut context = Context::new(&SHA256);
    feed(&mut context, value);
    finish(context)
}

/// Returns the fingerprint of a tool's input, in which a relative path counts as the absolute one: the client makes paths
/// absolute between one hook and the next.
pub(crate) fn of_input(input: &Value, cwd: Option<&str>) -> Hash {
    let mut context = Context::new(&SHA256);
    match input {
        Value::Object(members) if members.iter().any(|(name, value)| is_path(name) && value.is_string()) => {
            let mut members = members.clone();
            for (name, value) in &mut members {
                if let (true, Value::String(path)) = (is_path(name), &value) {
                    *value = crate::path::absolute(path, cwd).into();
                }
            }
            feed(&mut context, &Value::Object(members));
        }
        input => feed(&mut context, input),
    }
    finish(context)
}

fn is_path(name: &str) -> bool {
    matches!(name, "file_path" | "notebook_path" | "path")
}

fn feed(context: &mut Context, value: &Value) {
    match value {
        Value::String(text) => feed_text(context, text),
        Value::Array(items) => {
            context.update(format!("[{}", items.len()).as_bytes());
            items.iter().for_each(|item| feed(context, item));
        }
        Value::Object(members) => match cut_of(value) {
            Some((size, sha256)) => context.update(format!("L{size}:{sha256}").as_bytes()),
            None => {
                context.update(format!("{{{}", members.len()).as_bytes());
                let mut names: Vec<&String> = members.keys().collect();
                names.sort_unstable();
                for name in names {
                    feed_text(context, name);
                    feed(context, &members[name]);
                }
            }
        },
        small => context.update(format!("v{small};").as_bytes()),
    }
}

fn feed_text(context: &mut Context, text: &str) {
    if text.len() > LONG_BYTES {
        context.update(format!("L{}:{}", text.len(), hex(&sha256(text.as_bytes()))).as_bytes());
    } else {
        context.update(format!("s{}:", text.len()).as_bytes());
        context.update(text.as_bytes());
    }
}

/// Returns size and hash of the text that stood where `cut.rs` left its notice.
fn cut_of(value: &Value) -> Option<(u64, &str)> {
    let cut = value.get("cut")?;
    Some((cut.get("size_bytes")?.as_u64()?, cut.get("sha256")?.as_str()?))
}

fn finish(context: Context) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
