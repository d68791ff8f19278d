//! A host of one or several engines in memory: sockets are byte vectors, time is a number, the sequencer a counter.
//!
//! Invariant: every engine is driven by the numbered loop of `engine`, and its own invariants are asserted after each
//! step. A broken contract (a second send to one connection in a turn, a second receive, bytes behind a close) panics.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Keys, Verifier, mint};
use crate::connection::{ConnectionId, ConnectionIndex, PeerHash};
use crate::counters::Counters;
use crate::engine::census::{Census, Full};
use crate::engine::output::{Output, PublishAnswer, PublishRequest, ShardId};
use crate::engine::parcel::Parcel;
use crate::engine::turn::TURN_SENDS_MAX;
use crate::engine::{Engine, EngineOptions};
use crate::event::{Audience, Event, SequencedEvent, SharedEvent};
use crate::frame::Frame;
use crate::hash::HashSeed;
use crate::http::Asset;
use crate::id::{EventId, Incarnation, Position};
use crate::idempotency::EventKey;
use crate::selector::Selector;
use crate::settings::Settings;
use crate::time::{Instant, Now, UnixMillis};

use super::old_log::{LogAnswer, OldLog, Question};
use super::wire::{Answer, Seen, answers_in, stream_in};

/// The log of every harness.
pub(super) const LOG: Incarnation = Incarnation(0xc0de);

const HASH_SEED: HashSeed = HashSeed::new(7);

/// When every story begins: 2026-11-02 09:00:00 UTC.
const MORNING: UnixMillis = UnixMillis(1_793_610_000_000);

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";

/// No story takes so many turns; one that does goes round in circles.
const TURNS_MAX: usize = 200_000;

/// A peer, by its number in the order of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Client(usize);

/// One send as the socket saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SendSeen {
    pub(super) turn: usize,
    /// Which of the turn's buffers: the number of a `BufferId`.
    pub(super) buffer: u32,
    pub(super) taken: usize,
}

/// A peer's socket, both sides of it.
#[derive(Debug)]
struct Socket {
    /// Where its other end is: a shard and a connection there.
    at: Option<(usize, ConnectionId)>,
    /// On its way to the hub.
    inbound: VecDeque<u8>,
    /// Whether the peer has closed its sending side.
    end_of_input: bool,
    /// What has come from the hub and has not been taken.
    received: Vec<u8>,
    sends: Vec<SendSeen>,
    /// Bytes that the socket still takes; `None` is any number.
    room: Option<usize>,
    closed_by_hub: bool,
    /// Whether the hub closed it with a reset.
    was_reset: bool,
    receiving: bool,
    watching: bool,
    awaiting_writable: bool,
    last_turn: Option<usize>,
}

/// A shard and the queues in front of it.
pub(super) struct Shard {
    pub(super) engine: Engine,
    by_index: BTreeMap<ConnectionIndex, Client>,
    vacant: BTreeSet<ConnectionIndex>,
    index_end: ConnectionIndex,
    /// Clients with something to tell the engine.
    ready: BTreeSet<Client>,
    closed: Vec<ConnectionId>,
    events: VecDeque<SharedEvent>,
    answers: VecDeque<PublishAnswer>,
    arrivals: VecDeque<(Client, Box<Parcel>)>,
    refused_moves: VecDeque<(ConnectionId, Box<Parcel>)>,
    refused_publishes: VecDeque<PublishRequest>,
    log_answers: VecDeque<LogAnswer>,
    /// Events stay in the inbox while this is set: a shard that is slower than others.
    pub(super) holds_events: bool,
    /// Whether it takes connections from other shards.
    pub(super) refuses_arrivals: bool,
}

/// The census of all shards, as the server has it.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) streams: u32,
    per_ip: HashMap<PeerHash, u32>,
    connections_max: u32,
    per_ip_max: u32,
}

#[derive(Clone, Default)]
struct SharedCounted(Rc<RefCell<Counted>>);

