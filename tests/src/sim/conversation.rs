//! The client's end of one connection: what it has asked, in order, and what comes back.
//!
//! Invariant: every request has one answer, in order; nothing comes that was not asked for.
//! Not here: what a client makes of it.

use std::collections::VecDeque;

use super::answers::{AnswerReader, Head, Part};
use super::event_stream::{EventStreamReader, Item};
use super::oracle::Spec;

/// A request whose answer has not come.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// For a stream.
    Stream,
    /// To publish these events: each an object in the answer, one a line if there are `lines`.
    Publish {
        /// What is to be kept; `None` for what is to be refused.
        specs: Vec<Option<Spec>>,
        /// Whether it was NDJSON.
        lines: bool,
    },
    /// Anything else, to be answered with one of these.
    Other {
        /// The statuses that are right.
        statuses: &'static [u16],
        /// Whether it was a `HEAD`.
        is_head: bool,
    },
}

/// What a client learns.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// The head of the answer to this.
    Answer(Asked, Head),
    /// Part of a stream.
    Stream(Item),
    /// The body of the answer to this, whole.
    Body(Asked, Head, Vec<u8>),
    /// A stream has ended cleanly.
    CleanEnd,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    asked: VecDeque<Asked>,
    reader: AnswerReader,
    /// The answer that is being read.
    present: Option<(Asked, Head)>,
    stream: Option<EventStreamReader>,
}

impl Conversation {
    /// Notes a request.
    pub(super) fn ask(&mut self, asked: Asked) {
        self.asked.push_back(asked);
    }

    /// Requests that are not answered.
    #[must_use]
    pub(super) fn outstanding(&self) -> usize {
        self.asked.len() + usize::from(self.present.is_some() && self.stream.is_none())
    }

    /// Whether a stream is being read.
    #[must_use]
    pub(super) const fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// What the end of the connection says about a stream: nothing if it cannot be told from its framing.
    #[must_use]
    pub(super) fn end(&self) -> Option<bool> {
        assert!(!self.reader.is_cut(), "a connection ends within an answer, and without a reset");
        let is_whole = self.stream.as_ref().is_none_or(EventStreamReader::is_between_blocks);
        assert!(is_whole, "a stream ends within a block, and without a reset");
        (self.stream.is_some() && !self.reader.ends_with_connection()).then_some(false)
    }

    /// Reads on.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.reader.feed(bytes);
        let mut said = Vec::new();
        loop {
            let is_head = matches!(self.asked.front(), Some(Asked::Other { is_head: true, .. }));
            let Some(part) = self.reader.next(is_head) else { return said };
            match part {
                Part::Head(head) => self.on_head(head, &mut said),
                Part::Piece(piece) => self.on_piece(&piece, &mut said),
                Part::End(body) => self.on_end(body, &mut said),
            }
        }
    }

    fn on_head(&mut self, head: Head, said: &mut Vec<Said>) {
        if head.status == 100 {
            return;
        }
        let asked =
            self.asked.pop_front().unwrap_or_else(|| panic!("an answer that nobody asked for: {head:?}"));
        let media = head.fields.get("content-type").map_or("", String::as_str);
        if media.starts_with("text/event-stream") && matches!(asked, Asked::Stream) {
            assert_eq!(head.status, 200, "a stream with another status");
            self.stream = Some(EventStreamReader::default());
        }
        said.push(Said::Answer(asked.clone(), head.clone()));
        self.present = Some((asked, head));
    }

    fn on_piece(&mut self, piece: &[u8], said: &mut Vec<Said>) {
        let stream = self.stream.as_mut().expect("only streams have no length");
        said.extend(stream.read(piece).into_iter().map(Said::Stream));
        assert!(
            self.reader.ends_with_connection() || stream.is_between_blocks(),
            "a block is cut by the end of its chunk"
        );
    }

    fn on_end(&mut self, body: Vec<u8>, said: &mut Vec<Said>) {
        let Some((asked, head)) = self.present.take() else { return };
        if self.stream.take().is_some() {
            said.push(Said::CleanEnd);
        } else {
            said.push(Said::Body(asked, head, body));
        }
    }
}
