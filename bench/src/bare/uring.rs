//! The bare server on a ring: batches of inline sends over direct descriptors.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use corecast_ring::{Completion, Errno, Interest, Listener, Outcome, Ring, Setup, ShortSend, Slot, Token};

use super::requests::Requests;
use super::{FULL_MAX, Frames, Listeners, join};

/// Slots beyond the subscribers that are expected: publishers, accepts under way, subscribers that have gone unnoticed.
const MARGIN: u32 = 1024;

/// Accepts armed on each listener.
const ACCEPTS: u32 = 64;

/// A pipeline of 64 requests fits.
const RECEIVE_BYTES: u32 = 64 * 1024;

/// What a completion is about; the slot is in the low half of its token.
const SUBSCRIBER: u64 = 1 << 32;
const PUBLISHER: u64 = 2 << 32;
const SUBSCRIBER_ACCEPT: u64 = 3 << 32;
const PUBLISHER_ACCEPT: u64 = 4 << 32;
const WRITABLE: u64 = 5 << 32;
const KIND: u64 = !0 << 32;

struct Server {
    ring: Ring,
    frames: Frames,
    /// Subscribers that have their head.
    sockets: Vec<Slot>,
    publishers: HashMap<Slot, Requests>,
    /// With something to read.
    readable_subscribers: Vec<Slot>,
    readable_publishers: Vec<Slot>,
    /// Completions that came while a full socket was waited for.
    kept: Vec<Completion>,
    events: Vec<Bytes>,
    short: Vec<ShortSend>,
    joined_bytes_max: usize,
}

/// Serves with one event per send, or with as many as fit `joined_bytes_max`.
pub(super) fn serve(
    listeners: &Listeners,
    connections: u32,
    nofile: u64,
    joined_bytes_max: usize,
) -> anyhow::Result<Infallible> {
    // The table is as large as the limit of open files allows; a ring that does not fit says so.
    let slots = connections.saturating_add((connections / 2).max(MARGIN));
    let slots = slots.min(u32::try_from(nofile).unwrap_or(u32::MAX)).max(connections.saturating_add(1));
    let setup = Setup { slots, accepts: 2 * ACCEPTS, receive_bytes: RECEIVE_BYTES, ..Setup::default() };
    let mut server = Server {
        ring: Ring::new(&setup)?,
        frames: Frames::new(),
        sockets: Vec::new(),
        publishers: HashMap::new(),
        readable_subscribers: Vec::new(),
        readable_publishers: Vec::new(),
        kept: Vec::new(),
        events: Vec::new(),
        short: Vec::new(),
        joined_bytes_max,
    };
    for _ in 0..ACCEPTS {
        server.ring.accept(&listeners.subscribers, Token::new(SUBSCRIBER_ACCEPT))?;
        server.ring.accept(&listeners.publishers, Token::new(PUBLISHER_ACCEPT))?;
    }
    loop {
        server.turn(listeners)?;
    }
}

impl Server {
    fn turn(&mut self, listeners: &Listeners) -> anyhow::Result<()> {
        for completion in std::mem::take(&mut self.kept) {
            self.on_completion(completion, listeners)?;
        }
        while let Some(completion) = self.ring.next_completion() {
            self.on_completion(completion, listeners)?;
        }
        self.greet();
        self.take_events()?;
        self.send_events();
        if self.kept.is_empty() {
            self.ring.wait(1, None);
        }
        Ok(())
    }

    fn on_completion(&mut self, completion: Completion, listeners: &Listeners) -> anyhow::Result<()> {
        let value = completion.token.value();
        match (value & KIND, completion.outcome) {
            (SUBSCRIBER_ACCEPT, outcome) => {
                self.on_accepted(outcome, SUBSCRIBER, &listeners.subscribers, value)?
            }
            (PUBLISHER_ACCEPT, outcome) => {
                self.on_accepted(outcome, PUBLISHER, &listeners.publishers, value)?
            }
            (SUBSCRIBER, Outcome::Done(_)) => self.readable_subscribers.push(Slot(value as u32)),
            (PUBLISHER, Outcome::Done(_)) => self.readable_publishers.push(Slot(value as u32)),
            // A poll of a full socket that was closed meanwhile.
            _ => {}
        }
        Ok(())
    }

    fn on_accepted(
        &mut self,
        outcome: Outcome,
        kind: u64,
        listener: &Listener,
        token: u64,
    ) -> anyhow::Result<()> {
        if let Outcome::Accepted { slot, .. } = outcome {
            self.ring.poll(slot, Interest::Readable, Token::new(kind | u64::from(slot.0)));
        } else if let Outcome::AcceptFailed(errno @ (Errno::NFILE | Errno::MFILE)) = outcome {
            anyhow::bail!("no room for another connection ({errno}): --connections is too small");
        }
        self.ring.accept(listener, Token::new(token)).context("an accept of one that just ended")
    }

