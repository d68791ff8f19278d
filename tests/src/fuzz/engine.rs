//! Engine operations decoded from bytes: peers, the sequencer, other shards and time, in any order.
//!
//! Invariants: the engine's own after every step, and its contract with the host: at most one send to a connection in
//! a turn and none into a full socket, one receive and one wait for room at a time, nothing behind a close. Every
//! stream's bytes are whole chunks, of which only the last may be cut.
//! Not here: that everything arrives (the simulator's oracle), and faults of a kernel.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use corecast_core::auth::{Keys, Verifier, mint};
use corecast_core::connection::{ConnectionId, PeerHash};
use corecast_core::engine::census::{Census, Full};
use corecast_core::engine::output::{Output, PublishAnswer, PublishRequest, Refused, ShardId};
use corecast_core::engine::parcel::Parcel;
use corecast_core::engine::{Engine, EngineOptions};
use corecast_core::event::{Audience, Event, SequencedEvent, SharedEvent};
use corecast_core::frame::Frame;
use corecast_core::hash::HashSeed;
use corecast_core::id::{EventId, Incarnation, Position};
use corecast_core::replay::{Page, PageRead, Sought};
use corecast_core::selector::Selector;
use corecast_core::settings::{PerUserPolicy, Settings};
use corecast_core::time::{Now, UnixMillis};

use super::Target;

const LOG: Incarnation = Incarnation(0xc0de);
const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";
const MORNING: UnixMillis = UnixMillis(1_793_610_000_000);
const SHARDS: usize = 2;

/// Most connections at a time, so that a long input does not make a slow case.
const SOCKETS_MAX: usize = 24;

/// See the module.
pub const TARGET: Target = Target {
    name: "engine",
    run,
    seeds: &[b"\x00\x01\x02\x03GET /events?topic=a HTTP/1.1\r\nHost: h\r\n\r\n", b"\x05\x10\x20\x30\x40\x50"],
};

/// Plays the bytes as a story of a hub of two shards.
fn run(data: &[u8]) {
    let mut story = Story { rest: data };
    let mut world = World::new(story.byte().unwrap_or(0));
    while let Some(byte) = story.byte() {
        world.turn(usize::from(byte) % SHARDS, usize::from(byte >> 6) + 1, &mut story);
    }
    world.let_everybody_read();
}

/// The input, read byte by byte; at its end everything is `None`.
struct Story<'a> {
    rest: &'a [u8],
}

impl<'a> Story<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn number(&mut self, bound: usize) -> usize {
        usize::from(self.byte().unwrap_or(0)) % bound.max(1)
    }

    fn bytes(&mut self) -> &'a [u8] {
        let len = self.number(64).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        bytes
    }
}

struct Streams {
    max: u32,
    count: Rc<Cell<u32>>,
}

impl Census for Streams {
    fn try_enter(&self, _: PeerHash) -> Result<(), Full> {
        if self.count.get() >= self.max {
            return Err(Full::Process);
        }
        self.count.set(self.count.get() + 1);
        Ok(())
    }

    fn enter(&self, _: PeerHash) -> Option<Full> {
        let is_full = self.count.get() >= self.max;
        self.count.set(self.count.get() + 1);
        is_full.then_some(Full::Process)
    }

    fn leave(&self, _: PeerHash) {
        self.count.set(self.count.get().checked_sub(1).expect("whoever leaves has entered"));
    }
}

struct Socket {
    shard: usize,
    id: ConnectionId,
    receiving: bool,
    watching: bool,
    awaiting_writable: bool,
    /// Bytes that it still takes.
    room: usize,
    /// Whether the next send fails for good.
    is_broken: bool,
    received: Vec<u8>,
    last_turn: usize,
}

struct Shard {
    engine: Engine,
    vacant: Vec<u32>,
    index_end: u32,
    events: VecDeque<SharedEvent>,
    closed: Vec<ConnectionId>,
    refused_moves: Vec<(ConnectionId, Box<Parcel>)>,
    arrivals: Vec<(Socket, Box<Parcel>)>,
    /// What it has asked of the log.
    seeks: VecDeque<ConnectionId>,
    page: Option<Position>,
}

