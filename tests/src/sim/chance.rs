//! Everything random in a simulation, from one seed.
//!
//! Invariant: each fault, and each kind of decision, has its own stream of random numbers, so that one draw more of
//! one kind does not shift the others.

use std::time::Duration;

use fastrand::Rng;

/// What can go wrong. Each run has a random subset of these, each with a random rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A socket takes less than it has room for.
    ShortSend,
    /// A socket takes nothing although it has room.
    FullSocket,
    /// A connection is reset under both ends.
    Reset,
    /// A client sends its end and goes on reading.
    HalfClose,
    /// A client is cut off: no end, no reset, nothing.
    Vanish,
    /// A client stops reading for a while.
    Stall,
    /// A client reads a few bytes at a time.
    SlowReader,
    /// A client sends its request in pieces, with pauses between them.
    SplitRequest,
    /// A client never finishes its request.
    Unfinished,
    /// A client says something behind its request for a stream.
    StrayBytes,
    /// A page is loaded anew: another stream of the same user while the old one is still there.
    Reload,
    /// A client that is to stay away comes back at once.
    Impatience,
    /// A client repeats a publish under the same id.
    Repeat,
    /// The kernel's report comes late.
    LateNotice,
    /// A report about a slot's former owner comes after its end.
    StaleNotice,
    /// The report that a socket is closed comes late.
    LateClosed,
    /// Another shard has no place for a socket.
    RefusedMove,
    /// The two halves of a move are far apart.
    TornMove,
    /// A shard does not get the processor for a while.
    ShardPause,
    /// The sequencer does not get the processor for a while.
    SequencerPause,
    /// The log cannot keep a batch.
    LogFailure,
    /// Nobody waits for the sequencer: publishers are turned away.
    SequencerFull,
    /// The wall clock jumps, forwards or backwards.
    ClockJump,
    /// All that is in memory is lost; the hub starts again with an empty log.
    Restart,
    /// The hub drains and starts again.
    Rollover,
    /// The power fails while the log is being written or opened.
    TornWrite,
    /// The disk is full for a while.
    FullDisk,
    /// The disk does not keep what was written; the hub keeps nothing more until it is started again.
    SyncFailure,
    /// The disk takes less than it was given.
    ShortWrite,
    /// A sync takes long.
    SlowDisk,
    /// The log cannot be read.
    ReadFailure,
    /// The folder of the log is emptied while the hub is down.
    Wipe,
    /// The operator changes the settings of the running hub.
    NewSettings,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 33] = [
        Self::ShortSend,
        Self::FullSocket,
        Self::Reset,
        Self::HalfClose,
        Self::Vanish,
        Self::Stall,
        Self::SlowReader,
        Self::SplitRequest,
        Self::Unfinished,
        Self::StrayBytes,
        Self::Reload,
        Self::Impatience,
        Self::Repeat,
        Self::LateNotice,
        Self::StaleNotice,
        Self::LateClosed,
        Self::RefusedMove,
        Self::TornMove,
        Self::ShardPause,
        Self::SequencerPause,
        Self::LogFailure,
        Self::SequencerFull,
        Self::ClockJump,
        Self::Restart,
        Self::Rollover,
        Self::TornWrite,
        Self::FullDisk,
        Self::SyncFailure,
        Self::ShortWrite,
        Self::SlowDisk,
        Self::ReadFailure,
        Self::Wipe,
        Self::NewSettings,
    ];

    /// How often it strikes where it can, before the run's own factor: what is drawn for every send is rare, what is
    /// drawn for every visit of a client is not.
    const fn rate(self) -> f64 {
        match self {
            Self::ShortSend | Self::FullSocket => 0.03,
            Self::Reset | Self::HalfClose | Self::Vanish => 0.02,
            Self::Stall | Self::SlowReader | Self::StrayBytes => 0.08,
            Self::SplitRequest | Self::LateNotice | Self::LateClosed | Self::TornMove => 0.2,
            Self::Unfinished => 0.02,
            Self::Reload | Self::Impatience => 0.1,
            Self::Repeat => 0.1,
            Self::StaleNotice => 0.05,
            Self::RefusedMove => 0.05,
            Self::ShardPause | Self::SequencerPause => 0.005,
            Self::LogFailure => 0.01,
            Self::SequencerFull => 0.02,
            Self::ClockJump => 0.1,
            Self::Restart | Self::Rollover => 0.05,
            Self::TornWrite => 0.01,
            Self::SyncFailure => 0.002,
            Self::FullDisk => 0.05,
            Self::ShortWrite => 0.2,
            Self::SlowDisk => 0.02,
            Self::ReadFailure => 0.1,
            Self::Wipe => 0.1,
            Self::NewSettings => 0.4,
        }
    }
}

/// What is decided at random although nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// The settings of the hub and the cast of the run.
    Scene,
    /// How long things take.
    Latency,
    /// In which order and portions a shard looks at what has happened.
    Order,
    /// What is published.
    Publish,
    /// What clients do.
    Client,
    /// Which streams clients ask for.
    Ask,
    /// Seeds of engines and logs.
    Seeds,
    /// How the log is kept, and how long it takes to read it.
    Log,
    /// Which requests have a key under which they can be repeated.
    Key,
}

const DRAWS: usize = 9;

/// All random streams of one run.
#[derive(Debug)]
pub struct Chance {
    rates: [f64; Fault::ALL.len()],
    faults: [Rng; Fault::ALL.len()],
    draws: [Rng; DRAWS],
}

impl Chance {
    /// The streams of the run with this seed, and its subset of faults.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let stream = |number: u64| Rng::with_seed(seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut faults: [Rng; Fault::ALL.len()] = std::array::from_fn(|index| stream(index as u64));
        let rates = std::array::from_fn(|index| {
            let factor = match faults[index].u8(..4) {
                0 | 1 => 0.0,
                2 => 0.3,
                _ => 1.0,
            };
            Fault::ALL[index].rate() * factor
        });
        Self { rates, faults, draws: std::array::from_fn(|index| stream(1000 + index as u64)) }
    }

    /// A run in which nothing goes wrong.
    pub fn heal(&mut self) {
        self.rates = [0.0; Fault::ALL.len()];
    }

    /// Makes one fault strike every so often, whatever the seed says.
    pub fn set_rate(&mut self, fault: Fault, rate: f64) {
        self.rates[fault as usize] = rate;
    }

    /// The faults of this run.
    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(|&fault| self.rates[fault as usize] > 0.0)
    }

    /// Whether `fault` can strike in this run.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.rates[fault as usize] > 0.0
    }

    /// Whether `fault` strikes now.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let index = fault as usize;
        self.rates[index] > 0.0 && self.faults[index].f64() < self.rates[index]
    }

    /// The stream for how hard `fault` strikes.
    pub fn of(&mut self, fault: Fault) -> &mut Rng {
        &mut self.faults[fault as usize]
    }

    /// The stream of one kind of decision.
    pub fn draw(&mut self, draw: Draw) -> &mut Rng {
        &mut self.draws[draw as usize]
    }

    /// A time between two bounds.
    pub fn time(&mut self, draw: Draw, min: Duration, max: Duration) -> Duration {
        between(self.draw(draw), min, max)
    }

    /// How long `fault` lasts.
    pub fn length(&mut self, fault: Fault, min: Duration, max: Duration) -> Duration {
        between(self.of(fault), min, max)
    }
}

fn between(rng: &mut Rng, min: Duration, max: Duration) -> Duration {
    Duration::from_nanos(rng.u64(min.as_nanos() as u64..=max.as_nanos() as u64))
}
