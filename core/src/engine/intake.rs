//! From bytes to requests: heads, bodies, kept connections, and what is read only to be thrown away.
//!
//! Bounds: a head by `head_bytes`, a body by what it is, everything that has been read of incomplete requests by
//! `INTAKE_BYTES_MAX`, and each request by `head_timeout` for its head and again for its body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::auth::Authorized;
use crate::close_reason::CloseReason;
use crate::connection::state::State;
use crate::connection::{Connection, ConnectionId, ConnectionIndex, Peer};
use crate::http::{self, BodyDecoder, BodyError, CONTINUE, Cors, HeadError, Request, Response, Status};
use crate::limits::INTAKE_BYTES_MAX;
use crate::time::Instant;

use super::Engine;
use super::hot::Hot;
use super::outgoing::Then;
use super::output::Output;
use super::publish::Posted;

/// How long a peer may go on sending what is thrown away, so that our close does not destroy the answer it has not
/// read yet (a close with unread input is a reset, RFC 9112 §9.6).
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// How much is thrown away at most.
const LINGER_BYTES_MAX: u32 = 256 * 1024;

/// How much a client may send behind its request for a stream before it is taken for an abuser.
const STRAY_BYTES_MAX: u16 = 4096;

/// What has been read of a request.
#[derive(Debug)]
pub(crate) struct Intake {
    /// Read and not yet understood.
    buf: Vec<u8>,
    /// When what is being read must be complete.
    pub(super) deadline: Instant,
    /// A request whose body is being read. Boxed as is `posted`: a herd of subscribers has neither.
    pub(super) body: Option<Box<Body>>,
    /// How much of `Engine::intake_bytes` is this connection's.
    accounted: usize,
    /// Whether the host has been asked for input that it has not reported yet.
    receiving: bool,
    /// A post that waits for the sequencer.
    pub(super) posted: Option<Box<Posted>>,
    /// Whether the present request leaves the connection usable.
    pub(super) keep_alive: bool,
}

/// A request that has a body, while it is read.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) request: Request,
    /// Bodies are read for those who may publish, and for nobody else.
    pub(super) authorized: Authorized,
    decoder: BodyDecoder,
    pub(super) bytes: Vec<u8>,
    bytes_max: usize,
}

const _: () = assert!(size_of::<Intake>() <= 72, "each connection that has just come has one");

impl Intake {
    fn new(deadline: Instant) -> Box<Self> {
        Box::new(Self {
            buf: Vec::new(),
            deadline,
            body: None,
            posted: None,
            accounted: 0,
            receiving: true,
            keep_alive: false,
        })
    }

    pub(super) fn accounted(&self) -> usize {
        self.accounted
    }

    /// Memory that the peer makes us hold.
    fn memory(&self) -> usize {
        self.buf.capacity() + self.body.as_ref().map_or(0, |body| body.bytes.capacity())
    }
}

impl Engine {
    /// A peer has connected. The host chose the slot; it is free, and stays taken until [`Engine::handle_closed`].
    pub fn handle_accepted(&mut self, index: ConnectionIndex, peer: SocketAddr) -> ConnectionId {
        self.counters.accepted += 1;
        let deadline = self.now.instant + self.settings.limits.head_timeout;
        let id = self.occupy(index, peer.into(), State::Head(Intake::new(deadline)));
        self.outputs.push_back(Output::Receive(id));
        self.arm(index);
        id
    }

    pub(super) fn occupy(&mut self, index: ConnectionIndex, peer: Peer, state: State) -> ConnectionId {
        self.phases[state.phase().index()] += 1;
        let id = self.arena.occupy(index, Connection { state });
        let rows = self.hot.len().max(index as usize + 1);
        self.hot.resize(rows, Hot::IDLE);
        self.peers.resize(rows, Peer::NOBODY);
        self.peers[index as usize] = peer;
        self.hot[index as usize] = Hot { generation: id.generation, ..Hot::IDLE };
        id
    }

    /// Bytes from a peer; none at its end.
    pub fn handle_received(&mut self, id: ConnectionId, bytes: &[u8]) {
        let index = id.index;
        if self.phase(id).is_none() {
            return;
        }
        if bytes.is_empty() {
            return self.on_end_of_input(index);
        }
        // From the first byte of a request on a kept connection; a new connection's patience has begun already.
        let deadline = self.now.instant + self.settings.limits.head_timeout;
        match &mut self.connection_mut(index).state {
            State::Head(intake) => {
                intake.receiving = false;
                let is_kept = intake.keep_alive;
                if is_kept && intake.buf.is_empty() && intake.body.is_none() {
                    intake.deadline = deadline;
                }
                intake.buf.extend_from_slice(bytes);
                self.advance(index);
            }
            State::Draining { linger_bytes: 0, receiving, .. } => *receiving = false,
            State::Draining { linger_bytes, receiving, .. } => {
                *linger_bytes = linger_bytes.saturating_sub(bytes.len() as u32);
                *receiving = *linger_bytes > 0;
                if *receiving {
                    self.outputs.push_back(Output::Receive(id));
                } else {
                    self.close(index);
                }
            }
            State::Streaming(stream) => {
                // Nothing belongs here, but some clients send a line end too many.
                stream.stray_bytes =
                    stream.stray_bytes.saturating_add(bytes.len().min(usize::from(u16::MAX)) as u16);
                if stream.stray_bytes > STRAY_BYTES_MAX {
                    self.end(index, CloseReason::BadRequest);
                } else {
                    self.outputs.push_back(Output::WatchHangup(id));
                }
            }
            State::Publishing(_) | State::Answering(_) | State::Moving | State::Closing { .. } => {
                self.counters.stale_inputs += 1;
            }
        }
    }

