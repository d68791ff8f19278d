//! One subscriber on a blocking socket, for tests that follow a stream step by step.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::request::Subscribe;
use crate::wait::PATIENCE;
use crate::wire::event_stream::{Item, Received};
use crate::wire::head::ResponseHead;
use crate::wire::printable;
use crate::wire::response::{End, Eof, ResponseReader};

/// A stream, from its request to its end.
#[derive(Debug)]
pub struct EventStream {
    socket: TcpStream,
    reader: ResponseReader,
    raw: Vec<u8>,
    events: VecDeque<Received>,
    comments: usize,
    opening: Option<u64>,
    last_event_id: Option<String>,
    end: Option<End>,
    /// Whether the hub may be killed: then a stream may stop anywhere, which is no fault of its bytes.
    may_be_cut: bool,
}

impl EventStream {
    /// Connects, asks, and waits for the head and, of a stream, the first bytes.
    ///
    /// # Panics
    /// If they do not come.
    #[must_use]
    pub fn open(addr: SocketAddr, request: &Subscribe) -> Self {
        let socket = TcpStream::connect(addr).unwrap_or_else(|e| panic!("connect to {addr}: {e}"));
        Self::over(socket, request)
    }

    /// As `open`, with a receive buffer of about this size, where the kernel would let it grow to megabytes.
    ///
    /// # Panics
    /// As `open`.
    #[must_use]
    pub fn open_narrow(addr: SocketAddr, request: &Subscribe, buffer_bytes: usize) -> Self {
        Self::over(connect_narrow(addr, buffer_bytes), request)
    }

    fn over(mut socket: TcpStream, request: &Subscribe) -> Self {
        socket.set_nodelay(true).expect("a TCP socket");
        socket.write_all(&request.encode()).unwrap_or_else(|e| panic!("send {request:?}: {e}"));
        Self::answer_to(socket, request)
    }