impl Census for SharedCounted {
    fn try_enter(&self, peer: PeerHash) -> Result<(), Full> {
        let mut counted = self.0.borrow_mut();
        let at_address = counted.per_ip.get(&peer).copied().unwrap_or(0);
        if counted.per_ip_max != 0 && at_address >= counted.per_ip_max {
            return Err(Full::Address);
        }
        if counted.streams >= counted.connections_max {
            return Err(Full::Process);
        }
        counted.streams += 1;
        *counted.per_ip.entry(peer).or_insert(0) += 1;
        Ok(())
    }

    fn enter(&self, peer: PeerHash) -> Option<Full> {
        let mut counted = self.0.borrow_mut();
        let at_address = counted.per_ip.get(&peer).copied().unwrap_or(0);
        let met = if counted.per_ip_max != 0 && at_address >= counted.per_ip_max {
            Some(Full::Address)
        } else {
            (counted.streams >= counted.connections_max).then_some(Full::Process)
        };
        counted.streams += 1;
        *counted.per_ip.entry(peer).or_insert(0) += 1;
        met
    }

    fn leave(&self, peer: PeerHash) {
        let mut counted = self.0.borrow_mut();
        counted.streams = counted.streams.checked_sub(1).expect("whoever leaves has entered");
        let at_address = counted.per_ip.get_mut(&peer).expect("whoever leaves has entered");
        *at_address = at_address.checked_sub(1).expect("whoever leaves has entered");
    }
}

/// What the sequencer of a harness does with requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SequencerMood {
    #[default]
    Works,
    /// Takes requests and answers none yet.
    Hesitates,
    /// Has no room.
    Full,
    /// Its log keeps nothing.
    CannotKeep,
}

pub(super) struct Harness {
    pub(super) shards: Vec<Shard>,
    pub(super) now: Now,
    pub(super) mood: SequencerMood,
    /// Off for stories of many connections, where each check walks over all of them.
    pub(super) checks: bool,
    sockets: Vec<Socket>,
    census: SharedCounted,
    waiting: VecDeque<PublishRequest>,
    newest: Position,
    ephemerals: u64,
    publisher_ids: BTreeSet<Box<str>>,
    /// The id of what was published under each key.
    keys: HashMap<EventKey, Box<str>>,
    /// Absent if the log keeps no more than history.
    log: Option<OldLog>,
    turns: usize,
}

/// Settings under which a story needs to say least: anybody may subscribe, and nobody is in anybody's way.
pub(super) fn settings() -> Settings {
    let mut settings = Settings { anonymous: true, ..Settings::default() };
    settings.limits.per_user = 0;
    settings
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_shards(1, change)
    }

    pub(super) fn with_shards(shards: u16, change: impl FnOnce(&mut Settings)) -> Self {
        Self::begin(shards, Position(0), change)
    }

    /// A hub of one shard with a log that keeps everything, in pages of so many events.
    pub(super) fn with_log(page_events: u64, change: impl FnOnce(&mut Settings)) -> Self {
        let mut hub = Self::build(1, Position(0), true, change);
        hub.log = Some(OldLog::new(page_events));
        hub
    }

    pub(super) fn log_mut(&mut self) -> &mut OldLog {
        self.log.as_mut().expect("a hub made `with_log`")
    }

    /// A hub whose log has events up to `newest` that its history does not have.
    pub(super) fn begin(shards: u16, newest: Position, change: impl FnOnce(&mut Settings)) -> Self {
        Self::build(shards, newest, false, change)
    }

    fn build(shards: u16, newest: Position, replays: bool, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let census = SharedCounted::default();
        {
            let mut counted = census.0.borrow_mut();
            counted.connections_max = settings.limits.connections;
            counted.per_ip_max = settings.limits.per_ip;
        }
        let shard = |number| {
            let mut keys = Keys::new();
            keys.add_secret(SECRET).unwrap();
            let engine = Engine::new(
                settings.clone(),
                EngineOptions {
                    shard: ShardId(number),
                    shards,
                    slots: 0,
                    incarnation: LOG,
                    newest,
                    replays,
                    hash_seed: HASH_SEED,
                    random_seed: u64::from(number) + 1,
                    verifier: Verifier::new(keys, 64, 1),
                    census: Box::new(census.clone()),
                    assets: [Asset::secret_page("/", "<!doctype html>".into())].into(),
                },
            );
            Shard::new(engine)
        };
        Self {
            shards: (0..shards).map(shard).collect(),
            now: Now { instant: Instant::ZERO, unix: MORNING },
            mood: SequencerMood::default(),
            checks: true,
            sockets: Vec::new(),
            census: census.clone(),
            waiting: VecDeque::new(),
            newest,
            ephemerals: 0,
            publisher_ids: BTreeSet::new(),
            keys: HashMap::new(),
            log: None,
            turns: 0,
        }
    }

    pub(super) fn engine(&mut self) -> &mut Engine {
        &mut self.shards[0].engine
    }

    /// Stops as a host does when no shard has a request left to finish.
    pub(super) fn drain(&mut self, over: Duration) {
        self.engine().begin_drain(over);
        self.engine().end_streams();
    }

    pub(super) fn counters(&self) -> &Counters {
        self.shards[0].engine.counters()
    }

    /// Tells every engine, and the census, other settings.
    pub(super) fn reload(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.engine().settings().clone();
        change(&mut settings);
        {
            let mut counted = self.census.0.borrow_mut();
            counted.connections_max = settings.limits.connections;
            counted.per_ip_max = settings.limits.per_ip;
        }
        for shard in &mut self.shards {
            shard.engine.replace_settings(settings.clone());
        }
        self.run_until_idle();
    }

    pub(super) fn streams_counted(&self) -> u32 {
        self.census.0.borrow().streams
    }

    /// Streams of other processes' worth: the census is told of them and they never leave.
    pub(super) fn crowd(&self, peer: IpAddr) {
        self.census.try_enter(PeerHash::of(HASH_SEED, peer)).unwrap();
    }

    pub(super) fn turns(&self) -> usize {
        self.turns
    }
}

