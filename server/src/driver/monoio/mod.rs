//! The monoio driver: a shard hosted where io_uring is refused, or lacks what our own driver relies on.
//!
//! The shard's turn is the root of a monoio runtime, which does the waiting: with epoll, or with a plain ring. Each watch of
//! a connection is a task of its own, so an idle stream has one. Reads, sends and accepts are system calls that do not
//! block: the engine must know within the turn what was taken (`sockets.rs`), and no completion can tell it in time.
//!
//! monoio 0.2.4 has faults that this driver keeps clear of (io-uring.md §7): no accept of monoio's own, no `yield_now`, and a
//! runtime is never dropped. Not here: the turn itself (`host.rs`).

mod acceptor;
mod connections;
mod news;

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use corecast_ring::{Listener, Wake, Watched};
use monoio::time::TimeDriver;
use monoio::{FusionRuntime, IoUringDriver, LegacyDriver, RuntimeBuilder};
use rustix::io::fcntl_dupfd_cloexec;

use super::host::Host;
use crate::shard::Shard;

use acceptor::Acceptor;
pub(crate) use connections::DESCRIPTORS_BESIDE;
use connections::MonoioSockets;
use news::{News, Told};

/// What monoio waits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// A plain ring: one poll for each watch.
    Uring,
    /// epoll(7).
    Epoll,
}

/// Entries of the ring or of the list of events: more that are ready at the same time take another round.
pub(super) const ENTRIES: u32 = 4096;

/// A runtime for the thread that made it.
pub struct Runtime(FusionRuntime<TimeDriver<IoUringDriver>, TimeDriver<LegacyDriver>>);

impl Runtime {
    /// A runtime that waits with `waiter`.
    ///
    /// # Errors
    /// As io_uring_setup(2) or epoll_create(2).
    pub fn new(waiter: Waiter) -> io::Result<Self> {
        Ok(Self(match waiter {
            Waiter::Uring => {
                RuntimeBuilder::<IoUringDriver>::new().with_entries(ENTRIES).enable_timer().build()?.into()
            }
            Waiter::Epoll => {
                RuntimeBuilder::<LegacyDriver>::new().with_entries(ENTRIES).enable_timer().build()?.into()
            }
        }))
    }
}

/// Hosts `shard` until the hub has been told to stop and every connection has ended.
///
/// # Errors
/// The listeners or the shard's wake cannot be watched.
pub fn run(shard: Shard, mut runtime: Runtime, listeners: Vec<Listener>, capacity: u32) -> io::Result<()> {
    let ended = runtime.0.block_on(host(shard, listeners, capacity));
    // Dropping it would free what the kernel may still write to; the process is about to end.
    std::mem::forget(runtime);
    ended
}

async fn host(shard: Shard, listeners: Vec<Listener>, capacity: u32) -> io::Result<()> {
    let news = Rc::new(News::new(root_waker().await));
    let acceptor = Acceptor::new(listeners, &news)?;
    watch_wake(shard.inbox.wake(), &news)?;
    let mut host = Host::new(shard, MonoioSockets::new(acceptor, Rc::clone(&news), capacity), capacity);
    while !host.is_done() {
        host.turn();
        if host.is_busy() || !news.is_empty() {
            next_round().await;
            continue;
        }
        if let Some(timeout) = host.fall_asleep() {
            sleep(&news, timeout).await;
        }
        host.wake_up();
    }
    host.end();
    // What was closed last is given up by its watch in the next round.
    next_round().await;
    Ok(())
}

async fn root_waker() -> std::task::Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Lets monoio look at its sockets, without waiting, and run what they woke. A root that was woken while it
/// ran is polled again before either, so only the word of a task counts; it comes after all others, and makes monoio look.
async fn next_round() {
    let has_come = Rc::new(Cell::new(false));
    let mut has_begun = false;
    poll_fn(|cx| {
        if has_come.get() {
            return Poll::Ready(());
        }
        if !has_begun {
            has_begun = true;
            let (has_come, waker) = (Rc::clone(&has_come), cx.waker().clone());
            monoio::spawn(async move {
                has_come.set(true);
                waker.wake();
            });
        }
        Poll::Pending
    })
    .await;
}

/// Sleeps until there is news, or for so long.
async fn sleep(news: &News, timeout: Option<Duration>) {
    let mut timer = timeout.map(|timeout| Box::pin(monoio::time::sleep(timeout)));
    poll_fn(|cx| {
        let is_over = timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if is_over || !news.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Tells whenever another thread has woken the shard.
fn watch_wake(wake: &Wake, news: &Rc<News>) -> io::Result<()> {
    let wake = Watched::new(fcntl_dupfd_cloexec(wake, 0)?)?;
    let news = Rc::clone(news);
    monoio::spawn(async move {
        while pin!(wake.readable()).await.is_ok() {
            // Reading makes it unreadable until the next wake (eventfd(2)); it was readable, so this does not wait.
            let _ = rustix::io::read(&wake, &mut [0; 8]);
            news.tell(Told::Woken);
        }
    });
    Ok(())
}
