//! From a post to the sequencer, and from its answer to the publisher.

use crate::auth::Authorized;
use crate::connection::state::State;
use crate::event::{Audience, Event};
use crate::http::credentials::TOKEN_COOKIE;
use crate::http::publish::{self, EventRules, MediaType, PublishError, Published};
use crate::http::{
    Challenge, Credentials, Excerpt, Request, Response, Status, idempotency_key, query, response,
};
use crate::idempotency::IdempotencyKey;

use super::Engine;
use super::output::{Output, PublishAnswer, PublishRequest, PublisherId, Refused};

/// When a publisher may try again after the sequencer had no room: it empties within milliseconds.
const RETRY_AFTER_SECS: u64 = 1;

/// A post that waits for the sequencer.
#[derive(Debug)]
pub(super) struct Posted {
    request: Request,
    /// Whether the answer is one object a line.
    lines: bool,
}

impl Engine {
    /// A post's head. Who may not publish at all is told before the body comes.
    pub(super) fn begin_publish(&mut self, index: u32, request: Request) {
        match self.check_publisher(&request) {
            Ok((authorized, media)) => {
                let bytes_max = media.body_bytes_max(self.settings.limits.event_bytes);
                self.begin_body(index, request, authorized, bytes_max);
            }
            Err(response) => {
                self.counters.requests_rejected += 1;
                self.reply_unread(index, &request, response);
            }
        }
    }

    fn check_publisher(&mut self, request: &Request) -> Result<(Authorized, MediaType), Response<'static>> {
        let access_token = query::access_token(request.query())
            .map_err(|error| Response::error(error.status(), error.code(), &error))?;
        let authorized = self.authorize(Credentials::of(request, access_token.as_deref()))?;
        self.check_origin_of_cookie(request)?;
        let media = MediaType::parse(request.content_type()).map_err(rejection)?;
        request.idempotency_key().map(idempotency_key::parse).transpose().map_err(rejection)?;
        if self.drain.is_some() {
            return Err(busy("this hub is stopping, try again"));
        }
        Ok((authorized, media))
    }

    /// A browser sends its cookie along with whatever any page posts: a token in it counts only for pages of the hub's own
    /// origin and of those listed in `cors.origins` (cross-site request forgery). Pages cannot forge `Origin`.
    fn check_origin_of_cookie(&self, request: &Request) -> Result<(), Response<'static>> {
        let by_cookie = request.authorization().is_none() && request.cookie(TOKEN_COOKIE).is_some();
        let Some(origin) = request.origin().filter(|_| by_cookie) else { return Ok(()) };
        let is_own = origin.split_once("://").is_some_and(|(_, host)| Some(host) == request.host());
        if is_own || self.cors.origins.iter().any(|listed| **listed == *origin) {
            return Ok(());
        }
        let message = format!(
            "a cookie does not let pages of {} publish: list it in cors.origins",
            Excerpt::of(origin)
        );
        Err(Response::error(Status::Forbidden, "forbidden", &message))
    }

    /// A complete post.
    pub(super) fn on_publish(&mut self, index: u32, request: Request, authorized: &Authorized, body: &[u8]) {
        let rules = EventRules {
            event_bytes: self.settings.limits.event_bytes,
            shows_topics: self.settings.stream.topics,
        };
        let parsed = MediaType::parse(request.content_type())
            .and_then(|media| publish::parse(media, request.query(), body, rules))
            .and_then(|published| Ok((published, key_of(&request, authorized)?)));
        let (key, (events, lines)) = match parsed {
            Ok((Published::One(event), key)) => match check_grants(event, authorized) {
                Ok(event) => (key, (vec![Ok(event)], false)),
                Err(refused) => return self.reject_publish(index, &request, forbidden(refused)),
            },
            Ok((Published::Lines(lines), key)) => {
                let events = lines.map(|line| check_grants(line.map_err(refused)?, authorized));
                (key, (events.collect(), true))
            }
            Err(error) => return self.reject_publish(index, &request, rejection(error)),
        };
        self.send_to_sequencer(index, Posted { request, lines }, key, events);
    }

    fn send_to_sequencer(
        &mut self,
        index: u32,
        posted: Posted,
        key: Option<IdempotencyKey>,
        events: Vec<Result<Event, Refused>>,
    ) {
        self.move_intake(index, State::Publishing);
        if let State::Publishing(intake) = &mut self.connection_mut(index).state {
            intake.posted = Some(Box::new(posted));
        }
        self.wheel.disarm(index);
        let from = PublisherId { shard: self.shard, connection: self.id_of(index) };
        let published = self.now.instant;
        self.outputs.push_back(Output::Publish(Box::new(PublishRequest { from, key, published, events })));
    }

    /// The sequencer has no room for the request.
    pub fn handle_publish_refused(&mut self, request: &PublishRequest) {
        self.counters.publishes_refused += 1;
        let id = request.from.connection;
        if let Some(posted) = self.take_posted(id) {
            let response = busy("too much is being published at once, try again");
            self.reply(id.index, &posted.request, response);
        }
    }

    /// The sequencer's answer to a post from here.
    pub fn handle_published(&mut self, answer: PublishAnswer) {
        let id = answer.to.connection;
        self.counters.published += answer.results.iter().filter(|result| result.is_ok()).count() as u64;
        let is_unkept = |refused: &Refused| refused.status == Status::ServiceUnavailable;
        let unkept = answer.results.iter().any(|result| result.as_ref().is_err_and(is_unkept));
        self.counters.publishes_refused += u64::from(unkept);
        // The publisher may have gone; its events are published all the same.
        let Some(posted) = self.take_posted(id) else { return };
        let response =
            if posted.lines { lines_answer(&answer.results) } else { single_answer(answer.results) };
        self.reply(id.index, &posted.request, response);
    }

    fn take_posted(&mut self, id: crate::connection::ConnectionId) -> Option<Box<Posted>> {
        self.phase(id)?;
        match &mut self.connection_mut(id.index).state {
            State::Publishing(intake) => intake.posted.take(),
            State::Head(_)
            | State::Answering(_)
            | State::Moving
            | State::Streaming(_)
            | State::Draining { .. }
            | State::Closing { .. } => None,
        }
    }

    fn reject_publish(&mut self, index: u32, request: &Request, response: Response<'static>) {
        self.counters.requests_rejected += 1;
        self.reply(index, request, response);
    }
}

