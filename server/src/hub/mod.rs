//! The running hub: starts its threads in order, watches for the signal to stop, and stops them in order.
//!
//! Threads: one for each shard, one sequencer, one reader if the log can be read, and this one, which is the control
//! thread (signals, the admin listener).

mod capacity;
mod control;
mod error;
mod keyring;
mod listeners;
mod log;
mod meanwhile;
mod reload;
mod signals;
mod status;
mod stop;
mod takeover;
mod threads;
mod watchdog;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

pub use error::StartError;
pub use takeover::PredecessorError;

use crate::admin::survey::Survey;
use crate::admin::{self, AdminState};
use crate::assets::assets;
use crate::census::SharedCensus;
use crate::clock::Clock;
use crate::config::{InForce, Loaded, Source};
use crate::control::{Commands, ControlStats, DrainProgress};
use crate::driver;
use crate::sequencer::SequencerQueue;
use crate::systemd::{Service, Sockets};

use capacity::{Capacity, Cores};
use control::Control;
use keyring::Keyring;
use listeners::Listeners;
use log::OpenLog;
use reload::{Parts, Reloader};
use signals::Signals;
use status::Status;
use takeover::{Executable, Predecessor};
use threads::{Prepared, ShardParts, Threads};
use watchdog::Watchdog;

/// What a hub is started with.
#[derive(Debug)]
pub struct HubOptions {
    /// Every setting, checked.
    pub loaded: Loaded,
    /// Where these are from, to be read again.
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
    /// What a process that takes over must have in its environment to be the same hub: the throw-away key.
    pub environment: Vec<(String, String)>,
}

impl std::fmt::Debug for DevOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The page holds a token.
        f.debug_struct("DevOptions").finish_non_exhaustive()
    }
}

/// Runs a hub until it is told to stop and has drained, or until it was taken over and has drained.
///
/// # Errors
/// Why it did not start, and what would help.
pub fn run(options: HubOptions) -> Result<(), StartError> {
    let service = Service::default();
    // Before anything else is opened: these are known by their numbers.
    let inherited = Sockets::inherited();
    let mut predecessor = None;
    let ended = inherited.map_err(StartError::from).and_then(|inherited| {
        predecessor = Predecessor::find()?;
        if predecessor.is_some() {
            service.be_silent();
        }
        start_and_run(options, &service, inherited, &mut predecessor)
    });
    if let Err(error) = &ended {
        let reason = error.to_string();
        service.status(&reason);
        if let Some(predecessor) = &predecessor {
            predecessor.failed(&reason);
        }
    }
    ended
}

