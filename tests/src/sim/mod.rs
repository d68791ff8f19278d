//! The deterministic simulator: real engines, the real writer and the real log, and a model of everything around
//! them, under one clock and one seed.
//!
//! ```text
//!  clients (tab, publisher, prober) ◀─ bytes ─▶ network ◀─ sockets ─▶ shard (host of an engine) ◀─▶ hub (sequencer, log, disk)
//!         └──────────── what was asked, what was shown ───────▶ oracle ◀──── what was kept, opened, closed ────┘
//! ```
//!
//! A run has a seed; from it come the scene (settings and cast), a random subset of faults, and every delay. The same
//! seed gives the same run, byte for byte.
//! Not here: threads, real files and real sockets (the tests of the binary have these).

pub mod chance;
pub mod disk;
pub mod log_alone;
pub mod plant;
pub mod scene;

mod network;
mod trace;

mod count;
mod retention;
mod kept;
mod sequencer;
mod reader;
mod storage;
mod shard;

mod hub;

mod answers;
mod ask;
mod conversation;
mod event_stream;
mod prober;
mod publisher;
mod tab;

mod log;
mod oracle;
mod totals;

mod world;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use self::totals::Totals;
pub use self::world::Seen;

use self::chance::{Chance, Fault};
use self::plant::Plant;
use self::scene::{LogKind, Scene};
use self::trace::Trace;
use self::world::World;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything random comes from it.
    pub seed: u64,
    /// Steps with faults; the healed rest comes on top.
    pub steps: u64,
    /// Which log the hub has.
    pub log: LogKind,
    /// What is wrong with the host on purpose.
    pub plant: Plant,
    /// In place of the seed's own scene.
    pub scene: Option<Scene>,
    /// In place of the seed's own rates.
    pub rates: Vec<(Fault, f64)>,
}

impl Plan {
    /// The run of a seed.
    #[must_use]
    pub const fn new(seed: u64, steps: u64, log: LogKind) -> Self {
        Self { seed, steps, log, plant: Plant::Nothing, scene: None, rates: Vec::new() }
    }

    /// Runs it.
    ///
    /// # Errors
    /// What should not have happened, and how to see it again.
    pub fn run(&self) -> Result<Report, Failure> {
        let trace = Trace::default();
        let mut chance = Chance::new(self.seed);
        for &(fault, rate) in &self.rates {
            chance.set_rate(fault, rate);
        }
        let (plan, traced) = (self.clone(), trace.clone());
        let run = AssertUnwindSafe(move || {
            let scene = plan.scene.unwrap_or_else(|| Scene::draw(&mut chance, plan.log));
            World::new(chance, scene, plan.plant, traced).run(plan.steps)
        });
        match catch_unwind(run) {
            Ok(seen) => Ok(Report { steps: trace.steps(), hash: trace.hash(), seen }),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Err(Failure {
                    seed: self.seed,
                    steps: self.steps,
                    log: self.log,
                    at: trace.steps(),
                    what: text.unwrap_or_else(|| "a panic without a message".to_owned()),
                    tail: trace.tail(),
                })
            }
        }
    }
}

/// A run in which nothing was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// All steps, the healed ones included.
    pub steps: u64,
    /// Of everything that happened.
    pub hash: u64,
    /// What there was to see.
    pub seen: Seen,
}

/// A run in which something was wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The steps of its plan.
    pub steps: u64,
    /// The log of its plan.
    pub log: LogKind,
    /// The step in which it was noticed.
    pub at: u64,
    /// What was wrong.
    pub what: String,
    /// What happened before.
    pub tail: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.tail {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {} step {}: {}", self.seed, self.at, self.what)?;
        write!(
            f,
            "see it again: scripts/simulate --log {} --seed {} --steps {}",
            self.log, self.seed, self.steps
        )
    }
}
