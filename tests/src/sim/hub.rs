//! The hub in a simulation: its shards, its sequencer, the count of streams, and what starts and stops them all.

use std::time::Duration;

use corecast::log::MemoryLog;
use corecast_core::auth::{Keys, Verifier};
use corecast_core::engine::output::{PublishRequest, ShardId};
use corecast_core::engine::{Engine, EngineOptions};
use corecast_core::hash::HashSeed;
use corecast_core::id::{Incarnation, Position};
use corecast_core::time::Instant;

use super::chance::{Draw, Fault};
use super::count::Count;
use super::kept::SimLog;
use super::network::{Action, Network, Place, WireId};
use super::oracle::Oracle;
use super::plant::Plant;
use super::retention::Retention;
use super::scene::Scene;
use super::sequencer::{Letter, Outcome, Sequencer};
use super::shard::{Post, Shard, ShardOptions};
use super::tab::SECRET;
use super::totals::Totals;

/// How long a hub that stops waits for requests that are not complete.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it looks.
const STOP_STEP: Duration = Duration::from_millis(10);

/// See the module.
pub(super) struct Hub {
    scene: Scene,
    plant: Plant,
    planted: bool,
    shards: Vec<Shard>,
    sequencer: Sequencer,
    count: Count,
    is_sequencing: bool,
    /// Until when requests are waited for, while the hub stops.
    stops: Option<Instant>,
    /// Whether it starts again once it has stopped.
    rolls_over: bool,
    starts: u64,
    /// What engines counted that are no more.
    past: Totals,
}

impl Hub {
    /// A hub that has just started.
    #[must_use]
    pub(super) fn new(scene: Scene, plant: Plant, net: &mut Network, oracle: &mut Oracle) -> Self {
        let log = MemoryLog::new(Incarnation(0), scene.settings.history.clone());
        let sequencer = Sequencer::new(SimLog::in_memory(log), scene.requests_max);
        let count = Count::new(&scene.settings.limits, plant);
        let mut hub = Self {
            scene,
            plant,
            planted: false,
            shards: Vec::new(),
            sequencer,
            count,
            is_sequencing: false,
            stops: None,
            rolls_over: false,
            starts: 0,
            past: Totals::default(),
        };
        hub.start(net, oracle);
        hub
    }

    /// Starts with an empty log.
    pub(super) fn start(&mut self, net: &mut Network, oracle: &mut Oracle) {
        self.starts += 1;
        let rng = net.chance.draw(Draw::Seeds);
        let (incarnation, hash_seed) = (Incarnation(rng.u64(..)), HashSeed::new(rng.u128(..)));
        let random_seeds: Vec<u64> = (0..self.scene.shards).map(|_| rng.u64(..)).collect();
        oracle.on_start(incarnation.0);
        net.trace.note(format_args!("the hub starts with log {:016x}", incarnation.0));
        self.rolls_over = false;
        self.is_sequencing = false;
        self.stops = None;
        let history = self.scene.settings.history.clone();
        let log = SimLog::in_memory(MemoryLog::new(incarnation, history.clone()));
        self.sequencer = Sequencer::new(log, self.scene.requests_max);
        self.count = Count::new(&self.scene.settings.limits, self.plant);
        self.shards = (0..self.scene.shards)
            .zip(random_seeds)
            .map(|(number, random_seed)| {
                let mut keys = Keys::new();
                keys.add_secret(SECRET).expect("the secret is long enough");
                let options = EngineOptions {
                    shard: ShardId(number),
                    shards: self.scene.shards,
                    slots: self.scene.slots,
                    incarnation,
                    newest: Position(0),
                    replays: false,
                    hash_seed,
                    random_seed,
                    verifier: Verifier::new(keys, 64, random_seed),
                    census: Box::new(self.count.clone()),
                    page: None,
                };
                Shard::new(ShardOptions {
                    number: number.into(),
                    engine: Engine::new(self.scene.settings.clone(), options),
                    slots: self.scene.slots,
                    events_max: self.scene.events_max,
                    retention: Retention::new(incarnation.0, history.clone()),
                    rules: self.scene.settings.stream.clone(),
                    plant: if self.starts == 1 { self.plant } else { Plant::Nothing },
                })
            })
            .collect();
    }

