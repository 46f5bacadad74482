//! Makes planted secrets from the formats of `oracles/`; none stands in the repository.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// One secret in a text.
pub(crate) struct Plant {
    pub(crate) what: String,
    pub(crate) text: String,
    pub(crate) secret: String,
}

#[derive(Deserialize)]
struct Kinds {
    kind: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    id: String,
    name: Option<String>,
    form: Option<String>,
    by: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Contexts {
    context: Vec<Context>,
}

#[derive(Deserialize)]
struct Context {
    id: String,
    by: Option<String>,
    text: String,
}

/// Returns every kind of secret in every context that may hold it, the same ones for the same seed.
pub(crate) fn plants(seed: u64) -> Vec<Plant> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../oracles");
    let kinds: Kinds = toml::from_str(&fs::read_to_string(folder.join("kinds.toml")).unwrap()).unwrap();
    let contexts: Contexts = toml::from_str(&fs::read_to_string(folder.join("contexts.toml")).unwrap()).unwrap();
    let mut dice = Dice(seed);
    let mut plants = Vec::new();
    for kind in &kinds.kind {
        if let Some(text) = &kind.text {
            plants.push(own(&kind.id, text, &mut dice));
            continue;
        }
        let (name, form) = (kind.name.as_deref().unwrap(), kind.form.as_deref().unwrap());
        for context in &contexts.context {
            if context.by.as_deref() == Some("shape") && kind.by.as_deref() == Some("name") {
                continue;
            }
            let secret = fill(form, &mut dice);
            let text = context.text.replace("{secret}", &secret).replace("{name}", name).replace("{lower}", &name.to_lowercase());
            let text = text.replace("{flag}", &name.to_lowercase().replace('_', "-"));
            plants.push(Plant { what: format!("{} in {}", kind.id, context.id), text, secret });
        }
    }
    plants
}

fn own(id: &str, text: &str, dice: &mut Dice) -> Plant {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let (before, rest) = text.split_once('{').unwrap();
    let (secret, after) = rest.split_once('}').unwrap();
    let secret = fill(secret, dice);
    let text = format!("{before}{secret}{}", fill(after, dice)).replace('\u{1}', "{").replace('\u{2}', "}");
    Plant { what: id.to_owned(), text, secret }
}

/// Makes one secret of a form of `kinds.toml`.
pub(crate) fn fill(form: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    let mut rest = form;
    while let Some(first) = rest.chars().next() {
        let Some((kind, argument, after)) = field(rest) else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = after;
        match kind {
            "crc62" => out.push_str(&base62(crc32(&out.as_bytes()[argument.len()..]))),
            "crc16" => out.push_str(&format!("{:08X}", crc32(out.as_bytes()))),
            "base64" => out.push_str(&STANDARD.encode(fill(argument, dice))),
            alphabet => out.push_str(&dice.symbols(alphabet, argument.parse().unwrap())),
        }
    }
    out
}

/// Reads `<kind:argument>` at the start of `text`; an argument may hold further fields.
fn field(text: &str) -> Option<(&str, &str, &str)> {
    let inner = text.strip_prefix('<')?;
    let (kind, _) = inner.split_once(':').filter(|(kind, _)| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric()))?;
    let mut depth = 1;
    for (at, symbol) in inner.char_indices() {
        match symbol {
            '<' if field(&inner[at..]).is_some() => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((kind, &inner[kind.len() + 1..at], &inner[at + 1..]));
        }
    }
    None
}

/// Numbers that look random and are the same at each run (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn symbols(&mut self, alphabet: &str, count: usize) -> String {
        const WORD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let all = match alphabet {
            "d" => WORD[52..].to_owned(),
            "h" => "0123456789abcdef".to_owned(),
            "H" => "0123456789ABCDEF".to_owned(),
            "l" => WORD[26..52].to_owned(),
            "u" => WORD[..26].to_owned(),
            "n" => WORD[26..].to_owned(),
            "N" => format!("{}{}", &WORD[..26], &WORD[52..]),
            "w" => WORD.to_owned(),
            "b" => format!("{WORD}+/"),
            "v" => format!("{WORD}-_"),
            "2" => format!("{}234567", &WORD[..26]),
            "x" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
            other => panic!("kinds.toml has the unknown alphabet {other}"),
        };
        let mut out: Vec<u8> = (0..count).map(|_| all.as_bytes()[self.below(all.len())]).collect();
        for end in [0, count - 1] {
            while !out[end].is_ascii_alphanumeric() {
                out[end] = all.as_bytes()[self.below(all.len())];
            }
        }
        if count >= 12 && matches!(alphabet, "n" | "N" | "w" | "b" | "v") && !out.iter().any(u8::is_ascii_digit) {
            out[count / 2] = b'0' + self.below(10) as u8;
        }
        String::from_utf8(out).unwrap()
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

fn base62(mut number: u32) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut out = [b'0'; 6];
    for place in out.iter_mut().rev() {
        *place = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    String::from_utf8_lossy(&out).into_owned()
}