/// What peers do.
impl Harness {
    /// A peer connects, to shard 0.
    pub(super) fn connect(&mut self) -> Client {
        self.connect_from(0, IpAddr::from([192, 0, 2, 1]))
    }

    pub(super) fn connect_from(&mut self, shard: usize, peer: IpAddr) -> Client {
        let client = Client(self.sockets.len());
        self.sockets.push(Socket::new());
        let shard_of = &mut self.shards[shard];
        let index = shard_of.take_vacant();
        shard_of.engine.begin_turn(self.now);
        let id = shard_of.engine.handle_accepted(index, (peer, 40_000).into());
        shard_of.by_index.insert(index, client);
        self.sockets[client.0].at = Some((shard, id));
        self.finish_turn(shard);
        client
    }

    /// A peer sends bytes, and the hub does all it has to.
    pub(super) fn send(&mut self, client: Client, bytes: impl AsRef<[u8]>) {
        self.say(client, bytes);
        self.run_until_idle();
    }

    /// A peer sends bytes that the hub has not seen yet.
    pub(super) fn say(&mut self, client: Client, bytes: impl AsRef<[u8]>) {
        self.sockets[client.0].inbound.extend(bytes.as_ref());
        self.mark_ready(client);
    }

    /// A new connection with one request on it.
    pub(super) fn request(&mut self, request: impl AsRef<[u8]>) -> Client {
        let client = self.connect();
        self.send(client, request);
        client
    }

    /// A new anonymous stream; `query` without `?`.
    pub(super) fn subscribe(&mut self, query: &str) -> Client {
        self.request(get(&format!("/events?{query}"), ""))
    }

    /// A new stream of a user without grants; `query` without `?`.
    pub(super) fn subscribe_as(&mut self, user: &str, query: &str) -> Client {
        let token = self.token(user);
        self.request(get(&format!("/events?{query}"), &bearer(&token)))
    }

    /// Closes the peer's sending side.
    pub(super) fn finish_sending(&mut self, client: Client) {
        self.sockets[client.0].end_of_input = true;
        self.mark_ready(client);
        self.run_until_idle();
    }

    /// The peer goes. For a stream an end of its peer's input is the same.
    pub(super) fn hang_up(&mut self, client: Client) {
        self.finish_sending(client);
    }

