//! One request and its whole answer, over a connection of its own or one that is kept.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::wait::PATIENCE;
use crate::wire::head::ResponseHead;
use crate::wire::printable;
use crate::wire::response::{End, Eof, ResponseReader};

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its head.
    pub head: ResponseHead,
    /// Its body, without framing.
    pub body: Vec<u8>,
}

impl Answer {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|e| panic!("body is not UTF-8 ({e}): {self:?}"))
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("body is no JSON ({e}): {}", self.text()))
    }
}

/// A connection for request after request. What was read beyond an answer is kept for the next.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// If nobody listens.
    #[must_use]
    pub fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).unwrap_or_else(|e| panic!("connect to {addr}: {e}"));
        socket.set_nodelay(true).expect("a TCP socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
        Self { socket, unread: Vec::new() }
    }

    /// Over a connection that is there already.
    ///
    /// # Panics
    /// If the kernel refuses what every TCP socket can do.
    #[must_use]
    pub fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).expect("a TCP socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
        Self { socket, unread: Vec::new() }
    }

    /// Connects to a hub that may be gone.
    ///
    /// # Panics
    /// If the kernel refuses what every TCP socket can do.
    #[must_use]
    pub fn try_connect(addr: SocketAddr) -> Option<Self> {
        let socket = TcpStream::connect(addr).ok()?;
        socket.set_nodelay(true).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
        Some(Self { socket, unread: Vec::new() })
    }

    /// Sends a request and reads its whole answer; `None` if the connection is lost before its end.
    ///
    /// # Panics
    /// If the connection stays and the answer does not come, or is not what it says it is.
    pub fn try_exchange(&mut self, request: &[u8]) -> Option<Answer> {
        let mut reader = ResponseReader::default();
        self.socket.write_all(request).ok()?;
        loop {
            let unread = std::mem::take(&mut self.unread);
            let used = reader.feed(&unread, |item| panic!("an event stream instead of an answer: {item:?}"));
            let used = used.unwrap_or_else(|e| panic!("{e:?} in {}", printable(&unread)));
            self.unread = unread[used..].to_vec();
            if reader.is_complete() {
                return Some(answer_of(&reader));
            }
            if self.try_fill()? == 0 {
                return None;
            }
        }
    }

    /// Sends bytes, whatever they mean.
    ///
    /// # Panics
    /// If the hub has closed already.
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap_or_else(|e| panic!("send {}: {e}", printable(bytes)));
    }

    /// Sends bytes that the hub may have given up on: a close while sending is no failure.
    pub fn try_send(&mut self, bytes: &[u8]) {
        if let Err(e) = self.socket.write_all(bytes) {
            assert!(matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "send: {e}");
        }
    }

    /// Says that no more will be sent.
    ///
    /// # Panics
    /// If the connection is gone.
    pub fn half_close(&mut self) {
        self.socket.shutdown(Shutdown::Write).expect("a connected socket");
    }

    /// Reads one whole answer.
    ///
    /// # Panics
    /// If it does not come, or is not what it says it is.
    pub fn read_answer(&mut self) -> Answer {
        self.read(ResponseReader::default())
    }

    /// Reads the answer to a `HEAD` request.
    ///
    /// # Panics
    /// As `read_answer`.
    pub fn read_head_answer(&mut self) -> Answer {
        self.read(ResponseReader::new(true))
    }

    fn read(&mut self, mut reader: ResponseReader) -> Answer {
        loop {
            let unread = std::mem::take(&mut self.unread);
            let used = reader.feed(&unread, |item| panic!("an event stream instead of an answer: {item:?}"));
            let used = used.unwrap_or_else(|e| panic!("{e:?} in {}", printable(&unread)));
            self.unread = unread[used..].to_vec();
            if reader.is_complete() {
                break;
            }
            if self.fill() == 0 {
                let end = reader.finish(Eof::Fin);
                assert_eq!(end, Ok(End::Close), "an answer cut short: {:?}", reader.head());
                break;
            }
        }
        answer_of(&reader)
    }

    fn fill(&mut self) -> usize {
        self.try_fill().expect("the connection lasts until its answer")
    }

    /// Bytes that came; `None` if the connection is lost.
    fn try_fill(&mut self) -> Option<usize> {
        let mut buf = [0; 16384];
        loop {
            match self.socket.read(&mut buf) {
                Ok(read) => {
                    self.unread.extend_from_slice(&buf[..read]);
                    return Some(read);
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("no answer: {e}")
                }
                // A socket with a timeout gives up when the process is stopped and goes on (signal(7)).
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether bytes of an answer come within this time.
    ///
    /// # Panics
    /// If the connection is lost before.
    pub fn has_answer_within(&mut self, within: Duration) -> bool {
        self.socket.set_read_timeout(Some(within)).expect("a positive timeout");
        let outcome = self.socket.peek(&mut [0]);
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
        match outcome {
            Ok(_) => true,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            Err(e) => panic!("no answer: {e}"),
        }
    }

    /// Takes its socket.
    ///
    /// # Panics
    /// If bytes have been read from it that would be lost.
    #[must_use]
    pub fn into_socket(self) -> TcpStream {
        assert!(self.unread.is_empty(), "unread: {}", printable(&self.unread));
        self.socket
    }

    /// Waits for the hub's close and gives what came before it.
    ///
    /// # Panics
    /// If it does not close.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.unread);
        match self.socket.read_to_end(&mut rest) {
            Ok(_) => rest,
            Err(e) if e.kind() == ErrorKind::ConnectionReset => rest,
            Err(e) => panic!("the hub does not close: {e}"),
        }
    }
}

fn answer_of(reader: &ResponseReader) -> Answer {
    let head = reader.head().expect("a complete answer has a head").clone();
    Answer { head, body: reader.body().to_vec() }
}

/// Sends `request` on a connection of its own and reads the answer.
#[must_use]
pub fn send(addr: SocketAddr, request: &[u8]) -> Answer {
    let mut client = Client::connect(addr);
    // A refusal may come, and the connection end, before all of a bad request is sent.
    client.try_send(request);
    client.read_answer()
}

/// `GET` of a path on a connection of its own.
#[must_use]
pub fn get(addr: SocketAddr, path: &str) -> Answer {
    send(addr, format!("GET {path} HTTP/1.1\r\nHost: hub.test\r\n\r\n").as_bytes())
}
