//! Thousands of subscribers on one thread (epoll through mio), each read as strictly as a single one.
//!
//! Invariant: a member remembers every event it saw, in order, so that a test can say "each exactly once".
//! Not here: more sockets than one process may have; the `swarm` binary is one process of several.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockRef, Socket, Type};

use crate::request::Subscribe;
use crate::wire::event_stream::{Item, Received};
use crate::wire::head::ResponseHead;
use crate::wire::printable;
use crate::wire::response::{End, Eof, ResponseReader};

/// Connections of one source address: far below the 28,232 ephemeral ports that Linux has by default, since those of
/// connections that have ended stay taken for a minute.
const MEMBERS_PER_SOURCE: usize = 1000;

/// Connects under way at once: a hub's accept backlog takes them without a dropped SYN and its one-second retry.
const CONNECTING_MAX: usize = 512;

/// A member of a swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub usize);

/// A subscriber among thousands.
#[derive(Debug)]
pub struct Member {
    request: Vec<u8>,
    sent: usize,
    socket: Option<TcpStream>,
    reader: ResponseReader,
    seen: Vec<u32>,
    control: Vec<Received>,
    last_event_id: Option<String>,
    end: Option<End>,
    is_open: bool,
    is_stalled: bool,
}

impl Member {
    /// The numbers in the data of all events it saw, over all its connections.
    #[must_use]
    pub fn seen(&self) -> &[u32] {
        &self.seen
    }

    /// The hub's own events, `corecast.…`.
    #[must_use]
    pub fn control(&self) -> &[Received] {
        &self.control
    }

    /// The id of the last event with one.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// How its last connection ended; `None` while it has not.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// The head of its last answer.
    #[must_use]
    pub fn head(&self) -> Option<&ResponseHead> {
        self.reader.head()
    }

    /// Whether it is a stream whose first bytes have come and whose end has not.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }
}

/// Thousands of subscribers.
#[derive(Debug)]
pub struct Swarm {
    addr: SocketAddr,
    first_source: u8,
    receive_bytes: Option<usize>,
    poll: Poll,
    ready: Events,
    members: Vec<Member>,
    waiting: Vec<MemberId>,
    connecting: usize,
    opened: usize,
    open: usize,
    events: usize,
    bytes: u64,
}

impl Swarm {
    /// A swarm around a hub on loopback, from addresses 127.0.0.`first_source` on.
    ///
    /// # Panics
    /// If the process may not have another descriptor.
    #[must_use]
    pub fn around(addr: SocketAddr, first_source: u8) -> Self {
        raise_nofile();
        let poll = Poll::new().expect("an epoll descriptor");
        let (members, waiting) = (Vec::new(), Vec::new());
        Self {
            addr,
            first_source,
            receive_bytes: None,
            poll,
            ready: Events::with_capacity(4096),
            members,
            waiting,
            connecting: 0,
            opened: 0,
            open: 0,
            events: 0,
            bytes: 0,
        }
    }

    /// Gives those who connect from now on so little room to receive that they fall behind when they stall.
    #[must_use]
    pub fn narrow(mut self, receive_bytes: usize) -> Self {
        self.receive_bytes = Some(receive_bytes);
        self
    }

    /// Adds a member. It connects when the swarm is driven.
    pub fn join(&mut self, request: &Subscribe) -> MemberId {
        let id = MemberId(self.members.len());
        self.members.push(Member {
            request: request.encode(),
            sent: 0,
            socket: None,
            reader: ResponseReader::default(),
            seen: Vec::new(),
            control: Vec::new(),
            last_event_id: None,
            end: None,
            is_open: false,
            is_stalled: false,
        });
        self.waiting.push(id);
        id
    }

    /// Drops a member's connection, as a closed or reloaded page does.
    pub fn leave(&mut self, id: MemberId) {
        let member = &mut self.members[id.0];
        let was_connected = member.socket.take().is_some();
        if was_connected && member.sent < member.request.len() {
            self.connecting -= 1;
        }
        if std::mem::take(&mut member.is_open) {
            self.open -= 1;
        }
        member.is_stalled = false;
    }

