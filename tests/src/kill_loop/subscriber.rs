//! Subscribers that remember everything they were ever shown, each with a habit of its own of coming back.
//!
//! Invariant: what is shown again must be what was shown before, event by event and id by id.

use std::net::SocketAddr;

use super::event::{END, Label, Shown, topic_of};
use super::whereabouts::Whereabouts;
use crate::request::Subscribe;
use crate::stream::EventStream;
use crate::wire::event_stream::Received;

/// How a subscriber comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// At once, with the last id it saw.
    Live,
    /// As `Live`, and it leaves by itself after a few events, so that streams go from the log to memory to live at
    /// every place.
    Restless,
    /// After a few lives of the hub, with the last id it saw, which is far behind then.
    Away,
    /// With the id of any event it has seen, the hub's or a publisher's.
    GoingBack,
    /// With `earliest`, to see everything again.
    FromTheBeginning,
    /// As `Live`, with little room to receive, so that it falls behind.
    Narrow,
    /// As `Live`, for the topic of one publisher only.
    OfOnePublisher,
}

/// Whom `Habit::OfOnePublisher` listens to.
pub(super) const THE_ONE_PUBLISHER: usize = 0;

const NARROW_BYTES: usize = 4096;

const STAY_EVENTS_MAX: usize = 300;

const LIVES_AWAY_MAX: u32 = 5;

/// Findings one subscriber reports: the first says what is wrong, the rest how much.
const FINDINGS_MAX: usize = 5;

/// A subscriber.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) habit: Habit,
    random: fastrand::Rng,
    /// All it was shown, in the order it was shown first.
    pub(super) known: Vec<Shown>,
    /// How far into `known` the stream is that is open now.
    at: usize,
    /// Times it was told that something is missing.
    pub(super) gaps: u64,
    /// Streams it opened.
    pub(super) streams: u64,
    /// What was shown again and was not the same, or was never published.
    pub(super) findings: Vec<String>,
    has_ended: bool,
}

impl Subscriber {
    pub(super) fn new(habit: Habit, seed: u64, index: usize) -> Self {
        Self {
            habit,
            random: fastrand::Rng::with_seed(seed ^ (0x517c << 16) ^ index as u64),
            known: Vec::new(),
            at: 0,
            gaps: 0,
            streams: 0,
            findings: Vec::new(),
            has_ended: false,
        }
    }

    /// Watches through all lives of the hub, until the last event of the run.
    pub(super) fn watch(&mut self, whereabouts: &Whereabouts) {
        let mut away = 0;
        while let Some(addr) = whereabouts.find_hub(away).filter(|_| !self.has_ended) {
            let request = self.request();
            let buffer_bytes = (self.habit == Habit::Narrow).then_some(NARROW_BYTES);
            if let Some(mut stream) = EventStream::try_open(addr, &request, buffer_bytes) {
                self.streams += 1;
                self.follow(&mut stream);
            } else {
                whereabouts.turn_away(format!("{:?} was given no stream", self.habit));
            }
            if self.has_reason_to_complain() {
                return whereabouts.stop_early();
            }
            away = if self.habit == Habit::Away { self.random.u32(0..=LIVES_AWAY_MAX) } else { 0 };
        }
    }

    fn follow(&mut self, stream: &mut EventStream) {
        let stay = match self.habit {
            Habit::Restless => self.random.usize(1..STAY_EVENTS_MAX),
            _ => usize::MAX,
        };
        for _ in 0..stay {
            let Some(event) = stream.next_event_or_end() else { return };
            self.on_event(event);
            if self.has_ended || self.has_reason_to_complain() {
                return;
            }
        }
    }

    /// A gap is one: the log is large enough for everything. Behind it, the last event may never come.
    fn has_reason_to_complain(&self) -> bool {
        self.gaps > 0 || !self.findings.is_empty()
    }

    fn on_event(&mut self, event: Received) {
        match event.kind.as_str() {
            "corecast.gap" => self.gaps += 1,
            kind if kind.starts_with("corecast.") => {}
            _ if event.data == END => self.has_ended = true,
            _ => self.on_shown(event),
        }
    }

    fn on_shown(&mut self, event: Received) {
        let (Some(label), Some(id)) = (Label::of(&event.data), event.id.as_deref()) else {
            return self.find(format!("{event:?} was never published"));
        };
        let shown = Shown { label, id: id.into() };
        match self.known.get(self.at) {
            Some(before) if *before == shown => {}
            Some(before) => self.find(format!("what was {before:?} is now {shown:?}")),
            None => self.known.push(shown),
        }
        self.at += 1;
    }

    fn find(&mut self, finding: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(format!("{:?}, stream {}: {finding}", self.habit, self.streams));
        }
    }

    /// The next request, with `at` set to where its stream goes on.
    fn request(&mut self) -> Subscribe {
        let request = match self.habit {
            Habit::OfOnePublisher => Subscribe::to(&topic_of(THE_ONE_PUBLISHER)).topic(END),
            _ => Subscribe::to("*"),
        };
        let in_header = self.random.bool();
        let after = |id: &str| match in_header {
            true => request.clone().last_event_id(id),
            false => request.clone().query("last_event_id", id),
        };
        if self.known.is_empty() || self.habit == Habit::FromTheBeginning {
            // Nobody has to wait for its first event to be sure of the second.
            self.at = 0;
            return after("earliest");
        }
        self.at = match self.habit {
            Habit::GoingBack => self.random.usize(1..=self.known.len()),
            _ => self.known.len(),
        };
        after(&self.known[self.at - 1].id)
    }
}

/// Everything, as the log has it at last.
pub(super) fn replay_of_everything(addr: SocketAddr) -> Vec<Shown> {
    let mut everything = Subscriber::new(Habit::FromTheBeginning, 0, 0);
    let mut stream = EventStream::open(addr, &Subscribe::to("*").last_event_id("earliest"));
    everything.follow(&mut stream);
    assert!(everything.has_ended, "the last replay was cut: {:?}", everything.findings);
    everything.known
}
