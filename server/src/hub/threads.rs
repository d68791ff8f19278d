//! The hub's threads: made, introduced to each other, and joined.

use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::Bytes;
use corecast_core::auth::Verifier;
use corecast_core::engine::output::ShardId;
use corecast_core::engine::{Engine, EngineOptions};
use corecast_core::hash::HashSeed;
use corecast_core::id::Incarnation;
use corecast_core::limits::TOKENS_CACHED;
use corecast_ring::{Listener, Ring, RingAddress, Setup, Wake, pin_to_core, set_timer_slack};

use super::StartError;
use super::capacity::Capacity;
use super::keyring::Keyring;
use crate::census::SharedCensus;
use crate::clock::Clock;
use crate::config::Config;
use crate::driver::uring::{ACCEPTS, UringDriver};
use crate::log::{Log, MemoryLog};
use crate::sequencer::{Sequencer, SequencerQueue};
use crate::shard::Shard;
use crate::shard::inbox::{Inbox, Mail, hand_in};
use crate::shard::stats::Stats;

/// What all shards are made from.
pub(super) struct ShardParts<'a> {
    pub(super) config: &'a Config,
    pub(super) capacity: &'a Capacity,
    pub(super) keyring: &'a Keyring,
    pub(super) census: &'a SharedCensus,
    /// What `/` shows.
    pub(super) page: Option<String>,
}

/// See the module.
pub(super) struct Threads {
    shards: Vec<JoinHandle<()>>,
    sequencer: JoinHandle<()>,
    inboxes: Vec<Inbox>,
    stats: Vec<Stats>,
}

/// Everything of a shard that can cross to its thread.
struct Seed {
    id: ShardId,
    core: Option<usize>,
    slots: u32,
    listener: Listener,
    shard: Box<dyn FnOnce(Verifier) -> Shard + Send>,
    verifier: Box<dyn FnOnce() -> Verifier + Send>,
}

impl Threads {
    /// Starts a thread for each listener's shard, and the sequencer.
    pub(super) fn start(
        parts: ShardParts<'_>,
        listeners: Vec<Listener>,
        log: MemoryLog,
        sequencer: &SequencerQueue,
    ) -> Result<Self, StartError> {
        let inboxes = listeners
            .iter()
            .map(|_| Wake::new().map(Inbox::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(StartError::Wake)?;
        let stats = vec![(); listeners.len()].into_iter().map(|()| Stats::default()).collect::<Vec<_>>();
        let seeds = plant(&parts, listeners, &log, sequencer, &inboxes, &stats)?;
        let shards = start_shards(seeds)?;
        let work = Sequencer::new(sequencer.clone(), log, inboxes.clone());
        let sequencer = spawn("sequencer".to_owned(), move || work.run())?;
        Ok(Self { shards, sequencer, inboxes, stats })
    }

    pub(super) fn inboxes(&self) -> Vec<Inbox> {
        self.inboxes.clone()
    }

    pub(super) fn stats(&self) -> Vec<Stats> {
        self.stats.clone()
    }

    /// Waits for the shards, which end once they have drained, then for the sequencer.
    pub(super) fn join(self, sequencer: &SequencerQueue) -> Result<(), StartError> {
        for shard in self.shards {
            shard.join().map_err(|_| StartError::ThreadLost)?;
        }
        sequencer.stop();
        self.sequencer.join().map_err(|_| StartError::ThreadLost)
    }
}

/// Sends the same letter to every shard, waiting for room.
pub(super) fn send_to_all(inboxes: &[Inbox], letter: impl Fn() -> Mail) {
    for inbox in inboxes {
        hand_in(letter(), |letter| inbox.try_send(letter));
    }
}

/// The identity of a new log.
pub(super) fn random_incarnation() -> Result<Incarnation, StartError> {
    Ok(Incarnation(getrandom::u64()?))
}

fn plant(
    parts: &ShardParts<'_>,
    listeners: Vec<Listener>,
    log: &MemoryLog,
    sequencer: &SequencerQueue,
    inboxes: &[Inbox],
    stats: &[Stats],
) -> Result<Vec<Seed>, StartError> {
    let clock = Clock::start();
    let hash_seed = HashSeed::new(u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?));
    let (incarnation, newest) = (log.incarnation(), log.newest());
    let page = parts.page.clone().map(Bytes::from);
    let mut seeds = Vec::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        let id = ShardId(number as u16);
        let (random_seed, cache_seed) = (getrandom::u64()?, getrandom::u64()?);
        let keys = parts.keyring.keys();
        let (settings, census, page) = (parts.config.settings(), parts.census.clone(), page.clone());
        let (shards, slots) = (inboxes.len() as u16, parts.capacity.slots);
        let drain_over = parts.config.drain.over;
        let (inbox, peers) = (inboxes[number].clone(), inboxes.to_vec());
        let (sequencer, stats) = (sequencer.clone(), stats[number].clone());
        let shard = move |verifier| {
            let options = EngineOptions {
                shard: id,
                shards,
                slots,
                incarnation,
                newest,
                replays: false,
                hash_seed,
                random_seed,
                verifier,
                census: Box::new(census),
                page,
            };
            let engine = Engine::new(settings, options);
            Shard { id, engine, clock, inbox, peers, sequencer, replay: None, stats, drain_over }
        };
        seeds.push(Seed {
            id,
            core: parts.capacity.cores.get(number).copied(),
            slots: parts.capacity.slots,
            listener,
            shard: Box::new(shard),
            verifier: Box::new(move || Verifier::new(keys, TOKENS_CACHED, cache_seed)),
        });
    }
    Ok(seeds)
}

