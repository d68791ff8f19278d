//! The events of a log as lines of JSON.

use std::io;

use corecast_core::event::{Audience, SequencedEvent};
use corecast_core::frame::Framing;
use corecast_core::id::Position;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::error::CliError;
use crate::cli::event_stream::{EventStream, Item};
use crate::cli::output;
use crate::log::file::Folder;
use crate::log::file::inspect::{self, Dumped};

/// One event. Times are milliseconds since 1970.
#[derive(Serialize)]
struct Line<'a> {
    position: u64,
    /// As it is on the wire.
    id: String,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<&'a [Box<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<&'a [Box<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    private: bool,
    /// Whether it was published under an idempotency key. The key itself is not in the log.
    keyed: bool,
    segment: &'a str,
    offset: u64,
    bytes: usize,
    /// The newest position that was durable when it was written.
    synced: u64,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

pub(super) fn run(disk: &Folder, from: u64, count: u64, with_data: bool) -> Result<(), CliError> {
    let (mut left, mut damaged, mut written) = (count, 0, Ok(()));
    inspect::dump(disk, Position(from), |dumped| {
        if left == 0 {
            return false;
        }
        left -= u64::from(matches!(dumped, Dumped::Event { .. }));
        damaged += usize::from(matches!(dumped, Dumped::Problem(_)));
        written = show(&dumped, with_data);
        written.is_ok()
    })?;
    written?;
    if damaged == 0 { Ok(()) } else { Err(CliError::Damaged { places: damaged }) }
}

fn show(dumped: &Dumped, with_data: bool) -> io::Result<()> {
    let value: Value = match dumped {
        Dumped::Event { segment, offset, bytes, synced, event } => {
            let (kind, data) = if with_data { content(event) } else { (None, None) };
            let line = Line {
                position: event.position.0,
                id: event.publisher_id.as_deref().map_or_else(|| event.id.to_string(), str::to_owned),
                time: event.sequenced.0,
                expires: event.expires.map(|expires| expires.0),
                topics: match &event.audience {
                    Audience::Topics(topics) => Some(topics),
                    Audience::Users(_) | Audience::All => None,
                },
                users: match &event.audience {
                    Audience::Users(users) => Some(users),
                    Audience::Topics(_) | Audience::All => None,
                },
                all: (event.audience == Audience::All).then_some(true),
                private: event.private,
                keyed: event.key.is_some(),
                segment,
                offset: *offset,
                bytes: *bytes,
                synced: synced.0,
                kind,
                data,
            };
            serde_json::to_value(line)?
        }
        Dumped::Lost { upto } => json!({"lost_upto": upto.0}),
        Dumped::Closed { at } => json!({"closed_at": at.0}),
        Dumped::Problem(problem) => json!({"problem": problem.to_string()}),
    };
    output::line(&value.to_string())
}

/// The type and the data, as a client reads them from the stream.
fn content(event: &SequencedEvent) -> (Option<String>, Option<String>) {
    let block = event.frame.bytes(Framing::CloseDelimited);
    let items = EventStream::new("").read(block).unwrap_or_default();
    let event = items.into_iter().find_map(|item| match item {
        Item::Event(event) => Some(event),
        Item::Retry(_) => None,
    });
    event.map_or((None, None), |event| (Some(event.kind), Some(event.data)))
}
