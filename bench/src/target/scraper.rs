//! Reads a hub's metrics each second, as Prometheus does at its most eager: what that costs is what differs from a run without.
//!
//! Not here: what the page says.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::request;

const INTERVAL: Duration = Duration::from_secs(1);

/// How long a page may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A thread that reads until this is dropped.
pub(super) struct Scraper {
    _stop: Sender<()>,
}

impl Scraper {
    /// Reads the page at `admin` from now on.
    pub(super) fn of(admin: SocketAddr) -> Self {
        let (stop, stopped) = channel();
        std::thread::spawn(move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                match scrape(admin) {
                    Ok(bytes) if bytes > 0 => {}
                    // The run goes on and would measure nothing of it.
                    outcome => eprintln!("no metrics from {admin}: {outcome:?}"),
                }
            }
        });
        Self { _stop: stop }
    }
}

/// Bytes of the answer, if it is one.
fn scrape(admin: SocketAddr) -> io::Result<usize> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&request::get("/metrics", ""))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(if answer.starts_with(b"HTTP/1.1 200 ") { answer.len() } else { 0 })
}