/// Each thread makes its own ring, since a ring belongs to the thread that made it; once all have, each is told of the
/// others'.
fn start_shards(seeds: Vec<Seed>) -> Result<Vec<JoinHandle<()>>, StartError> {
    let (ready, readiness) = mpsc::channel::<(ShardId, Result<RingAddress, StartError>)>();
    let mut threads = Vec::new();
    let mut introductions = Vec::new();
    for seed in seeds {
        let (introduce, introduction) = mpsc::channel::<Vec<RingAddress>>();
        let ready = ready.clone();
        introductions.push(introduce);
        let name = format!("shard-{}", seed.id.0);
        threads.push(spawn(name, move || run_shard(seed, &ready, &introduction))?);
    }
    drop(ready);
    let mut rings: Vec<Option<RingAddress>> = vec![None; threads.len()];
    for (id, ring) in readiness.iter().take(threads.len()) {
        rings[id.0 as usize] = Some(ring?);
    }
    let rings: Vec<RingAddress> = rings.into_iter().flatten().collect();
    if rings.len() != threads.len() {
        return Err(StartError::ThreadLost);
    }
    for introduce in introductions {
        introduce.send(rings.clone()).map_err(|_| StartError::ThreadLost)?;
    }
    Ok(threads)
}

fn run_shard(
    seed: Seed,
    ready: &mpsc::Sender<(ShardId, Result<RingAddress, StartError>)>,
    introduction: &mpsc::Receiver<Vec<RingAddress>>,
) {
    settle(seed.core);
    let setup = Setup { slots: seed.slots, accepts: ACCEPTS, ..Setup::default() };
    let ring = match Ring::new(&setup) {
        Ok(ring) => ring,
        Err(error) => {
            // Nobody listens only if another shard has failed already.
            let _ = ready.send((seed.id, Err(error.into())));
            return;
        }
    };
    if ready.send((seed.id, Ok(ring.address()))).is_err() {
        return;
    }
    // The start was given up: another shard has no ring.
    let Ok(rings) = introduction.recv() else { return };
    let shard = (seed.shard)((seed.verifier)());
    UringDriver::new(shard, ring, seed.listener, seed.slots, rings).run();
}

/// Gives the thread its core, and timers that are not rounded up to 50 µs (prctl(2), `PR_SET_TIMERSLACK`).
fn settle(core: Option<usize>) {
    if let Some(core) = core
        && let Err(error) = pin_to_core(core)
    {
        tracing::warn!(core, %error, "a shard cannot be pinned to its core");
    }
    if let Err(error) = set_timer_slack(std::num::NonZeroU64::MIN) {
        tracing::warn!(%error, "timers stay coarse");
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name).spawn(work).map_err(StartError::Thread)
}
