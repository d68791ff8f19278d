//! What publishers and subscribers remember, compared with the log's order.

use std::collections::HashMap;
use std::fmt;

use super::event::{Label, Shown};
use super::publisher::Memory;
use super::subscriber::{Habit, Subscriber, THE_ONE_PUBLISHER};

/// Findings that are kept in words.
const FINDINGS_MAX: usize = 20;

/// What everybody remembers.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) published: Vec<Memory>,
    pub(super) watched: Vec<Subscriber>,
}

/// What was found. All counts are over the log and every subscriber.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Events that publishers were told are in the log.
    pub acknowledged: u64,
    /// Requests that were answered only when they were sent again.
    pub retried: u64,
    /// Events that were not answered and given up.
    pub unanswered: u64,
    /// How many of those the log has all the same, as it may.
    pub unanswered_kept: u64,
    /// Streams that subscribers opened.
    pub streams: u64,
    /// Acknowledged events that are not there, or that a subscriber missed.
    pub lost: u64,
    /// Events that are there twice.
    pub duplicated: u64,
    /// Events at another place than their publisher's order or the log's.
    pub reordered: u64,
    /// Events shown, or answered, that are gone or something else by now.
    pub changed: u64,
    /// Times that a subscriber was told of a gap.
    pub gaps: u64,
    findings: Vec<String>,
}

impl Verdict {
    /// Whether every promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Self { lost, duplicated, reordered, changed, gaps, .. } = *self;
        [lost, duplicated, reordered, changed, gaps] == [0; 5]
    }

    /// The first findings in words.
    #[must_use]
    pub fn findings(&self) -> &[String] {
        &self.findings
    }

    fn find(&mut self, count: impl FnOnce(&mut Self) -> &mut u64, finding: String) {
        *count(self) += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "acknowledged = {}, retried = {}, unanswered = {} ({} of them kept), streams = {}, \
             lost = {}, duplicated = {}, reordered = {}, changed = {}, gaps told = {}",
            self.acknowledged,
            self.retried,
            self.unanswered,
            self.unanswered_kept,
            self.streams,
            self.lost,
            self.duplicated,
            self.reordered,
            self.changed,
            self.gaps
        )
    }
}

impl Evidence {
    /// Compares everything with `order`, the log as it was replayed at last.
    pub(super) fn judge(&self, order: &[Shown]) -> Verdict {
        let mut verdict = Verdict::default();
        let places = judge_order(order, &mut verdict);
        for memory in &self.published {
            judge_publisher(memory, order, &places, &mut verdict);
        }
        for subscriber in &self.watched {
            judge_subscriber(subscriber, order, &places, &mut verdict);
        }
        verdict
    }
}

/// Each event's place in the log. Every event is there once, every publisher's events in the order it made them: none
/// sends its next event before it has an answer to the last, or has given it up.
fn judge_order(order: &[Shown], verdict: &mut Verdict) -> HashMap<Label, usize> {
    let mut places = HashMap::new();
    let mut newest: HashMap<usize, Label> = HashMap::new();
    for (place, shown) in order.iter().enumerate() {
        let label = shown.label;
        if let Some(first) = places.get(&label) {
            verdict.find(
                |v| &mut v.duplicated,
                format!("the log has {label:?} at {first} and {place}, as {}", shown.id),
            );
            continue;
        }
        places.insert(label, place);
        if let Some(before) = newest.insert(label.publisher, label).filter(|before| *before > label) {
            verdict.find(|v| &mut v.reordered, format!("the log has {label:?} behind {before:?}"));
        }
    }
    places
}

fn judge_publisher(memory: &Memory, order: &[Shown], places: &HashMap<Label, usize>, verdict: &mut Verdict) {
    verdict.acknowledged += memory.acknowledged.len() as u64;
    verdict.retried += memory.retried;
    verdict.unanswered += memory.unanswered.len() as u64;
    verdict.unanswered_kept +=
        memory.unanswered.iter().filter(|label| places.contains_key(label)).count() as u64;
    for shown in &memory.acknowledged {
        match places.get(&shown.label) {
            None => verdict.find(|v| &mut v.lost, format!("acknowledged {shown:?} is not in the log")),
            Some(&place) if order[place].id != shown.id => verdict.find(
                |v| &mut v.changed,
                format!("{shown:?} was acknowledged, now it is {:?}", order[place]),
            ),
            Some(_) => {}
        }
    }
    for finding in &memory.answered_otherwise {
        verdict.find(|v| &mut v.changed, finding.clone());
    }
}

