//! A turn of the load: connections begun, completions taken, requests sent.
//!
//! Invariants: the time of a batch is taken after the kernel has handed its bytes over, and no bytes arrive until it is
//! checked, so that no latency looks shorter than it was; a reap queues at most two operations for each completion, which
//! the submission queue holds, so it never enters the kernel.

use std::net::SocketAddr;
use std::time::Duration;

use corecast_ring::{Buffer, Completion, Connect, Errno, Interest, Outcome};
use rustix::time::{ClockId, clock_gettime};

use super::head::excerpt;
use super::subscriber::Kind;
use super::{Fault, Load};

/// Connections that the target has not answered yet: below 511, the queue of accepts that nginx has by default. Some
/// thousands of connections a second and core need far fewer.
const UNDER_WAY_MAX: usize = 500;

/// Completions taken at once: as many as there are buffers.
const REAP_MAX: usize = 256;

/// With several rings only one can be slept on, so the others wait for this long at most.
const NAP_MAX: Duration = Duration::from_millis(1);

/// While very many subscribers are served, the load sleeps until so much has come, or for so long, instead of being woken by
/// each delivery: that costs three times the delivery itself, and the server's core pays a part of it (measured). Latencies
/// look longer by that time at most.
const DOZE_COMPLETIONS: usize = 32;
const DOZE: Duration = Duration::from_micros(50);

/// When it does so: this many live subscribers, and deliveries within the last window. Publishers are waited for at once
/// where they are what is measured.
const DOZE_LIVE_MIN: u32 = 1000;
const DOZE_DELIVERIES_MIN: u64 = 50;
const WINDOW_NS: u64 = 1_000_000;

/// How fast deliveries come.
#[derive(Debug, Default)]
pub(super) struct Flow {
    began_ns: u64,
    deliveries: u64,
    is_fast: bool,
}

