//! Reads an answer while it passes: as events, as frames, or as one document.

use crate::gateway::answer::Answer;
use crate::gateway::batched::{BatchResult, ResultLines};
use crate::gateway::frames::Frames;
use crate::gateway::sse::Sse;

/// 8 MiB of a document are kept until it ends; the longest answer of the model has a tenth of it.
const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// In which form an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Server-sent events.
    Events,
    /// AWS event-stream frames.
    Frames,
    /// One JSON document.
    Document,
    /// Lines, each the result of a request of a batch.
    Results,
    /// Something that is only counted and hashed.
    Opaque,
}

impl Kind {
    /// Tells the form from the content type.
    pub fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/event-stream" => Self::Events,
            "application/vnd.amazon.eventstream" => Self::Frames,
            "application/json" => Self::Document,
            _ => Self::Opaque,
        }
    }

    /// Tells whether the form has an end of its own, so that a stream that stops before it was cut.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Events | Self::Frames)
    }
}

/// Reads one answer.
#[derive(Debug)]
pub struct Reader {
    kind: Kind,
    answer: Answer,
    sse: Sse,
    frames: Frames,
    document: Vec<u8>,
    over: bool,
    results: ResultLines,
}

impl Reader {
    /// Begins to read; `keeps_text` says whether the words of the model are kept or only counted.
    pub fn new(kind: Kind, keeps_text: bool) -> Self {
        let answer = Answer::new(keeps_text);
        Self {
            kind,
            answer,
            sse: Sse::default(),
            frames: Frames::default(),
            document: Vec::new(),
            over: false,
            results: ResultLines::new(keeps_text),
        }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, bytes: &[u8]) {
        let answer = &mut self.answer;
        match self.kind {
            Kind::Events => self.sse.feed(bytes, &mut |data| answer.event(data)),
            Kind::Frames => self.frames.feed(bytes, &mut |data| answer.event(data)),
            Kind::Document if self.over || self.document.len() + bytes.len() > DOCUMENT_BYTES_MAX => {
                self.over = true;
                self.document = Vec::new();
            }
            Kind::Document => self.document.extend_from_slice(bytes),
            Kind::Results => self.results.feed(bytes),
            Kind::Opaque => {}
        }
    }

    /// Returns the form.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns why something was not read, in a word.
    pub fn unread(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Document if self.over => Some("too_long"),
            Kind::Events if self.sse.skipped() > 0 => Some("event_too_long"),
            Kind::Frames if self.frames.is_broken() => Some("no_frames"),
            _ => None,
        }
    }

    /// Takes the results of a batch that were found since the last time; `ended` says that no more bytes come.
    pub fn results(&mut self, ended: bool) -> Vec<BatchResult> {
        if ended {
            self.results.finish();
        }
        self.results.take()
    }

    /// Ends the reading.
    pub fn finish(mut self) -> Answer {
        if self.kind == Kind::Document && !self.over {
            self.answer.whole(&self.document);
        }
        if self.kind == Kind::Results {
            self.answer.results = Some((self.results.read, self.results.unread));
        }
        self.answer
    }
}
