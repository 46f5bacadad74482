//! What a request asks for, as its method and path say.

/// 128 bytes: ids of batches have 33.
const BATCH_ID_BYTES_MAX: usize = 128;

/// Whose form of the API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `/v1/messages` and its siblings.
    Anthropic,
    /// `/model/ID/invoke`.
    Bedrock,
    /// `…/models/ID:rawPredict`.
    Vertex,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An answer of the model.
    Message,
    /// An answer of the model, in the form of old.
    Complete,
    /// How many tokens a request would have.
    CountTokens,
    /// Many requests at once, answered later.
    Batch,
    /// Files that requests refer to.
    Files,
    /// Which models there are.
    Models,
    /// Anything else.
    Other,
}

/// What is asked about a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchCall {
    /// To make one.
    Make,
    /// For the results of the one of this id.
    Results(String),
}

/// One request by its method and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whose form.
    pub form: Form,
    /// What for.
    pub what: What,
    /// The model, where the path names it.
    pub model: Option<String>,
    /// What is asked about a batch, where that matters to the record.
    pub batch: Option<BatchCall>,
}

impl What {
    /// Returns the word that events use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Complete => "complete",
            Self::CountTokens => "count_tokens",
            Self::Batch => "batch",
            Self::Files => "files",
            Self::Models => "models",
            Self::Other => "other",
        }
    }

    /// Tells whether the model answers it: such calls are `model.request` and `model.response`, the others `gateway.request` and `gateway.response`.
    pub fn is_answered_by_model(self) -> bool {
        matches!(self, Self::Message | Self::Complete)
    }

    /// Tells whether the body of the request is JSON that is worth reading.
    pub fn has_json_body(self) -> bool {
        matches!(self, Self::Message | Self::Complete | Self::CountTokens | Self::Batch)
    }
}

impl Form {
    /// Returns the word that events use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Bedrock => "bedrock",
            Self::Vertex => "vertex",
        }
    }
}

impl Call {
    /// Tells what a request asks for; `path` may have a query behind it.
    pub fn of(method: &str, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let post = method == "POST";
        bedrock(post, path).or_else(|| vertex(post, path)).unwrap_or_else(|| Self {
            form: Form::Anthropic,
            what: anthropic(post, path),
            model: None,
            batch: batch(post, path),
        })
    }
}

fn batch(post: bool, path: &str) -> Option<BatchCall> {
    let (_, rest) = path.trim_end_matches('/').split_once("/v1/messages/batches")?;
    if post {
        return rest.is_empty().then_some(BatchCall::Make);
    }
    let id = rest.strip_prefix('/')?.strip_suffix("/results")?;
    (!id.is_empty() && id.len() <= BATCH_ID_BYTES_MAX && !id.contains('/')).then(|| BatchCall::Results(id.to_owned()))
}

/// A base URL may have a path of its own in front, so the end decides.
fn anthropic(post: bool, path: &str) -> What {
    let path = path.trim_end_matches('/');
    let under = |name: &str| path.ends_with(name) || path.contains(&format!("{name}/"));
    match path {
        _ if post && path.ends_with("/v1/messages") => What::Message,
        _ if post && path.ends_with("/v1/complete") => What::Complete,
        _ if post && path.ends_with("/v1/messages/count_tokens") => What::CountTokens,
        _ if under("/v1/messages/batches") => What::Batch,
        _ if under("/v1/files") => What::Files,
        _ if under("/v1/models") => What::Models,
        _ => What::Other,
    }
}

fn bedrock(post: bool, path: &str) -> Option<Call> {
    let rest = path.split_once("/model/").filter(|(before, _)| !before.contains("/v1"))?.1;
    let (model, verb) = rest.rsplit_once('/')?;
    let what = match verb {
        "invoke" | "invoke-with-response-stream" if post => What::Message,
        "count-tokens" if post => What::CountTokens,
        _ => What::Other,
    };
    Some(Call { form: Form::Bedrock, what, model: Some(unescaped(model)), batch: None })
}

