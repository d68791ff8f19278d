//! One event by way of each target, so that a measurement does not begin with one that is missing or broken.
//!
//! Not here: any figure.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};

use super::launch::reachable;
use super::{Audience, NAMES, Need, Options, Plan, Running, Subscriber, Target, by_name};
use crate::bare::device::append_and_sync;
use crate::mark::{self, Mark};

/// Servers that answer at all do so within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Anybody.
const USER: u32 = 3;

/// Room for a mark, and some padding.
const EVENT_BYTES: usize = 128;

/// What an event or an answer takes at most here.
const BYTES_MAX: usize = 64 << 10;

/// Starts `target` on `core`, sends it an event to all, in a batch, to a user, and to a subscriber that comes back (what
/// it is able to), and sees each arrive and all processes end. Returns the version.
///
/// # Errors
/// If it is not installed, or anything of this fails.
pub fn check(target: &dyn Target, core: usize) -> anyhow::Result<String> {
    let version = target.version()?;
    if let Some(device) = target.device() {
        append_and_sync(device.folder, device.ahead, &[0; EVENT_BYTES], core, Duration::ZERO)
            .with_context(|| device.folder.display().to_string())?;
        return Ok(version);
    }
    for authorized in [false, true] {
        if authorized && target.unable(Need::Authorization).is_some() {
            continue;
        }
        let plan = Plan {
            connections: 16,
            publishers: 1,
            core,
            workers: 1,
            event_bytes: EVENT_BYTES as u32,
            authorized,
            history_events: 16,
            log_events: 16,
            heartbeat_seconds: 15,
        };
        let running = target.start(&plan)?;
        let ids = running.tree().ids();
        let checked = if target.unable(Need::Streams).is_none() {
            exchange(target, &*running, authorized)
        } else {
            publish_alone(&*running)
        };
        checked.with_context(|| format!("authorized: {authorized}; it wrote: {}", running.tree().said()))?;
        let spent = running.tree().cpu_time_ns()?;
        ensure!(spent > 0, "the kernel says that it used no CPU time");
        drop(running);
        let left: Vec<u32> = ids.into_iter().filter(|id| is_running(*id)).collect();
        ensure!(left.is_empty(), "processes {left:?} are left behind");
    }
    Ok(version)
}

/// Sees an event taken that nobody can subscribe to.
fn publish_alone(running: &dyn Running) -> anyhow::Result<()> {
    let mut publisher = connect(running.publish_address())?;
    let mut request = running.greeting(0);
    let mut data = Vec::new();
    mark_of(Audience::All, 0).write(EVENT_BYTES, &mut data);
    running.publish_request_of(0, &data, &mut request);
    publisher.write_all(&request)?;
    let mut answer = Vec::new();
    read_until(&mut publisher, &mut answer, |bytes| running.protocol().first_answer(bytes))
        .context("the answer to a publishing request")?
        .map_err(|refusal| anyhow!("it is refused: {refusal}"))
}

fn exchange(target: &dyn Target, running: &dyn Running, authorized: bool) -> anyhow::Result<()> {
    let is_able = |need| target.unable(need).is_none();
    let mut client = Client::subscribe(running)?;
    client.publish(Audience::All, &[0]).context("an event to all")?;
    if is_able(Need::Batches) {
        client.publish(Audience::All, &[1, 2]).context("a batch to all")?;
    }
    if is_able(Need::Resume) {
        let id = match running.cursor()? {
            Some(cursor) => cursor,
            None => last_id(&client.received).context("the stream has no event ids")?.to_owned(),
        };
        client.publish(Audience::All, &[3]).context("an event to all")?;
        client.resume(&id)?;
        client.expect(Audience::All, 3).with_context(|| format!("what was missed after {id}"))?;
    }
    if authorized && is_able(Need::Users) {
        client.publish(Audience::User(USER), &[0]).context("an event to a user")?;
    }
    Ok(())
}

/// A subscriber and a publisher.
struct Client<'a> {
    running: &'a dyn Running,
    stream: TcpStream,
    received: Vec<u8>,
    publisher: TcpStream,
}

impl<'a> Client<'a> {
    fn subscribe(running: &'a dyn Running) -> anyhow::Result<Self> {
        let stream = connect(running.subscribe_address())?;
        let publisher = connect(running.publish_address())?;
        let mut client = Self { running, stream, received: Vec::new(), publisher };
        client.ask(None)?;
        Ok(client)
    }

    /// Comes back as who has seen the event `id`.
    fn resume(&mut self, id: &str) -> anyhow::Result<()> {
        self.stream = connect(self.running.subscribe_address())?;
        self.ask(Some(id))
    }

    fn ask(&mut self, last_event_id: Option<&str>) -> anyhow::Result<()> {
        let subscriber = Subscriber { user: USER, last_event_id };
        self.received.clear();
        self.stream.write_all(&self.running.subscribe_request(&subscriber))?;
        read_until(&mut self.stream, &mut self.received, |bytes| memchr::memmem::find(bytes, b"\r\n\r\n"))
            .context("the head of the stream")?;
        ensure!(
            self.received.starts_with(b"HTTP/1.1 200"),
            "the stream is refused: {}",
            text(&self.received)
        );
        Ok(())
    }

