//! The watchdog: the service manager is told that the hub is alive once every thread of it has proved it.
//!
//! A timer would go on telling it while a shard is stuck. So each shard is asked something through its inbox, which it
//! answers between two turns, and the sequencer and the reader are asked to turn. Only when all have answered are they
//! asked anew, and the service manager is told.
//! Not here: what it does to a hub that is silent (`WatchdogSec=`), and the control thread itself, which asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::WeakSender;

use crate::control::ControlStats;
use crate::log::replay::ReplayRequest;
use crate::sequencer::SequencerQueue;
use crate::shard::inbox::{Inbox, Mail};

/// Parts of the service manager's patience after which it is told: two may be late.
const PARTS: u32 = 3;

/// See the module.
pub(super) struct Watchdog {
    interval: Duration,
    inboxes: Vec<Inbox>,
    sequencer: SequencerQueue,
    reader: Option<WeakSender<ReplayRequest>>,
    /// Those who have been asked and have not been seen to answer.
    open: Vec<Question>,
    asked: Instant,
    counts: ControlStats,
}

/// What somebody has been asked.
struct Question {
    whom: Whom,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Whom {
    Shard(usize),
    Sequencer,
    Reader,
}

enum Answer {
    /// Set to true by who is asked.
    Flag(Arc<AtomicBool>),
    /// The number of a question to the sequencer.
    Turn(u64),
    /// There was no room to ask.
    NotAsked,
}

impl Watchdog {
    /// Nobody has been asked yet. `timeout` is the service manager's.
    pub(super) fn new(
        timeout: Duration,
        inboxes: Vec<Inbox>,
        sequencer: SequencerQueue,
        reader: Option<WeakSender<ReplayRequest>>,
        counts: ControlStats,
    ) -> Self {
        let mut watchdog = Self {
            interval: timeout / PARTS,
            inboxes,
            sequencer,
            reader,
            open: Vec::new(),
            asked: Instant::now(),
            counts,
        };
        watchdog.ask();
        watchdog
    }

    /// How often [`Watchdog::all_are_alive`] is to be called.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether all have answered since they were asked; then they are asked anew. Who has not is named in the log.
    pub(super) fn all_are_alive(&mut self) -> bool {
        let Self { inboxes, sequencer, open, .. } = self;
        open.retain(|question| !question.is_settled(inboxes, sequencer));
        for question in open.iter_mut().filter(|question| matches!(question.answer, Answer::NotAsked)) {
            // Without room a shard is not stuck for sure; it is asked as soon as there is some.
            question.answer = question.whom.ask(inboxes, sequencer, self.reader.as_ref());
        }
        if self.open.is_empty() {
            self.counts.note_watch(true);
            self.ask();
            return true;
        }
        self.counts.note_watch(false);
        let silent: Vec<String> = self.open.iter().map(|question| question.whom.name()).collect();
        let seconds = self.asked.elapsed().as_secs_f64();
        tracing::error!(
            silent = silent.join(", "),
            seconds = format!("{seconds:.1}"),
            "no sign of life since it was asked for one, so the watchdog is not fed"
        );
        false
    }

    fn ask(&mut self) {
        let shards = (0..self.inboxes.len()).map(Whom::Shard);
        let reader = self.reader.is_some().then_some(Whom::Reader);
        let all = shards.chain([Whom::Sequencer]).chain(reader);
        let question = |whom: Whom| Question {
            whom,
            answer: whom.ask(&self.inboxes, &self.sequencer, self.reader.as_ref()),
        };
        self.open = all.map(question).collect();
        self.asked = Instant::now();
    }
}

impl Whom {
    fn name(self) -> String {
        match self {
            Self::Shard(number) => format!("shard {number}"),
            Self::Sequencer => "the sequencer".to_owned(),
            Self::Reader => "the reader of the log".to_owned(),
        }
    }

