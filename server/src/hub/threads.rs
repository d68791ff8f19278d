//! The hub's threads: made, introduced to each other, and joined.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use corecast_core::auth::Verifier;
use corecast_core::engine::output::ShardId;
use corecast_core::engine::{Engine, EngineOptions};
use corecast_core::hash::HashSeed;
use corecast_core::http::Asset;
use corecast_core::id::{Incarnation, Position};
use corecast_core::limits::TOKENS_CACHED;
use corecast_ring::{Listener, Ring, RingAddress, Setup, Wake, pin_to_core, set_timer_slack};

use super::StartError;
use super::capacity::Capacity;
use super::keyring::Keyring;
use super::log::{HubLog, OpenLog};
use crate::census::SharedCensus;
use crate::clock::Clock;
use crate::config::Config;
use crate::driver::{ACCEPTS, Choice, monoio, uring};
use crate::log::Log;
use crate::log::replay::{self, ReplayRequest};
use crate::sequencer::{Sequencer, SequencerQueue};
use crate::shard::Shard;
use crate::shard::inbox::{Inbox, Mail, hand_in};
use crate::shard::stats::Stats;

/// What all shards are made from.
pub(super) struct ShardParts<'a> {
    pub(super) config: &'a Config,
    pub(super) capacity: &'a Capacity,
    pub(super) driver: Choice,
    pub(super) keyring: &'a Keyring,
    pub(super) census: &'a SharedCensus,
    pub(super) clock: Clock,
    /// Files to serve.
    pub(super) assets: Arc<[Asset]>,
}

/// Threads that wait for their log. Until then no connection is accepted; those that come wait in their queue.
pub(super) struct Prepared {
    shards: Vec<JoinHandle<()>>,
    introductions: Vec<mpsc::Sender<Introduction>>,
    rings: Vec<RingAddress>,
    inboxes: Vec<Inbox>,
    stats: Vec<Stats>,
}

/// See the module.
pub(super) struct Threads {
    shards: Vec<JoinHandle<()>>,
    /// Absent once it has ended because it was told to.
    sequencer: Option<JoinHandle<()>>,
    /// Present if the log can be read.
    reader: Option<JoinHandle<()>>,
    /// How the reader is asked, for as long as a shard can ask it.
    ask: Option<tokio::sync::mpsc::WeakSender<ReplayRequest>>,
    /// What the sequencer and the reader say when they end.
    ends: Ends,
    inboxes: Vec<Inbox>,
    stats: Vec<Stats>,
}

/// Makes a shard on its own thread.
type MakeShard = dyn FnOnce(Verifier, &OfLog) -> Shard + Send;

/// Everything of a shard that can cross to its thread.
struct Seed {
    id: ShardId,
    core: Option<usize>,
    driver: Choice,
    slots: u32,
    listeners: Vec<Listener>,
    shard: Box<MakeShard>,
    verifier: Box<dyn FnOnce() -> Verifier + Send>,
}

/// What a shard must know of the log it begins with.
#[derive(Clone)]
struct OfLog {
    incarnation: Incarnation,
    newest: Position,
    ask: Option<tokio::sync::mpsc::Sender<ReplayRequest>>,
}

/// What a shard waits for before it begins: the other shards' rings, and the log.
struct Introduction {
    rings: Vec<RingAddress>,
    log: OfLog,
}