    /// From here on the peer's socket takes so many bytes more, and then none.
    pub(super) fn set_room(&mut self, client: Client, room: usize) {
        self.sockets[client.0].room = Some(room);
        self.mark_ready(client);
    }

    /// The peer stops reading.
    pub(super) fn stall(&mut self, client: Client) {
        self.set_room(client, 0);
    }

    /// The peer reads again, as fast as it can.
    pub(super) fn unstall(&mut self, client: Client) {
        self.sockets[client.0].room = None;
        self.mark_ready(client);
        self.run_until_idle();
    }

    /// The peer reads so much and stalls again.
    pub(super) fn take_in(&mut self, client: Client, bytes: usize) {
        self.set_room(client, bytes);
        self.run_until_idle();
    }

    fn mark_ready(&mut self, client: Client) {
        if let Some((shard, _)) = self.sockets[client.0].at {
            self.shards[shard].ready.insert(client);
        }
    }
}

/// What a test asks.
impl Harness {
    /// What a peer has received since this was last asked.
    pub(super) fn take(&mut self, client: Client) -> Vec<u8> {
        std::mem::take(&mut self.sockets[client.0].received)
    }

    pub(super) fn text(&mut self, client: Client) -> String {
        String::from_utf8(self.take(client)).unwrap()
    }

    /// The answers a peer has received since this was last asked; panics if there is anything else.
    pub(super) fn answers(&mut self, client: Client) -> Vec<Answer> {
        answers_in(&self.take(client))
    }

    /// The only answer since this was last asked.
    pub(super) fn answer(&mut self, client: Client) -> Answer {
        let mut answers = self.answers(client);
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0)
    }

    /// The status of what a peer has received last: of an answer, or of a stream.
    pub(super) fn status(&self, client: Client) -> u16 {
        let text = String::from_utf8_lossy(&self.sockets[client.0].received);
        let line = text.strip_prefix("HTTP/1.1 ").expect("a status line");
        line[..3].parse().unwrap()
    }

    /// All that a stream's peer has received, from the head on.
    pub(super) fn seen(&self, client: Client) -> Seen {
        stream_in(&self.sockets[client.0].received)
    }

    /// The data of all events that a stream's peer has received.
    pub(super) fn data(&self, client: Client) -> Vec<String> {
        self.seen(client).data()
    }

    pub(super) fn received(&self, client: Client) -> &[u8] {
        &self.sockets[client.0].received
    }

    /// Whether the hub has closed the connection.
    pub(super) fn is_closed(&self, client: Client) -> bool {
        self.sockets[client.0].closed_by_hub
    }

    /// Whether the hub has closed the connection with a reset.
    pub(super) fn was_reset(&self, client: Client) -> bool {
        self.sockets[client.0].was_reset
    }

    /// Whether a write of the hub's waits for room.
    pub(super) fn is_blocked(&self, client: Client) -> bool {
        self.sockets[client.0].awaiting_writable
    }

    pub(super) fn sends(&self, client: Client) -> &[SendSeen] {
        &self.sockets[client.0].sends
    }

    /// The shard that has the connection.
    pub(super) fn shard_of(&self, client: Client) -> usize {
        self.sockets[client.0].at.unwrap().0
    }

    pub(super) fn id_of(&self, client: Client) -> ConnectionId {
        self.sockets[client.0].at.unwrap().1
    }
}

/// Tokens and events.
impl Harness {
    /// A token for a day, without grants.
    pub(super) fn token(&self, user: &str) -> String {
        self.token_for(Some(user), &[], &[], Duration::from_secs(86_400))
    }

    /// A token that may publish everything.
    pub(super) fn publisher_token(&self) -> String {
        self.token_for(None, &[], &["*"], Duration::from_secs(86_400))
    }

    pub(super) fn token_for(
        &self,
        user: Option<&str>,
        subscribe: &[&str],
        publish: &[&str],
        ttl: Duration,
    ) -> String {
        let selectors =
            |texts: &[&str]| texts.iter().map(|text| Selector::parse(text).unwrap()).collect::<Vec<_>>();
        mint(SECRET, user, &selectors(subscribe), &selectors(publish), ttl, self.now.unix).unwrap()
    }