    /// As `leave`, with a reset, as a crashed process or a lost address does.
    pub fn leave_abruptly(&mut self, id: MemberId) {
        if let Some(socket) = &self.members[id.0].socket {
            SockRef::from(socket).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
        }
        self.leave(id);
    }

    /// Reads nothing of what comes for a member until it is to `go_on`.
    pub fn stall(&mut self, id: MemberId) {
        self.members[id.0].is_stalled = true;
    }

    /// Reads what came for a member meanwhile, and what comes from now on.
    pub fn go_on(&mut self, id: MemberId) {
        self.members[id.0].is_stalled = false;
        self.read(id);
    }

    /// Connects a member again, with another request; what it saw is kept.
    pub fn come_back(&mut self, id: MemberId, request: &Subscribe) {
        self.leave(id);
        let member = &mut self.members[id.0];
        member.request = request.encode();
        member.sent = 0;
        member.reader = ResponseReader::default();
        member.end = None;
        self.waiting.push(id);
    }

    /// A member.
    #[must_use]
    pub fn member(&self, id: MemberId) -> &Member {
        &self.members[id.0]
    }

    /// All members, in the order they joined.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Members whose stream is open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Streams that have opened since the start.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.opened
    }

    /// Events that have come, to all members together; control events not counted.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events
    }

    /// Bytes that have come, to all members together, heads included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Serves all connections until `done`.
    ///
    /// # Panics
    /// After `within`, naming `what` was waited for; or if the hub sends what no client should have to read.
    pub fn drive_until(&mut self, within: Duration, what: &str, done: impl Fn(&Self) -> bool) {
        const TURN: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + within;
        while !done(self) {
            assert!(Instant::now() < deadline, "not within {within:?}: {what}; {:?}", Summary(self));
            self.serve_once(TURN);
        }
    }

    /// Serves the connections that are ready, or will be `within` this time.
    ///
    /// # Panics
    /// If the hub sends what no client should have to read.
    pub fn serve_once(&mut self, within: Duration) {
        self.connect_waiting();
        match self.poll.poll(&mut self.ready, Some(within)) {
            Err(e) if e.kind() == ErrorKind::Interrupted => return,
            outcome => outcome.expect("epoll works"),
        }
        let mut ready = std::mem::replace(&mut self.ready, Events::with_capacity(0));
        for event in &ready {
            self.on_ready(MemberId(event.token().0), event.is_writable());
        }
        std::mem::swap(&mut self.ready, &mut ready);
    }

    fn connect_waiting(&mut self) {
        while self.connecting < CONNECTING_MAX {
            let Some(id) = self.waiting.pop() else { return };
            let mut socket = self.begin_connect(id);
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut socket, Token(id.0), interest)
                .expect("epoll takes a new socket");
            self.members[id.0].socket = Some(socket);
            self.connecting += 1;
        }
    }

    fn begin_connect(&self, id: MemberId) -> TcpStream {
        let source =
            self.first_source + u8::try_from(id.0 / MEMBERS_PER_SOURCE).expect("at most 250,000 members");
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None)
            .unwrap_or_else(|e| panic!("socket {}: {e}; raise the hard limit of open files", id.0));
        socket.set_reuse_address(true).expect("a TCP socket");
        if let Some(bytes) = self.receive_bytes {
            socket.set_recv_buffer_size(bytes).expect("a TCP socket");
        }
        socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, source), 0).into()).expect("a free port");
        match socket.connect(&self.addr.into()) {
            Err(e) if e.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                panic!("connect to {}: {e}", self.addr)
            }
            _ => TcpStream::from_std(socket.into()),
        }
    }

    fn on_ready(&mut self, id: MemberId, is_writable: bool) {
        let member = &mut self.members[id.0];
        if is_writable && member.sent < member.request.len() {
            let Some(socket) = &mut member.socket else { return };
            match socket.write(&member.request[member.sent..]) {
                Ok(sent) => {
                    member.sent += sent;
                    if member.sent == member.request.len() {
                        self.connecting -= 1;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => panic!("member {}: send: {e}", id.0),
            }
        }
        if !self.members[id.0].is_stalled {
            self.read(id);
        }
    }

    /// Reads until nothing is there: readiness is told once.
    fn read(&mut self, id: MemberId) {
        let mut buf = [0; 65_536];
        loop {
            let member = &mut self.members[id.0];
            let Some(socket) = &mut member.socket else { return };
            match socket.read(&mut buf) {
                Ok(0) => return self.on_eof(id, Eof::Fin),
                Ok(read) => self.on_bytes(id, &buf[..read]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::NotConnected => return,
                Err(_) => return self.on_eof(id, Eof::Reset),
            }
        }
    }

    fn on_bytes(&mut self, id: MemberId, bytes: &[u8]) {
        let Member { reader, seen, control, last_event_id, is_open, .. } = &mut self.members[id.0];
        let mut events = 0;
        let outcome = reader.feed(bytes, |item| {
            let Item::Event(event) = item else { return };
            if event.id.is_some() {
                last_event_id.clone_from(&event.id);
            }
            if event.kind.starts_with("corecast.") {
                control.push(event);
            } else {
                let number = event.data.parse().unwrap_or_else(|e| panic!("data {:?}: {e}", event.data));
                seen.push(number);
                events += 1;
            }
        });
        assert_eq!(outcome, Ok(bytes.len()), "member {}: {}", id.0, printable(bytes));
        self.events += events;
        self.bytes += bytes.len() as u64;
        if reader.is_open_stream() && !*is_open {
            *is_open = true;
            self.open += 1;
            self.opened += 1;
        }
        if self.members[id.0].reader.is_complete() {
            self.on_eof(id, Eof::Fin);
        }
    }

    fn on_eof(&mut self, id: MemberId, eof: Eof) {
        let end = self.members[id.0].reader.finish(eof).unwrap_or_else(|e| panic!("member {}: {e:?}", id.0));
        self.leave(id);
        self.members[id.0].end = Some(end);
    }
}

/// What a swarm that waits in vain has to say.
struct Summary<'a>(&'a Swarm);

impl std::fmt::Debug for Summary<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let swarm = self.0;
        let ends = |end| swarm.members.iter().filter(|m| m.end == Some(end)).count();
        write!(
            f,
            "{} members: {} waiting, {} connecting, {} open; ended: {} clean, {} abort, {} close, {} reset; {} events",
            swarm.members.len(),
            swarm.waiting.len(),
            swarm.connecting,
            swarm.open,
            ends(End::Clean),
            ends(End::Abort),
            ends(End::Close),
            ends(End::Reset),
            swarm.events
        )
    }
}