    fn on_end_of_input(&mut self, index: u32) {
        match &mut self.connection_mut(index).state {
            // It may still read what is going out; the end is reported again to who asks again.
            State::Draining { linger_bytes: 0, receiving, .. } => *receiving = false,
            State::Draining { .. } => self.close(index),
            State::Head(_)
            | State::Publishing(_)
            | State::Answering(_)
            | State::Moving
            | State::Streaming(_)
            | State::Closing { .. } => {
                self.end(index, CloseReason::PeerGone);
            }
        }
    }

    /// Understands as much of what has been read as it can.
    fn advance(&mut self, index: u32) {
        let head_bytes = self.settings.limits.head_bytes as usize;
        let State::Head(intake) = &mut self.connection_mut(index).state else { return };
        if intake.body.is_some() {
            return self.advance_body(index);
        }
        let parsed = match http::parse(&intake.buf, head_bytes) {
            Ok(parsed) => parsed,
            Err(error) => return self.reject_head(index, error),
        };
        match parsed {
            None => self.read_on(index),
            Some((request, consumed)) => {
                let State::Head(intake) = &mut self.connection_mut(index).state else { return };
                intake.buf.drain(..consumed);
                self.counters.requests += 1;
                self.route(index, request);
            }
        }
    }

    /// Begins to read the body of a request that may publish.
    pub(super) fn begin_body(
        &mut self,
        index: u32,
        request: Request,
        authorized: Authorized,
        bytes_max: usize,
    ) {
        let mut decoder = BodyDecoder::new(request.body);
        let mut bytes = Vec::new();
        if let Err(error) = decoder.decode(&[], &mut bytes, bytes_max) {
            return self.reject_body(index, error, &request);
        }
        let deadline = self.now.instant + self.settings.limits.head_timeout;
        let State::Head(intake) = &mut self.connection_mut(index).state else { return };
        intake.deadline = deadline;
        let waits = request.expects_continue && intake.buf.is_empty();
        intake.body = Some(Box::new(Body { request, authorized, decoder, bytes, bytes_max }));
        if waits {
            self.begin_outgoing(index, Bytes::from_static(CONTINUE), Then::Nothing);
        }
        self.advance_body(index);
    }

    fn advance_body(&mut self, index: u32) {
        let State::Head(intake) = &mut self.connection_mut(index).state else { return };
        let Intake { buf, body: Some(body), .. } = &mut **intake else { return };
        let Body { decoder, bytes, bytes_max, .. } = &mut **body;
        let decoded = decoder.decode(buf, bytes, *bytes_max);
        match decoded {
            Err(error) => {
                let Some(body) = intake.body.take() else { return };
                self.reject_body(index, error, &body.request);
            }
            Ok(decoded) => {
                buf.drain(..decoded.consumed);
                if decoded.complete {
                    let Some(body) = intake.body.take() else { return };
                    let Body { request, authorized, bytes, .. } = *body;
                    self.on_publish(index, request, &authorized, &bytes);
                } else {
                    self.read_on(index);
                }
            }
        }
    }

    /// Asks for more, if all that is being read leaves room for it.
    fn read_on(&mut self, index: u32) {
        if self.account(index) > INTAKE_BYTES_MAX {
            self.counters.intake_refused += 1;
            let response = Response::error(
                Status::ServiceUnavailable,
                "busy",
                &"too many requests are being read at once, try again",
            )
            .retry_after(1);
            return self.answer_and_end(index, &response, CloseReason::BadRequest);
        }
        if let State::Head(intake) = &mut self.connection_mut(index).state {
            intake.receiving = true;
        }
        self.outputs.push_back(Output::Receive(self.id_of(index)));
        self.arm(index);
    }

    /// Whether the host has been asked for input of a request that it has not reported yet.
    pub(super) fn is_receiving(&self, index: u32) -> bool {
        matches!(&self.connection(index).state, State::Head(intake) if intake.receiving)
    }

    /// Brings the sum of all that is being read up to date for this connection, and tells it.
    fn account(&mut self, index: u32) -> usize {
        let (before, after) = match &mut self.connection_mut(index).state {
            State::Head(intake) | State::Publishing(intake) | State::Answering(intake) => {
                let after = intake.memory();
                (std::mem::replace(&mut intake.accounted, after), after)
            }
            State::Moving | State::Streaming(_) | State::Draining { .. } | State::Closing { .. } => (0, 0),
        };
        self.intake_bytes = self.intake_bytes - before + after;
        self.intake_bytes
    }

