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
pub mod reload;
mod threads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

pub use error::StartError;

use crate::admin::control_stats::ControlStats;
use crate::admin::survey::Survey;
use crate::admin::{self, AdminState};
use crate::census::SharedCensus;
use crate::clock::Clock;
use crate::config::{InForce, Loaded, Source};
use crate::sequencer::SequencerQueue;
use crate::shard::inbox::{Inbox, Mail};

use capacity::Capacity;
use command::{Command, Commands};
use keyring::Keyring;
use listeners::Listeners;
use log::OpenLog;
use reload::{Parts, Reloader};
use threads::{ShardParts, Threads};

/// How long the streams' ends may take beyond the window of the drain before the process ends without them.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// How long requests that have begun may take to be complete once the hub stops.
const REQUEST_PATIENCE: Duration = Duration::from_secs(2);

/// How often it is looked whether they are.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What a hub is started with.
#[derive(Debug)]
pub struct HubOptions {
    /// Every setting, checked.
    pub loaded: Loaded,
    /// Where they can be read again.
    pub source: Source,
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
    let HubOptions { loaded, source, dev } = options;
    let in_force = InForce::new(loaded);
    let config = in_force.config();
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
        ShardParts { config: &config, capacity: &capacity, keyring: &keyring, census: &census, clock, page },
        hub_listeners,
        log,
        &sequencer,
    )?;

    let (commands, mut orders) = Commands::channel();
    let control_stats = ControlStats::default();
    let draining = Arc::new(AtomicBool::new(false));
    let state = AdminState {
        shards: threads.stats().into(),
        census: census.clone(),
        sequencer: sequencer.clone(),
        log: log_view,
        config: in_force.clone(),
        version: env!("CARGO_PKG_VERSION"),
        started: SystemTime::now(),
        draining: Arc::clone(&draining),
        control: control_stats.clone(),
        survey: Survey::new(threads.inboxes().into()),
        inboxes: threads.inboxes().into(),
        commands,
        listen: hub,
        admin,
        token: config
            .admin_token()
            .map_err(|cause| StartError::Key { place: "admin.token".to_owned(), cause })?,
    };
    let reloader = {
        let _context = runtime.enter();
        let (inboxes, sequencer) = (threads.inboxes(), sequencer.clone());
        Reloader::new(Parts {
            source,
            in_force,
            keyring,
            inboxes,
            census,
            sequencer,
            control: control_stats,
        })?
    };
    tracing::info!(%hub, %admin, "listening");
    if let Some(banner) = banner {
        println!("{}", banner(hub, admin));
    }
    let over = runtime.block_on(control(
        reloader,
        &mut threads,
        admin_listener,
        state,
        &mut signals,
        &mut orders,
    ))?;
    stop(&runtime, threads, &sequencer, signals, over + STOP_PATIENCE)
}

/// Serves the admin listener and reloads, and drains the hub when told to; the window of the drain. A hub that has lost its sequencer or its reader is an error:
/// it must not go on without.
async fn control(
    reloader: Reloader,
    threads: &mut Threads,
    listener: std::net::TcpListener,
    state: AdminState,
    signals: &mut Signals,
    orders: &mut mpsc::Receiver<Command>,
) -> Result<Duration, StartError> {
    let inboxes = threads.inboxes();
    let (draining, in_force) = (Arc::clone(&state.draining), state.config.clone());
    tokio::spawn(async move {
        if let Err(error) = admin::serve(listener, state, std::future::pending()).await {
            tracing::error!(%error, "the admin listener has ended, metrics are gone");
        }
    });
    let reloads = reloader.spawn();
    let cause = loop {
        tokio::select! {
            signal = signals.next() => break signal,
            Some(command) = orders.recv() => match command {
                Command::Drain => break "admin",
                // One that finds no place hears that its reply is dropped.
                Command::Reload(reply) => drop(reloads.try_send(reply)),
            },
            thread = threads.next_end() => {
                tracing::error!(thread, "ended by itself");
                return Err(StartError::ThreadLost);
            }
        }
    };
    let over = in_force.now().config.drain.over;
    tracing::info!(cause, ?over, "stopping: streams are ended and told when to come back");
    draining.store(true, Ordering::Relaxed);
    threads::send_to_all(&inboxes, || Mail::Drain);
    let finished = tokio::time::timeout(REQUEST_PATIENCE, requests_finished(&inboxes)).await;
    if finished.is_err() {
        tracing::warn!(patience = ?REQUEST_PATIENCE, "some requests were not complete in time");
    }
    threads::send_to_all(&inboxes, || Mail::EndStreams);
    Ok(over)
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
    patience: Duration,
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
            () = tokio::time::sleep(patience) => {
                tracing::warn!(?patience, "some connections did not end, ending without them");
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