/// Lets this process have as many descriptors as it may have at all.
///
/// # Panics
/// If the kernel refuses what it allows.
pub fn raise_nofile() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the hard limit");
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::wait::PATIENCE;

    const HEAD: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// Serves `count` connections: two numbered events each, then a clean end.
    fn serve(listener: TcpListener, count: usize) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            for _ in 0..count {
                let mut socket = listener.accept().unwrap().0;
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    socket.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                let blocks = "f\r\ndata: 0\nid: a\n\n\r\nf\r\ndata: 1\nid: b\n\n\r\n";
                let body = format!("{HEAD}e\r\n:\nretry: 3100\n\r\n{blocks}0\r\n\r\n");
                socket.write_all(body.as_bytes()).unwrap();
            }
        })
    }

    #[test]
    fn every_member_sees_every_event_and_the_end() {
        const MEMBERS: usize = 100;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut swarm = Swarm::around(listener.local_addr().unwrap(), 9);
        let server = serve(listener, MEMBERS);
        for _ in 0..MEMBERS {
            swarm.join(&Subscribe::to("numbers"));
        }
        swarm.drive_until(PATIENCE, "all ends", |s| s.members().iter().all(|m| m.end() == Some(End::Clean)));
        server.join().unwrap();
        assert_eq!((swarm.opened(), swarm.open(), swarm.events()), (MEMBERS, 0, 2 * MEMBERS));
        assert!(swarm.members().iter().all(|m| m.seen() == [0, 1] && m.last_event_id() == Some("b")));
    }
}
