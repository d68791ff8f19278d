//! A log that outlives its hub: what it must have after a restart, where streams go on that it is asked about, and what
//! may be missing.

use corecast_core::event::{Event, SharedEvent};
use corecast_core::frame::Framing;
use corecast_core::replay::Sought;
use corecast_core::time::UnixMillis;

use super::Oracle;
use crate::sim::ask::Ask;
use crate::sim::event_stream::{Block, EventStreamReader, Item};
use crate::sim::log::{Limits, as_seen};
use crate::sim::network::WireId;
use crate::sim::retention::{Mark, own_id};

impl Oracle {
    /// The log did not keep this, or did not live to say so.
    pub(in crate::sim) fn on_refused(&mut self, event: Event) {
        self.doubtful.push(event);
    }

    /// The folder of the log begins behind this position now.
    pub(in crate::sim) fn on_log_start(&mut self, start: u64) {
        let log = self.logs.last_mut().expect("a hub has started");
        log.start = start;
        log.start_max = log.start_max.max(start);
    }

    /// A log was opened and has these events behind `start`: all that it has kept, each as it was, and perhaps some of
    /// what it had refused when its hub was gone.
    pub(in crate::sim) fn on_opened(&mut self, start: u64, events: &[SharedEvent]) {
        self.on_log_start(start);
        let log = self.logs.last_mut().expect("a hub has started");
        let newest = events.last().map_or(start, |event| event.position.0);
        assert!(newest >= log.newest(), "the log has kept event {} and ends with {newest}", log.newest());
        let mut kept = log.placed.iter().filter(|placed| !placed.ephemeral && placed.position > start);
        let mut found = events.iter();
        for (placed, event) in kept.by_ref().zip(found.by_ref()) {
            let block = block_of(event);
            assert_eq!(event.position.0, placed.position, "the position of {}", placed.wire_id);
            assert_eq!(block.id.as_ref(), Some(&placed.wire_id), "the id of event {}", placed.position);
            assert_eq!((&block.data, &block.kind), (&placed.data, &placed.kind), "event {}", placed.wire_id);
            assert_eq!(event.audience, placed.audience, "the audience of {}", placed.wire_id);
            assert_eq!(
                (event.private, event.expires),
                (placed.private, placed.expires),
                "{}",
                placed.wire_id
            );
        }
        let behind = events.iter().filter(|event| event.position.0 > log.newest());
        for event in behind.collect::<Vec<_>>() {
            let block = block_of(event);
            let is_it = |doubtful: &&Event| as_seen(&doubtful.data) == block.data;
            let doubtful = self.doubtful.iter().find(is_it);
            let doubtful =
                doubtful.unwrap_or_else(|| panic!("nobody handed in what the log has as {block:?}"));
            log.place(doubtful, event);
            self.recovered += 1;
        }
        self.doubtful.clear();
    }

    /// Whether the log is asked where a stream goes on whose client has seen what the shard does not know.
    pub(super) fn is_asked(&self, ask: &Ask) -> bool {
        let is_id = |id: &str| {
            (1..=128).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        matches!(self.limits, Limits::File { .. }) && ask.last_event_id.as_deref().is_some_and(is_id)
    }

    /// The log has said where a stream goes on whose client has seen this.
    pub(in crate::sim) fn check_sought(&self, last_event_id: &str, sought: Sought, unix_max: UnixMillis) {
        let log = self.logs.last().expect("a hub has started");
        let (start, newest) = (log.start, log.newest());
        let is_gap = |sought| matches!(sought, Sought::Gap(position) if position.0 == start);
        let is_after = |sought, at| matches!(sought, Sought::After(position) if position.0 == at);
        let is_right = match own_id(last_event_id) {
            None if last_event_id == "earliest" => match start {
                0 => is_after(sought, 0),
                _ => is_gap(sought),
            },
            Some((incarnation, position)) if incarnation == log.incarnation => match position {
                position if position < start => is_gap(sought),
                position if position > newest => sought == Sought::Unknown,
                position => is_after(sought, position),
            },
            Some(_) => is_gap(sought),
            None => match log.find_kept(last_event_id) {
                Some(found) if !log.may_have_forgotten(&found, &self.limits, unix_max) => {
                    is_after(sought, found.0.position)
                }
                Some((placed, _)) if placed.position > start && is_after(sought, placed.position) => true,
                Some(_) | None => sought == Sought::Unknown,
            },
        };
        assert!(
            is_right,
            "behind {last_event_id} a stream goes on {sought:?}; the log has {start} to {newest}"
        );
    }

    /// A shard was told where a stream goes on.
    pub(in crate::sim) fn on_sought(&mut self, wire: WireId, sought: Sought, mark: Mark) {
        let Some(stream) = self.streams.get_mut(&wire) else { return };
        assert!(stream.is_seeking, "wire {wire} is told where to go on, and knew that");
        let (after, has_gap) = match sought {
            Sought::After(position) => (position.0, false),
            Sought::Gap(position) => (position.0, true),
            Sought::Unknown => (mark.newest, true),
        };
        stream.is_seeking = false;
        stream.after = after;
        stream.gap = has_gap.then_some(after);
        stream.next = self.logs[stream.log].behind(after);
    }

    /// A stream is told of a gap in its midst: only what the folder has lost can be missing.
    pub(super) fn on_late_gap(&mut self, wire: WireId, block: &Block, unix_max: UnixMillis) {
        let ask = &self.asks[&wire];
        let stream = self.streams.get_mut(&wire).expect("a stream is told of a gap");
        let log = &self.logs[stream.log];
        let data: serde_json::Value = serde_json::from_str(&block.data).expect("a gap's data is JSON");
        let end = |name: &str| data[name].as_str().and_then(own_id);
        let (Some((from_log, from)), Some((to_log, to))) = (end("from"), end("to")) else {
            panic!("wire {wire} was told of a gap without ends: {data}")
        };
        assert_eq!(
            (from_log, to_log),
            (log.incarnation, log.incarnation),
            "the log of the gap of wire {wire}"
        );
        assert_eq!(block.id.as_deref(), data["to"].as_str(), "the end of the gap of wire {wire}");
        assert!(
            from < to && to <= log.start_max,
            "wire {wire} was told of a gap, but nothing is missing: {data}"
        );
        let upto = log.behind(from).max(stream.next);
        for missed in &log.placed[stream.next..upto] {
            assert!(
                !stream.is_due(ask, missed, unix_max),
                "{} comes before the gap of wire {wire}",
                missed.wire_id
            );
        }
        stream.next = log.behind(to).max(stream.next);
        stream.after = stream.after.max(to);
        self.gaps += 1;
    }
}

/// What a client would be shown; a reconnection time in front of it is not part of it.
fn block_of(event: &SharedEvent) -> Block {
    let mut items = EventStreamReader::default().read(event.frame.bytes(Framing::CloseDelimited));
    match items.pop() {
        Some(Item::Block(block)) => block,
        other => panic!("the frame of {} ends with {other:?}", event.id),
    }
}
