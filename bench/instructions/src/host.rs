//! A host of one engine that does as little as a host can, so that what is counted is the engine.
//!
//! It turns as the io_uring driver does (`server/src/driver/uring/mod.rs`): begin, inputs, outputs until there are
//! none, sends, closes. Its own part is some 50 instructions a send. Sockets take everything, so that no send falls
//! short; requests come whole.
//! Not here: the contract between engine and host. The stories in `core/src/engine/tests` check that.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use corecast_core::auth::{Keys, Verifier, mint};
use corecast_core::connection::PeerHash;
use corecast_core::connection::{ConnectionId, ConnectionIndex};
use corecast_core::engine::census::{Census, Full};
use corecast_core::engine::output::{BufferId, Output, PublishAnswer, PublishRequest, ShardId};
use corecast_core::engine::{Engine, EngineOptions};
use corecast_core::event::{Audience, Event, SequencedEvent, SharedEvent};
use corecast_core::frame::Frame;
use corecast_core::hash::HashSeed;
use corecast_core::id::{EventId, Incarnation, Position};
use corecast_core::limits::TOKENS_CACHED;
use corecast_core::selector::Selector;
use corecast_core::settings::Settings;
use corecast_core::time::{Instant, Now, UnixMillis};

const LOG: Incarnation = Incarnation(0xc0de);

/// 2026-11-02 09:00:00 UTC.
const MORNING: UnixMillis = UnixMillis(1_793_610_000_000);

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000);

/// Connections that come in one turn while a hub is filled.
const ARRIVALS_A_TURN: usize = 100;

/// An engine and the other ends of its outputs.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) now: Now,
    newest: Position,
    vacant: Vec<ConnectionIndex>,
    index_end: ConnectionIndex,
    sends: Vec<(ConnectionId, BufferId)>,
    closing: Vec<ConnectionId>,
    /// What the engine wants the sequencer to have.
    pub(crate) publishes: Vec<PublishRequest>,
    /// Bytes that the sockets have taken.
    pub(crate) bytes: u64,
}

/// There is always room; the server's counts in a few instructions.
struct Roomy;

impl Census for Roomy {
    fn try_enter(&self, _: PeerHash) -> Result<(), Full> {
        Ok(())
    }

    fn enter(&self, _: PeerHash) -> Option<Full> {
        None
    }

    fn leave(&self, _: PeerHash) {}
}

impl Host {
    /// A hub without connections, with the settings it has by default and anonymous streams.
    pub(crate) fn new() -> Self {
        let mut keys = Keys::new();
        keys.add_secret(SECRET).expect("the secret is long enough");
        let options = EngineOptions {
            shard: ShardId(0),
            shards: 1,
            incarnation: LOG,
            newest: Position(0),
            replays: false,
            slots: 0,
            hash_seed: HashSeed::new(7),
            random_seed: 1,
            verifier: Verifier::new(keys, TOKENS_CACHED, 1),
            census: Box::new(Roomy),
            assets: [].into(),
        };
        Self {
            engine: Engine::new(Settings { anonymous: true, ..Settings::default() }, options),
            now: Now { instant: Instant::ZERO, unix: MORNING },
            newest: Position(0),
            vacant: Vec::new(),
            index_end: 0,
            sends: Vec::new(),
            closing: Vec::new(),
            publishes: Vec::new(),
            bytes: 0,
        }
    }

    /// A hub with a stream for each request, all of them live.
    pub(crate) fn with_streams(requests: impl IntoIterator<Item = String>) -> Self {
        let mut host = Self::new();
        let requests: Vec<String> = requests.into_iter().collect();
        for some in requests.chunks(ARRIVALS_A_TURN) {
            let accepted: Vec<_> = some.iter().map(|_| host.accept()).collect();
            host.turn(|engine| {
                for (&id, request) in accepted.iter().zip(some) {
                    engine.handle_received(id, request.as_bytes());
                }
            });
            host.run_until_idle();
        }
        assert_eq!(host.engine.streams() as usize, requests.len(), "every request has its stream");
        assert_eq!(host.engine.streams_behind(), 0, "every stream is live");
        host
    }

    /// One turn with these inputs.
    pub(crate) fn turn(&mut self, inputs: impl FnOnce(&mut Engine)) {
        self.engine.begin_turn(self.now);
        inputs(&mut self.engine);
        self.carry_out();
    }

    /// Turns until there is nothing to do at the present time.
    pub(crate) fn run_until_idle(&mut self) {
        while self.engine.has_work() {
            self.turn(|_| {});
        }
    }

