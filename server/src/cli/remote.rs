//! A hub at the other end of HTTP: where it is, who we are, and what it says when it refuses.

use clap::Args;
use serde::Deserialize;
use ureq::http::{Response, Uri};
use ureq::{Body, RequestBuilder};

use super::error::CliError;

/// An error's message fits many times.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct Remote {
    /// The hub.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "CORECAST_URL")]
    pub(super) url: String,
    /// The token; better in the environment, where other users of the machine cannot see it.
    #[arg(long, env = "CORECAST_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// What the hub says with every status that is an error.
#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) message: String,
}

impl Remote {
    /// The URL of `path` (which begins with a slash) on the hub.
    pub(super) fn endpoint(&self, path: &str) -> Result<String, CliError> {
        let refuse = |reason: &str| {
            let value = self.url.clone();
            Err(CliError::Flag { flag: "--url", value, reason: reason.to_owned() })
        };
        match self.url.parse::<Uri>() {
            Ok(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => {
                refuse("not an http or https URL")
            }
            Ok(uri) if uri.query().is_some() => refuse("has a query, only the hub's address is wanted"),
            Ok(_) => Ok(format!("{}{path}", self.url.trim_end_matches('/'))),
            Err(error) => refuse(&error.to_string()),
        }
    }

    /// Adds the token, if there is one.
    pub(super) fn authorize<T>(&self, request: RequestBuilder<T>) -> RequestBuilder<T> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }
}

/// The hub's own words in an answer that is no success.
pub(super) fn refusal(mut answer: Response<Body>) -> CliError {
    let status = answer.status();
    let again = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
    // A body that cannot be read, or is no JSON (a proxy's page), leaves the status to speak for itself.
    let body = answer.body_mut().with_config().limit(REFUSAL_BYTES_MAX).read_to_vec().unwrap_or_default();
    let mut message = match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => printable(&refusal.message),
        Err(_) => status.canonical_reason().unwrap_or("no reason given").to_lowercase(),
    };
    if let Some(seconds) = again.filter(|value| value.bytes().all(|b| b.is_ascii_digit())) {
        message.push_str(&format!(" (try again in {seconds} s)"));
    }
    CliError::Refused { status: status.as_u16(), message }
}

/// `text` without anything that would steer a terminal.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_below_the_url() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080/events")),
            ("http://127.0.0.1:8080/", Some("http://127.0.0.1:8080/events")),
            ("https://hub.example.com/live", Some("https://hub.example.com/live/events")),
            ("127.0.0.1:8080", None),
            ("ftp://127.0.0.1", None),
            ("http://127.0.0.1/?a=b", None),
            ("", None),
        ] {
            let remote = Remote { url: url.to_owned(), token: None };
            assert_eq!(remote.endpoint("/events").ok().as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn nothing_printable_steers_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\u{9b}d\u{e9}"), "a\\u{1b}[2Jb\tc\\u{9b}d\u{e9}");
    }
}