impl Shard {
    /// Whether a turn would change anything at the present time, though no peer does anything.
    fn is_busy(&self) -> bool {
        let mail = self.closed.len() + self.refused_moves.len() + self.arrivals.len() + self.events.len();
        let answers = self.seeks.len() + usize::from(self.page.is_some());
        mail + answers > 0 || self.engine.has_work()
    }
}

struct World {
    shards: Vec<Shard>,
    sockets: BTreeMap<(usize, u32), Socket>,
    streams: Rc<Cell<u32>>,
    waiting: VecDeque<PublishRequest>,
    /// The log, from position 1.
    kept: Vec<SharedEvent>,
    newest: Position,
    ephemerals: u64,
    now: Now,
    turns: usize,
    requests: Vec<String>,
}

fn settings(choice: u8) -> Settings {
    let mut settings = Settings { anonymous: choice & 1 != 0, ..Settings::default() };
    settings.limits.connections = 12;
    settings.limits.per_user = u32::from(choice >> 1 & 3);
    if choice & 8 != 0 {
        settings.limits.per_user_policy = PerUserPolicy::RejectNewest;
    }
    settings.history.events = if choice & 16 != 0 { 8 } else { 1000 };
    settings.stream.max_age = (choice & 32 != 0).then_some(Duration::from_secs(100));
    settings.stream.heartbeat = (choice & 64 != 0).then_some(Duration::from_secs(15));
    settings.stream.topics = choice & 16 != 0;
    settings.stream.idle_timeout = (choice & 128 != 0).then_some(Duration::from_secs(60));
    settings
}

/// What peers say, to be cut anywhere.
fn requests() -> Vec<String> {
    let token = |user, seconds| {
        let everything = [Selector::Any];
        let ttl = Duration::from_secs(seconds);
        mint(SECRET, Some(user), &everything, &everything, ttl, MORNING).expect("a token within all bounds")
    };
    let (alice, bob) = (token("alice", 100_000), token("bob", 100));
    let get = |query: &str, headers: &str| {
        format!("GET /events?{query} HTTP/1.1\r\nHost: hub\r\nAccept: text/event-stream\r\n{headers}\r\n")
    };
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let body = r#"{"topics":["a","b/1"],"data":"x\ny","private":true}"#;
    vec![
        get("topic=a&topic=*", ""),
        get("topic=b/%7Bx%7D&client_id=one", &bearer(&alice)),
        get("topic=a&client_id=two&last_event_id=earliest", &bearer(&alice)),
        get("topic=a&last_event_id=000000000000c0de-3", &bearer(&bob)),
        get("topic=a&client_id=tab&last_event_id=000000000000c0de-9", ""),
        get("topic=a&last_event_id=000000000000c0de-0", ""),
        get("topic=a&last_event_id=order-1", ""),
        get("heartbeat=event", &bearer(&bob)),
        format!("GET /events?topic=a HTTP/1.0\r\n{}\r\n", bearer(&alice)),
        format!("GET /events?topic=a HTTP/1.1\r\nHost: hub\r\n{}\r\n", bearer(&bob)),
        format!(
            "POST /publish HTTP/1.1\r\nHost: hub\r\n{}Content-Type: application/json\r\nExpect: 100-continue\r\n\
             Content-Length: {}\r\n\r\n{body}",
            bearer(&alice),
            body.len()
        ),
        format!(
            "POST /publish?user=alice HTTP/1.1\r\nHost: hub\r\n{}Content-Type: text/plain\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            bearer(&bob)
        ),
        "GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\nHEAD /events HTTP/1.1\r\nHost: hub\r\n\r\n".to_owned(),
        "OPTIONS /events HTTP/1.1\r\nHost: hub\r\n\r\nnonsense\r\n\r\n".to_owned(),
    ]
}