fn start_and_run(
    options: HubOptions,
    service: &Service,
    inherited: Sockets,
    predecessor: &mut Option<Predecessor>,
) -> Result<(), StartError> {
    let HubOptions { loaded, source, dev } = options;
    let in_force = InForce::new(loaded);
    let config = in_force.config();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let mut signals = Signals::watch(&runtime)?;
    let (page, banner, environment) = match dev {
        Some(dev) => (Some(dev.page), Some(dev.banner), dev.environment),
        None => (None, None, Vec::new()),
    };
    let executable = Executable::of_this_process(environment).map_err(StartError::Runtime)?;
    let sockets = match predecessor {
        Some(predecessor) => predecessor.sockets()?,
        None => inherited,
    };

    let cores = Cores::find(&config);
    let driver = driver::choose(config.hub.driver, cores.shards).map_err(StartError::Selftest)?;
    let capacity = Capacity::find(&config, cores, driver.choice)?;
    let keyring = Keyring::load(&config)?;
    let token = config.admin_token();
    let token = token.map_err(|cause| StartError::Key { place: "admin.token".to_owned(), cause })?;
    let listeners = Listeners::open(&config, capacity.shards, sockets)?;
    if token.is_none() && !listeners.admin_addr().ip().is_loopback() {
        return Err(StartError::AdminOpen(listeners.admin_addr()));
    }
    capacity.report(&config, &listeners, &driver);
    let clock = Clock::start();
    let census = SharedCensus::new(config.limits.connections, config.limits.per_ip);
    let sequencer = SequencerQueue::new();
    let parts = ShardParts {
        config: &config,
        capacity: &capacity,
        driver: driver.choice,
        keyring: &keyring,
        census: &census,
        clock,
        assets: assets(page),
    };
    let prepared = Prepared::start(parts, listeners.deal(capacity.shards), &sequencer)?;
    if let Some(predecessor) = predecessor {
        log::look_through(&config, || predecessor.still_preparing())?;
        predecessor.wait_for_log()?;
    }
    // Connections wait in the listeners' queues while the log is read.
    let log = OpenLog::open(&config, clock, service)?;
    let view = log.readable.as_ref().map(|readable| readable.view.clone());
    let mut threads = prepared.begin(log, &sequencer)?;

    let (commands, mut orders) = Commands::channel();
    let state = AdminState {
        shards: threads.stats().into(),
        census: census.clone(),
        sequencer: sequencer.clone(),
        log: view,
        config: in_force.clone(),
        version: env!("CARGO_PKG_VERSION"),
        driver,
        started: SystemTime::now(),
        drain: DrainProgress::default(),
        control: ControlStats::default(),
        survey: Survey::new(threads.inboxes().into()),
        inboxes: threads.inboxes().into(),
        commands,
        listen: listeners.hub_addr(),
        admin: listeners.admin_addr(),
        token,
    };
    let admin_end = start_tasks(&runtime, &listeners, &state, &threads, service)?;
    let takeover = Arc::new(AtomicBool::new(false));
    let reloader = {
        let parts = Parts {
            source,
            in_force,
            keyring,
            admin_token: state.token.clone(),
            inboxes: threads.inboxes(),
            census,
            sequencer: sequencer.clone(),
            control: state.control.clone(),
            service: service.clone(),
            drain: state.drain.clone(),
            takeover: Arc::clone(&takeover),
        };
        let _context = runtime.enter();
        Reloader::new(parts)?.spawn()
    };
    announce(&listeners, banner);
    match predecessor.take() {
        Some(predecessor) => predecessor.serving(|| service.take_over()),
        None => service.ready(),
    }
    let mut control = Control {
        state,
        reloader,
        threads: &mut threads,
        service: service.clone(),
        listeners: Some(listeners),
        executable: &executable,
        takeover,
        admin_end: Some(admin_end),
    };
    // A hub that has lost a thread ends at once; one that has lost its successor drains first.
    let ending = runtime.block_on(control.obey(&mut signals, &mut orders))?;
    let outcome = runtime.block_on(control.let_go(ending, &mut signals));
    let over = control.drain_over();
    // The admin listener stays for as long as this is the hub.
    let _admin_end = control.admin_end.take();
    stop::wait_for_end(&runtime, threads, &sequencer, over, signals)?;
    outcome
}

/// Starts what goes on beside the control thread's own work. The admin listener ends when what is returned is dropped.
fn start_tasks(
    runtime: &Runtime,
    listeners: &Listeners,
    state: &AdminState,
    threads: &Threads,
    service: &Service,
) -> Result<oneshot::Sender<()>, StartError> {
    let (end, ended) = oneshot::channel::<()>();
    let (listener, admin) = (listeners.admin()?, state.clone());
    runtime.spawn(async move {
        let end = async {
            // It ends by being dropped, which is no error here.
            let _ = ended.await;
        };
        if let Err(error) = admin::serve(listener, admin, end).await {
            tracing::error!(%error, "the admin listener has ended, metrics are gone");
        }
    });
    let watchdog = Service::watchdog().map(|timeout| {
        let (inboxes, ask) = (threads.inboxes(), threads.ask());
        Watchdog::new(timeout, inboxes, state.sequencer.clone(), ask, state.control.clone())
    });
    let (shards, drain) = (state.shards.clone(), state.drain.clone());
    runtime.spawn(Status { shards, service: service.clone(), drain, watchdog }.say_on());
    Ok(end)
}

fn announce(listeners: &Listeners, banner: Option<Box<dyn FnOnce(SocketAddr, SocketAddr) -> String + Send>>) {
    let (hub, admin) = (listeners.hub_addr(), listeners.admin_addr());
    tracing::info!(%hub, %admin, pid = std::process::id(), "listening");
    if let Some(banner) = banner {
        println!("{}", banner(hub, admin));
    }
}
