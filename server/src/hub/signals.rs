//! The signals that a hub obeys, watched from before it does anything else.

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::StartError;

/// See the module.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    take_over: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To stop; the signal's name.
    Stop(&'static str),
    /// To be taken over by a new process.
    TakeOver,
}

impl Signals {
    pub(super) fn watch(runtime: &Runtime) -> Result<Self, StartError> {
        let _context = runtime.enter();
        let on = |kind| signal(kind).map_err(StartError::Runtime);
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            take_over: on(SignalKind::user_defined2())?,
        })
    }

    /// What the next one asks for.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.take_over.recv() => Asked::TakeOver,
        }
    }

    /// The name of the next signal to stop. Others are refused with a line that says why.
    pub(super) async fn next_stop(&mut self, why_not: &str) -> &'static str {
        loop {
            match self.next().await {
                Asked::Stop(name) => return name,
                Asked::TakeOver => tracing::warn!("SIGUSR2 is ignored: {why_not}"),
            }
        }
    }
}
