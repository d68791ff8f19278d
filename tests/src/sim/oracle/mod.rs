//! What every stream must show, and what it must not.
//!
//! It knows every event that was given a place, where each shard was when a stream was opened, and what each client
//! asked for. From these alone follows what the client must see, in which order, up to where it has read.
//! It panics at the first thing that should not be.

mod admission;
mod durable;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use corecast::log::file::FileLogOptions;
use corecast_core::engine::output::PublishAnswer;
use corecast_core::event::{Event, SharedEvent};
use corecast_core::settings::Settings;
use corecast_core::time::{Instant, UnixMillis};

use super::ask::{Ask, Owner};
use super::chance::{Chance, Fault};
use super::event_stream::Block;
use super::log::{Limits, Log, Placed, as_seen};
use super::network::{Network, WireId};
use super::retention::{Mark, Resumption, Retention};

/// How long a stream may take to catch up with the log when nothing goes wrong.
const CATCHING_UP: Duration = Duration::from_secs(5);

/// How late the end of a token may be noticed, in milliseconds.
const TOKEN_SLACK_MS: u64 = 100;

/// See the module.
pub(super) struct Oracle {
    settings: Settings,
    /// What was in force before: what a client is told may be from then.
    past: Vec<Settings>,
    /// What the log remembers.
    limits: Limits,
    /// What the log has refused since it last kept something, or was about to keep when the hub was gone: some of it
    /// may be there after a restart.
    doubtful: Vec<Event>,
    /// Every log there was; the last is the present one.
    logs: Vec<Log>,
    asks: BTreeMap<WireId, Ask>,
    streams: BTreeMap<WireId, Stream>,
    /// Open streams of each owner, oldest first.
    owners: BTreeMap<Owner, Vec<WireId>>,
    /// Evicted clients, and until when they stay away.
    evictions: BTreeMap<(Owner, String), Instant>,
    /// The same, and when they were forgotten before their time.
    past_evictions: BTreeMap<(Owner, String), (Instant, Option<Instant>)>,
    /// Whether the wall clock never jumps in this run.
    has_steady_clock: bool,
    /// Whether shards and sequencer always run in this run.
    has_steady_threads: bool,
    is_draining: bool,
    /// Whether the hub ended streams before all requests were answered.
    is_impatient: bool,
    /// When there were last as many streams as there may be.
    full: Option<Instant>,
    /// Wires that another shard had no place for.
    unmoved: BTreeSet<WireId>,
    /// Blocks that clients were shown.
    blocks: u64,
    gaps: u64,
    /// Events that nobody was told of and that were there after a restart.
    pub(super) recovered: u64,
}

/// A stream that the hub has opened.
#[derive(Debug)]
struct Stream {
    log: usize,
    /// It begins after this position.
    after: u64,
    /// What it must be told first, if anything is missing.
    gap: Option<u64>,
    opened: Instant,
    opened_unix: UnixMillis,
    /// What its shard had at that moment.
    mark: Mark,
    /// Nothing before this place of the log is due any more.
    next: usize,
    /// It does not know yet where it begins: the log is being asked.
    is_seeking: bool,
    /// The log was asked, so whatever has to do with the connection itself may come before its gap.
    has_waited: bool,
    is_open: bool,
    /// It was closed when the log was this long: what came later is due on another one.
    closed: Option<usize>,
    /// It had to go for a newer one when the log was this long.
    evicted: Option<usize>,
    /// A send to it fell short, so it may end before it has said everything.
    was_short: bool,
    /// It has been told goodbye.
    is_over: bool,
    is_drained: bool,
    seen_evicted: bool,
}

/// What a publisher handed in, as it is to arrive.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// The data, unique in a run.
    pub(super) data: String,
    /// The publisher's own id.
    pub(super) id: Option<String>,
}

impl Oracle {
    /// An oracle for a hub with these settings.
    #[must_use]
    pub(super) fn new(settings: Settings, file: Option<FileLogOptions>, chance: &Chance) -> Self {
        let pauses = [Fault::ShardPause, Fault::SequencerPause, Fault::SlowDisk];
        let limits = file.map_or_else(
            || Limits::Memory(settings.history.clone()),
            |options| Limits::File { ids: options.ids },
        );
        Self {
            settings,
            past: Vec::new(),
            limits,
            doubtful: Vec::new(),
            has_steady_clock: !chance.has(Fault::ClockJump),
            has_steady_threads: !pauses.into_iter().any(|pause| chance.has(pause)),
            is_draining: false,
            is_impatient: false,
            full: None,
            unmoved: BTreeSet::new(),
            logs: Vec::new(),
            asks: BTreeMap::new(),
            streams: BTreeMap::new(),
            owners: BTreeMap::new(),
            evictions: BTreeMap::new(),
            past_evictions: BTreeMap::new(),
            blocks: 0,
            gaps: 0,
            recovered: 0,
        }
    }

