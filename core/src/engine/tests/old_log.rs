//! The log behind a harness's engines, for stories in which it keeps more than their histories.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::connection::ConnectionId;
use crate::event::SharedEvent;
use crate::id::{EventId, Position};
use crate::replay::{Page, PageRead, Sought};

use super::harness::LOG;

/// See the module.
#[derive(Debug)]
pub(super) struct OldLog {
    pub(super) mood: LogMood,
    /// Events in a page; pages begin behind multiples of it.
    pub(super) page_events: u64,
    /// Everything up to here is gone.
    pub(super) start: Position,
    /// Of each page that was read, what was asked for.
    pub(super) reads: Vec<Position>,
    pub(super) seeks: usize,
    events: Vec<SharedEvent>,
    questions: VecDeque<(usize, Question)>,
}

/// What the log does with questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogMood {
    Answers,
    /// Answers none yet.
    Hesitates,
    CannotRead,
}

#[derive(Debug)]
pub(super) enum Question {
    Seek(ConnectionId, Box<str>),
    Page(Position),
}

#[derive(Debug)]
pub(super) enum LogAnswer {
    Sought(ConnectionId, Sought),
    Page(PageRead),
}

impl OldLog {
    pub(super) fn new(page_events: u64) -> Self {
        Self {
            mood: LogMood::Answers,
            page_events,
            start: Position(0),
            reads: Vec::new(),
            seeks: 0,
            events: Vec::new(),
            questions: VecDeque::new(),
        }
    }

    pub(super) fn keep(&mut self, event: &SharedEvent) {
        if !event.ephemeral {
            self.events.push(Arc::clone(event));
        }
    }

    pub(super) fn ask(&mut self, shard: usize, question: Question) {
        self.questions.push_back((shard, question));
    }

    /// The next answer, and for which shard.
    pub(super) fn answer(&mut self) -> Option<(usize, LogAnswer)> {
        if self.mood == LogMood::Hesitates {
            return None;
        }
        let (shard, question) = self.questions.pop_front()?;
        let answer = match question {
            Question::Seek(id, last_event_id) => LogAnswer::Sought(id, self.seek(&last_event_id)),
            Question::Page(at) => LogAnswer::Page(self.read(at)),
        };
        Some((shard, answer))
    }

    fn seek(&mut self, last_event_id: &str) -> Sought {
        self.seeks += 1;
        let known = |event: &&SharedEvent| event.publisher_id.as_deref() == Some(last_event_id);
        match EventId::parse(last_event_id) {
            Some(id) if id.incarnation == LOG && id.position < self.start => Sought::Gap(self.start),
            Some(id) if id.incarnation == LOG && id.position.0 <= self.events.len() as u64 => {
                Sought::After(id.position)
            }
            Some(id) if id.incarnation != LOG => Sought::Gap(self.start),
            None if last_event_id == "earliest" && self.start == Position(0) => Sought::After(self.start),
            None if last_event_id == "earliest" => Sought::Gap(self.start),
            Some(_) | None => {
                let event = self.events.iter().filter(|event| event.position > self.start).find(known);
                event.map_or(Sought::Unknown, |event| Sought::After(event.position))
            }
        }
    }

    fn read(&mut self, at: Position) -> PageRead {
        self.reads.push(at);
        if self.mood == LogMood::CannotRead {
            return PageRead::Failed { at };
        }
        if at <= self.start {
            return PageRead::Gone { upto: self.start };
        }
        let first = (at.0 - 1) / self.page_events * self.page_events;
        let last = (first + self.page_events).min(self.events.len() as u64);
        let after = Position(first.max(self.start.0));
        let events = self.events[after.0 as usize..last as usize].into();
        PageRead::Page(Page { after, upto: Position(last), events })
    }
}
