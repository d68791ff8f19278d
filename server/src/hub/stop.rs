//! How a hub lets go: of its publishers, of its log, of its streams, in this order. For good, or to the process that takes
//! over.
//!
//! Invariant: whatever was acknowledged has reached the shards before streams end.
//! Not here: how streams are ended (`corecast_core::engine`), and who decides that it is time (`control`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use corecast_core::limits::LAST_REQUESTS_PATIENCE;
use tokio::sync::oneshot;

use super::StartError;
use super::control::Control;
use super::signals::Signals;
use super::status::{draining, totals};
use super::takeover::{Said, Successor};
use super::threads::{self, Threads};
use crate::sequencer::SequencerQueue;
use crate::shard::inbox::{Inbox, Mail};

/// How long the streams' ends may take beyond the drain itself before the process ends without them. A service manager's
/// patience must be longer (`TimeoutStopSec=`).
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// How long requests that have begun may take to be complete once the hub stops.
const REQUEST_PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether they are.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// How long a shard may take to turn.
const TURN_PATIENCE: Duration = Duration::from_secs(2);

/// Why another takeover cannot begin.
const UNDER_WAY: &str = "a takeover is under way";

/// How a hub goes on once it has been told to go.
pub(super) enum Ending {
    /// It stops.
    Stop,
    /// This process is prepared to go on with its sockets and its log.
    HandOver(Successor),
}

impl Control<'_> {
    /// Lets go of everything but the streams that are ending by then.
    pub(super) async fn let_go(&mut self, ending: Ending, signals: &mut Signals) -> Result<(), StartError> {
        self.state.drain.let_go();
        let over = self.drain_over();
        let outcome = match ending {
            Ending::Stop => {
                self.service.stopping();
                // No copy may be left here: whoever connects from now on is refused, or waits if the service manager has one.
                self.listeners.take();
                self.finish_requests().await;
                Ok(())
            }
            Ending::HandOver(successor) => self.hand_over(successor, signals).await,
        };
        let (streams, _) = totals(&self.state.shards);
        tracing::info!(streams, ?over, "streams are ended and told when to come back");
        self.state.drain.end_streams(streams, over);
        self.service.status(&draining(streams, streams));
        threads::send_to_all(&self.state.inboxes, || Mail::EndStreams);
        outcome
    }

    /// Answers what has been sent, and what connections at work send next.
    async fn finish_requests(&self) {
        let inboxes = &self.state.inboxes;
        threads::send_to_all(inboxes, || Mail::LastRequests);
        // Those that are not at work any more are closed when patience is over, and nothing is lost with them.
        let _ = tokio::time::timeout(LAST_REQUESTS_PATIENCE, requests_finished(inboxes)).await;
        threads::send_to_all(inboxes, || Mail::Drain);
        let finished = tokio::time::timeout(REQUEST_PATIENCE, requests_finished(inboxes)).await;
        if finished.is_err() {
            tracing::warn!(patience = ?REQUEST_PATIENCE, "some requests were not complete in time");
        }
    }

    /// Hands log and sockets to the process that takes over, and waits until it serves; if it ends before, to one more. If that
    /// fails too the hub is without a log, so it must end.
    async fn hand_over(&mut self, successor: Successor, signals: &mut Signals) -> Result<(), StartError> {
        let begun = Instant::now();
        self.finish_requests().await;
        close_log(self.threads, &self.state.sequencer, &self.state.inboxes).await?;
        let closed = begun.elapsed();
        let mut given = give_log(successor, signals).await;
        if let Given::Failed(reason) = &given {
            tracing::error!(
                reason,
                "the process that took over failed, and has had the log: another one takes it"
            );
            given = match self.start_successor() {
                Ok(another) => give_log(another, signals).await,
                Err(error) => Given::Failed(error.to_string()),
            };
        }
        let outcome = match given {
            Given::Serves(pid) => {
                tracing::info!(
                    pid,
                    waited_ms = begun.elapsed().as_millis() as u64,
                    log_closed_ms = closed.as_millis() as u64,
                    "taken over: connections waited so long, and none was refused"
                );
                self.service.be_silent();
                self.admin_end.take();
                Ok(())
            }
            Given::Stopped => {
                self.service.stopping();
                Ok(())
            }
            Given::Failed(reason) => {
                tracing::error!(reason, "no process goes on with the log: this hub must be restarted");
                self.service.stopping();
                Err(StartError::SuccessorLost(reason))
            }
        };
        self.listeners.take();
        outcome
    }
}

/// What became of a process that was given the log.
enum Given {
    /// It serves clients; its id.
    Serves(u32),
    /// It has ended before, and why.
    Failed(String),
    /// This hub was told to stop meanwhile, and has ended it.
    Stopped,
}

/// Gives a process the log, which is closed, as soon as it is prepared, and waits until it serves.
///
/// Once it has opened the log it may have acknowledged events that the shards here will never see, so this hub cannot go on
/// with that log itself.
async fn give_log(mut successor: Successor, signals: &mut Signals) -> Given {
    successor.hand_over();
    loop {
        tokio::select! {
            said = successor.next() => match said {
                Said::Prepared => {}
                Said::Serving => return Given::Serves(successor.pid()),
                Said::Failed(reason) => return Given::Failed(reason),
            },
            signal = signals.next_stop(UNDER_WAY) => {
                tracing::warn!(signal, "told to stop during a takeover: neither process goes on");
                successor.abandon();
                return Given::Stopped;
            }
        }
    }
}

/// Waits until no shard has a request left to finish: what is acknowledged can still be shown before streams end.
async fn requests_finished(inboxes: &[Inbox]) {
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    while !inboxes.iter().all(Inbox::has_finished_requests) {
        look.tick().await;
    }
}

/// Closes the log while the shards go on. What was handed in is kept and answered before; what comes later is refused.
async fn close_log(
    threads: &mut Threads,
    sequencer: &SequencerQueue,
    inboxes: &Arc<[Inbox]>,
) -> Result<(), StartError> {
    sequencer.refuse();
    // Behind this turn no shard can be about to hand something in.
    for (shard, inbox) in inboxes.iter().enumerate() {
        let (answer, answered) = oneshot::channel();
        let question = move |_: &mut _| {
            // Who asked has given up waiting.
            let _ = answer.send(());
        };
        let asked = inbox.try_send(Mail::Ask(Box::new(question))).is_ok();
        if !asked || tokio::time::timeout(TURN_PATIENCE, answered).await.is_err() {
            tracing::warn!(shard, patience = ?TURN_PATIENCE, "a shard did not turn in time, a publish may go unanswered");
        }
    }
    threads.close_log(sequencer).await
}

/// Waits until every stream has ended and every publish is answered; a second signal is obeyed at once.
pub(super) fn wait_for_end(
    runtime: &tokio::runtime::Runtime,
    threads: Threads,
    sequencer: &SequencerQueue,
    over: Duration,
    mut signals: Signals,
) -> Result<(), StartError> {
    let sequencer = sequencer.clone();
    let patience = over + STOP_PATIENCE;
    let stopped = runtime.block_on(async move {
        let joined = tokio::task::spawn_blocking(move || threads.join(&sequencer));
        tokio::select! {
            joined = joined => joined.unwrap_or(Err(StartError::ThreadLost)),
            signal = signals.next_stop("this process is about to end") => {
                tracing::warn!(signal, "told twice: ending without waiting for streams");
                std::process::exit(1);
            }
            () = tokio::time::sleep(patience) => {
                tracing::warn!(?patience, "some connections did not end, ending without them");
                std::process::exit(1);
            }
        }
    });
    tracing::info!("stopped");
    stopped
}