impl Prepared {
    /// Starts a thread for each shard, which takes everything it needs of the machine and then waits.
    pub(super) fn start(
        parts: ShardParts<'_>,
        listeners: Vec<Vec<Listener>>,
        sequencer: &SequencerQueue,
    ) -> Result<Self, StartError> {
        let inboxes = listeners
            .iter()
            .map(|_| Wake::new().map(Inbox::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(StartError::Wake)?;
        let stats = vec![(); listeners.len()].into_iter().map(|()| Stats::default()).collect::<Vec<_>>();
        let seeds = plant(&parts, listeners, sequencer, &inboxes, &stats)?;
        start_shards(seeds, inboxes, stats)
    }

    /// Lets the shards begin where this log ends, with a sequencer, and with a reader if the log can be read.
    pub(super) fn begin(self, log: OpenLog, sequencer: &SequencerQueue) -> Result<Threads, StartError> {
        let Self { shards, introductions, rings, inboxes, stats } = self;
        let OpenLog { log, readable } = log;
        let (ask, requests) = replay::channel(inboxes.len());
        let ask = readable.is_some().then_some(ask);
        let of_log = OfLog { incarnation: log.incarnation(), newest: log.newest(), ask: ask.clone() };
        let (end, ends) = ends();
        let work = Sequencer::new(sequencer.clone(), log, inboxes.clone());
        let sequencer = spawn_watched("sequencer", end.clone(), move || close(work.run()))?;
        let read = readable.map(|readable| readable.reader(inboxes.clone()));
        let reader =
            read.map(|reader| spawn_watched("reader", end, move || reader.run(requests))).transpose()?;
        for introduce in introductions {
            let introduction = Introduction { rings: rings.clone(), log: of_log.clone() };
            introduce.send(introduction).map_err(|_| StartError::ThreadLost)?;
        }
        let ask = ask.map(|ask| ask.downgrade());
        Ok(Threads { shards, sequencer: Some(sequencer), reader, ask, ends, inboxes, stats })
    }
}

impl Threads {
    pub(super) fn inboxes(&self) -> Vec<Inbox> {
        self.inboxes.clone()
    }

    pub(super) fn stats(&self) -> Vec<Stats> {
        self.stats.clone()
    }

    /// How the reader is asked, if there is one.
    pub(super) fn ask(&self) -> Option<tokio::sync::mpsc::WeakSender<ReplayRequest>> {
        self.ask.clone()
    }

    /// Waits for the sequencer or the reader to end; which it was. Before the hub stops neither does.
    pub(super) async fn next_end(&mut self) -> &'static str {
        // The other end is with the threads, so that without any there is an end as well.
        self.ends.recv().await.unwrap_or("every thread")
    }

    /// Waits for the sequencer, which answers what is in its queue, hands it to the shards and closes the log. The shards go
    /// on; nothing may be handed in any more.
    pub(super) async fn close_log(&mut self, sequencer: &SequencerQueue) -> Result<(), StartError> {
        sequencer.stop();
        let Some(thread) = self.sequencer.take() else { return Ok(()) };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        joined.map_err(|_| StartError::ThreadLost)?.map_err(|_| StartError::ThreadLost)
    }

    /// Waits for the shards, which end once they have drained, then for the sequencer, which closes the log, and for the
    /// reader, which ends when no shard is left to ask.
    pub(super) fn join(self, sequencer: &SequencerQueue) -> Result<(), StartError> {
        for shard in self.shards {
            shard.join().map_err(|_| StartError::ThreadLost)?;
        }
        sequencer.stop();
        for thread in [self.sequencer, self.reader].into_iter().flatten() {
            thread.join().map_err(|_| StartError::ThreadLost)?;
        }
        Ok(())
    }
}

/// Sends the same letter to every shard, waiting for room.
pub(super) fn send_to_all(inboxes: &[Inbox], letter: impl Fn() -> Mail) {
    for inbox in inboxes {
        hand_in(letter(), |letter| inbox.try_send(letter));
    }
}

fn plant(
    parts: &ShardParts<'_>,
    listeners: Vec<Vec<Listener>>,
    sequencer: &SequencerQueue,
    inboxes: &[Inbox],
    stats: &[Stats],
) -> Result<Vec<Seed>, StartError> {
    let clock = parts.clock;
    let hash_seed = HashSeed::new(u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?));
    let mut seeds = Vec::new();
    for (number, listeners) in listeners.into_iter().enumerate() {
        let id = ShardId(number as u16);
        let (random_seed, cache_seed) = (getrandom::u64()?, getrandom::u64()?);
        let keys = parts.keyring.keys();
        let (settings, census) = (parts.config.settings(), parts.census.clone());
        let assets = Arc::clone(&parts.assets);
        let (shards, slots) = (inboxes.len() as u16, parts.capacity.slots);
        let drain_over = parts.config.drain.over;
        let accept_rate = parts.config.accept_rate_of_shard(u32::from(shards));
        let (inbox, peers) = (inboxes[number].clone(), inboxes.to_vec());
        let (sequencer, stats) = (sequencer.clone(), stats[number].clone());
        let shard = move |verifier, log: &OfLog| {
            let options = EngineOptions {
                shard: id,
                shards,
                slots,
                incarnation: log.incarnation,
                newest: log.newest,
                replays: log.ask.is_some(),
                hash_seed,
                random_seed,
                verifier,
                census: Box::new(census),
                assets,
            };
            let engine = Engine::new(settings, options);
            let replay = log.ask.clone();
            Shard { id, engine, clock, inbox, peers, sequencer, replay, stats, accept_rate, drain_over }
        };
        seeds.push(Seed {
            id,
            core: parts.capacity.cores.get(number).copied(),
            driver: parts.driver,
            slots: parts.capacity.slots,
            listeners,
            shard: Box::new(shard),
            verifier: Box::new(move || Verifier::new(keys, TOKENS_CACHED, cache_seed)),
        });
    }
    Ok(seeds)
}