    /// Everything in memory is lost, and every connection with it.
    pub(super) fn crash(&mut self, net: &mut Network) {
        net.trace.note(format_args!("the hub is gone"));
        self.forget_shards();
        for id in 0..net.wires.len() {
            let is_held = !matches!(net.wires[id].place, Place::Gone);
            if is_held {
                net.wires[id].place = Place::Gone;
                net.reset(id);
            }
        }
    }

    fn forget_shards(&mut self) {
        self.past = self.totals();
        self.shards.clear();
    }

    /// What all its engines have counted.
    #[must_use]
    pub(super) fn totals(&self) -> Totals {
        let mut totals = self.past.clone();
        for shard in &self.shards {
            totals.add_engine(shard.engine.counters());
        }
        totals
    }

    /// Whether it runs.
    #[must_use]
    pub(super) const fn is_up(&self) -> bool {
        !self.shards.is_empty()
    }

    /// Takes no more, then ends all streams over a while.
    pub(super) fn drain(&mut self, over: Duration, net: &mut Network, oracle: &mut Oracle) {
        if self.stops.is_none() {
            oracle.on_drain();
            self.stops = Some(net.now + PATIENCE);
            for shard in &mut self.shards {
                shard.on_drain(over, net);
            }
            net.after(STOP_STEP, Action::Stop);
        }
    }

    /// Ends streams once every request is answered, or patience is over.
    pub(super) fn stop(&mut self, net: &mut Network, oracle: &mut Oracle) {
        let Some(patience) = self.stops else { return };
        let unfinished: u32 = self.shards.iter().map(|shard| shard.engine.unfinished_requests()).sum();
        let all_draining = self.shards.iter().all(|shard| shard.engine.is_draining());
        if net.now < patience && (unfinished > 0 || !all_draining) {
            return net.after(STOP_STEP, Action::Stop);
        }
        if unfinished > 0 || !all_draining {
            oracle.on_impatient();
        }
        for shard in &mut self.shards {
            shard.on_end_streams(net);
        }
    }

    /// Drains, and starts again when that is done.
    pub(super) fn roll_over(&mut self, over: Duration, net: &mut Network, oracle: &mut Oracle) {
        self.rolls_over = true;
        self.drain(over, net, oracle);
    }

    /// Whether a drain is over.
    #[must_use]
    pub(super) fn is_drained(&self) -> bool {
        self.shards.iter().all(|shard| shard.engine.is_drained())
    }

    /// What is left of connections and streams, for a message.
    #[must_use]
    pub(super) fn left(&self) -> Vec<(u32, u32)> {
        self.shards.iter().map(|shard| (shard.engine.connections(), shard.engine.streams())).collect()
    }

    /// A client connects: the kernel gives it to any shard.
    pub(super) fn on_connect(&mut self, wire: WireId, net: &mut Network) {
        if self.shards.is_empty() {
            return net.reset(wire);
        }
        let shard = net.chance.draw(Draw::Order).usize(..self.shards.len());
        net.wires[wire].place = Place::Backlog(shard);
        self.shards[shard].on_connect(wire, net);
    }

    /// Something about a wire has changed.
    pub(super) fn on_wire(&mut self, wire: WireId, net: &mut Network) {
        if let Place::Slot(shard, id) = net.wires[wire].place {
            self.shards[shard].on_wire(id, net);
        }
    }

