//! From a request for a stream to its user's home shard.
//!
//! A refusal costs next to nothing and the connection is kept: clients that repeat a refused request for ever exist
//! (sse-clients.md §5).

use std::net::IpAddr;

use crate::auth::{AuthError, Authorized};
use crate::close_reason::CloseReason;
use crate::connection::state::State;
use crate::connection::{ConnectionId, ConnectionIndex, Peer};
use crate::http::forwarded;
use crate::http::{Challenge, Credentials, Request, Response, Status, SubscribeQuery};
use crate::selector::{RESERVED_PREFIX, Selector};
use crate::users::UserKey;

use super::Engine;
use super::output::{Output, ShardId};
use super::parcel::Parcel;

impl Parcel {
    /// Under whom the stream is counted: its user, else its own `client_id`, else nobody.
    pub(super) fn user_key(&self) -> Option<UserKey<'_>> {
        match self.authorized.as_ref().and_then(Authorized::user) {
            Some(user) => Some(UserKey::Named(user)),
            None => self.client_id.as_deref().map(UserKey::Anonymous),
        }
    }
}

impl Engine {
    /// A request for a stream: checked here, opened at home.
    pub(super) fn begin_subscribe(&mut self, index: u32, request: &Request) {
        match self.check_subscribe(index, request) {
            Ok(parcel) => self.send_home(index, parcel),
            Err(response) => {
                self.counters.requests_rejected += 1;
                self.reply(index, request, response);
            }
        }
    }

    pub(super) fn check_subscribe(
        &mut self,
        index: u32,
        request: &Request,
    ) -> Result<Parcel, Response<'static>> {
        let query = SubscribeQuery::parse(request.query())
            .map_err(|error| Response::error(error.status(), error.code(), &error))?;
        let authorized = match Credentials::of(request, query.access_token.as_deref()) {
            Credentials::Absent if self.settings.anonymous => None,
            credentials => Some(self.authorize(credentials)?),
        };
        let selectors = parse_selectors(&query)?;
        let last_event_id = request.last_event_id().filter(|id| !id.is_empty()).or(query.last_event_id);
        Ok(Parcel {
            peer: self.client_of(index, request),
            authorized,
            selectors,
            client_id: query.client_id.map(Into::into),
            last_event_id: last_event_id.map(Into::into),
            framing: request.version.framing(),
            wants_event_stream: request.wants_event_stream,
            origin: request.origin().map(Into::into),
            visible_heartbeat: query.heartbeat_event,
            padding: query.padding,
        })
    }

    /// Whom a request comes from: its peer, or whom a trusted proxy names.
    fn client_of(&self, index: u32, request: &Request) -> Peer {
        let peer = self.peers[index as usize];
        let proxies = &self.settings.trusted_proxies;
        let is_trusted = |ip: IpAddr| proxies.iter().any(|proxy| proxy.contains(&ip));
        if proxies.is_empty() || !is_trusted(peer.ip()) {
            return peer;
        }
        forwarded::client(request, is_trusted).map_or(peer, Peer::from)
    }

    /// Looks at a token. Whatever is wrong with it, the answer is 401, and never the anonymous way in.
    pub(super) fn authorize(
        &mut self,
        credentials: Credentials<'_>,
    ) -> Result<Authorized, Response<'static>> {
        let error = match credentials {
            Credentials::Token(token) => match self.verifier.verify(token, self.now.unix) {
                Ok(authorized) => return Ok(authorized),
                Err(error) => error,
            },
            Credentials::Malformed => AuthError::Malformed,
            Credentials::Absent => AuthError::Missing,
        };
        self.counters.tokens_rejected += 1;
        let challenge =
            if error == AuthError::Missing { Challenge::Missing } else { Challenge::InvalidToken };
        Err(Response::error(Status::Unauthorized, "unauthorized", &error).challenge(challenge))
    }

    /// To the shard where all of the user's streams are. Who has no name stays.
    fn send_home(&mut self, index: u32, parcel: Parcel) {
        let home = parcel.user_key().map_or(self.shard, |key| self.home_of(key));
        if home == self.shard {
            return self.admit(index, &parcel);
        }
        self.counters.moves += 1;
        self.become_state(index, State::Moving);
        self.wheel.disarm(index);
        let from = self.id_of(index);
        self.outputs.push_back(Output::Move { from, to: home, parcel: Box::new(parcel) });
    }

    fn home_of(&self, key: UserKey<'_>) -> ShardId {
        let hash = self.seed.hash_of(("home", key));
        ShardId((hash % u64::from(self.shards)) as u16)
    }

    /// A connection from another shard, whose user lives here, in a slot that the host chose.
    pub fn handle_arrived(&mut self, index: ConnectionIndex, parcel: &Parcel) -> ConnectionId {
        let id = self.occupy(index, parcel.peer, State::Moving);
        self.admit(index, parcel);
        id
    }

    /// The home shard could not take a connection: it is refused where it is.
    pub fn handle_move_refused(&mut self, id: ConnectionId, parcel: &Parcel) {
        if self.phase(id).is_some() {
            self.counters.moves_refused += 1;
            self.refuse(id.index, parcel, CloseReason::ConnectionLimit);
        }
    }
}

fn parse_selectors(query: &SubscribeQuery<'_>) -> Result<Vec<Selector>, Response<'static>> {
    query.topics.iter().map(|topic| parse_selector(topic)).collect()
}

fn parse_selector(topic: &str) -> Result<Selector, Response<'static>> {
    if topic.starts_with(RESERVED_PREFIX) {
        let message = format!(
            "topic `{topic}` is the hub's own: a token with `sub` brings its user's events by itself"
        );
        return Err(
            Response::error(Status::Forbidden, "forbidden", &message).challenge(Challenge::InsufficientScope)
        );
    }
    Selector::parse(topic).map_err(|error| {
        let message = format!("topic: {error}");
        Response::error(Status::BadRequest, "bad_request", &message)
    })
}
