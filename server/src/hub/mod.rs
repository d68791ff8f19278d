//! The running hub: starts its threads in order, watches for the signal to stop, and stops them in order.
//!
//! Threads: one for each shard, one sequencer, one reader if the log can be read, and this one, which is the control
//! thread (signals, the admin listener).

mod capacity;
pub mod command;
mod error;
mod keyring;
mod listeners;
mod log;
mod threads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

pub use error::StartError;

use crate::admin::{self, AdminState};
use crate::assets::assets;
use crate::census::SharedCensus;
use crate::clock::Clock;
use crate::config::Config;
use crate::sequencer::SequencerQueue;
use crate::shard::inbox::{Inbox, Mail};

use capacity::Capacity;
use command::{Command, Commands};
use keyring::Keyring;
use listeners::Listeners;
use log::OpenLog;
use threads::{ShardParts, Threads};

/// How long the streams' ends may take beyond the drain itself before the process ends without them.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// How long requests that have begun may take to be complete once the hub stops.
const REQUEST_PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether they are.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What a hub is started with.
#[derive(Debug)]
pub struct HubOptions {
    /// Every setting, checked.
    pub config: Config,
    /// Set for `corecast dev`.
    pub dev: Option<DevOptions>,
}

/// What a demo hub does besides.
pub struct DevOptions {
    /// The HTML page to serve at `/`, with its token filled in.
    pub page: String,
    /// What to print on standard output once both listeners are up, from the addresses they really have.
    pub banner: Box<dyn FnOnce(SocketAddr, SocketAddr) -> String + Send>,
}

impl std::fmt::Debug for DevOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The page holds a token.
        f.debug_struct("DevOptions").finish_non_exhaustive()
    }
}

/// Runs a hub until it is told to stop and has drained.
///
/// # Errors
/// Why it did not start, and what would help.
pub fn run(options: HubOptions) -> Result<(), StartError> {
    let HubOptions { config, dev } = options;
    let capacity = Capacity::find(&config)?;
    corecast_ring::selftest().map_err(StartError::Selftest)?;
    let keyring = Keyring::load(&config)?;
    let listeners = Listeners::bind(&config, capacity.shards)?;
    capacity.report(&config, &listeners);
    let clock = Clock::start();
    // Connections wait in the listeners' queues while the log is read.
    let log = OpenLog::open(&config, clock)?;
    let log_view = log.readable.as_ref().map(|readable| readable.view.clone());

    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let mut signals = Signals::watch(&runtime)?;
    let (page, banner) = dev.map_or((None, None), |dev| (Some(dev.page), Some(dev.banner)));
    let census = SharedCensus::new(config.limits.connections, config.limits.per_ip);
    let sequencer = SequencerQueue::new();
    let (hub, admin) = (listeners.hub_addr(), listeners.admin_addr());
    let Listeners { hub: hub_listeners, admin: admin_listener, .. } = listeners;
    let mut threads = Threads::start(
        ShardParts {
            config: &config,
            capacity: &capacity,
            keyring: &keyring,
            census: &census,
            clock,
            assets: assets(page),
        },
        hub_listeners,
        log,
        &sequencer,
    )?;

    let (commands, mut orders) = Commands::channel();
    let draining = Arc::new(AtomicBool::new(false));
    let state = AdminState {
        shards: threads.stats().into(),
        census,
        sequencer: sequencer.clone(),
        log: log_view,
        limits: config.settings().limits,
        version: env!("CARGO_PKG_VERSION"),
        started: SystemTime::now(),
        draining: Arc::clone(&draining),
        inboxes: threads.inboxes().into(),
        commands,
    };
    tracing::info!(%hub, %admin, "listening");
    if let Some(banner) = banner {
        println!("{}", banner(hub, admin));
    }
    runtime.block_on(control(
        &config,
        keyring,
        &mut threads,
        admin_listener,
        state,
        &mut signals,
        &mut orders,
    ))?;
    stop(&runtime, threads, &sequencer, signals)
}

/// Serves the admin listener, and drains the hub when told to. A hub that has lost its sequencer or its reader is an error:
/// it must not go on without.
async fn control(
    config: &Config,
    keyring: Keyring,
    threads: &mut Threads,
    listener: std::net::TcpListener,
    state: AdminState,
    signals: &mut Signals,
    orders: &mut mpsc::Receiver<Command>,
) -> Result<(), StartError> {
    let inboxes = threads.inboxes();
    let draining = Arc::clone(&state.draining);
    tokio::spawn(async move {
        if let Err(error) = admin::serve(listener, state, std::future::pending()).await {
            tracing::error!(%error, "the admin listener has ended, metrics are gone");
        }
    });
    tokio::spawn(keyring.refresh(inboxes.clone()));
    let cause = tokio::select! {
        signal = signals.next() => signal,
        Some(Command::Drain) = orders.recv() => "admin",
        thread = threads.next_end() => {
            tracing::error!(thread, "ended by itself");
            return Err(StartError::ThreadLost);
        }
    };
    tracing::info!(cause, over = ?config.drain.over, "stopping: streams are ended and told when to come back");
    draining.store(true, Ordering::Relaxed);
    threads::send_to_all(&inboxes, || Mail::Drain);
    let finished = tokio::time::timeout(REQUEST_PATIENCE, requests_finished(&inboxes)).await;
    if finished.is_err() {
        tracing::warn!(patience = ?REQUEST_PATIENCE, "some requests were not complete in time");
    }
    threads::send_to_all(&inboxes, || Mail::EndStreams);
    Ok(())
}

/// Waits until no shard has a request left to finish: what is acknowledged can still be shown before streams end.
async fn requests_finished(inboxes: &[Inbox]) {
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    while !inboxes.iter().all(Inbox::has_finished_requests) {
        look.tick().await;
    }
}

/// Waits until every stream has ended and every publish is answered; a second signal is obeyed at once.
fn stop(
    runtime: &tokio::runtime::Runtime,
    threads: Threads,
    sequencer: &SequencerQueue,
    mut signals: Signals,
) -> Result<(), StartError> {
    let sequencer = sequencer.clone();
    let stopped = runtime.block_on(async move {
        let joined = tokio::task::spawn_blocking(move || threads.join(&sequencer));
        tokio::select! {
            joined = joined => joined.unwrap_or(Err(StartError::ThreadLost)),
            signal = signals.next() => {
                tracing::warn!(signal, "told twice: ending without waiting for streams");
                std::process::exit(1);
            }
            () = tokio::time::sleep(STOP_PATIENCE) => {
                tracing::warn!(patience = ?STOP_PATIENCE, "some connections did not end, ending without them");
                std::process::exit(1);
            }
        }
    });
    tracing::info!("stopped");
    stopped
}

/// The signals that stop a hub, watched from before it says that it runs.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn watch(runtime: &tokio::runtime::Runtime) -> Result<Self, StartError> {
        let _context = runtime.enter();
        let on = |kind| signal(kind).map_err(StartError::Runtime);
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
