//! Accepting by accept4(2), as many as the pace allows, once a listener has someone waiting.
//!
//! A listener may be shared with another shard, or with a hub that is taking over: its file must not be made
//! non-blocking, since that hub's ring would then accept nothing. So it is polled before each accept, and a time-out for
//! receiving bounds the accept of a connection that somebody else took in between (socket(7), `SO_RCVTIMEO`).

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use corecast_ring::{Errno, Listener, Watched};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::SockRef;

use super::news::{News, Told};
use crate::driver::sockets::set_user_timeout;

/// How long an accept waits for a connection that is gone.
const ACCEPT_TIMEOUT: Duration = Duration::from_millis(1);

/// See the module.
pub(super) struct Acceptor {
    sources: Vec<Source>,
    /// Whose turn it is, so that a herd at one does not keep the others waiting.
    next: usize,
    news: Rc<News>,
    stop: Rc<Stop>,
}

/// A listener, and whether somebody may wait at it. While nobody does it is watched.
struct Source {
    listener: Listener,
    watched: Rc<Watched>,
    is_ready: bool,
}

/// What became of one accept.
pub(super) enum Accepted {
    Connection(OwnedFd, SocketAddr),
    /// Nobody waits at any listener.
    Nobody,
    Failed(Errno),
}

impl Acceptor {
    /// Watches all the listeners.
    pub(super) fn new(listeners: Vec<Listener>, news: &Rc<News>) -> io::Result<Self> {
        let mut acceptor = Self { sources: Vec::new(), next: 0, news: Rc::clone(news), stop: Rc::default() };
        for listener in listeners {
            SockRef::from(&listener).set_read_timeout(Some(ACCEPT_TIMEOUT))?;
            let watched = Rc::new(Watched::new(fcntl_dupfd_cloexec(&listener, 0)?)?);
            acceptor.sources.push(Source { listener, watched, is_ready: false });
            acceptor.watch(acceptor.sources.len() - 1);
        }
        Ok(acceptor)
    }

    /// When the kernel gives up peers that connect from now on.
    pub(super) fn set_user_timeout(&self, timeout: Duration) {
        set_user_timeout(self.sources.iter().map(|source| &source.listener), timeout);
    }

    /// Somebody waits at this listener.
    pub(super) fn on_ready(&mut self, number: usize) {
        if let Some(source) = self.sources.get_mut(number) {
            source.is_ready = true;
        }
    }

    /// Whether somebody may wait.
    pub(super) fn is_ready(&self) -> bool {
        self.sources.iter().any(|source| source.is_ready)
    }

    /// The next connection.
    pub(super) fn accept(&mut self) -> Accepted {
        while let Some(number) = self.next_ready() {
            self.next = number + 1;
            match accept(&self.sources[number].listener) {
                Ok(Some((socket, peer))) => return Accepted::Connection(socket, peer),
                Ok(None) => {
                    self.sources[number].is_ready = false;
                    self.watch(number);
                }
                Err(errno) => return Accepted::Failed(errno),
            }
        }
        Accepted::Nobody
    }

    fn next_ready(&self) -> Option<usize> {
        let count = self.sources.len();
        (self.next..self.next + count)
            .map(|number| number % count)
            .find(|&number| self.sources[number].is_ready)
    }

    /// Accepts no more, and gives the address up if nobody else has the socket.
    pub(super) fn stop(&mut self) {
        self.sources.clear();
        self.stop.stop();
    }

    fn watch(&self, number: usize) {
        let watched = Rc::clone(&self.sources[number].watched);
        let (news, stop) = (Rc::clone(&self.news), Rc::clone(&self.stop));
        monoio::spawn(async move {
            let mut readable = pin!(watched.readable());
            let ready = poll_fn(|cx| match stop.poll(number, cx.waker()) {
                Poll::Ready(()) => Poll::Ready(false),
                Poll::Pending => readable.as_mut().poll(cx).map(|_| true),
            });
            if ready.await {
                news.tell(Told::Acceptable(number));
            }
        });
    }
}

/// One connection, or none if nobody waits. One that was reset while it waited is passed over.
fn accept(listener: &Listener) -> Result<Option<(OwnedFd, SocketAddr)>, Errno> {
    loop {
        let mut waiting = [PollFd::new(listener, PollFlags::IN)];
        if poll(&mut waiting, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? == 0 {
            return Ok(None);
        }
        match acceptfrom_with(listener, SocketFlags::CLOEXEC) {
            Ok((socket, Some(peer))) => {
                if let Ok(peer) = SocketAddr::try_from(peer) {
                    return Ok(Some((socket, peer)));
                }
            }
            // accept(2): errors of the new connection are to be treated like EAGAIN, by trying again.
            Ok((_, None))
            | Err(
                Errno::INTR
                | Errno::CONNABORTED
                | Errno::NETDOWN
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::HOSTUNREACH
                | Errno::OPNOTSUPP
                | Errno::NETUNREACH
                | Errno::PERM,
            ) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno),
        }
    }
}

/// Ends the watches of all listeners: as long as one is watched its address is taken.
#[derive(Default)]
struct Stop {
    stopped: RefCell<bool>,
    watches: RefCell<Vec<Option<Waker>>>,
}

impl Stop {
    fn poll(&self, number: usize, waker: &Waker) -> Poll<()> {
        if *self.stopped.borrow() {
            return Poll::Ready(());
        }
        let mut watches = self.watches.borrow_mut();
        let end = watches.len().max(number + 1);
        watches.resize(end, None);
        watches[number] = Some(waker.clone());
        Poll::Pending
    }

    fn stop(&self) {
        *self.stopped.borrow_mut() = true;
        for waker in self.watches.borrow_mut().drain(..).flatten() {
            waker.wake();
        }
    }
}