    /// Publishes past HTTP, and lets it arrive everywhere. The id.
    pub(super) fn publish(&mut self, event: Event) -> String {
        let id = self.sequence(event);
        self.run_until_idle();
        id
    }

    /// Publishes past HTTP; no shard has looked at it yet. The id.
    pub(super) fn sequence(&mut self, event: Event) -> String {
        if let Some(id) = &event.id
            && !self.publisher_ids.insert(id.clone())
        {
            return id.to_string();
        }
        let event = self.place(event);
        let id = event.publisher_id.clone().unwrap_or_else(|| event.id.to_string().into());
        for shard in &mut self.shards {
            shard.events.push_back(Arc::clone(&event));
        }
        id.into()
    }

    /// Gives an event its place, as the sequencer does.
    pub(super) fn place(&mut self, event: Event) -> SharedEvent {
        let id = if event.ephemeral {
            self.ephemerals += 1;
            EventId { incarnation: LOG, position: self.newest, ephemeral: Some(self.ephemerals) }
        } else {
            self.newest = self.newest.next();
            EventId::kept(LOG, self.newest)
        };
        let wire_id = event.id.clone().unwrap_or_else(|| id.to_string().into());
        let frame = Frame::encode(&event, &wire_id);
        let event = Arc::new(SequencedEvent {
            position: self.newest,
            id,
            publisher_id: event.id,
            key: None,
            audience: event.audience,
            private: event.private,
            expires: event.ttl.map(|ttl| UnixMillis(self.now.unix.0 + ttl.as_millis() as u64)),
            ephemeral: event.ephemeral,
            sequenced: self.now.unix,
            published: self.now.instant,
            frame,
        });
        if let Some(log) = &mut self.log {
            log.keep(&event);
        }
        event
    }

    fn run_log(&mut self) {
        while let Some((shard, answer)) = self.log.as_mut().and_then(OldLog::answer) {
            self.hand_in_log_answer(shard, answer);
        }
    }

    pub(super) fn hand_in_log_answer(&mut self, shard: usize, answer: LogAnswer) {
        self.shards[shard].log_answers.push_back(answer);
    }

    /// As `sequence`, unless it was published under this key before.
    fn sequence_once(&mut self, key: Option<EventKey>, event: Event) -> Box<str> {
        let Some(key) = key.filter(|_| !event.ephemeral) else { return self.sequence(event).into() };
        if let Some(id) = self.keys.get(&key) {
            return id.clone();
        }
        let id: Box<str> = self.sequence(event).into();
        self.keys.insert(key, id.clone());
        id
    }

    fn run_sequencer(&mut self) {
        if self.mood == SequencerMood::Hesitates {
            return;
        }
        while let Some(PublishRequest { from, key, events, .. }) = self.waiting.pop_front() {
            let cannot_keep = self.mood == SequencerMood::CannotKeep;
            let results = events
                .into_iter()
                .enumerate()
                .map(|(index, event)| match event {
                    Ok(_) if cannot_keep => Err(crate::engine::output::Refused::not_kept()),
                    Ok(event) => Ok(self.sequence_once(key.map(|key| key.event(index)), event)),
                    Err(refused) => Err(refused),
                })
                .collect();
            self.shards[usize::from(from.shard.0)].answers.push_back(PublishAnswer { to: from, results });
        }
    }
}

