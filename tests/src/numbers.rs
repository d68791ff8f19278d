//! Events that are numbers, so that whoever reads them can count.

use std::ops::Range;

use serde_json::{Value, json};

use crate::publish::Publisher;
use crate::request::Subscribe;
use crate::stream::EventStream;

/// Their topic.
pub const TOPIC: &str = "numbers";

/// Lines of one body: far below what the hub allows, and enough that thousands of events take no time.
const LINES_MAX: usize = 500;

/// Every so many-th has an id of its publisher's.
const OWN_ID_EVERY: u32 = 10;

/// A subscription to them.
#[must_use]
pub fn subscribe() -> Subscribe {
    Subscribe::to(TOPIC)
}

/// The publisher's id of every tenth.
#[must_use]
pub fn own_id(number: u32) -> String {
    format!("order_{number}")
}

/// Publishes `range` and gives their ids. Every tenth has one of its publisher's, `own_id`.
///
/// # Panics
/// If one is refused.
pub fn publish(publisher: &mut Publisher, range: Range<u32>) -> Vec<String> {
    let numbers: Vec<u32> = range.collect();
    let mut ids = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(LINES_MAX) {
        let body: String = numbers.iter().map(|&number| format!("{}\n", event(number))).collect();
        let answer = publisher.post("/publish", "application/x-ndjson", body.as_bytes());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        ids.extend(answer.text().lines().map(id_in));
    }
    ids
}

fn event(number: u32) -> Value {
    let mut event = json!({"topics": [TOPIC], "data": number.to_string()});
    if number.is_multiple_of(OWN_ID_EVERY) {
        event["id"] = json!(own_id(number));
    }
    event
}

fn id_in(line: &str) -> String {
    let answer: Option<Value> = serde_json::from_str(line).ok();
    let id = answer.as_ref().and_then(|answer| answer["id"].as_str());
    id.unwrap_or_else(|| panic!("refused: {line}")).to_owned()
}

/// Reads `range`, and nothing else in between.
///
/// # Panics
/// If something else comes, or nothing.
pub fn expect(stream: &mut EventStream, range: Range<u32>) {
    for number in range {
        let event = stream.next_event();
        assert_eq!((event.kind.as_str(), event.data.as_str()), ("message", number.to_string().as_str()));
    }
}

/// The data of a large event with this number: `bytes` and a few more.
#[must_use]
pub fn large(number: u32, bytes: usize) -> String {
    format!("{number} {}", "x".repeat(bytes))
}

/// The number of a large event.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn of_large(data: &str) -> u32 {
    let word = data.split(' ').next().unwrap_or_default();
    word.parse().unwrap_or_else(|e| panic!("{word:?}: {e}"))
}

/// The position in an id of the hub's own.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn position_of(id: &str) -> u64 {
    let (_, position) = id.split_once('-').unwrap_or_else(|| panic!("no id of the hub: {id}"));
    position.parse().unwrap_or_else(|e| panic!("{id}: {e}"))
}
