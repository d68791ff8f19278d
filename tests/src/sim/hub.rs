//! The hub in a simulation: its shards, its sequencer, the count of streams, and what starts and stops them all.

use std::time::Duration;

use corecast::log::{self, Log, MemoryLog};
use corecast_core::auth::{Keys, Verifier};
use corecast_core::engine::output::{PublishRequest, ShardId};
use corecast_core::engine::{Engine, EngineOptions};
use corecast_core::hash::HashSeed;
use corecast_core::id::Incarnation;
use corecast_core::replay::PageRead;
use corecast_core::time::Instant;

use super::chance::{Draw, Fault};
use super::count::Count;
use super::disk::Crash;
use super::kept::SimLog;
use super::network::{Action, Network, Place, WireId};
use super::oracle::Oracle;
use super::plant::Plant;
use super::reader::{Answer, Reader};
use super::retention::Retention;
use super::scene::Scene;
use super::sequencer::{Letter, Outcome, Sequencer};
use super::shard::{Post, Shard, ShardOptions};
use super::storage::Storage;
use super::tab::SECRET;
use super::totals::Totals;

/// How long a hub that stops waits for requests that are not complete.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the operator waits before the hub is started again.
const START_PAUSE: Duration = Duration::from_secs(1);

/// How often it looks.
const STOP_STEP: Duration = Duration::from_millis(10);

/// See the module.
pub(super) struct Hub {
    scene: Scene,
    plant: Plant,
    planted: bool,
    shards: Vec<Shard>,
    /// While the hub is up.
    sequencer: Option<Sequencer>,
    /// The same, if its log can be read.
    reader: Option<Reader>,
    /// The disk of a hub whose log is on one. It is what a hub has when it is down.
    storage: Option<Storage>,
    questions: u64,
    count: Count,
    is_sequencing: bool,
    /// Until when requests are waited for, while the hub stops.
    stops: Option<Instant>,
    /// Whether it starts again once it has stopped.
    rolls_over: bool,
    starts: u64,
    reloads: u64,
    /// Streams that may be open beyond a limit that was lowered, or was not enforced.
    overhang: u32,
    /// How often the power failed while the log was being written.
    torn_writes: u64,
    /// What engines counted that are no more.
    past: Totals,
}

impl Hub {
    /// A hub that has just started.
    #[must_use]
    pub(super) fn new(scene: Scene, plant: Plant, net: &mut Network, oracle: &mut Oracle) -> Self {
        let count = Count::new(&scene.settings.limits, plant);
        let storage = scene.file.map(|options| Storage::new(options, plant, net));
        let mut hub = Self {
            scene,
            plant,
            planted: false,
            shards: Vec::new(),
            sequencer: None,
            reader: None,
            storage,
            questions: 0,
            count,
            is_sequencing: false,
            stops: None,
            rolls_over: false,
            starts: 0,
            reloads: 0,
            overhang: 0,
            torn_writes: 0,
            past: Totals::default(),
        };
        hub.start(net, oracle);
        hub
    }

