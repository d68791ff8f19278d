//! Which request goes where. One routing `match`; everything else has its own file.

use std::sync::Arc;

use crate::close_reason::CloseReason;
use crate::connection::state::State;
use crate::http::head::BodyLength;
use crate::http::{Cors, Method, Request, Response, Status, StreamHead};

use crate::settings::CorsSettings;

use super::Engine;

const READ: &str = "GET, HEAD, OPTIONS";
const WRITE: &str = "POST, OPTIONS";

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Events,
    Publish,
    Health,
    Ready,
    /// The number of a file.
    Asset(usize),
    Nothing,
}

impl Engine {
    /// Acts on a complete head.
    pub(super) fn route(&mut self, index: u32, request: Request) {
        let route = self.route_of(request.path());
        if let State::Head(intake) = &mut self.connection_mut(index).state {
            intake.keep_alive = request.keep_alive;
        }
        match (route, request.method) {
            (Route::Nothing, _) => self.answer_not_found(index, &request),
            (Route::Publish, Method::Post) => self.begin_publish(index, request),
            (Route::Events, Method::Get | Method::Head) if has_body(&request) => {
                self.answer_body_unwanted(index, &request);
            }
            (Route::Events, Method::Get) => self.begin_subscribe(index, &request),
            (Route::Events, Method::Head) => self.answer_stream_head(index, &request),
            (Route::Health, Method::Get | Method::Head) => self.answer_health(index, &request),
            (Route::Ready, Method::Get | Method::Head) => self.answer_ready(index, &request),
            (Route::Asset(asset), Method::Get | Method::Head) => self.answer_asset(index, &request, asset),
            (_, Method::Options) => self.answer_preflight(index, &request, allowed(route)),
            (_, Method::Get | Method::Head | Method::Post | Method::Other) => {
                self.answer_not_allowed(index, &request, allowed(route));
            }
        }
    }

    fn route_of(&self, path: &str) -> Route {
        match path {
            "/events" => Route::Events,
            "/publish" => Route::Publish,
            "/healthz" => Route::Health,
            "/readyz" => Route::Ready,
            // `OPTIONS *` asks about the server as a whole.
            "*" => Route::Health,
            _ => {
                self.assets.iter().position(|asset| asset.path() == path).map_or(Route::Nothing, Route::Asset)
            }
        }
    }

    /// Answers a request that has been read whole, with what pages of its origin may read.
    pub(super) fn reply(&mut self, index: u32, request: &Request, response: Response<'static>) {
        let cors = Arc::clone(&self.cors);
        self.answer(index, &dressed(&cors, request, response));
    }

    /// Answers a request without having read its body, if it has one.
    pub(super) fn reply_unread(&mut self, index: u32, request: &Request, response: Response<'static>) {
        if !has_body(request) {
            return self.reply(index, request, response);
        }
        let cors = Arc::clone(&self.cors);
        self.answer_and_end(index, &dressed(&cors, request, response), CloseReason::Done);
    }

    fn answer_not_found(&mut self, index: u32, request: &Request) {
        let message =
            "there is nothing under this path; events are read at /events and published at /publish";
        self.reply_unread(index, request, Response::error(Status::NotFound, "not_found", &message));
    }

    fn answer_not_allowed(&mut self, index: u32, request: &Request, methods: &'static str) {
        let message = format!("this path takes {methods}");
        let response =
            Response::error(Status::MethodNotAllowed, "method_not_allowed", &message).allow(methods);
        self.reply_unread(index, request, response);
    }

    fn answer_body_unwanted(&mut self, index: u32, request: &Request) {
        let message = "a request for a stream has no body";
        self.reply_unread(index, request, Response::error(Status::BadRequest, "bad_request", &message));
    }

    fn answer_preflight(&mut self, index: u32, request: &Request, methods: &'static str) {
        self.reply_unread(index, request, Response::preflight(methods, Cors::NONE));
    }

    /// The head that a `GET` would have, also where it would be refused; nothing is registered.
    fn answer_stream_head(&mut self, index: u32, request: &Request) {
        if let Err(response) = self.check_subscribe(index, request) {
            self.counters.requests_rejected += 1;
            return self.reply(index, request, response);
        }
        let settings = Arc::clone(&self.cors);
        let head = StreamHead {
            framing: request.version.framing(),
            cors: Cors::of(&settings, request.origin()),
            closes: !self.keeps_alive(index),
            heartbeat: self.settings.stream.heartbeat,
            headers: &[],
        };
        let bytes = head.encode_to_head(self.now.unix);
        self.answer_encoded(index, bytes);
    }

    fn answer_health(&mut self, index: u32, request: &Request) {
        self.reply_unread(index, request, Response::text(Status::Ok, "ok\n"));
    }

    fn answer_ready(&mut self, index: u32, request: &Request) {
        let response = match self.drain {
            None => Response::text(Status::Ok, "ready\n"),
            Some(_) => Response::text(Status::ServiceUnavailable, "draining\n"),
        };
        self.reply_unread(index, request, response);
    }

    /// The same to pages of any origin, so nothing of what these may read is added.
    fn answer_asset(&mut self, index: u32, request: &Request, asset: usize) {
        let assets = Arc::clone(&self.assets);
        let is_head = request.method == Method::Head;
        let response = assets[asset].response(request.if_none_match()).to_head(is_head);
        if has_body(request) {
            self.answer_and_end(index, &response, CloseReason::Done);
        } else {
            self.answer(index, &response);
        }
    }
}

/// With what pages of the request's origin may read, and without a body for `HEAD`.
fn dressed<'a>(settings: &CorsSettings, request: &'a Request, response: Response<'a>) -> Response<'a> {
    response.cors(Cors::of(settings, request.origin())).to_head(request.method == Method::Head)
}

/// A body that nobody reads would be taken for the next request.
fn has_body(request: &Request) -> bool {
    !matches!(request.body, BodyLength::None | BodyLength::Length(0))
}

fn allowed(route: Route) -> &'static str {
    match route {
        Route::Publish => WRITE,
        Route::Events | Route::Health | Route::Ready | Route::Asset(_) | Route::Nothing => READ,
    }
}