    /// Lets time pass, with a turn whenever the engine wants one.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now.instant + by;
        while let Some(next) = self.engine.poll_timeout().filter(|&next| next <= end) {
            self.set_time(next.max(self.now.instant));
            self.turn(|_| {});
            self.run_until_idle();
        }
        self.set_time(end);
    }

    fn set_time(&mut self, instant: Instant) {
        self.now.unix = UnixMillis(MORNING.0 + instant.as_millis());
        self.now.instant = instant;
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Send { to, buffer } => self.sends.push((to, buffer)),
                // Input comes when a scenario says so, and there is always room to write.
                Output::Receive(_) | Output::WatchHangup(_) | Output::AwaitWritable(_) => {}
                Output::Close(id) => self.closing.push(id),
                Output::Publish(request) => self.publishes.push(*request),
                Output::Seek { .. } | Output::ReadPage(_) => {
                    unreachable!("this log has no more than history")
                }
                Output::Move { .. } => unreachable!("a hub of one shard has no other home"),
            }
        }
        for (_, buffer) in self.sends.drain(..) {
            self.bytes += self.engine.buffer(buffer).len() as u64;
        }
        self.engine.handle_sent(self.now.instant);
        for id in self.closing.drain(..) {
            self.engine.handle_closed(id);
            self.vacant.push(id.index);
        }
    }

    /// A peer connects, in a turn of its own.
    pub(crate) fn accept(&mut self) -> ConnectionId {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.index_end += 1;
            self.index_end - 1
        });
        self.engine.begin_turn(self.now);
        let id = self.engine.handle_accepted(index, PEER);
        self.carry_out();
        id
    }

    /// Bytes of a peer, and all that follows.
    pub(crate) fn receive(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.turn(|engine| engine.handle_received(id, bytes));
        self.run_until_idle();
    }

    /// A peer hangs up, and its slot is given back.
    pub(crate) fn hang_up(&mut self, id: ConnectionId) {
        self.turn(|engine| engine.handle_hangup(id));
        self.run_until_idle();
    }

    /// An event reaches the shard, and goes out to all whom it is for.
    pub(crate) fn deliver(&mut self, event: SharedEvent) {
        self.turn(|engine| engine.handle_event(event));
        self.run_until_idle();
    }

    /// The sequencer answers everything that waits for it. The events themselves are lost.
    pub(crate) fn answer_publishes(&mut self) {
        for PublishRequest { from, events, .. } in std::mem::take(&mut self.publishes) {
            let results =
                events.into_iter().map(|event| event.map(|_| "0000000000000abc-17".into())).collect();
            self.turn(|engine| engine.handle_published(PublishAnswer { to: from, results }));
            self.run_until_idle();
        }
    }

    /// An event with 128 bytes of data, placed as the sequencer places it.
    pub(crate) fn event(&mut self, audience: Audience) -> SharedEvent {
        let event = Event {
            audience,
            data: "x".repeat(128).into(),
            kind: None,
            id: None,
            retry_ms: None,
            private: false,
            ttl: None,
            ephemeral: false,
            shows_topics: false,
        };
        self.newest = self.newest.next();
        let id = EventId::kept(LOG, self.newest);
        let frame = Frame::encode(&event, &id.to_string());
        Arc::new(SequencedEvent {
            position: self.newest,
            id,
            publisher_id: None,
            key: None,
            audience: event.audience,
            private: false,
            expires: None,
            ephemeral: false,
            sequenced: self.now.unix,
            published: self.now.instant,
            frame,
        })
    }

    /// The id of the event so many before the newest.
    pub(crate) fn id_before_newest(&self, events: u64) -> EventId {
        EventId::kept(LOG, Position(self.newest.0 - events))
    }
}

/// A token for a day, signed with HS256.
pub(crate) fn token(user: Option<&str>, publish: &[&str]) -> String {
    let publish: Vec<_> =
        publish.iter().map(|text| Selector::parse(text).expect("a grant is a selector")).collect();
    mint(SECRET, user, &[], &publish, Duration::from_secs(86_400), MORNING).expect("a token that may be made")
}

/// A request for a stream as a browser sends it, with `headers` each ended by CRLF.
pub(crate) fn get(query: &str, headers: &str) -> String {
    format!(
        "GET /events?{query} HTTP/1.1\r\n\
         Host: events.example.com\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         Accept: text/event-stream\r\n\
         Accept-Language: en-US,en;q=0.5\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\n\
         Cache-Control: no-cache\r\n\
         Pragma: no-cache\r\n\
         Connection: keep-alive\r\n\
         {headers}\r\n"
    )
}

/// A post of `body`.
pub(crate) fn post(token: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST /publish HTTP/1.1\r\n\
         Host: events.example.com\r\n\
         {}Content-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        bearer(token),
        body.len()
    )
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// An audience of one topic.
pub(crate) fn topic(name: &str) -> Audience {
    Audience::Topics([name.into()].into())
}

/// An audience of one user.
pub(crate) fn user(name: &str) -> Audience {
    Audience::Users([name.into()].into())
}