    fn ask(
        self,
        inboxes: &[Inbox],
        sequencer: &SequencerQueue,
        reader: Option<&WeakSender<ReplayRequest>>,
    ) -> Answer {
        let flag = Arc::new(AtomicBool::new(false));
        let answer = flag.clone();
        let was_asked = match self {
            Self::Sequencer => return Answer::Turn(sequencer.ask_to_turn()),
            Self::Shard(number) => {
                let question = Box::new(move |_: &mut _| answer.store(true, Ordering::SeqCst));
                inboxes[number].try_send(Mail::Ask(question)).is_ok()
            }
            // Once no shard can ask it any more it ends, as it should.
            Self::Reader => match reader.and_then(WeakSender::upgrade) {
                Some(reader) => reader.try_send(ReplayRequest::Turn(answer)).is_ok(),
                None => {
                    answer.store(true, Ordering::SeqCst);
                    true
                }
            },
        };
        if was_asked { Answer::Flag(flag) } else { Answer::NotAsked }
    }
}

impl Question {
    /// Whether there is nothing more to wait for: it was answered, or who was asked has ended in good order.
    fn is_settled(&self, inboxes: &[Inbox], sequencer: &SequencerQueue) -> bool {
        let has_ended = match self.whom {
            Whom::Shard(number) => inboxes[number].has_ended(),
            Whom::Sequencer => sequencer.is_stopped(),
            Whom::Reader => false,
        };
        has_ended
            || match &self.answer {
                Answer::Flag(flag) => flag.load(Ordering::SeqCst),
                Answer::Turn(question) => sequencer.has_turned(*question),
                Answer::NotAsked => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use corecast_core::auth::{Keys, Verifier};
    use corecast_core::engine::output::ShardId;
    use corecast_core::engine::{Engine, EngineOptions};
    use corecast_core::hash::HashSeed;
    use corecast_core::id::{Incarnation, Position};
    use corecast_core::settings::Settings;
    use corecast_ring::Wake;
    use tokio::sync::mpsc;

    use super::*;
    use crate::census::SharedCensus;
    use crate::log::{MemoryLog, replay};
    use crate::sequencer::Sequencer;

    struct Scene {
        inboxes: Vec<Inbox>,
        sequencer: SequencerQueue,
        requests: mpsc::Receiver<ReplayRequest>,
        ask: mpsc::Sender<ReplayRequest>,
        counts: ControlStats,
        watchdog: Watchdog,
    }

    fn scene() -> Scene {
        let inboxes = vec![Inbox::new(Wake::new().unwrap())];
        let sequencer = SequencerQueue::new();
        let (ask, requests) = replay::channel(1);
        let counts = ControlStats::default();
        let reader = Some(ask.downgrade());
        let timeout = Duration::from_secs(30);
        let watchdog = Watchdog::new(timeout, inboxes.clone(), sequencer.clone(), reader, counts.clone());
        Scene { inboxes, sequencer, requests, ask, counts, watchdog }
    }

    impl Scene {
        /// Proofs and misses.
        fn seen(&self) -> (u64, u64) {
            let seen = self.counts.snapshot();
            (seen.watchdog_proofs, seen.watchdog_misses)
        }

        fn shard_turns(&self) {
            let mut engine = engine();
            while let Some(mail) = self.inboxes[0].next_mail() {
                let Mail::Ask(question) = mail else { continue };
                question(&mut engine);
            }
        }

        fn reader_turns(&mut self) {
            while let Ok(ReplayRequest::Turn(turned)) = self.requests.try_recv() {
                turned.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Lets a sequencer turn for as long as it takes to answer what it has been asked, and then be stuck.
    fn sequencer_turns(queue: &SequencerQueue) {
        let log = MemoryLog::new(Incarnation(1), Settings::default().history);
        Sequencer::new(queue.clone(), log, Vec::new()).turn();
    }

    fn engine() -> Engine {
        let seed = HashSeed::new(1);
        let options = EngineOptions {
            shard: ShardId(0),
            shards: 1,
            slots: 1,
            incarnation: Incarnation(1),
            newest: Position(0),
            hash_seed: seed,
            random_seed: 1,
            verifier: Verifier::new(Keys::new(), 1, 1),
            replays: false,
            census: Box::new(SharedCensus::new(1, 0)),
            assets: [].into(),
        };
        Engine::new(Settings::default(), options)
    }

    #[test]
    fn all_must_answer_before_the_watchdog_is_fed() {
        let mut scene = scene();
        assert_eq!(scene.watchdog.interval(), Duration::from_secs(10));
        assert!(!scene.watchdog.all_are_alive(), "nobody has answered");
        scene.shard_turns();
        assert!(!scene.watchdog.all_are_alive(), "a shard is not all");
        scene.reader_turns();
        assert!(!scene.watchdog.all_are_alive(), "the sequencer is stuck");
        assert_eq!(scene.seen(), (0, 3));
        sequencer_turns(&scene.sequencer);
        assert!(scene.watchdog.all_are_alive());
        assert!(!scene.watchdog.all_are_alive(), "they were asked anew");
        assert_eq!(scene.seen(), (1, 4));
    }

    #[test]
    fn who_is_stuck_is_named() {
        let mut scene = scene();
        scene.reader_turns();
        sequencer_turns(&scene.sequencer);
        assert!(!scene.watchdog.all_are_alive());
        let silent: Vec<String> = scene.watchdog.open.iter().map(|question| question.whom.name()).collect();
        assert_eq!(silent, ["shard 0"]);
    }

    #[test]
    fn a_shard_without_room_for_a_question_is_asked_again() {
        let inbox = Inbox::new(Wake::new().unwrap());
        while inbox.try_send(Mail::Drain).is_ok() {}
        let sequencer = SequencerQueue::new();
        let timeout = Duration::from_secs(3);
        let counts = ControlStats::default();
        let mut watchdog = Watchdog::new(timeout, vec![inbox.clone()], sequencer.clone(), None, counts);
        sequencer_turns(&sequencer);
        assert!(!watchdog.all_are_alive());
        while inbox.next_mail().is_some() {}
        assert!(!watchdog.all_are_alive(), "now it is asked");
        assert!(matches!(inbox.next_mail(), Some(Mail::Ask(_))));
    }

    #[test]
    fn who_has_ended_in_good_order_need_not_answer() {
        let mut scene = scene();
        scene.inboxes[0].close();
        scene.sequencer.stop();
        scene.reader_turns();
        drop(scene.ask);
        assert!(scene.watchdog.all_are_alive(), "all have ended");
        assert!(scene.watchdog.all_are_alive(), "the reader has nobody left to ask it");
    }
}