    /// Reads the heads that have come, without looking at them, and answers.
    fn greet(&mut self) {
        let (mut greeted, mut gone) = (Vec::new(), Vec::new());
        let heads = self.readable_subscribers.drain(..).map(|slot| (slot, token(slot)));
        self.ring.receive_all(heads, |token, received| match received {
            Ok([_, ..]) => greeted.push(slot(token)),
            Ok([]) | Err(_) => gone.push(slot(token)),
        });
        let head = self.frames.head();
        self.ring.send_all(greeted.iter().map(|&slot| (slot, token(slot), &head[..])), &mut self.short);
        self.sockets.append(&mut greeted);
        gone.into_iter().for_each(|slot| self.ring.close(slot));
        self.finish(&head);
    }

    /// Reads and answers what publishers ask for.
    fn take_events(&mut self) -> anyhow::Result<()> {
        if self.readable_publishers.is_empty() {
            return Ok(());
        }
        let (mut answers, mut gone, mut failed) = (Vec::new(), Vec::new(), None);
        let (frames, events, publishers) = (&mut self.frames, &mut self.events, &mut self.publishers);
        let readable = std::mem::take(&mut self.readable_publishers);
        self.ring.receive_all(readable.iter().map(|&slot| (slot, token(slot))), |token, received| {
            let slot = slot(token);
            match received {
                Ok(bytes @ [_, ..]) => {
                    let mut answer = Vec::new();
                    let requests = publishers.entry(slot).or_default();
                    let read = requests.read(bytes, |body| events.push(frames.encode(body, &mut answer)));
                    failed = failed.take().or(read.err());
                    answers.push((slot, answer));
                }
                Err(Errno::AGAIN) => {}
                Ok([]) | Err(_) => gone.push(slot),
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        self.ring.send_all(
            answers.iter().map(|(slot, answer)| (*slot, token(*slot), &answer[..])),
            &mut self.short,
        );
        for short in std::mem::take(&mut self.short) {
            let answer = answers.iter().find(|(slot, _)| token(*slot) == short.token);
            if let Some((slot, answer)) = answer
                && !self.send_rest(*slot, answer, short.taken)
            {
                gone.push(*slot);
            }
        }
        for slot in readable {
            if gone.contains(&slot) {
                self.publishers.remove(&slot);
                self.ring.close(slot);
            } else {
                self.ring.poll(slot, Interest::Readable, Token::new(PUBLISHER | u64::from(slot.0)));
            }
        }
        Ok(())
    }

    fn send_events(&mut self) {
        let events = std::mem::take(&mut self.events);
        for bytes in join(&events, self.joined_bytes_max) {
            let sends = self.sockets.iter().map(|&slot| (slot, token(slot), &bytes[..]));
            self.ring.send_all(sends, &mut self.short);
            self.finish(&bytes);
        }
        self.events = events;
        self.events.clear();
    }

    /// Sends what full sockets have not taken of `bytes`, waiting for each; closes those that are gone.
    fn finish(&mut self, bytes: &[u8]) {
        for short in std::mem::take(&mut self.short) {
            let slot = slot(short.token);
            if !self.send_rest(slot, bytes, short.taken) {
                self.sockets.retain(|&socket| socket != slot);
                self.ring.close(slot);
            }
        }
    }

    fn send_rest(&mut self, slot: Slot, bytes: &[u8], mut taken: Result<u32, Errno>) -> bool {
        let deadline = Instant::now() + FULL_MAX;
        let mut rest = bytes;
        loop {
            match taken {
                Ok(len) => rest = &rest[len as usize..],
                Err(Errno::AGAIN) => {}
                Err(_) => return false,
            }
            if !self.wait_for_room(slot, deadline) {
                return false;
            }
            let mut short = Vec::new();
            self.ring.send_all([(slot, token(slot), rest)], &mut short);
            match short.pop() {
                None => return true,
                Some(again) => taken = again.taken,
            }
        }
    }

    fn wait_for_room(&mut self, slot: Slot, deadline: Instant) -> bool {
        let writable = Token::new(WRITABLE | u64::from(slot.0));
        self.ring.poll(slot, Interest::Writable, writable);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.ring.cancel(writable);
                return false;
            }
            self.ring.wait(1, Some(left));
            while let Some(completion) = self.ring.next_completion() {
                if completion.token == writable {
                    return true;
                }
                self.kept.push(completion);
            }
        }
    }
}

fn token(slot: Slot) -> Token {
    Token::new(slot.0.into())
}

fn slot(token: Token) -> Slot {
    Slot(token.value() as u32)
}