impl World {
    fn new(choice: u8) -> Self {
        let streams = Rc::new(Cell::new(0));
        let shard = |number: usize| {
            let mut keys = Keys::new();
            keys.add_secret(SECRET).expect("a secret within all bounds");
            let settings = settings(choice);
            let census = Streams { max: settings.limits.connections, count: Rc::clone(&streams) };
            let options = EngineOptions {
                shard: ShardId(number as u16),
                shards: SHARDS as u16,
                slots: 0,
                incarnation: LOG,
                newest: Position(0),
                replays: choice & 4 != 0,
                hash_seed: HashSeed::new(7),
                random_seed: number as u64,
                verifier: Verifier::new(keys, 16, 1),
                census: Box::new(census),
                assets: [].into(),
            };
            Shard {
                engine: Engine::new(settings, options),
                vacant: Vec::new(),
                index_end: 0,
                events: VecDeque::new(),
                closed: Vec::new(),
                refused_moves: Vec::new(),
                arrivals: Vec::new(),
                seeks: VecDeque::new(),
                page: None,
            }
        };
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            sockets: BTreeMap::new(),
            streams,
            waiting: VecDeque::new(),
            kept: Vec::new(),
            newest: Position(0),
            ephemerals: 0,
            now: Now { unix: MORNING, ..Now::default() },
            turns: 0,
            requests: requests(),
        }
    }

    /// One turn of a shard, with so many inputs from the story.
    fn turn(&mut self, shard: usize, inputs: usize, story: &mut Story<'_>) {
        self.shards[shard].engine.begin_turn(self.now);
        self.check(shard);
        self.hand_in_mail(shard);
        for socket in self.sockets.values_mut().filter(|socket| socket.shard == shard && socket.is_writable())
        {
            socket.awaiting_writable = false;
            self.shards[shard].engine.handle_writable(socket.id);
        }
        for _ in 0..inputs {
            let Some(operation) = story.byte() else { break };
            self.operate(shard, operation, story);
            self.check(shard);
        }
        while self.shards[shard].engine.wants_event()
            && let Some(event) = self.shards[shard].events.pop_front()
        {
            self.shards[shard].engine.handle_event(event);
            self.check(shard);
        }
        self.finish_turn(shard, story);
    }

    /// What the host and the other shard have to say.
    fn hand_in_mail(&mut self, shard: usize) {
        let mailed = &mut self.shards[shard];
        for id in std::mem::take(&mut mailed.closed) {
            mailed.vacant.push(id.index);
            mailed.engine.handle_closed(id);
        }
        for (id, parcel) in std::mem::take(&mut mailed.refused_moves) {
            mailed.engine.handle_move_refused(id, &parcel);
        }
        for (mut socket, parcel) in std::mem::take(&mut mailed.arrivals) {
            let index = mailed.take_vacant();
            socket.id = mailed.engine.handle_arrived(index, &parcel);
            socket.shard = shard;
            self.sockets.insert((shard, index), socket);
        }
        self.check(shard);
    }

    fn operate(&mut self, shard: usize, operation: u8, story: &mut Story<'_>) {
        match operation % 12 {
            0 => self.connect(shard),
            1..=3 => self.send(shard, operation, story),
            4 => self.with_socket(shard, story, |engine, socket, _| {
                if std::mem::take(&mut socket.receiving) {
                    engine.handle_received(socket.id, &[]);
                } else if std::mem::take(&mut socket.watching) {
                    engine.handle_hangup(socket.id);
                }
            }),
            5 => self.with_socket(shard, story, |_, socket, story| {
                let room = story.number(256);
                socket.room = 16 * room;
                socket.is_broken |= room == 255;
            }),
            6 | 7 => self.publish(story),
            8 => self.answer_publisher(story),
            9 => self.let_time_pass(story),
            10 => {
                let stale = ConnectionId { index: story.number(30) as u32, generation: 0x00ff_ffff };
                let engine = &mut self.shards[shard].engine;
                engine.handle_received(stale, b"GET");
                engine.handle_writable(stale);
                engine.handle_hangup(stale);
            }
            _ => {
                let engine = &mut self.shards[shard].engine;
                match story.byte() {
                    Some(0xdd) => engine.begin_drain(Duration::from_secs(5)),
                    Some(0xee) => engine.end_streams(),
                    Some(0xcc) => {
                        let choice = story.byte().unwrap_or(0);
                        let mut settings = settings(choice);
                        settings.limits.dry_run = story.byte().is_some_and(|byte| byte & 1 != 0);
                        engine.replace_settings(settings);
                    }
                    Some(mood) => self.answer_of_log(shard, mood),
                    None => {}
                }
            }
        }
    }

    fn connect(&mut self, shard: usize) {
        if self.sockets.len() < SOCKETS_MAX {
            let index = self.shards[shard].take_vacant();
            let id =
                self.shards[shard].engine.handle_accepted(index, SocketAddr::from(([192, 0, 2, 1], 40_000)));
            self.sockets.insert((shard, index), Socket::new(shard, id));
        }
    }

    fn send(&mut self, shard: usize, operation: u8, story: &mut Story<'_>) {
        let raw = if operation & 0x80 != 0 { Some(story.bytes().to_vec()) } else { None };
        let request = self.requests[story.number(self.requests.len())].clone().into_bytes();
        let bytes = raw.unwrap_or_else(|| {
            let (first, second) = request.split_at(request.len() * usize::from(operation / 12) / 22);
            match operation % 12 {
                1 => request.clone(),
                2 => first.to_vec(),
                _ => second.to_vec(),
            }
        });
        self.with_socket(shard, story, |engine, socket, _| {
            if (socket.receiving || socket.watching) && !bytes.is_empty() {
                (socket.receiving, socket.watching) = (false, false);
                engine.handle_received(socket.id, &bytes);
            }
        });
    }

    fn with_socket(
        &mut self,
        shard: usize,
        story: &mut Story<'_>,
        act: impl FnOnce(&mut Engine, &mut Socket, &mut Story<'_>),
    ) {
        let count = self.sockets.values().filter(|socket| socket.shard == shard).count();
        let chosen = story.number(count);
        let socket = self.sockets.values_mut().filter(|socket| socket.shard == shard).nth(chosen);
        if let Some(socket) = socket {
            act(&mut self.shards[shard].engine, socket, story);
        }
    }

    fn publish(&mut self, story: &mut Story<'_>) {
        let choice = story.byte().unwrap_or(0);
        let audience = match choice & 3 {
            0 => Audience::All,
            1 => Audience::Users(["alice".into()].into()),
            2 => Audience::Topics(["a".into()].into()),
            _ => Audience::Topics(["b/1".into(), "a".into()].into()),
        };
        let length = 1 << (choice >> 4);
        self.sequence(Event {
            audience,
            data: "x".repeat(length).into(),
            kind: None,
            id: None,
            retry_ms: None,
            private: choice & 4 != 0,
            ttl: (choice & 16 != 0).then_some(Duration::from_secs(20)),
            ephemeral: choice & 8 != 0,
            shows_topics: false,
        });
    }

    fn sequence(&mut self, event: Event) -> Box<str> {
        let id = if event.ephemeral {
            self.ephemerals += 1;
            EventId { incarnation: LOG, position: self.newest, ephemeral: Some(self.ephemerals) }
        } else {
            self.newest = self.newest.next();
            EventId::kept(LOG, self.newest)
        };
        let wire_id = event.id.clone().unwrap_or_else(|| id.to_string().into());
        let frame = Frame::encode(&event, &wire_id);
        let expires = event.ttl.map(|ttl| UnixMillis(self.now.unix.0 + ttl.as_millis() as u64));
        let sequenced = Arc::new(SequencedEvent {
            position: self.newest,
            id,
            publisher_id: event.id,
            key: None,
            audience: event.audience,
            private: event.private,
            expires,
            ephemeral: event.ephemeral,
            sequenced: self.now.unix,
            published: self.now.instant,
            frame,
        });
        if !sequenced.ephemeral {
            self.kept.push(Arc::clone(&sequenced));
        }
        for shard in &mut self.shards {
            shard.events.push_back(Arc::clone(&sequenced));
        }
        wire_id
    }

    fn answer_publisher(&mut self, story: &mut Story<'_>) {
        let Some(request) = self.waiting.pop_front() else { return };
        let shard = usize::from(request.from.shard.0);
        let mood = story.number(3);
        if mood == 0 {
            self.shards[shard].engine.handle_publish_refused(&request);
            return;
        }
        let results = request
            .events
            .into_iter()
            .map(|event| {
                let event = event?;
                if mood == 1 { Err(Refused::not_kept()) } else { Ok(self.sequence(event)) }
            })
            .collect();
        self.shards[shard].engine.handle_published(PublishAnswer { to: request.from, results });
    }

    /// The log answers, and not always with what is true: the engine must bear any answer.
    fn answer_of_log(&mut self, shard: usize, mood: u8) {
        let place = Position(u64::from(mood >> 3));
        let asked = &mut self.shards[shard];
        if let Some(id) = asked.seeks.pop_front() {
            asked.engine.handle_sought(
                id,
                match mood & 3 {
                    0 => Sought::Unknown,
                    1 => Sought::Gap(place),
                    _ => Sought::After(place),
                },
            );
        }
        if let Some(at) = asked.page.take() {
            let read = match mood & 7 {
                0 => PageRead::Failed { at },
                1 => PageRead::Gone { upto: place },
                2 => PageRead::Page(Page { after: place, upto: place.next(), events: [].into() }),
                _ => page_of(&self.kept, at, 1 + u64::from(mood >> 3)),
            };
            asked.engine.handle_page(read);
        } else if mood & 4 != 0 {
            asked.engine.handle_page(PageRead::Failed { at: place });
        }
        self.check(shard);
    }

    fn let_time_pass(&mut self, story: &mut Story<'_>) {
        // From milliseconds to minutes, so that every deadline is met now and then.
        let passed = Duration::from_millis(1 << story.number(18));
        self.now.instant += passed;
        self.now.unix.0 += passed.as_millis() as u64;
    }

    /// Steps 3 and 4 of a turn.
    fn finish_turn(&mut self, shard: usize, story: &mut Story<'_>) {
        self.turns += 1;
        let (mut short, mut failed) = (Vec::new(), Vec::new());
        while let Some(output) = self.shards[shard].engine.poll_output() {
            match output {
                Output::Send { to, buffer } => {
                    let bytes = self.shards[shard].engine.buffer(buffer);
                    let turn = self.turns;
                    let socket = socket_of(&mut self.sockets, shard, to);
                    assert!(!bytes.is_empty() && !socket.awaiting_writable, "a send has bytes and room");
                    assert_ne!(socket.last_turn, turn, "at most one send in a turn");
                    socket.last_turn = turn;
                    if socket.is_broken {
                        failed.push(to);
                        continue;
                    }
                    let taken = bytes.len().min(socket.room);
                    socket.room -= taken;
                    socket.received.extend_from_slice(&bytes[..taken]);
                    if taken < bytes.len() {
                        short.push((to, taken as u32));
                    }
                }
                Output::Receive(id) => {
                    let socket = socket_of(&mut self.sockets, shard, id);
                    assert!(!std::mem::replace(&mut socket.receiving, true), "one receive at a time");
                }
                Output::WatchHangup(id) => {
                    let socket = socket_of(&mut self.sockets, shard, id);
                    assert!(!std::mem::replace(&mut socket.watching, true), "one watch at a time");
                }
                Output::AwaitWritable(id) => {
                    let socket = socket_of(&mut self.sockets, shard, id);
                    assert!(!std::mem::replace(&mut socket.awaiting_writable, true), "one wait at a time");
                }
                Output::Move { from, to, parcel } => {
                    let home = usize::from(to.0);
                    assert!(home != shard, "nobody moves to where it is");
                    if story.number(4) == 3 {
                        self.shards[shard].refused_moves.push((from, parcel));
                        continue;
                    }
                    let socket = self.sockets.remove(&(shard, from.index)).expect("it is there");
                    assert!(!socket.receiving && socket.id == from, "nothing is received from who moves");
                    self.shards[shard].closed.push(from);
                    self.shards[home].arrivals.push((socket, parcel));
                }
                Output::Seek { from, .. } => self.shards[shard].seeks.push_back(from),
                Output::ReadPage(at) => {
                    let before = self.shards[shard].page.replace(at);
                    assert_eq!(before, None, "one page is read at a time");
                }
                Output::Publish(request) => self.waiting.push_back(*request),
                Output::Close(id) => {
                    let socket = self.sockets.remove(&(shard, id.index)).expect("it is there");
                    assert_eq!(socket.id, id, "the slot's present connection is meant");
                    socket.assert_whole_chunks();
                    self.shards[shard].closed.push(id);
                }
            }
        }
        self.check(shard);
        for (id, taken) in short {
            self.shards[shard].engine.handle_short_send(id, taken);
        }
        for id in failed {
            self.shards[shard].engine.handle_send_failed(id);
        }
        self.shards[shard].engine.handle_sent(self.now.instant);
        self.check(shard);
    }

    /// At the end every peer reads all there is, and nobody is ahead of its shard any more: then all are live.
    fn let_everybody_read(&mut self) {
        for _ in 0..40 {
            self.publish(&mut Story { rest: &[] });
        }
        self.sockets.values_mut().for_each(|socket| socket.room = usize::MAX);
        let mut turns = 0;
        while self.shards.iter().any(Shard::is_busy) || self.sockets.values().any(Socket::is_writable) {
            for shard in 0..SHARDS {
                self.answer_of_log(shard, 0xfb);
                self.turn(shard, 0, &mut Story { rest: &[] });
            }
            // Arrivals have room as well.
            self.sockets.values_mut().for_each(|socket| socket.room = usize::MAX);
            turns += 1;
            assert!(turns < 100_000, "the engine never rests");
        }
        self.sockets.values().for_each(Socket::assert_whole_chunks);
        assert!(self.shards.iter().all(|shard| shard.engine.streams_behind() == 0), "all have caught up");
        let streams: u32 = self.shards.iter().map(|shard| shard.engine.streams()).sum();
        assert_eq!(streams, self.streams.get(), "the census counts every stream");
    }

    fn check(&self, shard: usize) {
        self.shards[shard].engine.assert_invariants();
    }
}

