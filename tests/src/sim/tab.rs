//! A subscriber as a browser has it: an `EventSource` that comes back, and a page around it that is reloaded, stalls,
//! loses its network and opens a new one when the old is closed for good.

use std::net::IpAddr;
use std::time::Duration;

use corecast_core::auth::mint;
use corecast_core::selector::Selector;
use corecast_core::time::{Instant, UnixMillis};

use super::answers::Head;
use super::ask::Ask;
use super::chance::{Draw, Fault};
use super::conversation::{Asked, Conversation, Said};
use super::event_stream::Item;
use super::network::{Action, ClientId, Dial, Network, WireId};
use super::oracle::Oracle;
use super::retention::own_id;

/// The secret of the hub.
pub(super) const SECRET: &[u8] = b"a secret that is only ever used in simulations";

/// What subscribers ask for and tokens grant.
const SELECTORS: [&str; 6] = ["news", "rooms/1", "rooms/2", "rooms/{id}", "*", "users/{user}/mail"];

/// See the module.
#[derive(Debug)]
pub(super) struct Tab {
    me: ClientId,
    peer: IpAddr,
    ask: Ask,
    /// Where the token stands in the request.
    token_place: u8,
    token_ttl: Duration,
    token: Option<String>,
    retry: Duration,
    /// When it comes back.
    returns: Instant,
    /// Its present connection.
    pub(super) wire: Option<WireId>,
    asked: Instant,
    conversation: Conversation,
    /// Whether this connection has said when to come back.
    has_retry: bool,
    /// Whether a page that the hub has closed for good is opened anew.
    reopens: bool,
    /// The entry on the agenda that counts.
    acts: Instant,
}

impl Tab {
    /// A tab of one of `users` users, or of nobody.
    #[must_use]
    pub(super) fn new(
        me: ClientId,
        users: usize,
        anonymous: bool,
        token_ttl: Duration,
        net: &mut Network,
    ) -> Self {
        let rng = net.chance.draw(Draw::Ask);
        let topics = (0..rng.usize(..3)).map(|_| SELECTORS[rng.usize(..SELECTORS.len())]).collect();
        let grants = (0..rng.usize(..3)).map(|_| SELECTORS[rng.usize(..SELECTORS.len())]).collect();
        let is_anonymous = anonymous && rng.u8(..3) == 0;
        let ask = Ask {
            user: (!is_anonymous).then(|| format!("user-{}", rng.usize(..users))),
            client_id: (rng.u8(..3) > 0).then(|| format!("tab-{}", rng.usize(..users * 2))),
            topics,
            grants: if is_anonymous { Vec::new() } else { grants },
            last_event_id: None,
            is_http10: rng.u8(..5) == 0,
            wants_event_stream: rng.u8(..6) > 0,
            token_expires: None,
            at: net.now,
            visible_heartbeat: rng.u8(..6) == 0,
        };
        let token_place = rng.u8(..3);
        let host = rng.u8(1..9);
        Self {
            me,
            peer: IpAddr::from([10, 0, 0, host]),
            ask,
            token_place,
            token_ttl,
            token: None,
            retry: Duration::from_secs(3),
            returns: net.now,
            wire: None,
            asked: net.now,
            conversation: Conversation::default(),
            has_retry: false,
            reopens: true,
            acts: net.now,
        }
    }

    /// Whether it has a stream.
    #[must_use]
    pub(super) fn has_stream(&self) -> bool {
        self.wire.is_some() && self.conversation.is_stream()
    }

    /// Never comes back again.
    pub(super) fn retire(&mut self) {
        self.reopens = false;
        self.returns = Instant::from_nanos(u64::MAX);
    }

    /// Acts by itself.
    pub(super) fn act(&mut self, net: &mut Network, oracle: &mut Oracle) {
        if net.now < self.acts {
            return;
        }
        match self.wire {
            None if net.now >= self.returns => self.open(net, oracle),
            None => {
                if self.reopens && net.chance.strikes(Fault::Impatience) {
                    self.open(net, oracle);
                }
            }
            Some(wire) => self.suffer(wire, net, oracle),
        }
        let pause = net.chance.time(Draw::Client, Duration::from_millis(100), Duration::from_secs(4));
        let until_return = self.returns.since(net.now) + Duration::from_micros(1);
        let pause = if self.wire.is_none() { pause.min(until_return) } else { pause };
        self.act_at(net.now + pause, net);
    }

    fn act_at(&mut self, at: Instant, net: &mut Network) {
        self.acts = at;
        net.at(at, Action::Client(self.me));
    }

