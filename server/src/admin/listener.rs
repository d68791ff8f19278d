//! Accepts admin connections and bounds what each may cost.
//!
//! Invariant: at most `connections_max` at once, each one exchange long and cut off at its deadline. So no peer,
//! however slow or many, holds more than a few buffers, and none keeps the others waiting for long. A stream leaves these
//! bounds for those of its own kind (`live`, `handed_on`), and is cut off once its reader takes nothing.
//! Not here: what is asked and answered (`routes`).

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use super::patience::Patient;
use super::{AdminState, routes};

/// What admin connections may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections at once; further ones wait in the kernel's backlog.
    pub(super) connections_max: usize,
    /// From accepting a connection to the last byte of its answer.
    pub(super) exchange_timeout: Duration,
    /// How long the reader of a stream may take nothing.
    pub(super) reader_timeout: Duration,
    /// How long exchanges under way may take to end once the hub stops.
    pub(super) shutdown_grace: Duration,
}

impl Default for Bounds {
    /// A few scrapers and a person at a time, and the 10 s after which Prometheus gives up on a scrape by default.
    fn default() -> Self {
        Self {
            connections_max: 16,
            exchange_timeout: Duration::from_secs(10),
            reader_timeout: Duration::from_secs(10),
            shutdown_grace: Duration::from_secs(1),
        }
    }
}

/// Bytes of a request head, and the size of the read buffer: the least that hyper takes, and far more than a scraper
/// sends.
const HEAD_BYTES_MAX: usize = 8192;

/// Bytes that the kernel takes for a reader before it must take some itself: a stream of small samples to one that reads
/// nothing would otherwise go on for an hour.
const SEND_BUFFER_BYTES: usize = 32 << 10;

/// Header fields of a request.
const HEADERS_MAX: usize = 64;

/// How long the listener looks away when the process has no descriptor left: the next attempt would fail as well.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Answers on `listener` until `shutdown` is ready. Needs a tokio runtime with I/O and time.
///
/// # Errors
/// `listener` could not be handed to the runtime. A connection that fails is no error here.
///
/// # Panics
/// A handler did.
pub async fn serve(
    listener: std::net::TcpListener,
    state: AdminState,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_within(Bounds::default(), listener, state, shutdown).await
}

/// As `serve`, within other bounds.
pub(super) async fn serve_within(
    bounds: Bounds,
    listener: std::net::TcpListener,
    state: AdminState,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let router = routes::router(state);
    let mut shutdown = pin!(shutdown);
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    let mut exchanges = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = exchanges.join_next() => pass_panic_on(ended),
            (socket, place) = accept_within(&places, &listener) => {
                exchanges.spawn(exchange(socket, router.clone(), bounds, Seat::new(place)));
            }
        }
    }
    // Nobody new may come while the last ones are answered. Those that take too long end with the set.
    drop(listener);
    let all_ended = async {
        while let Some(ended) = exchanges.join_next().await {
            pass_panic_on(ended);
        }
    };
    if timeout(bounds.shutdown_grace, all_ended).await.is_err() {
        tracing::debug!("admin exchanges were cut off by the stop");
    }
    Ok(())
}

/// The next connection, once there is a place for it.
async fn accept_within(
    places: &Arc<Semaphore>,
    listener: &TcpListener,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // Nobody closes it.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (accept(listener).await, place)
}

/// The next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return socket,
            Err(error) if is_of_the_peer(&error) => {
                tracing::debug!(%error, "an admin connection ended early")
            }
            Err(error) => {
                tracing::warn!(%error, "the admin listener cannot accept connections; retrying in {ACCEPT_PAUSE:?}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether `accept` failed for a connection that is gone already (accept(2), "Error handling").
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The place of a connection among those that are bounded. All clones are the same place; each request carries one.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    place: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    left: Arc<Notify>,
}

impl Seat {
    fn new(place: Option<OwnedSemaphorePermit>) -> Self {
        Self { place: Arc::new(Mutex::new(place)), left: Arc::default() }
    }

    /// The answer will be a stream, which has bounds of its own: gives up the place, and with it the deadline.
    pub(super) fn leave(&self) {
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.left.notify_one();
    }
}

/// One request and its answer. Connections are not kept: a scraper comes every few seconds, and a connection that
/// waits between requests could not be told from one that is stuck.
async fn exchange(socket: TcpStream, router: Router, bounds: Bounds, seat: Seat) {
    if let Err(error) = set_socket_send_buffer_size(&socket, SEND_BUFFER_BYTES) {
        tracing::debug!(%error, "an admin socket keeps its buffer");
    }
    let left = Arc::clone(&seat.left);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(seat.clone());
        router.call(request)
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(socket, bounds.reader_timeout)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = sleep(bounds.exchange_timeout) => {
            tracing::debug!(deadline = ?bounds.exchange_timeout, "an admin exchange was cut off at its deadline");
            return;
        }
        () = left.notified() => connection.await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an admin exchange failed");
    }
}

/// A handler that panics is a bug of ours, which ends the process instead of one exchange.
fn pass_panic_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}