/// Time, and the loop.
impl Harness {
    /// Lets time pass, with a turn whenever an engine wants one.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now.instant + by;
        self.run_until_idle();
        for _ in 0..TURNS_MAX {
            let next = self.shards.iter().filter_map(|shard| shard.engine.poll_timeout()).min();
            let Some(next) = next.filter(|&next| next <= end) else {
                self.set_time(end);
                return self.run_until_idle();
            };
            self.set_time(next.max(self.now.instant));
            self.turn_all();
            self.run_until_idle();
        }
        panic!("time stands still at {:?}", self.now);
    }

    pub(super) fn advance_secs(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// The wall clock jumps; the monotonic one does not notice.
    pub(super) fn jump_wall_clock(&mut self, by: Duration) {
        self.now.unix.0 += by.as_millis() as u64;
    }

    fn set_time(&mut self, instant: Instant) {
        let passed = instant.since(self.now.instant);
        self.now.instant = instant;
        // Whole milliseconds, counted from the beginning so that nothing is lost to rounding.
        let before = (instant - passed).as_millis();
        self.now.unix.0 += instant.as_millis() - before;
    }

    /// Turns until nobody has anything to do at the present time.
    pub(super) fn run_until_idle(&mut self) {
        for _ in 0..TURNS_MAX {
            self.run_sequencer();
            self.run_log();
            let busy: Vec<_> = (0..self.shards.len()).filter(|&shard| self.is_busy(shard)).collect();
            if busy.is_empty() && (self.waiting.is_empty() || self.mood == SequencerMood::Hesitates) {
                return;
            }
            busy.into_iter().for_each(|shard| self.turn(shard));
        }
        panic!("the engine never rests");
    }

    pub(super) fn turn_all(&mut self) {
        (0..self.shards.len()).for_each(|shard| self.turn(shard));
    }

    fn is_busy(&self, shard: usize) -> bool {
        let shard = &self.shards[shard];
        // Events that the engine does not want do not wake a host.
        let takes_events = !shard.holds_events && !shard.events.is_empty() && shard.engine.wants_event();
        shard.engine.has_work()
            || takes_events
            || !shard.closed.is_empty()
            || !shard.answers.is_empty()
            || !shard.arrivals.is_empty()
            || !shard.refused_moves.is_empty()
            || !shard.refused_publishes.is_empty()
            || !shard.log_answers.is_empty()
            || shard.ready.iter().any(|client| self.sockets[client.0].has_news())
    }

    /// One turn of one shard: the four steps.
    pub(super) fn turn(&mut self, shard: usize) {
        self.shards[shard].engine.begin_turn(self.now);
        self.check(shard);
        self.hand_in(shard);
        self.finish_turn(shard);
    }

    /// Step 2.
    fn hand_in(&mut self, shard: usize) {
        for id in std::mem::take(&mut self.shards[shard].closed) {
            self.shards[shard].vacant.insert(id.index);
            self.shards[shard].engine.handle_closed(id);
            self.check(shard);
        }
        let ready = std::mem::take(&mut self.shards[shard].ready);
        for client in ready {
            self.hand_in_socket(shard, client);
        }
        self.hand_in_mail(shard);
        let shard_of = &mut self.shards[shard];
        while !shard_of.holds_events
            && shard_of.engine.wants_event()
            && let Some(event) = shard_of.events.pop_front()
        {
            shard_of.engine.handle_event(event);
        }
        self.check(shard);
    }

    fn hand_in_mail(&mut self, shard: usize) {
        while let Some(answer) = self.shards[shard].answers.pop_front() {
            self.shards[shard].engine.handle_published(answer);
            self.check(shard);
        }
        while let Some(request) = self.shards[shard].refused_publishes.pop_front() {
            self.shards[shard].engine.handle_publish_refused(&request);
            self.check(shard);
        }
        while let Some((id, parcel)) = self.shards[shard].refused_moves.pop_front() {
            self.shards[shard].engine.handle_move_refused(id, &parcel);
            self.check(shard);
        }
        while let Some(answer) = self.shards[shard].log_answers.pop_front() {
            let engine = &mut self.shards[shard].engine;
            match answer {
                LogAnswer::Sought(id, sought) => engine.handle_sought(id, sought),
                LogAnswer::Page(read) => engine.handle_page(read),
            }
            self.check(shard);
        }
        while let Some((client, parcel)) = self.shards[shard].arrivals.pop_front() {
            let index = self.shards[shard].take_vacant();
            let id = self.shards[shard].engine.handle_arrived(index, &parcel);
            self.shards[shard].by_index.insert(index, client);
            self.sockets[client.0].at = Some((shard, id));
            self.shards[shard].ready.insert(client);
            self.check(shard);
        }
    }

    fn hand_in_socket(&mut self, shard: usize, client: Client) {
        let socket = &mut self.sockets[client.0];
        let Some((at, id)) = socket.at.filter(|&(at, _)| at == shard) else { return };
        if socket.awaiting_writable && socket.room != Some(0) {
            socket.awaiting_writable = false;
            self.shards[at].engine.handle_writable(id);
            self.check(shard);
        }
        let socket = &mut self.sockets[client.0];
        if socket.receiving && !socket.inbound.is_empty() {
            socket.receiving = false;
            let bytes: Vec<u8> = socket.inbound.drain(..).collect();
            self.shards[at].engine.handle_received(id, &bytes);
        } else if socket.receiving && socket.end_of_input {
            socket.receiving = false;
            self.shards[at].engine.handle_received(id, &[]);
        } else if socket.watching && !socket.inbound.is_empty() {
            socket.watching = false;
            let bytes: Vec<u8> = socket.inbound.drain(..).collect();
            self.shards[at].engine.handle_received(id, &bytes);
        } else if socket.watching && socket.end_of_input {
            socket.watching = false;
            self.shards[at].engine.handle_hangup(id);
        }
        self.check(shard);
    }

    /// Steps 3 and 4.
    fn finish_turn(&mut self, shard: usize) {
        self.turns += 1;
        let mut short = Vec::new();
        let mut sends = 0;
        while let Some(output) = self.shards[shard].engine.poll_output() {
            sends += usize::from(matches!(output, Output::Send { .. }));
            self.perform(shard, output, &mut short);
        }
        assert!(sends <= TURN_SENDS_MAX, "{sends} sends in a turn");
        self.check(shard);
        for (id, taken) in short {
            self.shards[shard].engine.handle_short_send(id, taken);
        }
        self.shards[shard].engine.handle_sent(self.now.instant);
        self.check(shard);
    }

    fn perform(&mut self, shard: usize, output: Output, short: &mut Vec<(ConnectionId, u32)>) {
        match output {
            Output::Send { to, buffer } => {
                let bytes = self.shards[shard].engine.buffer(buffer).to_vec();
                let client = self.client_at(shard, to);
                let turn = self.turns;
                let socket = &mut self.sockets[client.0];
                assert!(!socket.closed_by_hub, "nothing is sent behind a close");
                assert!(socket.last_turn != Some(turn), "at most one send to a connection in a turn");
                assert!(!socket.awaiting_writable, "nothing is sent into a full socket");
                assert!(!bytes.is_empty(), "a send has bytes");
                socket.last_turn = Some(turn);
                let taken = socket.room.map_or(bytes.len(), |room| room.min(bytes.len()));
                socket.room = socket.room.map(|room| room - taken);
                socket.received.extend_from_slice(&bytes[..taken]);
                socket.sends.push(SendSeen { turn, buffer: buffer.0, taken });
                if taken < bytes.len() {
                    short.push((to, taken as u32));
                }
            }
            Output::Receive(id) => {
                let client = self.client_at(shard, id);
                assert!(!self.sockets[client.0].receiving, "one receive at a time");
                self.sockets[client.0].receiving = true;
                self.shards[shard].ready.insert(client);
            }
            Output::WatchHangup(id) => {
                let client = self.client_at(shard, id);
                assert!(!self.sockets[client.0].watching, "one watch at a time");
                self.sockets[client.0].watching = true;
                self.shards[shard].ready.insert(client);
            }
            Output::AwaitWritable(id) => {
                let client = self.client_at(shard, id);
                assert!(!self.sockets[client.0].awaiting_writable, "one wait for room at a time");
                self.sockets[client.0].awaiting_writable = true;
                self.shards[shard].ready.insert(client);
            }
            Output::Move { from, to, parcel } => {
                assert_ne!(usize::from(to.0), shard, "nobody moves to where it is");
                let home = usize::from(to.0);
                if self.shards[home].refuses_arrivals {
                    return self.shards[shard].refused_moves.push_back((from, parcel));
                }
                let client = self.client_at(shard, from);
                self.shards[home].arrivals.push_back((client, parcel));
                self.shards[shard].by_index.remove(&from.index);
                self.shards[shard].closed.push(from);
                let socket = &mut self.sockets[client.0];
                assert!(!socket.receiving, "nothing is received from a connection that moves");
                socket.at = None;
            }
            Output::Seek { from, last_event_id } => {
                self.log_mut().ask(shard, Question::Seek(from, last_event_id));
            }
            Output::ReadPage(at) => self.log_mut().ask(shard, Question::Page(at)),
            Output::Publish(request) => match self.mood {
                SequencerMood::Full => self.shards[shard].refused_publishes.push_back(*request),
                SequencerMood::Works | SequencerMood::Hesitates | SequencerMood::CannotKeep => {
                    self.waiting.push_back(*request);
                }
            },
            Output::Close(id) => {
                let client = self.client_at(shard, id);
                let is_cut = self.shards[shard].engine.is_cut(id);
                let socket = &mut self.sockets[client.0];
                assert!(!socket.closed_by_hub, "a connection is closed once");
                socket.closed_by_hub = true;
                socket.was_reset = is_cut;
                socket.at = None;
                self.shards[shard].by_index.remove(&id.index);
                self.shards[shard].closed.push(id);
            }
        }
    }

    fn client_at(&self, shard: usize, id: ConnectionId) -> Client {
        let client = self.shards[shard].by_index.get(&id.index).copied();
        let client = client.expect("outputs are for connections that are there");
        assert_eq!(self.sockets[client.0].at, Some((shard, id)), "the slot's present connection is meant");
        client
    }

    fn check(&self, shard: usize) {
        if self.checks {
            self.shards[shard].engine.assert_invariants();
        }
    }
}