    /// A shard's loop turns.
    pub(super) fn turn(&mut self, shard: usize, net: &mut Network, oracle: &mut Oracle) {
        let Some(present) = self.shards.get_mut(shard) else { return };
        let posts = present.turn(net, oracle);
        for post in posts {
            match post {
                Post::Publish(from, request) => self.publish(from, request, net),
                Post::Move { shard, id, to, wire, parcel } => {
                    let refused = net.chance.strikes(Fault::RefusedMove) || !self.shards[to].try_promise();
                    if refused {
                        oracle.on_unmoved(wire);
                        self.shards[shard].on_moved(id, Some(parcel), net);
                    } else {
                        net.wires[wire].place = Place::Moving;
                        self.shards[shard].on_moved(id, None, net);
                        self.shards[to].on_arrival(wire, parcel, net);
                    }
                }
            }
        }
        // Room in this shard's inbox is what the sequencer may be waiting for.
        self.sequence_soon(net);
        self.check_count(net.now, oracle);
        if self.rolls_over && self.is_drained() {
            self.rolls_over = false;
            self.forget_shards();
            net.after(Duration::from_millis(50), Action::Start);
        }
    }

    fn check_count(&self, now: Instant, oracle: &mut Oracle) {
        let streams: u32 = self.shards.iter().map(|shard| shard.engine.streams()).sum();
        assert_eq!(streams, self.count.streams(), "streams of all shards, and as they are counted");
        let streams_max = self.scene.settings.limits.connections;
        assert!(streams <= streams_max, "{streams} streams, allowed are {streams_max}");
        if self.count.take_was_full() {
            oracle.on_full(now);
        }
    }

    fn publish(&mut self, from: usize, request: Box<PublishRequest>, net: &mut Network) {
        let is_full = net.chance.strikes(Fault::SequencerFull);
        match if is_full { Err(request) } else { self.sequencer.try_send(request) } {
            Ok(()) => self.sequence_soon(net),
            Err(request) => self.shards[from].on_publish_refused(request, net),
        }
    }

    fn sequence_soon(&mut self, net: &mut Network) {
        if !self.is_sequencing && self.sequencer.has_work() {
            self.is_sequencing = true;
            let delay = if net.chance.strikes(Fault::SequencerPause) {
                net.chance.length(Fault::SequencerPause, Duration::from_millis(20), Duration::from_secs(2))
            } else {
                net.latency()
            };
            net.after(delay, Action::Sequence);
        }
    }

    /// The sequencer looks at its queue.
    pub(super) fn sequence(&mut self, net: &mut Network, oracle: &mut Oracle) {
        self.is_sequencing = false;
        if self.shards.is_empty() {
            return;
        }
        self.hand_out(net);
        if self.sequencer.next_letter().is_some() {
            return;
        }
        if net.chance.strikes(Fault::LogFailure) {
            self.sequencer.log().fail_once();
        }
        self.sequencer.write(net.unix);
        for outcome in self.sequencer.finish(self.shards.len()).outcomes {
            match outcome {
                Outcome::Placed(event, shared) => {
                    net.trace.note(format_args!("the log keeps {}", shared.id));
                    if self.plant == Plant::AcknowledgeUnkept && !self.planted {
                        self.planted = true;
                        continue;
                    }
                    oracle.on_placed(&event, &shared);
                }
                Outcome::Repeated(event, id) => oracle.on_repeated(&event, &id),
                Outcome::Refused(_) => {}
            }
        }
        self.hand_out(net);
        self.sequence_soon(net);
    }

    fn hand_out(&mut self, net: &mut Network) {
        while let Some(letter) = self.sequencer.next_letter() {
            if let Letter::Event(shard, _) = letter
                && !self.shards[*shard].has_room()
            {
                return;
            }
            match self.sequencer.take_letter() {
                Some(Letter::Event(shard, event)) => self.shards[shard].on_event(event, net),
                Some(Letter::Answer(answer)) => {
                    let shard = usize::from(answer.to.shard.0);
                    self.shards[shard].on_answer(answer, net);
                }
                None => return,
            }
        }
    }
}