/// A page of `len` events with the one at `at`.
fn page_of(kept: &[SharedEvent], at: Position, len: u64) -> PageRead {
    let after = (at.0 - 1) / len * len;
    let upto = (after + len).min(kept.len() as u64);
    if upto < at.0 {
        // A stream that was sent to where the log has nothing: what comes there is beyond this.
        return PageRead::Gone { upto: at };
    }
    let events = kept[after as usize..upto as usize].into();
    PageRead::Page(Page { after: Position(after), upto: Position(upto), events })
}

fn socket_of(sockets: &mut BTreeMap<(usize, u32), Socket>, shard: usize, id: ConnectionId) -> &mut Socket {
    let socket = sockets.get_mut(&(shard, id.index)).expect("outputs are for connections that are there");
    assert_eq!(socket.id, id, "the slot's present connection is meant");
    socket
}

impl Shard {
    fn take_vacant(&mut self) -> u32 {
        self.vacant.pop().unwrap_or_else(|| {
            self.index_end += 1;
            self.index_end - 1
        })
    }
}

impl Socket {
    fn new(shard: usize, id: ConnectionId) -> Self {
        let received = Vec::new();
        Self {
            shard,
            id,
            receiving: false,
            watching: false,
            awaiting_writable: false,
            room: usize::MAX,
            is_broken: false,
            received,
            last_turn: 0,
        }
    }

    fn is_writable(&self) -> bool {
        self.awaiting_writable && self.room > 0
    }

    /// A chunked stream is chunks, each as long as it says and a block of whole lines; only the last may be cut.
    fn assert_whole_chunks(&self) {
        let mut body = self.received.as_slice();
        // A head with nothing behind it, or another answer, answered a `HEAD`.
        while body.is_empty() || body.starts_with(b"HTTP/1.1 ") {
            let Some(head) = find(body, b"Transfer-Encoding: chunked\r\n") else { return };
            let Some(end) = find(&body[head..], b"\r\n\r\n") else { return };
            body = &body[head + end + 4..];
        }
        while let Some(line) = find(body, b"\r\n") {
            let size = str::from_utf8(&body[..line]).ok();
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).expect("a chunk's size");
            let rest = &body[line + 2..];
            if rest.len() < size + 2 {
                return;
            }
            assert_eq!(&rest[size..size + 2], b"\r\n", "a chunk ends where it says");
            assert!(size == 0 || rest[size - 1] == b'\n', "a chunk is whole lines");
            body = &rest[size + 2..];
            assert!(size > 0 || body.is_empty(), "nothing follows the last chunk");
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
