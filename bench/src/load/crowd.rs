//! All subscribers, and the check of what each is sent.
//!
//! Invariant: exactly the subscribers that are connected, not stalled, and wait for a certain number are counted in
//! `progress`.
//! Not here: sockets. `Load` moves the bytes and says what became of connections.

use std::collections::HashMap;

use super::head::{self, excerpt};
use super::latencies::Latencies;
use super::progress::Progress;
use super::scan::NoMark;
use super::stream::Stream;
use super::subscriber::{Phase, Subscriber, next_generation};
use super::{ANY, Fault, Totals};
use crate::mark::{Mark, TO_ALL};

/// See the module.
pub(super) struct Crowd {
    subscribers: Box<[Subscriber]>,
    pub(super) totals: Totals,
    pub(super) progress: Progress,
    pub(super) latencies: Latencies,
    /// Deliveries to subscribers from this number on are not timed.
    pub(super) timed_end: u32,
    /// Heads of which only a part has come.
    heads: HashMap<u32, Vec<u8>>,
    streams: HashMap<u32, Stream>,
    /// Subscribers that wait for their connection or their head.
    pub(super) under_way: usize,
}

/// What is wrong with a mark.
enum Flaw {
    NoMark,
    OutOfOrder { stream: u32, expected: u32, got: u32 },
    Foreign { stream: u32 },
}

impl From<NoMark> for Flaw {
    fn from(NoMark: NoMark) -> Self {
        Self::NoMark
    }
}

impl Crowd {
    pub(super) fn new(subscribers: u32) -> Self {
        Self {
            subscribers: vec![Subscriber::default(); subscribers as usize].into_boxed_slice(),
            totals: Totals::default(),
            progress: Progress::new(),
            latencies: Latencies::new(),
            timed_end: u32::MAX,
            heads: HashMap::new(),
            streams: HashMap::new(),
            under_way: 0,
        }
    }

    /// # Panics
    /// If there is no such subscriber.
    #[inline]
    pub(super) fn subscriber(&self, number: u32) -> &Subscriber {
        &self.subscribers[number as usize]
    }

    #[inline]
    pub(super) fn subscriber_mut(&mut self, number: u32) -> &mut Subscriber {
        &mut self.subscribers[number as usize]
    }

    /// The subscriber of a completion, unless that belongs to an earlier connection.
    #[inline]
    pub(super) fn of(&self, number: u32, generation: u32) -> Option<&Subscriber> {
        self.subscribers.get(number as usize).filter(|subscriber| subscriber.generation == generation)
    }

    pub(super) fn count(&self) -> u32 {
        self.subscribers.len() as u32
    }

    /// A connection is wanted; its generation.
    pub(super) fn queue(&mut self, number: u32, next: u32) -> u32 {
        let subscriber = self.subscriber_mut(number);
        *subscriber = Subscriber {
            generation: next_generation(subscriber.generation),
            next_to_all: next,
            next_own: next,
            phase: Phase::Queued,
            is_parsed: subscriber.is_parsed,
            ..Subscriber::default()
        };
        subscriber.generation
    }

    pub(super) fn on_connecting(&mut self, number: u32) {
        self.subscriber_mut(number).phase = Phase::Connecting;
        self.under_way += 1;
    }

    pub(super) fn on_connected(&mut self, number: u32) {
        let subscriber = self.subscriber_mut(number);
        subscriber.phase = Phase::Head;
        if subscriber.is_counted() {
            let next = subscriber.next_to_all;
            self.progress.join(next);
        }
        self.totals.connected += 1;
    }

    /// The connection is given up, by whomever.
    pub(super) fn on_gone(&mut self, number: u32) {
        let subscriber = self.subscriber_mut(number);
        let (phase, is_counted) = (subscriber.phase, subscriber.is_counted());
        let next = subscriber.next_to_all;
        subscriber.phase = Phase::Idle;
        subscriber.generation = next_generation(subscriber.generation);
        self.heads.remove(&number);
        self.under_way -= usize::from(phase.is_under_way());
        if phase.is_connected() {
            self.totals.connected -= 1;
            self.totals.live -= u32::from(phase == Phase::Live);
            if is_counted {
                self.progress.leave(next);
            }
        }
    }

    /// Says whether that is new.
    pub(super) fn set_stalled(&mut self, number: u32, is_stalled: bool) -> bool {
        let subscriber = self.subscriber_mut(number);
        let was_counted = subscriber.is_counted();
        let is_new = subscriber.is_stalled != is_stalled;
        subscriber.is_stalled = is_stalled;
        let (is_counted, next) = (subscriber.is_counted(), subscriber.next_to_all);
        match (was_counted, is_counted) {
            (true, false) => self.progress.leave(next),
            (false, true) => self.progress.join(next),
            (true, true) | (false, false) => {}
        }
        is_new
    }