    /// Starts: with an empty log, or with what its disk has.
    pub(super) fn start(&mut self, net: &mut Network, oracle: &mut Oracle) {
        self.starts += 1;
        let rng = net.chance.draw(Draw::Seeds);
        let (fresh, hash_seed) = (Incarnation(rng.u64(..)), HashSeed::new(rng.u128(..)));
        let random_seeds: Vec<u64> = (0..self.scene.shards).map(|_| rng.u64(..)).collect();
        let history = self.scene.settings.history.clone();
        let log = match &mut self.storage {
            None => {
                oracle.on_start(fresh.0);
                SimLog::in_memory(MemoryLog::new(fresh, history.clone()))
            }
            Some(storage) => match storage.open(fresh, net, oracle) {
                Some(log) => SimLog::on_disk(log),
                None => return net.after(START_PAUSE, Action::Start),
            },
        };
        let (incarnation, newest) = (log.incarnation(), log.newest());
        net.trace.note(format_args!("the hub starts with log {:016x} behind {}", incarnation.0, newest.0));
        self.rolls_over = false;
        self.is_sequencing = false;
        self.stops = None;
        self.overhang = 0;
        self.reader = log
            .catalog()
            .zip(self.storage.as_ref())
            .map(|(catalog, storage)| Reader::new(catalog, storage.disk().clone(), self.questions));
        let replays = self.reader.is_some();
        self.sequencer = Some(Sequencer::new(log, self.scene.requests_max));
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
                    newest,
                    replays,
                    hash_seed,
                    random_seed,
                    verifier: Verifier::new(keys, 64, random_seed),
                    census: Box::new(self.count.clone()),
                    assets: [].into(),
                };
                Shard::new(ShardOptions {
                    number: number.into(),
                    engine: Engine::new(self.scene.settings.clone(), options),
                    slots: self.scene.slots,
                    events_max: self.scene.events_max,
                    retention: Retention::new(incarnation.0, newest.0, history.clone()),
                    rules: self.scene.settings.stream.clone(),
                    plant: if self.starts == 1 { self.plant } else { Plant::Nothing },
                })
            })
            .collect();
    }

    /// Everything in memory is lost, and every connection with it; of the disk as much as `how` says.
    pub(super) fn crash(&mut self, how: Crash, net: &mut Network) {
        net.trace.note(format_args!("the hub is gone: {how:?}"));
        if let Some(storage) = &self.storage {
            storage.crash(how);
        }
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
        self.sequencer = None;
        self.questions = self.reader.take().map_or(self.questions, |reader| reader.next());
    }

    /// The hub has drained, and ends in good order.
    fn close(&mut self, net: &mut Network) {
        if let (Some(sequencer), Some(storage)) = (self.sequencer.take(), &mut self.storage) {
            storage.close(sequencer.into_log());
        }
        self.forget_shards();
        net.after(Duration::from_millis(50), Action::Start);
    }

    /// Whether nothing more is kept until the hub is started again.
    #[must_use]
    pub(super) fn has_failed(&self) -> bool {
        self.sequencer.as_ref().is_some_and(|sequencer| sequencer.log().has_failed())
    }

    /// The disk is full, up to a few bytes, for a while.
    pub(super) fn fill_disk(&self, net: &mut Network) {
        if let Some(storage) = &self.storage {
            storage.fill(net);
        }
    }

    /// The disk has room, and will not fail by itself.
    pub(super) fn heal_disk(&self) {
        if let Some(storage) = &self.storage {
            storage.heal();
        }
    }

    /// The log's reader goes on with a question.
    pub(super) fn read_log(&mut self, number: u64, net: &mut Network, oracle: &Oracle) {
        let Some(reader) = &mut self.reader else { return };
        let Some((shard, mut answer)) = reader.go_on(number, net) else { return };
        match &mut answer {
            Answer::Sought(_, last_event_id, sought) => {
                oracle.check_sought(last_event_id, *sought, net.unix_max);
            }
            Answer::Page(PageRead::Page(page)) if self.plant == Plant::SkipSeam && !self.planted => {
                if let Some((last, rest)) = page.events.split_last()
                    && oracle.is_awaited(last)
                {
                    page.events = rest.into();
                    self.planted = true;
                }
            }
            Answer::Page(_) => {}
        }
        self.shards[shard].on_log_answer(answer, net);
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

    /// How often the power failed while the log was being written.
    #[must_use]
    pub(super) const fn torn_writes(&self) -> u64 {
        self.torn_writes
    }

    /// Whether it runs.
    #[must_use]
    pub(super) const fn is_up(&self) -> bool {
        !self.shards.is_empty()
    }

    /// The operator changes the settings. Of a log on a disk they stay.
    pub(super) fn reload(&mut self, net: &mut Network, oracle: &mut Oracle) {
        let settings = self.scene.other_settings(net.chance.of(Fault::NewSettings));
        net.trace.note(format_args!("the operator changes to {settings:?}"));
        self.reloads += 1;
        self.overhang = self.count.streams();
        self.count.set_limits(&settings.limits);
        oracle.on_settings(settings.clone());
        if self.storage.is_none()
            && let Some(sequencer) = &mut self.sequencer
        {
            let history = settings.history.clone();
            let retention = log::Retention { history, bytes: 0, age: Duration::ZERO, ids: 0 };
            sequencer.set_retention(&retention, net.unix);
        }
        for shard in &mut self.shards {
            shard.on_settings(&settings, net);
        }
        self.scene.settings = settings;
    }

    /// How often the operator has changed the settings.
    #[must_use]
    pub(super) const fn reloads(&self) -> u64 {
        self.reloads
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
                Post::Ask(from, question) => {
                    let reader = self.reader.as_mut().expect("an engine asks a log that can be read");
                    reader.ask(from, question, net);
                }
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
            self.close(net);
        }
    }

    fn check_count(&mut self, now: Instant, oracle: &mut Oracle) {
        let streams: u32 = self.shards.iter().map(|shard| shard.engine.streams()).sum();
        assert_eq!(streams, self.count.streams(), "streams of all shards, and as they are counted");
        let limits = &self.scene.settings.limits;
        if limits.dry_run {
            self.overhang = streams;
        }
        let streams_max = limits.connections.max(self.overhang);
        assert!(streams <= streams_max, "{streams} streams, allowed are {streams_max}");
        self.overhang = self.overhang.min(streams);
        if self.count.take_was_full() {
            oracle.on_full(now);
        }
    }

    fn publish(&mut self, from: usize, request: Box<PublishRequest>, net: &mut Network) {
        let is_full = net.chance.strikes(Fault::SequencerFull);
        let Some(sequencer) = &mut self.sequencer else { return };
        match if is_full { Err(request) } else { sequencer.try_send(request) } {
            Ok(()) => self.sequence_soon(net),
            Err(request) => self.shards[from].on_publish_refused(request, net),
        }
    }

    fn sequence_soon(&mut self, net: &mut Network) {
        if !self.is_sequencing && self.sequencer.as_ref().is_some_and(Sequencer::has_work) {
            let delay = if net.chance.strikes(Fault::SequencerPause) {
                net.chance.length(Fault::SequencerPause, Duration::from_millis(20), Duration::from_secs(2))
            } else {
                net.latency()
            };
            self.sequence_after(delay, net);
        }
    }

    fn sequence_after(&mut self, delay: Duration, net: &mut Network) {
        self.is_sequencing = true;
        net.after(delay, Action::Sequence);
    }

    /// The sequencer looks at its queue, or has written a batch.
    pub(super) fn sequence(&mut self, net: &mut Network, oracle: &mut Oracle) {
        self.is_sequencing = false;
        let shards = self.shards.len();
        let Some(sequencer) = &mut self.sequencer else { return };
        sequencer.finish(shards);
        self.hand_out(net);
        let is_waiting = |sequencer: &Sequencer| sequencer.next_letter().is_some();
        if self.sequencer.as_ref().is_some_and(is_waiting) {
            return;
        }
        let taken = self.write(net, oracle);
        let Some(sequencer) = &mut self.sequencer else { return };
        if taken > Duration::ZERO && sequencer.has_written() {
            return self.sequence_after(taken, net);
        }
        sequencer.finish(shards);
        self.hand_out(net);
        self.sequence_soon(net);
    }

    /// Has the log keep what waits; how long that takes. The power may fail meanwhile.
    fn write(&mut self, net: &mut Network, oracle: &mut Oracle) -> Duration {
        let Some(sequencer) = &mut self.sequencer else { return Duration::ZERO };
        match &self.storage {
            Some(storage) => storage.before_write(net),
            None if net.chance.strikes(Fault::LogFailure) => sequencer.log().fail_once(),
            None => {}
        }
        let outcomes = sequencer.write(net.unix);
        let is_refused = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_)));
        if self.plant == Plant::ShowBeforeSync && is_refused {
            let events = sequencer.log().take_last();
            sequencer.show(events, self.shards.len());
        }
        for outcome in outcomes {
            match outcome {
                Outcome::Placed(event, shared) => {
                    net.trace.note(format_args!("the log keeps {}", shared.id));
                    if self.plant == Plant::AcknowledgeUnkept && !self.planted {
                        self.planted = true;
                        continue;
                    }
                    oracle.on_placed(&event, &shared, net.unix_max);
                }
                Outcome::Repeated(event, id) => oracle.on_repeated(&event, &id),
                Outcome::Refused(event) => oracle.on_refused(event),
            }
        }
        let Some(storage) = &self.storage else { return Duration::ZERO };
        oracle.on_log_start(storage.start());
        if storage.has_crashed() {
            self.torn_writes += 1;
            self.crash(Crash::Power, net);
            net.after(START_PAUSE, Action::Start);
            return Duration::ZERO;
        }
        storage.after_write()
    }

    fn hand_out(&mut self, net: &mut Network) {
        let Some(sequencer) = &mut self.sequencer else { return };
        while let Some(letter) = sequencer.next_letter() {
            if let Letter::Event(shard, _) = letter
                && !self.shards[*shard].has_room()
            {
                return;
            }
            match sequencer.take_letter() {
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
