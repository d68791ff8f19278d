//! Publishers that take no silence for an answer: what was not answered is sent again under the same name.

use std::collections::VecDeque;

use serde_json::json;

use super::event::{Label, Shown};
use super::whereabouts::Whereabouts;
use crate::exchange::{Answer, Client};
use crate::publish::request_with;
use crate::token::Token;

/// Events of one NDJSON body.
const LINES: u32 = 8;

/// How many acknowledged requests a publisher can repeat: enough to reach back over a few lives of the hub.
const REPEATABLE: usize = 64;

/// How it makes sure of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Each request has an idempotency key.
    Keyed,
    /// Each event has an id of the publisher's.
    OwnIds,
    /// Several events a request, under one idempotency key.
    Lines,
    /// It does not: what was not answered is given up.
    Plain,
}

/// A publisher.
pub(super) struct Publisher {
    manner: Manner,
    index: usize,
    random: fastrand::Rng,
    token: String,
    client: Option<Client>,
    next: u32,
    repeatable: VecDeque<Vec<Shown>>,
    memory: Memory,
}

/// What it remembers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// What it was told is in the log, in the order it was told so.
    pub(super) acknowledged: Vec<Shown>,
    /// What it gave up on.
    pub(super) unanswered: Vec<Label>,
    /// Requests sent more than once that were answered in the end.
    pub(super) retried: u64,
    /// Answers that were not what they were the first time.
    pub(super) answered_otherwise: Vec<String>,
}

impl Publisher {
    pub(super) fn new(manner: Manner, seed: u64, index: usize) -> Self {
        Self {
            manner,
            index,
            random: fastrand::Rng::with_seed(seed ^ (0x9e37 + index as u64)),
            token: Token::publisher().sign(),
            client: None,
            next: 0,
            repeatable: VecDeque::new(),
            memory: Memory::default(),
        }
    }

    pub(super) fn into_memory(self) -> Memory {
        self.memory
    }

    /// Publishes through all lives of the hub, until nothing is open and it may end.
    pub(super) fn publish_on(&mut self, whereabouts: &Whereabouts) {
        while !whereabouts.may_publishers_end() {
            self.publish_next(whereabouts);
            if self.random.u32(0..16) == 0 {
                self.repeat_one(whereabouts);
            }
        }
    }

    fn publish_next(&mut self, whereabouts: &Whereabouts) {
        let count = if self.manner == Manner::Lines { LINES } else { 1 };
        let labels: Vec<Label> =
            (self.next..self.next + count).map(|number| Label { publisher: self.index, number }).collect();
        self.next += count;
        let Some(ids) = self.send(&labels, whereabouts) else {
            self.memory.unanswered.extend(labels);
            return;
        };
        let shown: Vec<Shown> = labels.into_iter().zip(ids).map(|(label, id)| Shown { label, id }).collect();
        whereabouts.acknowledge(shown.len());
        self.memory.acknowledged.extend_from_slice(&shown);
        if self.repeatable.len() == REPEATABLE {
            self.repeatable.pop_front();
        }
        self.repeatable.push_back(shown);
    }

    /// Repeats a request that was answered: the answer must be the same, whatever has happened to the hub since.
    fn repeat_one(&mut self, whereabouts: &Whereabouts) {
        if self.manner == Manner::Plain || self.repeatable.is_empty() {
            return;
        }
        let first = self.repeatable[self.random.usize(0..self.repeatable.len())].clone();
        let labels: Vec<Label> = first.iter().map(|shown| shown.label).collect();
        let Some(ids) = self.send(&labels, whereabouts) else { return };
        if !ids.iter().eq(first.iter().map(|shown| &shown.id)) {
            self.memory.answered_otherwise.push(format!("{first:?} was repeated and answered {ids:?}"));
            whereabouts.stop_early();
        }
    }

    /// Sends one request until it is answered, and gives the ids of its events; `None` if it was given up.
    fn send(&mut self, labels: &[Label], whereabouts: &Whereabouts) -> Option<Vec<Box<str>>> {
        let request = self.request(labels);
        for attempt in 0.. {
            let answer = self.exchange(&request, whereabouts);
            match answer.as_ref().map(Answer::status) {
                Some(200) => {
                    self.memory.retried += u64::from(attempt > 0);
                    return Some(answer.as_ref().map(ids).unwrap_or_default());
                }
                // It stops, or cannot keep it at present: the same as no answer.
                Some(503) | None => self.client = None,
                Some(status) => panic!("{status} to {labels:?}: {answer:?}"),
            }
            if self.manner == Manner::Plain || whereabouts.is_over() {
                return None;
            }
        }
        None
    }

    fn exchange(&mut self, request: &[u8], whereabouts: &Whereabouts) -> Option<Answer> {
        let is_new = self.client.is_none();
        if is_new {
            self.client = Client::try_connect(whereabouts.find_hub(0)?);
        }
        let answer = self.client.as_mut().and_then(|client| client.try_exchange(request));
        match &answer {
            Some(answer) if answer.status() == 200 => {}
            None if !is_new => whereabouts.reopen(),
            _ => whereabouts.turn_away(format!(
                "{:?}: {answer:?}, connected: {}",
                self.manner,
                self.client.is_some()
            )),
        }
        let answer = answer?;
        if answer.head.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.client = None;
        }
        Some(answer)
    }

    fn request(&self, labels: &[Label]) -> Vec<u8> {
        let key = format!("key-{}-{}", self.index, labels[0].number);
        let keyed = [("Idempotency-Key", key.as_str())];
        let mut event = labels[0].event();
        let post = |kind, fields: &[(&str, &str)], body: String| {
            request_with("/publish", &self.token, kind, fields, body.as_bytes())
        };
        match self.manner {
            Manner::Plain => post("application/json", &[], event.to_string()),
            Manner::Keyed => post("application/json", &keyed, event.to_string()),
            Manner::OwnIds => {
                event["id"] = json!(labels[0].own_id());
                post("application/json", &[], event.to_string())
            }
            Manner::Lines => {
                let lines = labels.iter().map(|label| format!("{}\n", label.event()));
                post("application/x-ndjson", &keyed, lines.collect())
            }
        }
    }
}

/// The ids in an answer, one a line.
fn ids(answer: &Answer) -> Vec<Box<str>> {
    let id = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        value["id"].as_str().map(Box::from)
    };
    let lines = answer.text().lines();
    lines.map(|line| id(line).unwrap_or_else(|| panic!("no id in {line:?}"))).collect()
}