    /// A hub has started with this log, which is empty or the one before.
    pub(super) fn on_start(&mut self, incarnation: u64) {
        if self.logs.last().is_none_or(|log| log.incarnation != incarnation) {
            self.logs.push(Log::new(incarnation));
        }
        self.is_draining = false;
        self.is_impatient = false;
        self.owners.clear();
        self.evictions.clear();
        for stream in self.streams.values_mut() {
            stream.is_open = false;
        }
    }

    /// The log has kept an event.
    pub(super) fn on_placed(&mut self, event: &Event, shared: &SharedEvent, unix_max: UnixMillis) {
        let log = self.logs.last_mut().expect("a hub has started");
        if let Some(first) = log.find_data(&as_seen(&event.data)) {
            let may_have_forgotten = log.may_have_forgotten(&first, &self.limits, unix_max);
            assert!(may_have_forgotten, "{} is kept a second time as {}", first.0.wire_id, shared.id);
        }
        log.place(event, shared);
        if !event.ephemeral {
            self.doubtful.clear();
        }
    }

    /// The sequencer answers as if it had kept this event before, under this id.
    pub(super) fn on_repeated(&self, event: &Event, id: &str) {
        let log = self.logs.last().expect("a hub has started");
        let is_it = |&at: &usize| log.placed[at].data == as_seen(&event.data);
        assert!(
            log.find(id).iter().any(is_it),
            "{event:?} is answered {id}, under which the log has no such event"
        );
    }

    /// A client asks for a stream on this wire.
    pub(super) fn on_ask(&mut self, wire: WireId, ask: Ask) {
        self.asks.insert(wire, ask);
    }

    /// The hub has opened a stream.
    pub(super) fn on_open(
        &mut self,
        wire: WireId,
        shard: usize,
        mark: Mark,
        retention: &Retention,
        net: &Network,
    ) {
        let ask = self.asks.get(&wire).unwrap_or_else(|| panic!("wire {wire} never asked for a stream"));
        let resumption = retention.resume(ask.last_event_id.as_deref(), mark);
        let is_seeking = resumption.has_gap && self.is_asked(ask);
        let resumption =
            if is_seeking { Resumption { after: mark.newest, has_gap: false } } else { resumption };
        net.trace.note(format_args!("shard {shard} wire {wire} goes on after {resumption:?} at {mark:?}"));
        let log = self.logs.len() - 1;
        let stream = Stream {
            log,
            after: resumption.after,
            gap: resumption.has_gap.then_some(resumption.after),
            opened: net.now,
            opened_unix: net.unix,
            mark,
            next: self.logs[log].behind(resumption.after),
            is_seeking,
            has_waited: is_seeking,
            is_open: true,
            closed: None,
            evicted: None,
            was_short: false,
            is_over: false,
            is_drained: false,
            seen_evicted: false,
        };
        assert!(self.streams.insert(wire, stream).is_none(), "wire {wire} has a stream already");
        self.admit(wire, net.now);
    }

    /// The hub sends to this wire: only while its token is good.
    pub(super) fn on_sent(&self, wire: WireId, net: &Network, was_paused: bool) {
        let Some(expires) = self.asks.get(&wire).and_then(|ask| ask.token_expires) else { return };
        let is_late = net.unix.0 > expires.0 + TOKEN_SLACK_MS;
        let is_stream = self.streams.get(&wire).is_some_and(|stream| stream.is_open && !stream.was_short);
        assert!(
            !is_late || !is_stream || was_paused || !self.has_steady_clock,
            "wire {wire} is sent to although its token ended at {expires:?}"
        );
    }

    /// A send to this wire fell short.
    pub(super) fn on_short(&mut self, wire: WireId) {
        if let Some(stream) = self.streams.get_mut(&wire) {
            stream.was_short = true;
        }
    }

    /// The sequencer answers: what it says is kept is in the log.
    pub(super) fn on_answer(&self, answer: &PublishAnswer) {
        for id in answer.results.iter().flatten() {
            assert!(self.is_placed(id), "an answer names {id}, which no log has");
        }
    }

    /// A publisher was told that its event is kept.
    pub(super) fn on_acknowledged(&self, id: &str, spec: &Spec) {
        let is_kept =
            self.logs.iter().any(|log| log.find(id).iter().any(|&at| log.placed[at].data == spec.data));
        let is_repeat = spec.id.as_deref() == Some(id) && self.is_placed(id);
        assert!(
            is_kept || is_repeat,
            "a publisher was told that {id} is kept, but the log has no such event"
        );
    }