    /// What may go wrong with an open connection.
    fn suffer(&mut self, wire: WireId, net: &mut Network, oracle: &mut Oracle) {
        if net.chance.strikes(Fault::Stall) {
            let length = net.chance.length(Fault::Stall, Duration::from_millis(10), Duration::from_secs(60));
            net.wires[wire].stalled_until = net.now + length;
        }
        if net.chance.strikes(Fault::SlowReader) {
            let rng = net.chance.of(Fault::SlowReader);
            net.wires[wire].read_max = if rng.bool() { rng.usize(1..200) } else { usize::MAX };
        }
        if net.chance.strikes(Fault::StrayBytes) && self.has_stream() {
            let len = [1, 2, 40, 3000][net.chance.of(Fault::StrayBytes).usize(..4)];
            net.upload(wire, vec![b'\n'; len], Duration::ZERO);
        }
        if net.chance.strikes(Fault::HalfClose) {
            net.half_close(wire);
        }
        if net.chance.strikes(Fault::Reset) {
            net.after(Duration::ZERO, Action::GiveUp(wire));
        } else if net.chance.strikes(Fault::Vanish) {
            net.vanish(wire);
            self.wire = None;
            self.returns = net.now + self.retry.min(Duration::from_secs(5));
        } else if net.chance.strikes(Fault::Reload) {
            let rng = net.chance.of(Fault::Reload);
            let (keeps_cursor, says_so) = (rng.bool(), rng.bool());
            if !keeps_cursor {
                self.ask.last_event_id = None;
            }
            if says_so {
                net.abandon(wire);
            } else {
                net.vanish(wire);
            }
            self.open(net, oracle);
        }
    }

    fn open(&mut self, net: &mut Network, oracle: &mut Oracle) {
        self.misremember(net);
        let rng = net.chance.draw(Draw::Ask);
        let (tx_capacity, has_prelude) = ([600, 4000, 64_000][rng.usize(..3)], rng.u8(..6) == 0);
        let wire = net.connect(Dial { client: self.me, peer: self.peer, tx_capacity });
        self.wire = Some(wire);
        self.asked = net.now;
        self.has_retry = false;
        self.conversation = Conversation::default();
        let mut request = Vec::new();
        if has_prelude && !self.ask.is_http10 {
            self.conversation.ask(Asked::Other { statuses: &[200, 408, 503], is_head: false });
            request.extend_from_slice(b"GET /readyz HTTP/1.1\r\nHost: hub\r\n\r\n");
        }
        self.conversation.ask(Asked::Stream);
        request.extend_from_slice(&self.request(net.unix));
        oracle.on_ask(wire, Ask { at: net.now, ..self.ask.clone() });
        upload_in_pieces(wire, &request, net);
    }

    /// Now and then a cursor is not what the client was last shown.
    fn misremember(&mut self, net: &mut Network) {
        let rng = net.chance.draw(Draw::Ask);
        let odd = ["earliest", "nonsense", "00000000000000ff-12", "p0-1", "p1-3", "x"];
        match rng.u8(..40) {
            0 => self.ask.last_event_id = Some(odd[rng.usize(..odd.len())].to_owned()),
            // Of an event that has yet to come: as if another shard had been ahead of this one.
            1 | 2 => {
                let ahead = rng.u64(1..20);
                let own = self.ask.last_event_id.as_deref().and_then(own_id);
                if let Some((log, position)) = own {
                    self.ask.last_event_id = Some(format!("{log:016x}-{}", position + ahead));
                }
            }
            _ => {}
        }
    }

    fn request(&mut self, unix: UnixMillis) -> Vec<u8> {
        let mut query = vec!["x=1".to_owned()];
        query.extend(self.ask.topics.iter().map(|topic| format!("topic={}", escape(topic))));
        query.extend(self.ask.client_id.iter().map(|id| format!("client_id={id}")));
        if self.ask.visible_heartbeat {
            query.push("heartbeat=event".to_owned());
        }
        let mut fields = Vec::new();
        if let Some(id) = &self.ask.last_event_id {
            if self.me.is_multiple_of(3) {
                query.push(format!("last_event_id={id}"));
            } else {
                fields.push(format!("Last-Event-ID: {id}"));
            }
        }
        if self.ask.user.is_some() {
            let token = self.token(unix);
            match self.token_place {
                0 => query.push(format!("access_token={token}")),
                1 => fields.push(format!("Cookie: a=b; corecast_token={token}")),
                _ => fields.push(format!("Authorization: Bearer {token}")),
            }
        }
        if self.ask.wants_event_stream {
            fields.push("Accept: text/event-stream".to_owned());
        }
        let version = if self.ask.is_http10 { "1.0" } else { "1.1" };
        fields.push("Host: hub\r\n\r\n".to_owned());
        format!("GET /events?{} HTTP/{version}\r\n{}", query.join("&"), fields.join("\r\n")).into_bytes()
    }