fn judge_subscriber(
    subscriber: &Subscriber,
    order: &[Shown],
    places: &HashMap<Label, usize>,
    verdict: &mut Verdict,
) {
    let who = subscriber.habit;
    verdict.streams += subscriber.streams;
    for _ in 0..subscriber.gaps {
        verdict.find(|v| &mut v.gaps, format!("{who:?} was told of a gap"));
    }
    for finding in &subscriber.findings {
        verdict.find(|v| &mut v.changed, finding.clone());
    }
    let is_asked_for = |label: Label| who != Habit::OfOnePublisher || label.publisher == THE_ONE_PUBLISHER;
    let mut seen: HashMap<Label, &Shown> = HashMap::new();
    let mut newest = None;
    for shown in &subscriber.known {
        if seen.insert(shown.label, shown).is_some() {
            verdict.find(|v| &mut v.duplicated, format!("{who:?} was shown {shown:?} twice"));
            continue;
        }
        let place = places.get(&shown.label).copied().filter(|&place| order[place] == *shown);
        let Some(place) = place else {
            verdict.find(|v| &mut v.changed, format!("{who:?} was shown {shown:?}, which is gone"));
            continue;
        };
        if newest.is_some_and(|newest| place < newest) {
            verdict.find(|v| &mut v.reordered, format!("{who:?} was shown {shown:?} too late"));
        }
        newest = newest.max(Some(place));
    }
    // All began with `earliest`, so all must have seen all.
    for shown in order.iter().filter(|shown| is_asked_for(shown.label) && !seen.contains_key(&shown.label)) {
        verdict.find(|v| &mut v.lost, format!("{who:?} was never shown {shown:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(publisher: usize, number: u32) -> Shown {
        Shown { label: Label { publisher, number }, id: format!("{publisher}-{number}").into() }
    }

    fn order() -> Vec<Shown> {
        vec![shown(0, 0), shown(1, 0), shown(0, 1), shown(0, 2), shown(1, 1)]
    }

    fn evidence(acknowledged: Vec<Shown>, known: Vec<Shown>) -> Evidence {
        let memory = Memory { acknowledged, ..Memory::default() };
        let mut subscriber = Subscriber::new(Habit::Live, 0, 0);
        subscriber.known = known;
        Evidence { published: vec![memory], watched: vec![subscriber] }
    }

    /// Lost, duplicated, reordered, changed.
    fn counts(evidence: &Evidence, order: &[Shown]) -> [u64; 4] {
        let verdict = evidence.judge(order);
        [verdict.lost, verdict.duplicated, verdict.reordered, verdict.changed]
    }

    #[test]
    fn what_is_as_it_should_be_is_clean() {
        let verdict = evidence(order(), order()).judge(&order());
        assert!(verdict.is_clean(), "{:?}", verdict.findings());
        assert_eq!(verdict.acknowledged, 5);
    }

    #[test]
    fn every_fault_is_found() {
        let without = |place: usize| {
            let mut events = order();
            events.remove(place);
            events
        };
        let with = |place: usize, event: Shown| {
            let mut events = order();
            events.insert(place, event);
            events
        };
        let swapped = |a: usize, b: usize| {
            let mut events = order();
            events.swap(a, b);
            events
        };
        let renamed = |place: usize| {
            let mut events = order();
            events[place].id = "other".into();
            events
        };
        // Acknowledged; shown; the log at last; what is found.
        let cases = [
            (order(), order(), without(4), [1, 0, 0, 1]),
            (without(4), order(), without(4), [0, 0, 0, 1]),
            (order(), without(2), order(), [1, 0, 0, 0]),
            (order(), with(5, shown(0, 1)), order(), [0, 1, 0, 0]),
            (order(), swapped(1, 2), order(), [0, 0, 1, 0]),
            (order(), renamed(3), order(), [0, 0, 0, 1]),
            (renamed(3), order(), order(), [0, 0, 0, 1]),
            (order(), order(), with(5, shown(0, 1)), [0, 1, 0, 0]),
            (order(), swapped(2, 3), swapped(2, 3), [0, 0, 1, 0]),
        ];
        for (index, (acknowledged, known, at_last, found)) in cases.into_iter().enumerate() {
            assert_eq!(counts(&evidence(acknowledged, known), &at_last), found, "case {index}");
        }
    }

    #[test]
    fn who_asked_for_one_publisher_must_see_all_of_it_and_nothing_else() {
        let mut evidence = evidence(order(), order());
        evidence.watched[0].habit = Habit::OfOnePublisher;
        evidence.watched[0].known.retain(|shown| shown.label.publisher == THE_ONE_PUBLISHER);
        assert!(evidence.judge(&order()).is_clean());
        evidence.watched[0].known.remove(1);
        assert_eq!(counts(&evidence, &order()), [1, 0, 0, 0]);
    }

    #[test]
    fn what_was_not_answered_may_be_there_once() {
        let mut evidence = evidence(order(), order());
        evidence.published[0].acknowledged.remove(3);
        evidence.published[0].unanswered = vec![shown(0, 2).label, shown(0, 3).label];
        let verdict = evidence.judge(&order());
        assert!(verdict.is_clean());
        assert_eq!((verdict.unanswered, verdict.unanswered_kept), (2, 1));
    }
}
