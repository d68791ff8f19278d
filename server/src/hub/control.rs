//! The control thread while the hub runs: obeys signals and commands, one at a time, until it is time to go.
//!
//! Not here: how the hub goes (`stop`), and what operators are shown (`admin`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::StartError;
use super::listeners::Listeners;
use super::signals::{Asked, Signals};
use super::stop::Ending;
use super::takeover::{Executable, Said, Successor};
use super::threads::Threads;
use crate::admin::AdminState;
use crate::control::{Command, ReloadReply};
use crate::systemd::Service;

/// See the module.
pub(super) struct Control<'a> {
    pub(super) state: AdminState,
    pub(super) reloader: mpsc::Sender<ReloadReply>,
    pub(super) threads: &'a mut Threads,
    pub(super) service: Service,
    /// Copies of all sockets, to be handed on. Absent once the hub is about to go.
    pub(super) listeners: Option<Listeners>,
    pub(super) executable: &'a Executable,
    /// Whether another process takes over; shared with who reloads.
    pub(super) takeover: Arc<AtomicBool>,
    /// Dropped to end the admin listener.
    pub(super) admin_end: Option<oneshot::Sender<()>>,
}

impl Control<'_> {
    /// Obeys until it is time to go. A hub that has lost its sequencer or its reader is an error: it must not go on without.
    pub(super) async fn obey(
        &mut self,
        signals: &mut Signals,
        orders: &mut mpsc::Receiver<Command>,
    ) -> Result<Ending, StartError> {
        let mut successor: Option<Successor> = None;
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop(signal) => return Ok(self.stop(signal, successor)),
                    Asked::TakeOver if successor.is_some() => {
                        tracing::warn!("SIGUSR2 is ignored: a takeover is under way");
                    }
                    Asked::TakeOver => successor = self.begin_takeover(),
                },
                said = next_of(&mut successor) => match (said, successor.take()) {
                    (Said::Prepared, Some(successor)) => return Ok(Ending::HandOver(successor)),
                    (Said::Failed(reason), _) => {
                        self.takeover.store(false, Ordering::SeqCst);
                        self.set_listeners();
                        tracing::error!(reason, "nothing is taken over, this hub goes on as before");
                    }
                    (Said::Prepared | Said::Serving, _) => {}
                },
                Some(command) = orders.recv() => match command {
                    Command::Drain => return Ok(self.stop("admin", successor)),
                    Command::Reload(_) if successor.is_some() => {
                        tracing::warn!("a reload over the admin API is ignored: a takeover is under way");
                    }
                    // One that finds no place hears that its reply is dropped.
                    Command::Reload(reply) => drop(self.reloader.try_send(reply)),
                },
                thread = self.threads.next_end() => {
                    tracing::error!(thread, "ended by itself");
                    return Err(StartError::ThreadLost);
                }
            }
        }
    }

    /// The process that was to take over has set what its own configuration says on the sockets that both have.
    fn set_listeners(&self) {
        if let Some(listeners) = &self.listeners {
            listeners.set_for(&self.state.config.now().config.stream);
        }
    }

    /// The window over which streams are ended.
    pub(super) fn drain_over(&self) -> Duration {
        self.state.config.now().config.drain.over
    }

    fn stop(&self, cause: &str, successor: Option<Successor>) -> Ending {
        tracing::info!(cause, over = ?self.drain_over(), "stopping");
        if let Some(successor) = successor {
            successor.abandon();
        }
        Ending::Stop
    }

    fn begin_takeover(&self) -> Option<Successor> {
        match self.start_successor() {
            Ok(successor) => {
                self.takeover.store(true, Ordering::SeqCst);
                Some(successor)
            }
            Err(error) => {
                tracing::error!(%error, "no process can be started to take over, this hub goes on as before");
                None
            }
        }
    }

    /// Starts a process that takes over, with copies of all sockets.
    pub(super) fn start_successor(&self) -> io::Result<Successor> {
        let Some(listeners) = &self.listeners else { return Err(io::ErrorKind::NotConnected.into()) };
        let successor = Successor::start(self.executable, listeners.copy()?)?;
        tracing::info!(pid = successor.pid(), "a process was started to take over");
        Ok(successor)
    }
}

/// What the process that takes over says next; for ever nothing if there is none.
async fn next_of(successor: &mut Option<Successor>) -> Said {
    match successor {
        Some(successor) => successor.next().await,
        None => std::future::pending().await,
    }
}
