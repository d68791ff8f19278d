//! The admin API: JSON over the hub's state, one file a resource, described by an OpenAPI document that is made from the
//! same code.
//!
//! Not here: who may ask (`access`), and how shards are asked (`asking`).

mod input;
mod page;

mod config;
#[expect(unused_qualifications, reason = "utoipa's macro writes the paths of query parameters so")]
mod connections;
mod disconnect;
mod drain;
mod hub;
mod log_level;
mod reload;
#[expect(unused_qualifications, reason = "utoipa's macro writes the paths of query parameters so")]
mod topics;
#[expect(unused_qualifications, reason = "utoipa's macro writes the paths of query parameters so")]
mod users;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{self, Problem};
use super::routes::Admin;
use super::sample::Sample;
use super::{handed_on, live};

/// What the description begins with.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "corecast admin API",
        description = "What an operator sees of a hub, and how it is steered. It is served on `admin.listen`. With `admin.token` \
                       set, every request shows it; without one, only this machine is listened to, and web pages of other \
                       origins are turned away.",
    ),
    tags(
        (name = "hub", description = "The hub as a whole"),
        (name = "connections", description = "Connections, and ending them"),
        (name = "users", description = "Users with a stream"),
        (name = "topics", description = "Selectors that somebody subscribes to"),
        (name = "debugger", description = "The dashboard's way to the hub itself"),
    ),
    components(schemas(Problem, Sample)),
)]
struct Description;

/// The routes, and the document that describes them.
pub(super) fn router() -> (Router<Admin>, String) {
    let (router, mut api) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(hub::hub))
        .routes(routes!(connections::list))
        .routes(routes!(connections::one, disconnect::connection))
        .routes(routes!(users::list))
        .routes(routes!(users::one))
        .routes(routes!(disconnect::user))
        .routes(routes!(topics::list))
        .routes(routes!(disconnect::post))
        .routes(routes!(config::config))
        .routes(routes!(reload::reload))
        .routes(routes!(drain::drain))
        .routes(routes!(log_level::log_level, log_level::set_log_level))
        .routes(routes!(live::live))
        .routes(routes!(handed_on::events))
        .routes(routes!(handed_on::publish))
        .split_for_parts();
    Common.modify(&mut api);
    let document = serde_json::to_string(&api).unwrap_or_default();
    (router.route("/openapi.json", get(document_page)), document)
}

async fn document_page(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], admin.document.to_string()).into_response()
}

/// Adds what holds for every operation.
struct Common;

/// What can be said to any request.
const REFUSALS: [(&str, &str); 6] = [
    ("400", "A parameter or the body is not as it must be"),
    ("401", "The admin token is missing or wrong"),
    ("403", "A page of another origin asks"),
    ("421", "Asked for under another name than an IP address or localhost, without a token"),
    ("431", "The head of the request is too long"),
    ("503", "Something is at its bound, or a shard does not answer; ask again later"),
];

/// What can be said to a body besides.
const BODY_REFUSALS: [(&str, &str); 2] =
    [("413", "The body is too long"), ("415", "The body is not application/json")];

impl Modify for Common {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("admin.token")).build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        // Either, as the hub is configured.
        api.security = Some(vec![
            openapi::SecurityRequirement::default(),
            openapi::SecurityRequirement::new::<_, _, String>("token", []),
        ]);
        for item in api.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            operations.into_iter().flatten().for_each(add_refusals);
        }
    }
}

fn add_refusals(operation: &mut Operation) {
    let body = if operation.request_body.is_some() { &BODY_REFUSALS[..] } else { &[] };
    for (status, description) in REFUSALS.iter().chain(body) {
        let content = ContentBuilder::new().schema(Some(openapi::Ref::from_schema_name("Problem"))).build();
        let mut response = ResponseBuilder::new().description(*description);
        if *status != "431" {
            response = response.content(problem::CONTENT_TYPE, content);
        }
        let responses = &mut operation.responses.responses;
        responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(response.build()));
    }
}
