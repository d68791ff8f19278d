//! A publisher on a kept connection: JSON, NDJSON and text, several requests one behind the other, and the same id
//! or the same key again when an answer did not come.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use corecast_core::auth::mint;
use corecast_core::selector::Selector;
use serde_json::{Value, json};

use super::chance::{Draw, Fault};
use super::conversation::{Asked, Conversation, Said};
use super::network::{Action, ClientId, Dial, Network, WireId};
use super::oracle::{Oracle, Spec};
use super::tab::{SECRET, upload_in_pieces};

/// Topics that events are published under.
const TOPICS: [&str; 6] = ["news", "rooms/1", "rooms/2", "rooms/3", "users/7/mail", "other"];

/// Of a request with an event on each line.
const NDJSON: &str = "application/x-ndjson";

/// Requests that wait for their answer at once.
const PIPELINED_MAX: usize = 4;

/// Requests with a key that are remembered, to be repeated.
const KEYED_MAX: usize = 20;

/// What is posted, whatever the token.
#[derive(Clone, Debug)]
struct Post {
    target: String,
    media: &'static str,
    body: String,
    specs: Vec<Option<Spec>>,
    /// Under which it may be posted again.
    key: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Publisher {
    me: ClientId,
    users: usize,
    pause_max: Duration,
    data_bytes_max: usize,
    token: Option<String>,
    token_ttl: Duration,
    /// Its present connection.
    pub(super) wire: Option<WireId>,
    conversation: Conversation,
    /// What may be published again: events with an id of their own.
    repeatable: VecDeque<(Value, Spec)>,
    /// The same of whole requests: those with a key, latest last.
    keyed: VecDeque<Post>,
    /// So many of the latest were not answered before the connection ended, or may not have been.
    unanswered: usize,
    keys: u64,
    events: u64,
    is_retired: bool,
    /// Whether it has begun a request that it never finishes.
    is_stuck: bool,
    /// Events that were acknowledged.
    pub(super) acknowledged: u64,
}

impl Publisher {
    /// A publisher that pauses for at most `pause_max`.
    #[must_use]
    pub(super) fn new(
        me: ClientId,
        users: usize,
        pause_max: Duration,
        data_bytes_max: usize,
        token_ttl: Duration,
    ) -> Self {
        Self {
            me,
            users,
            pause_max,
            data_bytes_max,
            token: None,
            token_ttl,
            wire: None,
            conversation: Conversation::default(),
            repeatable: VecDeque::new(),
            keyed: VecDeque::new(),
            unanswered: 0,
            keys: 0,
            events: 0,
            is_retired: false,
            is_stuck: false,
            acknowledged: 0,
        }
    }

    /// Publishes seldom.
    pub(super) fn calm_down(&mut self) {
        self.pause_max = self.pause_max.max(Duration::from_secs(2));
    }

    /// Publishes nothing any more.
    pub(super) const fn retire(&mut self) {
        self.is_retired = true;
    }

    /// Publishes again, and often.
    pub(super) fn resume(&mut self, net: &mut Network) {
        self.is_retired = false;
        self.pause_max = Duration::from_millis(5);
        net.after(Duration::ZERO, Action::Client(self.me));
    }

    /// Requests without an answer, on a connection that is still there.
    #[must_use]
    pub(super) fn outstanding(&self) -> usize {
        self.wire.map_or(0, |_| self.conversation.outstanding())
    }

    /// Acts by itself.
    pub(super) fn act(&mut self, net: &mut Network) {
        if self.is_retired {
            return;
        }
        let wire = self.wire.unwrap_or_else(|| self.connect(net));
        if net.chance.strikes(Fault::Reset) && net.chance.of(Fault::Reset).u8(..8) == 0 {
            net.after(Duration::ZERO, Action::GiveUp(wire));
        }
        if self.conversation.outstanding() < PIPELINED_MAX && !self.is_stuck {
            let mut bytes = self.request(net);
            if net.chance.draw(Draw::Publish).u8(..8) == 0 {
                bytes.extend(self.request(net));
            }
            self.is_stuck = !upload_in_pieces(wire, &bytes, net);
        }
        let pause = net.chance.time(Draw::Publish, Duration::from_micros(50), self.pause_max);
        net.after(pause, Action::Client(self.me));
    }

