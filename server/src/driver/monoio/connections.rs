//! Connections as descriptors of the process, so that `RLIMIT_NOFILE` bounds them all together.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use corecast_core::connection::ConnectionId;
use corecast_core::engine::Engine;
use corecast_core::engine::output::{BufferId, ShardId};
use corecast_core::engine::parcel::Parcel;
use corecast_core::time::Instant;
use corecast_ring::{Errno, RingCounters, Watched};
use rustix::io::{fcntl_dupfd_cloexec, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, Shutdown, connect_unspec, recv, send, shutdown};
use rustix::process::{Resource, getrlimit};
use slab::Slab;

use super::acceptor::{Accepted, Acceptor};
use super::news::{News, Told};
use crate::driver::pace::Pace;
use crate::driver::sockets::{Sockets, Watch};
use crate::shard::Shard;
use crate::shard::inbox::{Mail, Passage};

/// Descriptors of a hub beside its connections: listeners, log, admin, connections that are on their way to another shard.
pub(crate) const DESCRIPTORS_BESIDE: u64 = 256;

/// Read at once: as many as the other driver's buffers hold.
const RECEIVE_BYTES: usize = 16 * 1024;

/// See the module.
pub(super) struct MonoioSockets {
    connections: Slab<Connection>,
    /// What the tables of the engine are made for.
    capacity: usize,
    /// Descriptors from here on are for everything else: log, admin, takeover. The kernel gives out the lowest that is free.
    descriptors: u64,
    acceptor: Acceptor,
    news: Rc<News>,
    /// What was told, while it is gone through.
    told: Vec<Told>,
    buffer: Box<[u8]>,
    short: Vec<(ConnectionId, Result<u32, Errno>)>,
}

/// A connection, in the place that its id names.
struct Connection {
    id: ConnectionId,
    /// Shared with the tasks that watch it, which end when it does: `close` sees to that.
    socket: Rc<Watched>,
    /// The watches that are on, a bit each.
    watches: u8,
}

impl MonoioSockets {
    pub(super) fn new(acceptor: Acceptor, news: Rc<News>, capacity: u32) -> Self {
        let nofile = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self {
            connections: Slab::new(),
            capacity: capacity as usize,
            descriptors: nofile.saturating_sub(DESCRIPTORS_BESIDE),
            acceptor,
            news,
            told: Vec::new(),
            buffer: vec![0; RECEIVE_BYTES].into(),
            short: Vec::new(),
        }
    }

    fn present(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(id.index as usize).filter(|connection| connection.id == id)
    }

    /// Puts a socket into a place, whose number `introduce` tells the engine.
    fn settle(&mut self, socket: OwnedFd, introduce: impl FnOnce(u32) -> ConnectionId) -> Result<(), Errno> {
        if self.connections.len() >= self.capacity {
            return Err(Errno::NFILE);
        }
        if socket.as_raw_fd() as u64 >= self.descriptors {
            return Err(Errno::MFILE);
        }
        let socket = Rc::new(Watched::new(socket).map_err(|error| errno_of(&error))?);
        let place = self.connections.vacant_entry();
        let id = introduce(place.key() as u32);
        place.insert(Connection { id, socket, watches: 0 });
        Ok(())
    }
}

impl Sockets for MonoioSockets {
    fn take(&mut self, shard: &mut Shard, _: &mut Pace, readable: &mut Vec<ConnectionId>) -> usize {
        let mut told = std::mem::take(&mut self.told);
        self.news.swap(&mut told);
        let happened = told.len();
        for told in told.drain(..) {
            match told {
                Told::Ready(id, watch) => {
                    let Some(connection) = self.present(id) else { continue };
                    connection.watches &= !(watch as u8);
                    match watch {
                        Watch::Readable => readable.push(id),
                        Watch::Writable => shard.engine.handle_writable(id),
                    }
                }
                Told::Acceptable(number) => self.acceptor.on_ready(number),
                Told::Woken => {}
            }
        }
        self.told = told;
        happened
    }

    fn accept(&mut self, engine: &mut Engine, pace: &mut Pace, now: Instant) {
        if !self.acceptor.is_ready() {
            return;
        }
        let allowed = pace.allow(engine.connections(), 0, now);
        for unused in (0..allowed).rev() {
            let failed = match self.acceptor.accept() {
                Accepted::Connection(socket, peer) => {
                    self.settle(socket, |place| engine.handle_accepted(place, peer)).err()
                }
                Accepted::Nobody => return pace.on_nobody(unused + 1),
                Accepted::Failed(errno) => Some(errno),
            };
            if let Some(errno) = failed {
                pace.on_failure(errno, now);
                return pace.give_back(unused);
            }
        }
        if allowed > 0 {
            // More may wait. Without this the shard would sleep on them.
            self.news.tell(Told::Woken);
        }
    }

    fn stop_accepting(&mut self) {
        self.acceptor.stop();
    }

