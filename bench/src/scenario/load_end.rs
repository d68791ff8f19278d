//! How much kernel memory the load's own end of a connection takes, so that it is not held against a target.
//!
//! The kernel tells only what it holds in all, and on one machine that is both ends of each connection. Two measurements
//! tell them apart:
//!
//! 1. Plain pairs: ordinary sockets, connected and accepted, that nobody waits on. Both ends hold the same (socket, inode,
//!    directory entry, file), so half of it is a plain end.
//! 2. The load, connected to a plain listener whose ends nobody waits on either: less a plain end, it is the load's.
//!
//! What a connecting end holds beyond an accepted one is its port, some 200 bytes; of that half is counted to the plain
//! end, so a target is charged about 100 bytes too much. Not here: memory of processes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::{Bench, Effort, Stop};
use crate::load::{Load, LoadOptions, Protocol};
use crate::target::KernelMemory;

/// Enough that pages partly filled do not matter, few enough for common limits of open files.
const CONNECTIONS_MAX: u32 = 4_000;

/// Fewer than this tell nothing.
const CONNECTIONS_MIN: u32 = 200;

const ROUNDS: u32 = 3;

/// Files that the process has open besides.
const OTHER_FILES: u64 = 200;

const PATIENCE: Duration = Duration::from_secs(20);

/// The answer that makes a subscriber live.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// Measures it once for each [`Bench`].
pub(super) fn load_end_bytes(bench: &Bench) -> Result<f64, Stop> {
    if let Some(&known) = bench.load_end_bytes.get() {
        return Ok(known);
    }
    let connections = connections()?;
    let rounds = if bench.effort == Effort::SMOKE { 1 } else { ROUNDS };
    let plain_end = largest(rounds, || plain_pairs(connections))? / 2.0;
    let load_end = largest(rounds, || plain_listener(connections, bench))? - plain_end;
    let is_likely = (plain_end / 2.0..plain_end * 2.0).contains(&load_end);
    if !is_likely && bench.effort != Effort::SMOKE {
        return Err(Stop::Failed(format!(
            "the load's end of a connection seems to take {load_end:.0} bytes of kernel memory, and a plain one \
             {plain_end:.0}: something else on this machine is changing its memory"
        )));
    }
    Ok(*bench.load_end_bytes.get_or_init(|| load_end))
}

/// Of several rounds: the kernel keeps some of what was freed before for its next use, and that growth is not seen. So
/// the round that found least of it tells most.
fn largest(rounds: u32, mut round: impl FnMut() -> Result<f64, Stop>) -> Result<f64, Stop> {
    (0..rounds).try_fold(0.0, |largest: f64, _| Ok(largest.max(round()?)))
}

fn connections() -> Result<u32, Stop> {
    let nofile = corecast_ring::raise_nofile().map_err(anyhow::Error::from)?.soft;
    let pairs = u32::try_from(nofile.saturating_sub(OTHER_FILES) / 2).unwrap_or(u32::MAX);
    if pairs < CONNECTIONS_MIN {
        return Err(Stop::Failed(format!(
            "RLIMIT_NOFILE = {nofile} is too few descriptors to measure kernel memory, which takes 600"
        )));
    }
    Ok(pairs.min(CONNECTIONS_MAX))
}

/// Kernel memory of a connection between two plain sockets, both ends.
fn plain_pairs(connections: u32) -> Result<f64, Stop> {
    let measured = || -> anyhow::Result<f64> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let before = settled()?;
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(connect(address)?);
            streams.push(listener.accept()?.0);
        }
        let after = KernelMemory::now()?.total_bytes();
        streams.iter().try_for_each(reset_on_close)?;
        Ok((after as f64 - before as f64) / f64::from(connections))
    };
    Ok(measured()?)
}

/// Kernel memory of a connection between the load and a plain socket, both ends.
fn plain_listener(connections: u32, bench: &Bench) -> Result<f64, Stop> {
    let plain = Plain::start(connections).map_err(anyhow::Error::from)?;
    let options = LoadOptions {
        subscribe: plain.address,
        publish: plain.address,
        protocol: Protocol::Http,
        subscribers: connections,
        core: bench.load_core,
    };
    let mut load = Load::new(&options, 0)?;
    let before = settled()?;
    for subscriber in 0..connections {
        load.connect(subscriber, b"GET / HTTP/1.1\r\nHost: plain\r\n\r\n".to_vec(), 0);
    }
    load.run_until(PATIENCE, "answers of a plain listener", |load| load.totals().live == connections)?;
    let after = KernelMemory::now()?.total_bytes();
    Ok((after as f64 - before as f64) / f64::from(connections))
}

/// Kernel memory once it has come to rest: what was closed before is freed a little later.
pub(super) fn settled() -> anyhow::Result<u64> {
    const STEP: Duration = Duration::from_millis(50);
    const NOISE_BYTES: u64 = 64 << 10;
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut last = KernelMemory::now()?.total_bytes();
    loop {
        let end = Instant::now() + STEP;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            thread::park_timeout(left);
        }
        let now = KernelMemory::now()?.total_bytes();
        if now.abs_diff(last) <= NOISE_BYTES || Instant::now() > deadline {
            return Ok(now);
        }
        last = now;
    }
}

/// A listener that answers everybody and then does nothing. Dropping it ends it.
struct Plain {
    address: SocketAddr,
    listener: TcpListener,
    /// Held until the end: the thread waits for it to go.
    held: Option<Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Plain {
    fn start(connections: u32) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let accepting = listener.try_clone()?;
        let (held, until) = channel::<()>();
        let thread = thread::spawn(move || {
            let mut streams = Vec::new();
            for _ in 0..connections {
                streams.push(answer(accepting.accept()?.0)?);
            }
            // An error says that the sender is gone, which is what it waits for.
            let _ = until.recv();
            Ok(())
        });
        Ok(Self { address: listener.local_addr()?, listener, held: Some(held), thread: Some(thread) })
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // It ends an accept that still waits; after the last one it has no effect.
        let _ = SockRef::from(&self.listener).shutdown(Shutdown::Both);
        self.held = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; 512];
    if stream.read(&mut request)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    stream.write_all(HEAD)?;
    reset_on_close(&stream)?;
    Ok(stream)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, PATIENCE)
}

/// Otherwise its other end would linger for a minute, in memory that the next measurement counts.
fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