    /// What this connection has read is about to be dropped.
    pub(super) fn forget_intake(&mut self, index: u32) {
        if let State::Head(intake) | State::Publishing(intake) | State::Answering(intake) =
            &mut self.connection_mut(index).state
        {
            let accounted = std::mem::take(&mut intake.accounted);
            self.intake_bytes -= accounted;
        }
    }

    /// The answer is out: the next request may already be there.
    pub(super) fn on_answered(&mut self, index: u32) {
        if self.drain.is_some() {
            return self.end(index, CloseReason::Drain);
        }
        let (now, head_timeout) = (self.now.instant, self.settings.limits.head_timeout);
        let idle_timeout = self.settings.stream.idle_timeout.unwrap_or(head_timeout);
        self.move_intake(index, State::Head);
        let State::Head(intake) = &mut self.connection_mut(index).state else { return };
        // Between requests patience is that of an idle connection; within one, that of a head.
        if intake.buf.is_empty() {
            intake.buf = Vec::new();
            intake.deadline = now + idle_timeout;
        } else {
            intake.deadline = now + head_timeout;
        }
        self.account(index);
        self.advance(index);
    }

    /// The answer is out, but input may be on its way that would turn our close into a reset.
    pub(super) fn begin_linger(&mut self, index: u32) {
        let deadline = self.now.instant + LINGER_TIMEOUT;
        let State::Draining { until, linger_bytes, receiving, .. } = &mut self.connection_mut(index).state
        else {
            return;
        };
        *until = deadline;
        *linger_bytes = LINGER_BYTES_MAX;
        if !std::mem::replace(receiving, true) {
            self.outputs.push_back(Output::Receive(self.id_of(index)));
        }
        self.arm(index);
    }

    pub(super) fn on_request_timeout(&mut self, index: u32) {
        if self.is_between_requests(index) {
            return self.end(index, CloseReason::IdleTimeout);
        }
        let response =
            Response::error(Status::RequestTimeout, "timeout", &"the request was not complete in time");
        self.answer_and_end(index, &response, CloseReason::RequestTimeout);
    }

    /// Whether nothing of a request has come, on a kept connection or a new one.
    pub(super) fn is_between_requests(&self, index: u32) -> bool {
        match &self.connection(index).state {
            State::Head(intake) => intake.buf.is_empty() && intake.body.is_none(),
            State::Publishing(_)
            | State::Answering(_)
            | State::Moving
            | State::Streaming(_)
            | State::Draining { .. }
            | State::Closing { .. } => false,
        }
    }

    fn reject_head(&mut self, index: u32, error: HeadError) {
        self.counters.requests_rejected += 1;
        let response = Response::error(error.status(), error.code(), &error);
        self.answer_and_end(index, &response, CloseReason::BadRequest);
    }

    fn reject_body(&mut self, index: u32, error: BodyError, request: &Request) {
        self.counters.requests_rejected += 1;
        let cors = Arc::clone(&self.cors);
        let response =
            Response::error(error.status(), error.code(), &error).cors(Cors::of(&cors, request.origin()));
        self.answer_and_end(index, &response, CloseReason::BadRequest);
    }

    /// Answers a request, and keeps the connection if both sides can.
    pub(super) fn answer(&mut self, index: u32, response: &Response<'_>) {
        let bytes = response.clone().closing(!self.keeps_alive(index)).encode(self.now.unix);
        self.answer_encoded(index, bytes);
    }

    pub(super) fn answer_encoded(&mut self, index: u32, bytes: Bytes) {
        if self.keeps_alive(index) {
            self.move_intake(index, State::Answering);
            self.wheel.disarm(index);
            self.begin_outgoing(index, bytes, Then::NextRequest);
        } else {
            self.begin_draining(index, CloseReason::Done);
            self.begin_outgoing(index, bytes, Then::Close);
        }
    }

    pub(super) fn keeps_alive(&self, index: u32) -> bool {
        match &self.connection(index).state {
            State::Head(intake) | State::Publishing(intake) => {
                intake.keep_alive && !self.last_requests && self.drain.is_none()
            }
            State::Answering(_)
            | State::Moving
            | State::Streaming(_)
            | State::Draining { .. }
            | State::Closing { .. } => false,
        }
    }

    /// Moves to another state that has an intake.
    pub(super) fn move_intake(&mut self, index: u32, next: fn(Box<Intake>) -> State) {
        let connection = self.connection_mut(index);
        let before = connection.state.phase();
        match std::mem::replace(&mut connection.state, State::Closing { is_cut: false }) {
            State::Head(intake) | State::Publishing(intake) | State::Answering(intake) => {
                connection.state = next(intake);
            }
            State::Moving | State::Streaming(_) | State::Draining { .. } | State::Closing { .. } => {}
        }
        let after = connection.state.phase();
        self.count_phase(before, after);
    }

    /// Answers a request behind which nothing can be understood, and closes.
    pub(super) fn answer_and_end(&mut self, index: u32, response: &Response<'_>, reason: CloseReason) {
        let bytes = response.clone().closing(true).encode(self.now.unix);
        self.begin_draining(index, reason);
        self.begin_outgoing(index, bytes, Then::Linger);
    }
}