    /// An accept is over when it returns.
    fn accepts_armed(&self) -> u32 {
        0
    }

    fn set_user_timeout(&self, timeout: Duration) {
        self.acceptor.set_user_timeout(timeout);
    }

    fn receive(&mut self, from: &mut Vec<ConnectionId>, engine: &mut Engine) {
        for id in from.drain(..) {
            let Some(socket) = socket(&self.connections, id) else { continue };
            match receive(socket, &mut self.buffer) {
                Ok(bytes) => engine.handle_received(id, &self.buffer[..bytes]),
                Err(Errno::AGAIN) => self.watch(id, Watch::Readable),
                Err(_) => engine.handle_hangup(id),
            }
        }
    }

    fn watch(&mut self, id: ConnectionId, what: Watch) {
        let Some(connection) = self.present(id) else { return };
        if connection.watches & what as u8 != 0 {
            return;
        }
        connection.watches |= what as u8;
        let socket = Rc::clone(&connection.socket);
        let news = Rc::clone(&self.news);
        monoio::spawn(async move {
            // What is wrong with a socket its next read or send tells.
            let _ = match what {
                Watch::Readable => socket.readable().await,
                Watch::Writable => socket.writable().await,
            };
            news.tell(Told::Ready(id, what));
        });
    }

    fn send(&mut self, sends: &mut Vec<(ConnectionId, BufferId)>, engine: &mut Engine) {
        for (id, buffer) in sends.drain(..) {
            let Some(socket) = socket(&self.connections, id) else { continue };
            let bytes = engine.buffer(buffer);
            let taken = retry_on_intr(|| send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL));
            if taken != Ok(bytes.len()) {
                // The engine's buffers are at most as long as a ring can send at once, which is below 2^32.
                self.short.push((id, taken.map(|taken| taken as u32)));
            }
        }
        for (id, taken) in self.short.drain(..) {
            match taken {
                Ok(taken) => engine.handle_short_send(id, taken),
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => engine.handle_short_send(id, 0),
                Err(_) => engine.handle_send_failed(id),
            }
        }
    }

    /// Unread input would turn a close into a reset, which can destroy the last event on its way. A watch holds the
    /// socket: the end is sent by hand, which ends the watch as well.
    fn close(&mut self, closing: &mut Vec<ConnectionId>, moved: &mut Vec<ConnectionId>, engine: &mut Engine) {
        for id in closing.drain(..) {
            if let Some(socket) = socket(&self.connections, id) {
                let _ = receive(socket, &mut self.buffer);
                // Either fails only if the peer has ended the connection itself. Disconnecting resets it.
                let _ =
                    if engine.is_cut(id) { connect_unspec(socket) } else { shutdown(socket, Shutdown::Both) };
                self.connections.remove(id.index as usize);
            }
            engine.handle_closed(id);
        }
        for id in moved.drain(..) {
            if self.present(id).is_some() {
                self.connections.remove(id.index as usize);
            }
            engine.handle_closed(id);
        }
    }

    /// The home shard gets a descriptor of its own: that of this shard belongs to its runtime.
    fn pass(
        &mut self,
        from: ConnectionId,
        to: ShardId,
        parcel: Box<Parcel>,
        shard: &Shard,
    ) -> Result<(), Box<Parcel>> {
        let Some(Ok(copy)) = socket(&self.connections, from).map(|socket| fcntl_dupfd_cloexec(socket, 0))
        else {
            return Err(parcel);
        };
        let letter = Mail::Arriving { passage: Passage::Letter(copy), parcel };
        match shard.peers[to.0 as usize].try_send(letter) {
            Err(Mail::Arriving { parcel, .. }) => Err(parcel),
            // An inbox gives back the letter that was handed in.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn arrive(&mut self, passage: Passage, parcel: Box<Parcel>, engine: &mut Engine) {
        // All shards have the same driver, so that nothing else comes.
        let Passage::Letter(socket) = passage else { return };
        if let Err(errno) = self.settle(socket, |place| engine.handle_arrived(place, &parcel)) {
            // The shard filled up meanwhile. Its client comes back by itself.
            tracing::debug!(%errno, "a connection could not move to its home shard");
        }
    }

    /// Sockets come with their letters, so that none is announced.
    fn forget(&mut self, _: u64) {}

    /// Each is watched for as long as something is waited for.
    fn next_try(&self) -> Option<Instant> {
        None
    }

    /// There is no ring of ours.
    fn counters(&self) -> RingCounters {
        RingCounters::default()
    }
}

/// A connection's socket. A watch may tell of one whose place another has since taken.
fn socket(connections: &Slab<Connection>, id: ConnectionId) -> Option<&Watched> {
    let connection = connections.get(id.index as usize).filter(|connection| connection.id == id)?;
    Some(&connection.socket)
}

fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    let received = retry_on_intr(|| recv(socket, &mut *buffer, RecvFlags::DONTWAIT));
    received.map(|(bytes, _)| bytes)
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