    /// Publishes the events with these numbers in one request, and sees them arrive.
    fn publish(&mut self, to: Audience, numbers: &[u32]) -> anyhow::Result<()> {
        let data: Vec<Vec<u8>> = numbers
            .iter()
            .map(|&number| {
                let mut data = Vec::new();
                mark_of(to, number).write(EVENT_BYTES, &mut data);
                data
            })
            .collect();
        let mut request = Vec::new();
        match &data[..] {
            [one] => self.running.publish_request(to, one, &mut request),
            several => {
                let several: Vec<(Audience, &[u8])> = several.iter().map(|data| (to, &**data)).collect();
                self.running.publish_batch(&several, &mut request);
            }
        }
        self.publisher.write_all(&request)?;
        let mut answer = Vec::new();
        read_until(&mut self.publisher, &mut answer, |bytes| whole_answer(bytes).then_some(()))
            .context("the answer to a publishing request")?;
        ensure!(answer.starts_with(b"HTTP/1.1 2"), "it is refused: {}", text(&answer));
        numbers.iter().try_for_each(|&number| self.expect(to, number))
    }

    fn expect(&mut self, to: Audience, number: u32) -> anyhow::Result<()> {
        let mark = mark_of(to, number);
        read_until(&mut self.stream, &mut self.received, |bytes| find(bytes, &mark))
            .with_context(|| format!("{mark:?}"))
    }
}

fn mark_of(to: Audience, number: u32) -> Mark {
    let stream = match to {
        Audience::All => mark::TO_ALL,
        Audience::User(user) => user,
    };
    Mark { stream, number, intended_ns: 0 }
}

/// The value of the last whole `id` field.
fn last_id(received: &[u8]) -> Option<&str> {
    let begin = memchr::memmem::rfind(received, b"\nid:")? + 4;
    let len = memchr::memchr(b'\n', &received[begin..])?;
    std::str::from_utf8(&received[begin..begin + len]).ok().map(str::trim)
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let address = reachable(address);
    let stream = TcpStream::connect(address).with_context(|| address.to_string())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads on until `find` finds something in all that was received.
fn read_until<T>(
    stream: &mut TcpStream,
    received: &mut Vec<u8>,
    mut find: impl FnMut(&[u8]) -> Option<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find(received) {
            return Ok(found);
        }
        let mut bytes = [0; 4096];
        let read = match stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.with_context(|| format!("after {:?}", text(received)))?,
        };
        if read == 0 || received.len() > BYTES_MAX || Instant::now() > deadline {
            bail!(
                "not in {:?}{}",
                text(received),
                if read == 0 { ", and there the connection ends" } else { "" }
            );
        }
        received.extend_from_slice(&bytes[..read]);
    }
}

fn find(bytes: &[u8], mark: &Mark) -> Option<()> {
    let mut places = memchr::memchr_iter(mark::BEGIN, bytes);
    places.find_map(|place| (Mark::read(&bytes[place..]).as_ref() == Some(mark)).then_some(()))
}

/// Whether `bytes` has all of an answer whose length is declared, or that ends with its last chunk.
fn whole_answer(bytes: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return false };
    let head = text(&bytes[..end]).to_ascii_lowercase();
    let body = &bytes[end + 4..];
    if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length:")) {
        return length.trim().parse().is_ok_and(|length: usize| body.len() >= length);
    }
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    head.contains(" 204")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_running(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Checks the targets `names` one after another, and tells of each.
///
/// # Errors
/// If one of them fails, after all were tried; with how to install what is missing.
pub fn check_all(names: &[String], options: &Options, core: usize) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for name in names {
        let target = by_name(name, options)
            .with_context(|| format!("there is no target {name:?}; there are {}", NAMES.join(", ")))?;
        match check(&*target, core) {
            Ok(version) => println!("{name} {version}: works"),
            Err(error) => {
                println!("{name}: {error:#}");
                failed.push(name.as_str());
            }
        }
    }
    ensure!(failed.is_empty(), "{} cannot be measured", failed.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::launch::first_core;

    /// Fails with the remedy if it was not built; `scripts/test` does that before.
    fn check_installed(name: &str) {
        let options =
            Options { corecast: std::env::var_os("CORECAST_BIN").map(Into::into), ..Options::default() };
        let target = by_name(name, &options).expect("a name in the list");
        let version = check(&*target, first_core()).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{version}");
    }

    #[test]
    fn corecast_takes_an_event_and_delivers_it() {
        check_installed("corecast");
    }

    #[test]
    fn axum_takes_an_event_and_delivers_it() {
        check_installed("axum");
    }

    #[test]
    fn an_answer_is_whole_when_its_length_is_there() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", false),
            ("HTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\n", false),
        ] {
            assert_eq!(whole_answer(bytes.as_bytes()), expected, "{bytes}");
        }
    }
}