    fn is_placed(&self, id: &str) -> bool {
        self.logs.iter().any(|log| !log.find(id).is_empty())
    }

    /// A client was shown a block on this wire.
    pub(super) fn on_block(&mut self, wire: WireId, block: &Block, unix_max: UnixMillis) {
        self.blocks += 1;
        let kind = block.kind.as_deref().unwrap_or("message");
        if let Some(control) = kind.strip_prefix("corecast.") {
            return self.on_control(wire, control, block, unix_max);
        }
        let ask = &self.asks[&wire];
        let stream = self.streams.get_mut(&wire);
        let stream = stream.unwrap_or_else(|| panic!("wire {wire} was shown an event without a stream"));
        assert!(!stream.is_over, "wire {wire} was shown an event after its goodbye");
        assert!(stream.gap.is_none(), "wire {wire} was not told of its gap");
        assert!(!stream.is_seeking, "wire {wire} was shown an event before the log said where it goes on");
        let log = &self.logs[stream.log];
        let id =
            block.id.as_deref().unwrap_or_else(|| panic!("wire {wire} was shown an event without an id"));
        let is_it = |&&at: &&usize| log.placed[at].data == block.data && log.placed[at].kind == block.kind;
        assert!(
            log.find(id).iter().any(|at| is_it(&at)),
            "wire {wire} was shown {id} {block:?}, which is not in the log"
        );
        // A publisher's id can come again once the log has let go of its first event.
        let mut candidates = log.find(id).iter().filter(is_it);
        let Some(&at) = candidates.find(|&&at| at >= stream.next) else {
            panic!("wire {wire} was shown {id} twice, or behind a later event")
        };
        let placed = &log.placed[at];
        assert!(
            ask.is_audience(&placed.audience, placed.private),
            "wire {wire} was shown {id}, which is not for it"
        );
        assert!(
            placed.ephemeral || placed.position > stream.after,
            "wire {wire} had seen {id} before it resumed"
        );
        assert!(stream.evicted.is_none_or(|len| at < len), "wire {wire} was shown {id} after it was evicted");
        let is_from_history = !placed.ephemeral && placed.position <= stream.mark.newest;
        let is_expired = placed.expires.is_some_and(|expires| expires <= stream.opened_unix);
        assert!(
            !is_from_history || !is_expired || !self.has_steady_clock,
            "wire {wire} was shown {id}, whose time to live was over"
        );
        for missed in &log.placed[stream.next..at] {
            let is_due = stream.is_due(ask, missed, unix_max);
            assert!(!is_due, "wire {wire} was shown {id} and not {} before it", missed.wire_id);
        }
        stream.next = at + 1;
    }

    /// A client was told, before anything else, when to come back if it must: each one at another time.
    pub(super) fn on_first_retry(&self, wire: WireId, ms: u64) {
        let is_stream = self.streams.contains_key(&wire);
        // At most as much later as three times the crowd needs at ten thousand a second, were all of it here at once.
        let crowd_ms = 3 * self.asks.len() as u64 / 10;
        let is_right = self.ever(|settings| {
            let retry_ms = settings.stream.retry.as_millis() as u64;
            match is_stream {
                true => (retry_ms..=retry_ms + crowd_ms.max(retry_ms) + 1).contains(&ms),
                false => (30_000..=30_000 + crowd_ms.max(90_000)).contains(&ms),
            }
        });
        assert!(
            is_right,
            "wire {wire} is to come back after {ms} ms, the setting is {:?}",
            self.settings.stream
        );
    }

    /// The operator has changed the settings.
    pub(super) fn on_settings(&mut self, settings: Settings) {
        self.limits.narrow(&settings.history);
        self.past.push(std::mem::replace(&mut self.settings, settings));
    }

    /// Whether something holds of the settings, or did before they were changed.
    fn ever(&self, holds: impl FnMut(&Settings) -> bool) -> bool {
        self.past.iter().chain([&self.settings]).any(holds)
    }

