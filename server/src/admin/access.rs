//! Who may ask the admin listener for what.
//!
//! With a token, everything but health and the dashboard's own files needs it. Without one the listener is on loopback, and
//! what must be kept out are web pages that this machine's browsers show: those of other origins, also where a name of theirs
//! leads here (DNS rebinding).
//! Not here: which addresses may be listened on (`config`).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use corecast_core::http::Excerpt;

use super::problem::Problem;
use crate::config::Secret;

/// Paths that need no token: what orchestrators ask, and files that are the same for everybody.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/", "/dashboard.js", "/dashboard.css"];

/// Paths for programs that name the hub as they like: nothing can be changed there.
const FOR_PROGRAMS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Answers requests that may not be made, and passes on the others.
pub(super) async fn guard(State(token): State<Option<Secret>>, request: Request, next: Next) -> Response {
    let allowed = check(token.as_ref(), request.method(), request.uri(), request.headers());
    match allowed {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// A request that may not be made.
enum Refusal {
    NoToken(Problem),
    Other(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NoToken(problem) => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"corecast admin\"")];
                (challenge, problem).into_response()
            }
            Self::Other(problem) => problem.into_response(),
        }
    }
}

fn check(token: Option<&Secret>, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let path = uri.path();
    match token {
        Some(token) if !OPEN.contains(&path) => check_token(token, headers).map_err(Refusal::NoToken)?,
        Some(_) => {}
        None if FOR_PROGRAMS.contains(&path) => {}
        None => {
            check_host(uri, headers)?;
            if path != "/" {
                check_origin(method, headers)?;
            }
        }
    }
    Ok(())
}

fn check_token(token: &Secret, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(StatusCode::UNAUTHORIZED, detail).field("Authorization"));
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        return refused("the admin token is missing: send Authorization: Bearer and the token");
    };
    let bytes = given.as_bytes();
    // RFC 9110, section 11.1: the scheme is case-insensitive.
    let parts = bytes.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "));
    let Some((_, shown)) = parts else {
        return refused("the authorization is not of the form Bearer and the token");
    };
    if aws_lc_rs::constant_time::verify_slices_are_equal(shown, token.expose()).is_err() {
        return refused("this is not the admin token");
    }
    Ok(())
}

/// A page whose name leads to this machine sends its name as `Host`: only names that nobody can own are taken.
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let named = headers.get(header::HOST).map(|host| host.as_bytes());
    let named = uri.authority().map(|authority| authority.as_str().as_bytes()).or(named).unwrap_or_default();
    let host = str::from_utf8(named).ok().and_then(|text| text.parse::<axum::http::uri::Authority>().ok());
    let is_own = host.is_some_and(|host| {
        let name = host.host();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok()
    });
    if is_own {
        return Ok(());
    }
    let detail = format!(
        "host {} is neither an IP address nor localhost; set admin.token to be asked under another name",
        Excerpt::of_bytes(named)
    );
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).field("Host"))
}

/// Pages of other origins may neither look nor change anything. Programs send none of these headers.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let forbidden = |field: &str, value: &[u8]| {
        let detail = format!("{field}: {} is not this origin", Excerpt::of_bytes(value));
        Err(Problem::new(StatusCode::FORBIDDEN, detail).field(field))
    };
    if let Some(site) = headers.get("sec-fetch-site")
        && !matches!(site.as_bytes(), b"same-origin" | b"none")
    {
        return forbidden("Sec-Fetch-Site", site.as_bytes());
    }
    if !method.is_safe()
        && let Some(origin) = headers.get(header::ORIGIN)
    {
        let host = headers.get(header::HOST).map(|host| host.as_bytes()).unwrap_or_default();
        let bytes = origin.as_bytes();
        let is_own = [b"http://".as_slice(), b"https://"].iter().any(|scheme| {
            bytes.strip_prefix(*scheme).is_some_and(|origin| origin.eq_ignore_ascii_case(host))
        });
        if !is_own {
            return forbidden("Origin", bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