    fn connect(&mut self, net: &mut Network) -> WireId {
        let peer = IpAddr::from([10, 1, 0, (self.me % 200) as u8]);
        let wire = net.connect(Dial { client: self.me, peer, tx_capacity: 8000 });
        self.wire = Some(wire);
        self.is_stuck = false;
        self.conversation = Conversation::default();
        wire
    }

    fn request(&mut self, net: &mut Network) -> Vec<u8> {
        let post = self.repeated(net).unwrap_or_else(|| self.fresh(net));
        let lines = post.media == NDJSON;
        self.conversation.ask(Asked::Publish { specs: post.specs.clone(), lines });
        self.encode(&post, net)
    }

    /// A request that is posted again under its key, since nobody has answered it or for no reason at all.
    fn repeated(&mut self, net: &mut Network) -> Option<Post> {
        if let Some(left) = self.unanswered.checked_sub(1) {
            self.unanswered = left;
            return self.keyed.iter().rev().nth(left).cloned();
        }
        if self.keyed.is_empty() || !net.chance.strikes(Fault::Repeat) {
            return None;
        }
        let at = net.chance.of(Fault::Repeat).usize(..self.keyed.len());
        self.keyed.get(at).cloned()
    }

    fn fresh(&mut self, net: &mut Network) -> Post {
        let mut post = match net.chance.draw(Draw::Publish).u8(..8) {
            0 | 1 => self.lines(net),
            2 => self.text(net),
            _ => self.json(net),
        };
        if net.chance.draw(Draw::Key).u8(..3) == 0 {
            self.keys += 1;
            post.key = Some(format!("k{}-{}", self.me, self.keys));
            if self.keyed.len() == KEYED_MAX {
                self.keyed.pop_front();
            }
            self.keyed.push_back(post.clone());
        }
        post
    }

    fn json(&mut self, net: &mut Network) -> Post {
        let (event, spec) = self.event(net);
        Post {
            target: "/publish".to_owned(),
            media: "application/json",
            body: event.to_string(),
            specs: vec![Some(spec)],
            key: None,
        }
    }

    fn lines(&mut self, net: &mut Network) -> Post {
        let count = net.chance.draw(Draw::Publish).usize(1..20);
        let mut body = String::new();
        let mut specs = Vec::new();
        for _ in 0..count {
            let (mut event, spec) = self.event(net);
            let refused = net.chance.draw(Draw::Publish).u8(..10) == 0;
            if refused {
                event = [json!({"topics": ["secret/1"], "data": "x"}), json!({"data": "x"})]
                    [net.chance.draw(Draw::Publish).usize(..2)]
                .clone();
            }
            specs.push((!refused).then_some(spec));
            body.push_str(&event.to_string());
            body.push('\n');
        }
        Post { target: "/publish".to_owned(), media: NDJSON, body, specs, key: None }
    }

    fn text(&mut self, net: &mut Network) -> Post {
        let body = self.data(net);
        let topic = TOPICS[net.chance.draw(Draw::Publish).usize(..TOPICS.len())];
        let spec = Spec { data: body.replace('\r', "\n"), id: None };
        let target = format!("/publish?topic={topic}");
        Post { target, media: "text/plain", body, specs: vec![Some(spec)], key: None }
    }

    fn encode(&mut self, post: &Post, net: &mut Network) -> Vec<u8> {
        let (chunked, expects) = {
            let rng = net.chance.draw(Draw::Publish);
            (rng.u8(..6) == 0, rng.u8(..10) == 0)
        };
        let unix = net.unix;
        let ttl = self.token_ttl;
        let token = self.token.get_or_insert_with(|| {
            let grants = TOPICS.iter().copied().chain(["corecast:users/{user}", "corecast:all"]);
            let grants: Vec<_> = grants.map(|grant| Selector::parse(grant).expect("a selector")).collect();
            mint(SECRET, Some("publisher"), &[], &grants, ttl, unix).expect("a token can be made")
        });
        let expect = if expects { "Expect: 100-continue\r\n" } else { "" };
        let key = post.key.as_ref().map_or_else(String::new, |key| format!("Idempotency-Key: {key}\r\n"));
        let (target, media, body) = (&post.target, post.media, post.body.as_bytes());
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: hub\r\nContent-Type: {media}\r\nAuthorization: Bearer {token}\r\n{expect}{key}"
        );
        let mut request = head.into_bytes();
        if chunked {
            request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for piece in body.chunks(body.len() / 3 + 1) {
                request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                request.extend_from_slice(piece);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"0\r\n\r\n");
        } else {
            request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            request.extend_from_slice(body);
        }
        request
    }