    /// As `open`, from a hub that may be killed at any moment: then there is no stream, or one that ends anywhere.
    /// With `buffer_bytes` the receive buffer is of about this size.
    ///
    /// # Panics
    /// If the hub is there and does not answer, or does not answer with a stream unless it is draining.
    #[must_use]
    pub fn try_open(addr: SocketAddr, request: &Subscribe, buffer_bytes: Option<usize>) -> Option<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).expect("a TCP socket");
        if let Some(bytes) = buffer_bytes {
            socket.set_recv_buffer_size(bytes).expect("a size the kernel rounds up");
        }
        socket.connect(&addr.into()).ok()?;
        let mut socket: TcpStream = socket.into();
        socket.set_nodelay(true).ok()?;
        socket.write_all(&request.encode()).ok()?;
        let mut stream = Self::unread(socket, request);
        stream.may_be_cut = true;
        stream.wait_for_answer(request);
        if stream.opening.is_none() && stream.reader.head().is_some() && stream.reader.is_complete() {
            assert_eq!(stream.status(), 503, "{request:?}: {}", stream.shown());
        }
        stream.opening.is_some().then_some(stream)
    }

    /// Reads the answer on a socket over which the request has been sent.
    ///
    /// # Panics
    /// As `open`.
    #[must_use]
    pub fn answer_to(socket: TcpStream, request: &Subscribe) -> Self {
        let mut stream = Self::unread(socket, request);
        stream.wait_for_answer(request);
        stream
    }

    fn unread(socket: TcpStream, request: &Subscribe) -> Self {
        Self {
            socket,
            reader: ResponseReader::new(request.is_head()),
            raw: Vec::new(),
            events: VecDeque::new(),
            comments: 0,
            opening: None,
            last_event_id: None,
            end: None,
            may_be_cut: false,
        }
    }

    fn wait_for_answer(&mut self, request: &Subscribe) {
        let is_answered = |s: &Self| s.opening.is_some() || s.reader.is_complete() || s.end.is_some();
        assert!(self.read_until(PATIENCE, is_answered), "no answer to {request:?}: {}", self.shown());
    }

    /// The response head.
    ///
    /// # Panics
    /// If the connection ended before it.
    #[must_use]
    pub fn head(&self) -> &ResponseHead {
        self.reader.head().unwrap_or_else(|| panic!("no head: {}", self.shown()))
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head().status
    }

    /// The body of an answer that is no stream.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.reader.body()
    }

    /// The reconnection time in the first bytes, in milliseconds.
    ///
    /// # Panics
    /// If this is no stream.
    #[must_use]
    pub fn opening_retry(&self) -> u64 {
        self.opening.unwrap_or_else(|| panic!("no stream: {}", self.shown()))
    }

    /// Every byte so far, as it came.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// How many comments have come, the opening one included.
    #[must_use]
    pub fn comments(&self) -> usize {
        self.comments
    }

    /// The id of the last event taken by `next_event`, as a client remembers it.
    #[must_use]
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// The next event.
    ///
    /// # Panics
    /// If none comes, or the stream ends.
    pub fn next_event(&mut self) -> Received {
        self.next_event_within(PATIENCE)
    }

    /// The next event, waited for with a deadline of its own.
    ///
    /// # Panics
    /// As `next_event`.
    pub fn next_event_within(&mut self, within: Duration) -> Received {
        self.read_until(within, |s| !s.events.is_empty() || s.end.is_some());
        self.take_event().unwrap_or_else(|| panic!("no event (end: {:?}): {}", self.end, self.shown()))
    }

    /// The next event, or `None` if the stream ended.
    ///
    /// # Panics
    /// If neither comes.
    pub fn next_event_or_end(&mut self) -> Option<Received> {
        let came = self.read_until(PATIENCE, |s| !s.events.is_empty() || s.end.is_some());
        assert!(came, "neither event nor end: {}", self.shown());
        self.take_event()
    }

    /// The data of the next `count` events.
    pub fn next_data(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next_event().data).collect()
    }

    /// Waits until this many comments have come.
    ///
    /// # Panics
    /// If they do not.
    pub fn wait_for_comments(&mut self, count: usize) {
        let came = self.read_until(PATIENCE, |s| s.comments >= count);
        assert!(came, "{} of {count} comments: {}", self.comments, self.shown());
    }

    /// Waits for the end, which must come without another event.
    ///
    /// # Panics
    /// If it does not.
    pub fn end(&mut self) -> End {
        self.end_within(PATIENCE)
    }

    /// As `end`, with a deadline of its own.
    ///
    /// # Panics
    /// As `end`.
    pub fn end_within(&mut self, within: Duration) -> End {
        self.read_until(within, |s| s.end.is_some());
        let end = self.end.unwrap_or_else(|| panic!("no end: {}", self.shown()));
        assert_eq!(self.events, [], "events before the end");
        end
    }

    /// Sends bytes that belong to no request until the hub has had enough and closes.
    ///
    /// # Panics
    /// If it reads without a bound.
    pub fn flood(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        self.socket.set_write_timeout(Some(PATIENCE)).expect("a positive timeout");
        loop {
            match self.socket.write(&[b'x'; 4096]) {
                Ok(_) => assert!(Instant::now() < deadline, "the hub reads without a bound"),
                Err(e) if e.kind() == ErrorKind::WouldBlock => panic!("the hub neither reads nor closes"),
                Err(_) => return,
            }
        }
    }

    /// Takes its socket, with everything unread lost.
    #[must_use]
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    fn take_event(&mut self) -> Option<Received> {
        let event = self.events.pop_front()?;
        if let Some(id) = &event.id {
            self.last_event_id = Some(id.clone());
        }
        Some(event)
    }

    /// Reads until `done`; false if it does not come about `within` this time.
    fn read_until(&mut self, within: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + within;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.socket.set_read_timeout(Some(left)).expect("a positive timeout");
            self.read_once();
        }
        true
    }

    fn read_once(&mut self) {
        let mut buf = [0; 65_536];
        match self.socket.read(&mut buf) {
            Ok(0) => self.finish(Eof::Fin),
            Ok(read) => self.take(&buf[..read]),
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(_) => self.finish(Eof::Reset),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        let Self { reader, events, comments, opening, .. } = self;
        let used = reader.feed(bytes, |item| match item {
            Item::Comment(_) => *comments += 1,
            Item::Opening(retry) => *opening = Some(retry),
            Item::Event(event) => events.push_back(event),
        });
        let used = used.unwrap_or_else(|e| panic!("{e:?}: {}", self.shown()));
        assert_eq!(used, bytes.len(), "bytes behind the end: {}", self.shown());
        if self.reader.is_open_stream() && self.reader.is_complete() {
            // The hub said the end; its FIN need not have come yet.
            self.finish(Eof::Fin);
        }
    }

    fn finish(&mut self, eof: Eof) {
        self.end = Some(match self.reader.finish(eof) {
            Ok(end) => end,
            Err(_) if self.may_be_cut => End::Reset,
            Err(e) => panic!("{e:?}: {}", self.shown()),
        });
    }

    /// The last bytes, for messages.
    fn shown(&self) -> String {
        const SHOWN_BYTES_MAX: usize = 2000;
        printable(&self.raw[self.raw.len().saturating_sub(SHOWN_BYTES_MAX)..])
    }
}

/// Connects with little room to receive.
///
/// # Panics
/// If nobody listens.
#[must_use]
pub fn connect_narrow(addr: SocketAddr, buffer_bytes: usize) -> TcpStream {
    // The window is negotiated when connecting, so the buffer must be set before.
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).expect("a TCP socket");
    socket.set_recv_buffer_size(buffer_bytes).expect("a size the kernel rounds up");
    socket.connect(&addr.into()).unwrap_or_else(|e| panic!("connect to {addr}: {e}"));
    socket.into()
}
