//! A hub under load that is killed again and again and started on the same folder, or taken over, or restarted with the same
//! socket; and everybody who saw it.
//!
//! What is promised: an acknowledged event has its one place in the order, and whoever resumes gets it once; what was
//! shown to one subscriber is never gone or changed later. Publishers and subscribers live through all lives of the
//! hub, and `judge` compares what they remember with a last replay of everything.
//! What a killed process has written stays in the kernel's memory, so that a missing sync is not noticed: to see that,
//! the log is put on a disk that loses its power with every kill (`LogKind::FileLosingPower`).
//! Not here: disks that write in another order or only half of it. The simulator has one.

mod event;
mod judge;
mod lives;
mod publisher;
mod subscriber;
mod whereabouts;

pub use judge::Verdict;
pub use lives::{Ends, Lives, LogKind};

use std::fmt;
use std::thread;

use crate::publish::Publisher as Announcer;
use event::END;
use judge::Evidence;
use publisher::{Manner, Memory};
use subscriber::{Habit, Subscriber};
use whereabouts::Whereabouts;

/// Each with a connection of its own, so that the log is handed several events at a time.
const PUBLISHERS: [Manner; 8] = [
    Manner::Keyed,
    Manner::Keyed,
    Manner::Keyed,
    Manner::OwnIds,
    Manner::OwnIds,
    Manner::Lines,
    Manner::Plain,
    Manner::Plain,
];

/// Who watches.
const SUBSCRIBERS: [Habit; 11] = [
    Habit::Live,
    Habit::Live,
    Habit::Restless,
    Habit::Restless,
    Habit::Away,
    Habit::Away,
    Habit::GoingBack,
    Habit::GoingBack,
    Habit::FromTheBeginning,
    Habit::Narrow,
    Habit::OfOnePublisher,
];

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How lives of the hub end, but for the last.
    pub ends: Ends,
    /// How many do so.
    pub kills: u32,
    /// Draws the moments and the sizes. Threads and kernel make their own chance, so a run is not repeated by it.
    pub seed: u64,
    /// Which log the hub has. A memory log must be found out.
    pub log: LogKind,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The plan's seed.
    pub seed: u64,
    /// What was done to the hub.
    pub lives: Lives,
    /// What all saw.
    pub verdict: Verdict,
    /// Who was turned away by a hub that was said to be there, and how.
    pub turned_away: Vec<String>,
    /// Connections that were closed while they were kept, and opened again.
    pub reopened: u64,
}

impl Plan {
    /// Runs it.
    ///
    /// # Panics
    /// If the hub does not start, ends by itself, or does not answer.
    #[must_use]
    pub fn run(&self) -> Report {
        let whereabouts = Whereabouts::default();
        let mut lives = Lives::new(self);
        let (evidence, order) = thread::scope(|scope| {
            // Whatever happens here, nobody waits for another life of the hub.
            let _end = whereabouts.end_with_this();
            let watching = SUBSCRIBERS.iter().enumerate().map(|(index, &habit)| {
                let mut subscriber = Subscriber::new(habit, self.seed, index);
                let whereabouts = &whereabouts;
                scope.spawn(move || {
                    subscriber.watch(whereabouts);
                    subscriber
                })
            });
            let watching: Vec<_> = watching.collect();
            let publishing = PUBLISHERS.iter().enumerate().map(|(index, &manner)| {
                let mut publisher = publisher::Publisher::new(manner, self.seed, index);
                let whereabouts = &whereabouts;
                scope.spawn(move || {
                    publisher.publish_on(whereabouts);
                    publisher.into_memory()
                })
            });
            let publishing: Vec<_> = publishing.collect();

            while lives.kills() < self.kills && !whereabouts.has_seen_enough() {
                lives.live_one(&whereabouts);
            }
            let hub = lives.live_last(&whereabouts);
            whereabouts.let_publishers_end();
            let published: Vec<Memory> = publishing.into_iter().map(joined).collect();
            Announcer::connect(hub.addr()).to_topic(END, END);
            let watched: Vec<Subscriber> = watching.into_iter().map(joined).collect();
            let order = subscriber::replay_of_everything(hub.addr());
            lives.end(hub);
            (Evidence { published, watched }, order)
        });
        let verdict = evidence.judge(&order);
        if !verdict.is_clean() {
            lives.keep_folder();
        }
        let (turned_away, reopened) = whereabouts.into_complaints();
        Report { seed: self.seed, lives, verdict, turned_away, reopened }
    }
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; {}; seed {}", self.lives, self.verdict, self.seed)?;
        writeln!(
            f,
            "  turned away = {}, kept connections reopened = {}",
            self.turned_away.len(),
            self.reopened
        )?;
        self.turned_away.iter().take(20).try_for_each(|how| writeln!(f, "  {how}"))?;
        self.verdict.findings().iter().try_for_each(|finding| writeln!(f, "  {finding}"))?;
        self.lives
            .kept_folder()
            .map_or(Ok(()), |folder| writeln!(f, "  the log is kept in {}", folder.display()))
    }
}
