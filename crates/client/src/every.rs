//! Every of a question, page after page.

use crate::client::AuditTrailClient;
use crate::error::ClientError;
use crate::event::Event;
use crate::question::Question;

/// Every event that matches, read page by page; ends after the first error.
pub struct Every<'a> {
    client: &'a AuditTrailClient,
    question: Question,
    ready: std::vec::IntoIter<Event>,
    /// There is no next page.
    over: bool,
}

impl<'a> Every<'a> {
    pub(crate) fn new(client: &'a AuditTrailClient, question: Question) -> Self {
        Self { client, question, ready: Vec::new().into_iter(), over: false }
    }

    /// Returns where the page ends that is being given; nothing before the first one and in the last one.
    pub fn cursor(&self) -> Option<&str> {
        self.question.cursor.as_deref().filter(|_| !self.over)
    }
}

impl Iterator for Every<'_> {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.next() {
                return Some(Ok(event));
            }
            if self.over {
                return None;
            }
            match self.client.page(&self.question) {
                Ok(page) => {
                    self.over = page.next_cursor.is_none();
                    self.question.cursor = page.next_cursor;
                    self.ready = page.events.into_iter();
                }
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
    }
}