impl Shard {
    fn new(engine: Engine) -> Self {
        Self {
            engine,
            by_index: BTreeMap::new(),
            vacant: BTreeSet::new(),
            index_end: 0,
            ready: BTreeSet::new(),
            closed: Vec::new(),
            events: VecDeque::new(),
            answers: VecDeque::new(),
            arrivals: VecDeque::new(),
            refused_moves: VecDeque::new(),
            refused_publishes: VecDeque::new(),
            log_answers: VecDeque::new(),
            holds_events: false,
            refuses_arrivals: false,
        }
    }

    /// Small numbers first, as the kernel allocates direct descriptors.
    fn take_vacant(&mut self) -> ConnectionIndex {
        self.vacant.pop_first().unwrap_or_else(|| {
            self.index_end += 1;
            self.index_end - 1
        })
    }
}

impl Socket {
    fn new() -> Self {
        Self {
            at: None,
            inbound: VecDeque::new(),
            end_of_input: false,
            received: Vec::new(),
            sends: Vec::new(),
            room: None,
            closed_by_hub: false,
            was_reset: false,
            receiving: false,
            watching: false,
            awaiting_writable: false,
            last_turn: None,
        }
    }

    fn has_news(&self) -> bool {
        let input = !self.inbound.is_empty() || self.end_of_input;
        (self.receiving || self.watching) && input || self.awaiting_writable && self.room != Some(0)
    }
}

/// A `GET`, with `headers` each ended by CRLF.
pub(super) fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: hub\r\nAccept: text/event-stream\r\n{headers}\r\n")
}

/// A `POST` of JSON.
pub(super) fn post(token: &str, json: &str) -> String {
    format!(
        "POST /publish HTTP/1.1\r\nHost: hub\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        bearer(token),
        json.len()
    )
}

pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// A public event for one topic.
pub(super) fn event(topic: &str, data: &str) -> Event {
    event_for(Audience::Topics([topic.into()].into()), data)
}

pub(super) fn event_for_user(user: &str, data: &str) -> Event {
    event_for(Audience::Users([user.into()].into()), data)
}

pub(super) fn event_for_all(data: &str) -> Event {
    event_for(Audience::All, data)
}

pub(super) fn event_for(audience: Audience, data: &str) -> Event {
    Event {
        audience,
        data: data.into(),
        kind: None,
        id: None,
        retry_ms: None,
        private: false,
        ttl: None,
        ephemeral: false,
        shows_topics: false,
    }
}