/// Each thread makes its own ring or runtime, since either belongs to the thread that made it; once all have, each is told
/// of the others' rings.
fn start_shards(seeds: Vec<Seed>, inboxes: Vec<Inbox>, stats: Vec<Stats>) -> Result<Prepared, StartError> {
    let (ready, readiness) = mpsc::channel::<Readiness>();
    let mut shards = Vec::new();
    let mut introductions = Vec::new();
    for seed in seeds {
        let (introduce, introduction) = mpsc::channel::<Introduction>();
        let ready = ready.clone();
        introductions.push(introduce);
        let name = format!("shard-{}", seed.id.0);
        shards.push(spawn(name, move || run_shard(seed, &ready, &introduction))?);
    }
    drop(ready);
    let mut rings: Vec<Option<RingAddress>> = vec![None; shards.len()];
    let mut ready = 0;
    for (id, ring) in readiness.iter().take(shards.len()) {
        rings[id.0 as usize] = ring?;
        ready += 1;
    }
    if ready != shards.len() {
        return Err(StartError::ThreadLost);
    }
    let rings = rings.into_iter().flatten().collect();
    Ok(Prepared { shards, introductions, rings, inboxes, stats })
}

/// What a shard's thread has made of the machine: its ring, if its driver has one.
type Readiness = (ShardId, Result<Option<RingAddress>, StartError>);

/// What a driver waits with. It belongs to the thread that made it.
#[expect(clippy::large_enum_variant, reason = "there is one of it on each thread")]
enum Waits {
    Ring(Ring),
    Monoio(monoio::Runtime),
}

impl Waits {
    fn new(driver: Choice, slots: u32) -> Result<Self, StartError> {
        Ok(match driver {
            Choice::Uring => Self::Ring(Ring::new(&Setup { slots, accepts: ACCEPTS, ..Setup::default() })?),
            Choice::Monoio(waiter) => Self::Monoio(monoio::Runtime::new(waiter).map_err(StartError::Waiter)?),
        })
    }

    fn ring(&self) -> Option<RingAddress> {
        match self {
            Self::Ring(ring) => Some(ring.address()),
            Self::Monoio(_) => None,
        }
    }
}

fn run_shard(seed: Seed, ready: &mpsc::Sender<Readiness>, introduction: &mpsc::Receiver<Introduction>) {
    settle(seed.core);
    let waits = match Waits::new(seed.driver, seed.slots) {
        Ok(waits) => waits,
        Err(error) => {
            // Nobody listens only if another shard has failed already.
            let _ = ready.send((seed.id, Err(error)));
            return;
        }
    };
    if ready.send((seed.id, Ok(waits.ring()))).is_err() {
        return;
    }
    // The start was given up: another shard has no ring, or there is no log.
    let Ok(Introduction { rings, log }) = introduction.recv() else { return };
    let shard = (seed.shard)((seed.verifier)(), &log);
    drop(log);
    match waits {
        Waits::Ring(ring) => uring::run(shard, ring, seed.listeners, seed.slots, rings),
        Waits::Monoio(runtime) => {
            // Without its listeners and its wake a shard is none; the process ends, and its clients resume elsewhere.
            if let Err(error) = monoio::run(shard, runtime, seed.listeners, seed.slots) {
                panic!("a shard cannot watch its listeners: {error}");
            }
        }
    }
}

/// Gives the thread its core, and timers that are not rounded up to 50 µs (prctl(2), `PR_SET_TIMERSLACK`).
fn settle(core: Option<usize>) {
    if let Some(core) = core
        && let Err(error) = pin_to_core(core)
    {
        tracing::warn!(core, %error, "a shard cannot be pinned to its core (SystemCallFilter= of a unit may lack sched_setaffinity)");
    }
    if let Err(error) = set_timer_slack(std::num::NonZeroU64::MIN) {
        tracing::warn!(%error, "timers stay coarse");
    }
}

/// Who tells that it has ended, by name. Each of two threads does so once.
type Ends = tokio::sync::mpsc::Receiver<&'static str>;

fn ends() -> (tokio::sync::mpsc::Sender<&'static str>, Ends) {
    tokio::sync::mpsc::channel(2)
}

/// Tells of the end of its thread, also of one by panic.
struct End {
    name: &'static str,
    told: tokio::sync::mpsc::Sender<&'static str>,
}

impl Drop for End {
    fn drop(&mut self) {
        // Nobody listens any more once the hub stops.
        let _ = self.told.try_send(self.name);
    }
}

/// Starts a thread without which the hub is none: its end is told.
fn spawn_watched(
    name: &'static str,
    told: tokio::sync::mpsc::Sender<&'static str>,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let end = End { name, told };
    spawn(name.to_owned(), move || {
        let _end = end;
        work();
    })
}

fn close(log: HubLog) {
    if let Err(error) = log.close() {
        tracing::warn!(%error, "the log could not be closed in good order; nothing that was acknowledged is lost");
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name).spawn(work).map_err(StartError::Thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_tells_of_its_end_also_of_one_by_panic() {
        for panics in [false, true] {
            let (end, mut ends) = ends();
            let thread =
                spawn_watched("reader", end, move || assert!(!panics, "this is what the test is about"));
            assert_eq!(ends.blocking_recv(), Some("reader"));
            assert_eq!(thread.unwrap().join().is_err(), panics);
        }
    }
}