/// Under which the publisher may repeat the request. The same key of another token's `sub` is another key.
fn key_of(request: &Request, authorized: &Authorized) -> Result<Option<IdempotencyKey>, PublishError> {
    let key = request.idempotency_key().map(idempotency_key::parse).transpose()?;
    Ok(key.map(|key| IdempotencyKey::of(authorized.user(), &key)))
}

/// Whether the token lets its bearer publish to everyone the event is for.
fn check_grants(event: Event, authorized: &Authorized) -> Result<Event, Refused> {
    let missing = match &event.audience {
        Audience::Topics(topics) => {
            let topic = topics.iter().find(|topic| !authorized.may_publish_topic(topic));
            topic.map(|topic| format!("topic {}", Excerpt::of(topic)))
        }
        Audience::Users(users) => {
            let user = users.iter().find(|user| !authorized.may_publish_user(user));
            user.map(|user| format!("user {}", Excerpt::of(user)))
        }
        Audience::All => (!authorized.may_publish_all()).then(|| "`all`".to_owned()),
    };
    match missing {
        None => Ok(event),
        Some(what) => {
            let message = format!("the token does not grant publishing to {what}");
            Err(Refused {
                status: Status::Forbidden,
                json: response::error_json("forbidden", &message).into(),
            })
        }
    }
}

fn refused(error: PublishError) -> Refused {
    Refused { status: error.status(), json: response::error_json(error.code(), &error).into() }
}

fn rejection(error: PublishError) -> Response<'static> {
    Response::error(error.status(), error.code(), &error)
}

fn forbidden(refused: Refused) -> Response<'static> {
    Response::json(refused.status, refused.json.into_string()).challenge(Challenge::InsufficientScope)
}

fn busy(message: &str) -> Response<'static> {
    Response::error(Status::ServiceUnavailable, "busy", &message).retry_after(RETRY_AFTER_SECS)
}

fn single_answer(results: Vec<Result<Box<str>, Refused>>) -> Response<'static> {
    match results.into_iter().next() {
        Some(Ok(id)) => Response::json(Status::Ok, format!("{{\"id\":\"{id}\"}}")),
        Some(Err(refused)) if refused.status == Status::ServiceUnavailable => {
            Response::json(refused.status, refused.json.into_string()).retry_after(RETRY_AFTER_SECS)
        }
        Some(Err(refused)) => Response::json(refused.status, refused.json.into_string()),
        None => busy("the sequencer did not answer, try again"),
    }
}

/// One object a line, in the order of the lines that were sent.
fn lines_answer(results: &[Result<Box<str>, Refused>]) -> Response<'static> {
    let mut body = String::with_capacity(results.len() * 48);
    for result in results {
        match result {
            // Ids need no escape: their characters are checked.
            Ok(id) => {
                body.push_str("{\"id\":\"");
                body.push_str(id);
                body.push_str("\"}\n");
            }
            Err(refused) => {
                body.push_str(&refused.json);
                body.push('\n');
            }
        }
    }
    Response::ndjson(Status::Ok, body)
}