    fn token(&mut self, unix: UnixMillis) -> String {
        let (user, grants, ttl) = (self.ask.user.as_deref(), &self.ask.grants, self.token_ttl);
        let make = || {
            let grants: Vec<_> =
                grants.iter().map(|grant| Selector::parse(grant).expect("a selector")).collect();
            mint(SECRET, user, &grants, &[], ttl, unix).expect("a token can be made")
        };
        if self.token.is_none() {
            self.token = Some(make());
            // Tokens are made in whole seconds.
            self.ask.token_expires = Some(UnixMillis((unix.as_secs() + ttl.as_secs()) * 1000));
        }
        self.token.clone().unwrap_or_default()
    }

    /// Reads from its present connection.
    pub(super) fn on_read(&mut self, wire: WireId, bytes: &[u8], net: &mut Network, oracle: &mut Oracle) {
        for said in self.conversation.read(bytes) {
            match said {
                Said::Answer(Asked::Stream, head) => self.on_head(wire, &head, net, oracle),
                Said::Answer(asked, head) => check_status(&asked, &head),
                Said::Stream(Item::Retry(ms)) => {
                    if !std::mem::replace(&mut self.has_retry, true) {
                        oracle.on_first_retry(wire, ms);
                    }
                    self.retry = Duration::from_millis(ms);
                }
                Said::Stream(Item::Comment) => {}
                Said::Stream(Item::Block(block)) => {
                    net.trace.note(format_args!("wire {wire} shows {:?} {:?}", block.id, block.kind));
                    oracle.on_block(wire, &block, net.unix_max);
                    self.retry = block.retry_ms.map_or(self.retry, Duration::from_millis);
                    self.ask.last_event_id = block.id.or(self.ask.last_event_id.take());
                }
                Said::Body(..) => {}
                Said::CleanEnd => oracle.on_end(wire, Some(true), net.unix_max),
            }
        }
    }

    fn on_head(&mut self, wire: WireId, head: &Head, net: &mut Network, oracle: &Oracle) {
        let delay = match head.status {
            200 => {
                let is_chunked = head.fields.contains_key("transfer-encoding");
                assert_eq!(is_chunked, !self.ask.is_http10, "the framing of wire {wire}");
                return;
            }
            204 => {
                oracle.on_turned_away(wire, self.asked);
                20
            }
            // The page fetches another token.
            401 => {
                assert!(self.token.take().is_some(), "wire {wire} is told that it needs a token");
                1
            }
            408 => 2,
            429 | 503 => {
                assert!(!self.ask.wants_event_stream || head.status == 503, "a dead tab: {head:?}");
                10
            }
            _ => panic!("wire {wire} asked for a stream and got {head:?}"),
        };
        // An `EventSource` is closed for good by any status but 200; the page opens a new one.
        self.retry = Duration::from_secs(delay);
        self.on_end(wire, true, net, oracle);
    }

    /// Its connection has ended, by a reset or in order.
    pub(super) fn on_end(&mut self, wire: WireId, is_reset: bool, net: &mut Network, oracle: &Oracle) {
        if !is_reset && self.conversation.is_stream() {
            oracle.on_end(wire, self.conversation.end(), net.unix_max);
        }
        net.abandon(wire);
        self.wire = None;
        if self.reopens {
            self.returns = net.now + self.retry;
            self.act_at(self.returns, net);
        }
    }
}

/// The answer to a request has a status that is right for it.
pub(super) fn check_status(asked: &Asked, head: &Head) {
    if let Asked::Other { statuses, .. } = asked {
        assert!(statuses.contains(&head.status), "{asked:?} is answered with {head:?}");
    }
}

/// Sends a request at once, or in pieces. Whether all of it: after part of one nothing more can be asked.
pub(super) fn upload_in_pieces(wire: WireId, request: &[u8], net: &mut Network) -> bool {
    let mut rest = request;
    let mut delay = Duration::ZERO;
    let is_unfinished = net.chance.strikes(Fault::Unfinished);
    if is_unfinished {
        rest = &rest[..net.chance.of(Fault::Unfinished).usize(..rest.len())];
    }
    if net.chance.strikes(Fault::SplitRequest) {
        for _ in 0..net.chance.of(Fault::SplitRequest).usize(1..6) {
            let rng = net.chance.of(Fault::SplitRequest);
            let (piece, after) = rest.split_at(rng.usize(..=rest.len()));
            if !piece.is_empty() {
                net.upload(wire, piece.to_vec(), delay);
            }
            rest = after;
            delay += net.chance.length(Fault::SplitRequest, Duration::ZERO, Duration::from_millis(700));
        }
    }
    if !rest.is_empty() {
        net.upload(wire, rest.to_vec(), delay);
    }
    !is_unfinished
}

fn escape(text: &str) -> String {
    text.replace('{', "%7B").replace('}', "%7D")
}
