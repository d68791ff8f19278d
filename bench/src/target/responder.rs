//! A small HTTP server inside the load generator, for what a target needs of others: a thread for each connection.
//!
//! Not here: what it answers. It is not measured, and made for few connections.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::Context;

/// A request as large as the largest event of a benchmark, and its head.
const REQUEST_BYTES_MAX: usize = 32 << 20;

/// A proxy adds a few to those of the client.
const FIELDS_MAX: usize = 64;

/// A whole request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// All of it, as it came.
    pub(super) bytes: &'a [u8],
    /// The token of `Authorization: Bearer`.
    pub(super) token: Option<&'a str>,
}

/// It serves until it is dropped.
#[derive(Debug)]
pub(super) struct Responder {
    address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Responder {
    /// Serves on a port of the loopback interface. What `answer` returns is sent as it is.
    pub(super) fn start(
        name: &str,
        answer: impl Fn(&Request<'_>) -> Vec<u8> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port of the loopback interface")?;
        let address = listener.local_addr().context("a port of the loopback interface")?;
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&is_stopped);
        let answer = Arc::new(answer);
        let acceptor = thread::Builder::new().name(name.to_owned());
        let acceptor = acceptor.spawn(move || {
            for stream in listener.incoming().take_while(|_| !stopped.load(Ordering::Relaxed)) {
                let (Ok(stream), answer) = (stream, Arc::clone(&answer)) else { continue };
                // A connection that breaks is the other end's to complain of.
                thread::spawn(move || serve(stream, &*answer));
            }
        });
        Ok(Self { address, is_stopped, acceptor: Some(acceptor.context("a thread")?) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        // Wakes the acceptor, unless it is gone.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Answers one request after another, until the other end closes.
fn serve(mut stream: TcpStream, answer: &impl Fn(&Request<'_>) -> Vec<u8>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    let mut bytes = [0; 16 << 10];
    loop {
        while let Some((len, token)) = whole_request(&received)? {
            let request = Request { bytes: &received[..len], token: token.as_deref() };
            let answered = answer(&request);
            stream.write_all(&answered)?;
            received.drain(..len);
        }
        let read = stream.read(&mut bytes)?;
        if read == 0 || received.len() > REQUEST_BYTES_MAX {
            return Ok(());
        }
        received.extend_from_slice(&bytes[..read]);
    }
}

/// The length of the first request in `received`, if all of it is there, and its token.
fn whole_request(received: &[u8]) -> io::Result<Option<(usize, Option<String>)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(head_len) = head.parse(received).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let field = |name: &str| {
        let field = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(field.value).ok()
    };
    let body_len = match field("content-length") {
        Some(text) => text.parse::<usize>().map_err(io::Error::other)?,
        None => 0,
    };
    let token = field("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let len = head_len.saturating_add(body_len);
    Ok((received.len() >= len).then_some((len, token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_one_after_another_and_the_port_is_free_afterwards() {
        let responder = Responder::start("test", |request| {
            let token = request.token.unwrap_or("nobody").to_owned();
            let body =
                String::from_utf8_lossy(request.bytes.rsplit(|&b| b == b'\n').next().unwrap_or_default());
            format!("{token} says {body};").into_bytes()
        })
        .unwrap();
        let mut stream = TcpStream::connect(responder.address()).unwrap();
        let first = "POST / HTTP/1.1\r\nAuthorization: Bearer alice\r\ncontent-length: 2\r\n\r\nhi";
        stream.write_all(format!("{first}GET / HTTP/1.1\r\n\r\nGET").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert_eq!(answers, "alice says hi;nobody says ;");
        let address = responder.address();
        drop(responder);
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn what_is_no_request_ends_the_connection() {
        let responder = Responder::start("test", |_| b"answered".to_vec()).unwrap();
        for bytes in ["\0\0\0\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"] {
            let mut stream = TcpStream::connect(responder.address()).unwrap();
            stream.write_all(bytes.as_bytes()).unwrap();
            let mut answers = Vec::new();
            // Closed, with or without a reset.
            let _ = stream.read_to_end(&mut answers);
            assert!(answers.is_empty(), "{bytes:?}");
        }
    }
}