impl Flow {
    /// Whether deliveries come fast, now that there were `deliveries`.
    fn is_fast(&mut self, deliveries: u64, now_ns: u64) -> bool {
        let elapsed = now_ns.saturating_sub(self.began_ns);
        if elapsed >= WINDOW_NS {
            self.is_fast = (deliveries - self.deliveries) * WINDOW_NS >= DOZE_DELIVERIES_MIN * elapsed;
            (self.began_ns, self.deliveries) = (now_ns, deliveries);
        }
        self.is_fast
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(super) fn clock_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl Load {
    pub(super) fn take_turn(&mut self, patience: Duration) {
        self.begin_connects();
        let mut reaped = 0;
        for ring in 0..self.rings.len() {
            // One is enough to take some 20. Wanting all that might be there would set a timer wherever it is less, and
            // in a virtual machine that costs as much as some deliveries.
            let want = usize::from(self.rings[ring].taskrun_pending());
            self.rings[ring].wait(want, Some(Duration::ZERO));
            reaped += self.reap(ring);
        }
        if reaped == 0 && !patience.is_zero() {
            self.sleep(patience);
        }
    }

    fn sleep(&mut self, patience: Duration) {
        self.slept_on = (self.slept_on + 1) % self.rings.len();
        let nap = if self.rings.len() == 1 { patience } else { patience.min(NAP_MAX) };
        let totals = &self.crowd.totals;
        let is_fast = self.flow.is_fast(totals.deliveries, self.crowd.latencies.now_ns());
        let (want, nap) = if is_fast && totals.live >= DOZE_LIVE_MIN {
            (DOZE_COMPLETIONS, nap.min(DOZE))
        } else {
            (1, nap)
        };
        self.rings[self.slept_on].wait(want, Some(nap));
        self.reap(self.slept_on);
    }

    fn begin_connects(&mut self) {
        while self.crowd.under_way < UNDER_WAY_MAX
            && let Some((number, generation, request)) = self.queue.pop_front()
        {
            if self.crowd.of(number, generation).is_none() {
                // Dropped while it waited.
                continue;
            }
            let (ring, slot) = self.layout.subscriber(number);
            let token = Kind::Connect.token(number, generation);
            let from = self.sources.next();
            self.connects[ring].push(Connect { slot, from, to: self.subscribe, token });
            self.requests.insert(number, request);
            self.crowd.on_connecting(number);
        }
        for (ring, connects) in self.rings.iter_mut().zip(&mut self.connects) {
            ring.connect_all(connects.drain(..));
        }
    }

    /// Takes what completed on `ring`, and says how much it was.
    fn reap(&mut self, ring: usize) -> usize {
        self.crowd.latencies.begin_batch(clock_ns());
        let mut reaped = 0;
        while reaped < REAP_MAX
            && let Some(completion) = self.rings[ring].next_completion()
        {
            reaped += 1;
            self.on_completion(ring, completion);
        }
        self.greet(ring);
        reaped
    }

    fn on_completion(&mut self, ring: usize, completion: Completion) {
        let Some((kind, number, generation)) = Kind::read(completion.token) else { return };
        match (kind, completion.outcome) {
            (Kind::Receive, Outcome::Received { buffer, goes_on }) => {
                self.on_received(ring, number, generation, buffer, goes_on);
            }
            (Kind::Receive, Outcome::Done(result)) => self.on_receive_end(number, generation, result),
            (Kind::Connect, Outcome::Done(result)) => self.on_connect_end(number, generation, result),
            (Kind::PublisherReceive, Outcome::Received { buffer, goes_on }) => {
                self.on_answers(number, buffer);
                if !goes_on {
                    self.arm_publisher(number);
                }
            }
            (Kind::PublisherReceive, Outcome::Done(Err(Errno::NOBUFS))) => self.arm_publisher(number),
            (Kind::PublisherReceive, Outcome::Done(result)) => {
                self.raise(Fault::PublisherDisconnected { cause: end_cause(result) });
            }
            (Kind::PublisherWritable, Outcome::Done(_)) => {
                self.publishers[number as usize].is_blocked = false;
                self.send_published(number);
            }
            (_, Outcome::Received { buffer, .. }) => self.rings[ring].give_back(buffer),
            // What the kernel says is input: nothing else is ever asked of it.
            (
                Kind::Connect
                | Kind::Receive
                | Kind::Send
                | Kind::PublisherReceive
                | Kind::PublisherSend
                | Kind::PublisherWritable,
                _,
            ) => {}
        }
    }

    #[inline]
    fn on_received(&mut self, ring: usize, number: u32, generation: u32, buffer: Buffer, goes_on: bool) {
        let bytes = self.rings[ring].received(buffer).unwrap_or_default();
        let Some(&state) = self.crowd.of(number, generation) else {
            return self.rings[ring].give_back(buffer);
        };
        let checked = self.crowd.receive(number, bytes);
        self.rings[ring].give_back(buffer);
        if let Err(fault) = checked {
            self.raise(fault);
        }
        if !goes_on {
            self.crowd.subscriber_mut(number).is_armed = false;
            self.arm(number);
        } else if state.is_stalled {
            // The cancel came while the kernel was at this receive.
            self.rings[ring].cancel(Kind::Receive.token(number, generation));
        }
    }

    /// Has the kernel receive for `number`, if it is to read and does not already.
    pub(super) fn arm(&mut self, number: u32) {
        let (ring, slot) = self.layout.subscriber(number);
        let subscriber = self.crowd.subscriber_mut(number);
        if subscriber.phase.is_connected() && !subscriber.is_stalled && !subscriber.is_armed {
            subscriber.is_armed = true;
            self.rings[ring].receive_on(slot, Kind::Receive.token(number, subscriber.generation));
        }
    }

    fn on_receive_end(&mut self, number: u32, generation: u32, result: Result<u32, Errno>) {
        if self.crowd.of(number, generation).is_none() {
            return;
        }
        self.crowd.subscriber_mut(number).is_armed = false;
        match result {
            // All buffers were in use for a moment, or a stall ended before it had begun.
            Err(Errno::NOBUFS | Errno::CANCELED) => self.arm(number),
            end => self.on_disconnected(number, end),
        }
    }

    fn on_disconnected(&mut self, number: u32, end: Result<u32, Errno>) {
        let fault = match self.crowd.begun_head(number) {
            Some(begun) => Fault::Refused { subscriber: number, head: excerpt(begun) },
            None => Fault::Disconnected { subscriber: number, cause: end_cause(end) },
        };
        let (ring, slot) = self.layout.subscriber(number);
        self.rings[ring].close(slot);
        self.crowd.on_gone(number);
        self.crowd.totals.ended += 1;
        self.raise(fault);
    }

    fn on_connect_end(&mut self, number: u32, generation: u32, result: Result<u32, Errno>) {
        if self.crowd.of(number, generation).is_none() {
            return;
        }
        let request = self.requests.remove(&number).unwrap_or_default();
        match result {
            Ok(_) => {
                self.crowd.on_connected(number);
                self.arm(number);
                self.to_greet.push((number, request));
            }
            Err(errno) => {
                let (ring, slot) = self.layout.subscriber(number);
                self.rings[ring].close(slot);
                self.crowd.on_gone(number);
                self.raise(Fault::Connect {
                    to: self.subscribe,
                    cause: connect_cause(errno, self.subscribe),
                });
            }
        }
    }

    /// Sends their requests to the connections of `ring` that are new.
    fn greet(&mut self, ring: usize) {
        if self.to_greet.is_empty() {
            return;
        }
        let (layout, crowd) = (&self.layout, &self.crowd);
        let sends = self.to_greet.iter().map(|(number, request)| {
            let token = Kind::Send.token(*number, crowd.subscriber(*number).generation);
            (layout.subscriber(*number).1, token, &request[..])
        });
        self.rings[ring].send_all(sends, &mut self.short);
        self.to_greet.clear();
        while let Some(short) = self.short.pop() {
            if let Some((_, subscriber, _)) = Kind::read(short.token) {
                let cause = format!("the request was not taken whole ({:?})", short.taken);
                self.raise(Fault::Disconnected { subscriber, cause });
            }
        }
    }

    fn on_answers(&mut self, number: u32, buffer: Buffer) {
        let ring = &mut self.rings[0];
        let bytes = ring.received(buffer).unwrap_or_default();
        let now_ns = self.crowd.latencies.now_ns();
        let read = self.publishers[number as usize].receive(bytes, now_ns, &mut self.answer_times);
        ring.give_back(buffer);
        match read {
            Ok(count) => self.crowd.totals.published += count,
            Err(fault) => self.raise(fault),
        }
    }

    fn arm_publisher(&mut self, number: u32) {
        let slot = self.layout.publisher(number);
        self.rings[0].receive_on(slot, Kind::PublisherReceive.token(number, 0));
    }

    /// Sends what a publisher has queued, as far as its socket takes it.
    pub(super) fn send_published(&mut self, number: u32) {
        let publisher = &mut self.publishers[number as usize];
        let len = publisher.unsent().len();
        if publisher.is_blocked || len == 0 {
            return;
        }
        let slot = self.layout.publisher(number);
        let send = (slot, Kind::PublisherSend.token(number, 0), publisher.unsent());
        self.rings[0].send_all([send], &mut self.short);
        match self.short.pop().map(|short| short.taken) {
            None => publisher.on_sent(len),
            Some(Err(errno)) if errno != Errno::AGAIN => {
                self.raise(Fault::PublisherDisconnected { cause: errno.to_string() });
            }
            Some(taken) => {
                publisher.on_sent(taken.unwrap_or(0) as usize);
                publisher.is_blocked = true;
                self.rings[0].poll(slot, Interest::Writable, Kind::PublisherWritable.token(number, 0));
            }
        }
    }

    /// Keeps the first fault.
    #[cold]
    fn raise(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

fn end_cause(end: Result<u32, Errno>) -> String {
    match end {
        Ok(_) => "the server closed the connection".to_owned(),
        Err(errno) => errno.to_string(),
    }
}

/// Why a connection was not made, with the remedy where the machine lacks something.
fn connect_cause(errno: Errno, to: SocketAddr) -> String {
    let remedy = match errno {
        Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => {
            "no local port is free: widen the sysctl net.ipv4.ip_local_port_range, or connect to 127.0.0.1"
        }
        Errno::MFILE | Errno::NFILE => "no file is left: raise the sysctl fs.file-max",
        Errno::INVAL if to.ip().is_loopback() => "Linux 6.11 or newer is needed to bind through io_uring",
        Errno::CONNREFUSED => "nothing listens there",
        _ => return errno.to_string(),
    };
    format!("{errno}: {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_fast_while_they_come_fast() {
        let mut flow = Flow::default();
        for (ms, deliveries, expected) in [
            (1, 0, false),
            (2, DOZE_DELIVERIES_MIN, true),
            (2, DOZE_DELIVERIES_MIN, true),
            (4, 2 * DOZE_DELIVERIES_MIN, false),
            (5, 3 * DOZE_DELIVERIES_MIN, true),
            (5_000, 4 * DOZE_DELIVERIES_MIN, false),
        ] {
            assert_eq!(flow.is_fast(deliveries, ms * WINDOW_NS), expected, "{ms} ms, {deliveries}");
        }
    }
}