fn vertex(post: bool, path: &str) -> Option<Call> {
    let last = path.split_once("/publishers/anthropic/models/")?.1;
    let (model, verb) = last.rsplit_once(':').unwrap_or((last, ""));
    let what = match (model, verb) {
        ("count-tokens", "rawPredict") if post => What::CountTokens,
        (_, "rawPredict" | "streamRawPredict") if post => What::Message,
        _ => What::Other,
    };
    let model = (what != What::CountTokens).then(|| unescaped(model));
    Some(Call { form: Form::Vertex, what, model, batch: None })
}

/// Replaces `%XX`: clients escape the colon of a model's name. What is no text after that stays as it is.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        let digits = rest.get(..2).filter(|_| first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                bytes = &rest[2..];
            }
            None => {
                out.push(first);
                bytes = rest;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the record of every form of the API: each path of the three is told for what it is, with the model it names.
    #[test]
    fn paths_of_three_forms_are_told_apart() {
        let cases = [
            ("POST", "/v1/messages?beta=true", Form::Anthropic, What::Message, None),
            ("POST", "/proxy/v1/messages", Form::Anthropic, What::Message, None),
            ("GET", "/v1/messages", Form::Anthropic, What::Other, None),
            ("POST", "/v1/messages/count_tokens", Form::Anthropic, What::CountTokens, None),
            ("POST", "/v1/messages/batches", Form::Anthropic, What::Batch, None),
            ("GET", "/v1/messages/batches/b1/results", Form::Anthropic, What::Batch, None),
            ("GET", "/v1/files/f1/content", Form::Anthropic, What::Files, None),
            ("GET", "/v1/models", Form::Anthropic, What::Models, None),
            ("HEAD", "/api/hello", Form::Anthropic, What::Other, None),
            ("POST", "/model/us.anthropic.claude-x-v1%3A0/invoke", Form::Bedrock, What::Message, Some("us.anthropic.claude-x-v1:0")),
            ("POST", "/model/a/invoke-with-response-stream", Form::Bedrock, What::Message, Some("a")),
            (
                "POST",
                "/model/arn:aws:bedrock:x:1:application-inference-profile/p/invoke",
                Form::Bedrock,
                What::Message,
                Some("arn:aws:bedrock:x:1:application-inference-profile/p"),
            ),
            ("POST", "/model/a/count-tokens", Form::Bedrock, What::CountTokens, Some("a")),
            ("GET", "/inference-profiles?type=SYSTEM_DEFINED", Form::Anthropic, What::Other, None),
            (
                "POST",
                "/v1/projects/p/locations/r/publishers/anthropic/models/m@1:streamRawPredict",
                Form::Vertex,
                What::Message,
                Some("m@1"),
            ),
            ("POST", "/v1/projects/p/locations/r/publishers/anthropic/models/m:rawPredict", Form::Vertex, What::Message, Some("m")),
            (
                "POST",
                "/v1/projects/p/locations/r/publishers/anthropic/models/count-tokens:rawPredict",
                Form::Vertex,
                What::CountTokens,
                None,
            ),
        ];
        for (method, path, form, what, model) in cases {
            let call = Call::of(method, path);
            assert_eq!((call.form, call.what, call.model.as_deref()), (form, what, model), "{method} {path}");
        }
    }

    /// Protects the record of batches: making one and fetching its results are told from everything else under the same path.
    #[test]
    fn calls_about_batches_are_told_apart() {
        let of = |method, path| Call::of(method, path).batch;
        assert_eq!(of("POST", "/v1/messages/batches?beta=true"), Some(BatchCall::Make));
        assert_eq!(of("GET", "/proxy/v1/messages/batches/b1/results?beta=true"), Some(BatchCall::Results("b1".to_owned())));
        for (method, path) in
            [("GET", "/v1/messages/batches"), ("GET", "/v1/messages/batches/b1"), ("POST", "/v1/messages/batches/b1/cancel")]
        {
            assert_eq!(of(method, path), None, "{method} {path}");
        }
    }

    /// Protects against panics on paths that nobody wrote: broken escapes stay as they are.
    #[test]
    fn broken_escapes_stay() {
        for path in ["/model/%/invoke", "/model/%z/invoke", "/model/%ff/invoke", "/model/é%/invoke", "/model//", "/model/"] {
            Call::of("POST", path);
        }
        assert_eq!(Call::of("POST", "/model/%zz/invoke").model.as_deref(), Some("%zz"));
    }
}