    pub(super) fn parse(&mut self, number: u32) {
        self.subscriber_mut(number).is_parsed = true;
        self.streams.entry(number).or_default();
    }

    pub(super) fn last_id(&self, number: u32) -> Option<&str> {
        self.streams.get(&number)?.last_id()
    }

    /// What is known of a connection that ended before it was one: the beginning of its answer.
    pub(super) fn begun_head(&self, number: u32) -> Option<&[u8]> {
        self.heads.get(&number).map(Vec::as_slice)
    }

    /// Checks what `number` was sent.
    ///
    /// # Errors
    /// The first flaw of it.
    #[inline]
    pub(super) fn receive(&mut self, number: u32, bytes: &[u8]) -> Result<(), Fault> {
        self.totals.bytes += bytes.len() as u64;
        let subscriber = self.subscriber(number);
        if subscriber.phase == Phase::Live && !subscriber.is_parsed {
            return self.find_marks(number, bytes);
        }
        self.receive_with_care(number, bytes)
    }

    #[cold]
    fn receive_with_care(&mut self, number: u32, bytes: &[u8]) -> Result<(), Fault> {
        if self.subscriber(number).phase == Phase::Live {
            return self.receive_body(number, bytes);
        }
        let Some(mut begun) = self.heads.remove(&number) else {
            if let Some(len) = self.receive_head(number, bytes)? {
                return self.receive_body(number, &bytes[len..]);
            }
            self.heads.insert(number, bytes.to_vec());
            return Ok(());
        };
        begun.extend_from_slice(bytes);
        match self.receive_head(number, &begun)? {
            Some(len) => return self.receive_body(number, &begun[len..]),
            None => self.heads.insert(number, begun),
        };
        Ok(())
    }

    /// Bytes of the head of an answer that begins with `bytes`, if it is whole.
    fn receive_head(&mut self, number: u32, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let refused =
            |why: &str| Fault::Refused { subscriber: number, head: format!("{why}: {}", excerpt(bytes)) };
        let Some(head) = head::read(bytes).map_err(|error| refused(&error))? else { return Ok(None) };
        if head.status != 200 {
            return Err(refused("the status is not 200"));
        }
        if !head.is_event_stream {
            return Err(refused("the answer is no text/event-stream"));
        }
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.begin(head.body);
        }
        self.subscriber_mut(number).phase = Phase::Live;
        self.under_way -= 1;
        self.totals.live += 1;
        Ok(Some(head.len))
    }

    fn receive_body(&mut self, number: u32, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(stream) = self.streams.get_mut(&number) {
            let garbage = |error| Fault::Garbage { subscriber: number, bytes: error };
            stream.read(bytes).map_err(garbage)?;
        }
        self.find_marks(number, bytes)
    }

    #[inline]
    fn find_marks(&mut self, number: u32, bytes: &[u8]) -> Result<(), Fault> {
        let subscriber = &mut self.subscribers[number as usize];
        // Apart from the subscriber while it is at work, since the marks found change the rest of the subscriber.
        let mut carry = subscriber.carry;
        let (progress, latencies) = (&mut self.progress, &mut self.latencies);
        let deliveries = &mut self.totals.deliveries;
        let is_timed = number < self.timed_end;
        let scanned = carry.scan(bytes, |mark| {
            let was_counted = subscriber.is_counted();
            take_place(subscriber, number, &mark)?;
            if mark.stream == TO_ALL && was_counted {
                progress.deliver(mark.number, mark.intended_ns, latencies.now_ns());
            } else if mark.stream == TO_ALL && subscriber.is_counted() {
                progress.join(subscriber.next_to_all);
            }
            if is_timed {
                latencies.record(mark.intended_ns);
            }
            *deliveries += 1;
            Ok(())
        });
        subscriber.carry = carry;
        scanned.map_err(|flaw: Flaw| flaw.into_fault(number, bytes))
    }
}

/// Checks that `mark` is the next of its stream.
#[inline]
fn take_place(subscriber: &mut Subscriber, number: u32, mark: &Mark) -> Result<(), Flaw> {
    let next = match mark.stream {
        TO_ALL => &mut subscriber.next_to_all,
        stream if stream == number => &mut subscriber.next_own,
        stream => return Err(Flaw::Foreign { stream }),
    };
    if mark.number != *next && *next != ANY {
        return Err(Flaw::OutOfOrder { stream: mark.stream, expected: *next, got: mark.number });
    }
    *next = mark.number.wrapping_add(1);
    Ok(())
}

impl Flaw {
    #[cold]
    fn into_fault(self, subscriber: u32, bytes: &[u8]) -> Fault {
        match self {
            Self::NoMark => Fault::Garbage { subscriber, bytes: excerpt(bytes) },
            Self::OutOfOrder { stream, expected, got } => {
                Fault::OutOfOrder { subscriber, stream, expected, got }
            }
            Self::Foreign { stream } => Fault::Misdelivered { subscriber, stream },
        }
    }
}