    fn on_control(&mut self, wire: WireId, control: &str, block: &Block, unix_max: UnixMillis) {
        let Some(stream) = self.streams.get_mut(&wire) else {
            assert!(
                matches!(control, "limit" | "drain"),
                "wire {wire} has no stream and was shown {block:?}"
            );
            return self.check_refusal(wire, control, block);
        };
        assert!(!stream.is_over, "wire {wire} was shown corecast.{control} after its goodbye");
        let was_waiting = stream.has_waited;
        match control {
            "gap" if stream.gap.is_none() => self.on_late_gap(wire, block, unix_max),
            "gap" => {
                let to = stream.gap.take().expect("it is to be told of one");
                let to = format!("{:016x}-{to}", self.logs[stream.log].incarnation);
                assert_eq!(block.id.as_deref(), Some(&*to), "the end of the gap of wire {wire}");
                let expected = serde_json::json!({ "from": self.asks[&wire].last_event_id, "to": to });
                let data: serde_json::Value =
                    serde_json::from_str(&block.data).expect("a gap's data is JSON");
                assert_eq!(data, expected, "the data of the gap of wire {wire}");
                self.gaps += 1;
            }
            "evicted" => {
                assert!(stream.evicted.is_some(), "wire {wire} was told that it is evicted, and is not");
                assert_eq!(block.retry_ms, Some(86_400_000), "an evicted client stays away");
                stream.is_over = true;
                stream.seen_evicted = true;
            }
            "drain" => {
                stream.is_over = true;
                stream.is_drained = true;
            }
            "expiring" => assert!(self.asks[&wire].user.is_some(), "a token that is not there ends"),
            "heartbeat" => {
                assert!(self.asks[&wire].visible_heartbeat, "a heartbeat that nobody asked to see")
            }
            _ => panic!("wire {wire} was shown {block:?}"),
        }
        assert!(control == "gap" || block.id.is_none(), "corecast.{control} moves the cursor");
        let is_told = self.streams[&wire].gap.is_none();
        assert!(is_told || was_waiting, "wire {wire} was not told of its gap first");
        if matches!(control, "drain" | "expiring") {
            assert!(block.retry_ms.is_some(), "corecast.{control} says when to come back");
        }
    }

    /// A client has read the end of a stream; `clean` as its framing tells it, if it can.
    pub(super) fn on_end(&self, wire: WireId, clean: Option<bool>, unix_max: UnixMillis) {
        let Some(stream) = self.streams.get(&wire) else {
            assert!(clean != Some(true), "a refusal of wire {wire} ends cleanly: it would not come back");
            return;
        };
        if stream.evicted.is_some() && !stream.was_short {
            assert!(stream.seen_evicted, "wire {wire} was evicted and not told so");
        }
        if stream.is_drained && self.has_steady_threads && !self.is_impatient && !stream.was_short {
            // Whatever was acknowledged before the goodbye was shown before it.
            self.check_shown(wire, stream, unix_max);
        }
        if let Some(clean) = clean {
            assert_eq!(clean, stream.seen_evicted, "the end of wire {wire} tells it the wrong thing");
        }
    }

    /// Whether some open stream is to see this event.
    #[must_use]
    pub(super) fn is_awaited(&self, event: &SharedEvent) -> bool {
        let open = self.streams.iter().filter(|(_, stream)| stream.is_open);
        open.filter(|(wire, _)| self.asks[wire].is_audience(&event.audience, event.private)).count() > 0
    }

    /// At the end of a healed run: this stream has shown everything.
    ///
    /// Whether that could be told: a stream that has only just been opened may still be catching up.
    #[must_use]
    pub(super) fn check_caught_up(&self, wire: WireId, net: &Network) -> bool {
        let is_due = |stream: &&Stream| {
            stream.is_open && stream.evicted.is_none() && net.now.since(stream.opened) >= CATCHING_UP
        };
        let Some(stream) = self.streams.get(&wire).filter(is_due) else { return false };
        self.check_shown(wire, stream, net.unix_max);
        true
    }

    fn check_shown(&self, wire: WireId, stream: &Stream, unix_max: UnixMillis) {
        assert!(stream.gap.is_none(), "wire {wire} was never told of its gap");
        assert!(!stream.is_seeking, "the log never said where wire {wire} goes on");
        let log = &self.logs[stream.log];
        let upto = stream.closed.unwrap_or(log.placed.len());
        for missed in &log.placed[stream.next.min(upto)..upto] {
            let is_due = stream.is_due(&self.asks[&wire], missed, unix_max);
            assert!(!is_due, "wire {wire} was never shown {}", missed.wire_id);
        }
    }

    /// From here on nothing goes wrong.
    pub(super) const fn on_healed(&mut self) {
        self.has_steady_threads = true;
    }

    /// Blocks that clients were shown, and gaps among them.
    #[must_use]
    pub(super) const fn shown(&self) -> (u64, u64) {
        (self.blocks, self.gaps)
    }

    /// Events that were kept or sent.
    #[must_use]
    pub(super) fn placed(&self) -> usize {
        self.logs.iter().map(|log| log.placed.len()).sum()
    }
}

impl Stream {
    /// Whether the client must be shown this event. One whose time to live may have run out on any clock need not be.
    fn is_due(&self, ask: &Ask, placed: &Placed, unix_max: UnixMillis) -> bool {
        !placed.ephemeral
            && !self.is_seeking
            && placed.position > self.after
            && placed.expires.is_none_or(|expires| unix_max.max(self.opened_unix) < expires)
            && ask.is_audience(&placed.audience, placed.private)
    }
}