    /// Data that no other event of the run has.
    fn data(&mut self, net: &mut Network) -> String {
        self.events += 1;
        let rng = net.chance.draw(Draw::Publish);
        let len = if rng.u8(..4) == 0 { rng.usize(..self.data_bytes_max) } else { rng.usize(..40) };
        let (filler, len) =
            [("x", len), ("line\n", len / 3), ("é", len), ("\r", len / 8), (": ", len)][rng.usize(..5)];
        format!("{}.{} {}", self.me, self.events, filler.repeat(len / filler.len()))
    }

    fn event(&mut self, net: &mut Network) -> (Value, Spec) {
        if net.chance.strikes(Fault::Repeat)
            && let Some(repeated) = self.repeatable.pop_front()
        {
            return repeated;
        }
        let data = self.data(net);
        let rng = net.chance.draw(Draw::Publish);
        let mut event = match rng.u8(..8) {
            0 => json!({"all": true}),
            1 | 2 => {
                let users: Vec<_> =
                    (0..rng.usize(1..3)).map(|_| format!("user-{}", rng.usize(..self.users))).collect();
                json!({ "users": users })
            }
            _ => {
                let topics: Vec<_> =
                    (0..rng.usize(1..3)).map(|_| TOPICS[rng.usize(..TOPICS.len())]).collect();
                json!({ "topics": topics })
            }
        };
        let mut spec = Spec { data: data.replace('\r', "\n"), id: None };
        if rng.u8(..8) == 0 {
            event["data"] = json!({ "n": data });
            spec.data = event["data"].to_string();
        } else {
            event["data"] = json!(data);
        }
        if rng.u8(..4) == 0 {
            event["type"] = json!("tick");
        }
        if rng.u8(..5) == 0 {
            event["private"] = json!(true);
        }
        if rng.u8(..10) == 0 {
            event["ttl"] = json!(rng.u32(1..30));
        }
        if rng.u8(..40) == 0 {
            event["retry"] = json!(rng.u32(50..5000));
        }
        match rng.u8(..8) {
            0 => event["ephemeral"] = json!(true),
            1 | 2 => {
                let id = format!("p{}-{}", self.me, self.events);
                event["id"] = json!(id);
                spec.id = Some(id);
                self.repeatable.push_back((event.clone(), spec.clone()));
                self.repeatable.truncate(20);
            }
            _ => {}
        }
        (event, spec)
    }

    /// Reads from its present connection.
    pub(super) fn on_read(&mut self, wire: WireId, bytes: &[u8], net: &Network, oracle: &Oracle) {
        for said in self.conversation.read(bytes) {
            if let Said::Body(Asked::Publish { specs, lines }, head, body) = said {
                net.trace.note(format_args!("wire {wire} is answered {}", head.status));
                let body = String::from_utf8(body).expect("an answer is UTF-8");
                match head.status {
                    200 if lines => self.on_lines(&specs, &body, oracle),
                    200 => self.on_one(specs[0].as_ref(), &body, oracle),
                    401 => self.token = None,
                    408 | 503 => {}
                    status => panic!("a publish is answered {status}: {body}"),
                }
            }
        }
    }

    fn on_lines(&mut self, specs: &[Option<Spec>], body: &str, oracle: &Oracle) {
        assert_eq!(
            body.lines().count(),
            specs.len(),
            "one line of the answer for each of the request: {body}"
        );
        for (line, spec) in body.lines().zip(specs) {
            if line.contains("log_unavailable") {
                continue;
            }
            self.on_one(spec.as_ref(), line, oracle);
        }
    }

    fn on_one(&mut self, spec: Option<&Spec>, object: &str, oracle: &Oracle) {
        let object: Value = serde_json::from_str(object).expect("an answer is JSON");
        match spec {
            Some(spec) => {
                let id = object["id"].as_str().unwrap_or_else(|| panic!("{spec:?} is answered {object}"));
                oracle.on_acknowledged(id, spec);
                self.acknowledged += 1;
            }
            None => assert!(object["error"].is_string(), "what is no event is answered {object}"),
        }
    }

    /// Its connection has ended.
    pub(super) fn on_end(&mut self, wire: WireId, net: &mut Network) {
        self.unanswered = self.conversation.outstanding().min(self.keyed.len());
        net.abandon(wire);
        self.wire = None;
    }
}
