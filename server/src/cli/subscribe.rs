//! `corecast subscribe`: prints events as they come, and comes back when the hub asks for it.
//!
//! It ends like a browser's `EventSource` does: for good on a refusal and after an eviction, otherwise never.

use std::io::Read;
use std::time::Duration;

use clap::Args as ClapArgs;
use serde_json::json;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::error::CliError;
use super::event_stream::{Event, EventStream, Item};
use super::remote::{Remote, printable, refusal};
use super::{flags, output};
use crate::config::units::show_duration;
use crate::http_client;

/// Until the hub says otherwise; what Chromium and WebKit begin with.
const RETRY_DEFAULT: Duration = Duration::from_secs(3);

/// A hub that asks for less would be asked without a pause.
const RETRY_MIN: Duration = Duration::from_millis(100);

/// An attempt that failed doubles the wait of the next, up to this (or to the hub's own time, if that is longer).
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The hub sends head and first bytes at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Types of the hub's own events begin with this.
const CONTROL_PREFIX: &str = "corecast.";

/// After it the stream is not meant to come back.
const EVICTED: &str = "corecast.evicted";

const EXAMPLES: &str = "\
Examples:
  corecast subscribe --topic orders/17
  corecast subscribe --topic 'orders/{id}' --json | jq .data
  CORECAST_TOKEN=$(corecast token --user alice --config corecast.toml) corecast subscribe --client-id laptop

Each event is a line: its type, its id, its data (more lines of data are indented below). With --json it is one
JSON object: {\"type\",\"id\",\"data\"}. The hub's own events (corecast.*) go to standard error.";

#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// A topic, a URI Template, or `*`; can be repeated. Without one: what is for the user, and what is for all.
    #[arg(long, value_name = "SELECTOR")]
    topic: Vec<String>,
    /// A stable name of this subscriber: when it comes back, its old stream is replaced.
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,
    /// Begin after this event.
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    last_event_id: String,
    /// Print one JSON object for each event.
    #[arg(long)]
    json: bool,
    /// Come back after so long without a byte, or `off`. Longer than the hub's heartbeat.
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    silence: String,
}

/// How one stream ended.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    /// Open again after the reconnection time.
    ComeBack,
    /// Not wanted any more.
    ForGood,
}

pub(super) fn run(args: Args) -> Result<(), CliError> {
    let silence = match args.silence.as_str() {
        "off" => None,
        text => {
            let max = Duration::from_secs(86_400);
            Some(flags::duration("--silence", text, Duration::from_secs(1), max)?)
        }
    };
    let agent = http_client::config()
        .accept("text/event-stream")
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .timeout_per_read(silence)
        // A stream's connection is spent when the stream ends.
        .max_idle_connections(0)
        .build()
        .new_agent();
    let url = args.remote.endpoint("/events")?;
    let last_event_id = args.last_event_id.clone();
    Subscriber { args, agent, url, last_event_id, retry: RETRY_DEFAULT, failures: 0 }.run()
}

/// What outlives one stream.
struct Subscriber {
    args: Args,
    agent: Agent,
    url: String,
    last_event_id: String,
    /// The reconnection time that the hub asked for last.
    retry: Duration,
    /// Attempts in a row that did not open a stream.
    failures: u32,
}

impl Subscriber {
    fn run(mut self) -> Result<(), CliError> {
        loop {
            let ending = match self.open()? {
                Some(answer) if answer.status() == StatusCode::NO_CONTENT => Ending::ForGood,
                Some(answer) => {
                    self.failures = 0;
                    self.follow(answer)?
                }
                None => Ending::ComeBack,
            };
            if ending == Ending::ForGood {
                return Ok(());
            }
            pause(self.wait());
        }
    }

    /// The answer of a hub that has a stream for us, or has none for ever (204); `None` if it may have one later.
    fn open(&mut self) -> Result<Option<Response<Body>>, CliError> {
        let mut request = self.args.remote.authorize(self.agent.get(&self.url));
        request = request.query_pairs(self.args.topic.iter().map(|topic| ("topic", topic)));
        request = request.query_pairs(self.args.client_id.iter().map(|id| ("client_id", id)));
        if !self.last_event_id.is_empty() {
            request = request.header("Last-Event-ID", self.last_event_id.as_bytes());
        }
        let answer = match request.call() {
            Ok(answer) => answer,
            // These do not get better.
            Err(error @ (ureq::Error::Http(_) | ureq::Error::BadUri(_))) => {
                return Err(self.unreachable(error));
            }
            Err(error) => {
                let error = self.unreachable(error);
                self.on_failure(&error);
                return Ok(None);
            }
        };
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            self.on_failure(&refusal(answer));
            return Ok(None);
        }
        if status != StatusCode::OK && status != StatusCode::NO_CONTENT {
            return Err(refusal(answer));
        }
        let media_type =
            answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        if status == StatusCode::OK && !is_event_stream(media_type) {
            let reason = format!("its media type is {media_type:?}, not text/event-stream");
            return Err(CliError::Unexpected { url: self.url.clone(), reason });
        }
        Ok(Some(answer))
    }

    /// Prints the stream until it ends.
    fn follow(&mut self, answer: Response<Body>) -> Result<Ending, CliError> {
        let mut body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let mut stream = EventStream::new(&self.last_event_id);
        let mut piece = vec![0; 64 << 10];
        let mut evicted = false;
        // A stream that was aborted and one that was ended both come back, as in a browser.
        while let Ok(length @ 1..) = body.read(&mut piece) {
            let items = stream.read(&piece[..length]);
            let items = items
                .map_err(|error| CliError::Unexpected { url: self.url.clone(), reason: error.to_string() })?;
            for item in items {
                match item {
                    Item::Retry(retry) => self.retry = retry,
                    Item::Event(event) => {
                        evicted |= event.kind == EVICTED;
                        self.print(&event)?;
                    }
                }
            }
            // Kept up to date here: an event that was printed is not asked for again.
            stream.last_event_id().clone_into(&mut self.last_event_id);
        }
        Ok(if evicted { Ending::ForGood } else { Ending::ComeBack })
    }

    fn print(&self, event: &Event) -> Result<(), CliError> {
        if event.kind.starts_with(CONTROL_PREFIX) {
            eprintln!("{} {}", printable(&event.kind), printable(&event.data));
            return Ok(());
        }
        let line = if self.args.json {
            json!({ "type": event.kind, "id": event.id, "data": event.data }).to_string()
        } else {
            as_text(event)
        };
        Ok(output::line(&line)?)
    }

    fn unreachable(&self, cause: ureq::Error) -> CliError {
        CliError::Unreachable { url: self.url.clone(), cause: Box::new(cause) }
    }

    fn on_failure(&mut self, error: &CliError) {
        self.failures = self.failures.saturating_add(1);
        eprintln!("{error}; next attempt in {}", show_duration(self.wait()));
    }

    /// How long until the next attempt.
    fn wait(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        let doubled = self.retry.max(RETRY_MIN).saturating_mul(1 << doublings);
        doubled.min(BACKOFF_MAX.max(self.retry))
    }
}

#[expect(clippy::disallowed_methods, reason = "the reconnection time is a wait for nothing but time")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Whether a `Content-Type` is that of event streams; parameters do not matter.
fn is_event_stream(media_type: &str) -> bool {
    media_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// One line, and one more for each further line of data. An event without an id has a hyphen in its place.
fn as_text(event: &Event) -> String {
    let id = if event.id.is_empty() { "-" } else { &event.id };
    let data: Vec<String> = event.data.split('\n').map(printable).collect();
    format!("{} {} {}", printable(&event.kind), printable(id), data.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_and_its_further_data_is_indented() {
        let event = |id: &str, data: &str| Event { kind: "a".into(), id: id.into(), data: data.into() };
        assert_eq!(as_text(&event("7", "x")), "a 7 x");
        assert_eq!(as_text(&event("", "x\ny")), "a - x\n  y");
        assert_eq!(as_text(&event("7", "\u{1b}[2J")), "a 7 \\u{1b}[2J");
    }

    #[test]
    fn parameters_of_the_media_type_do_not_matter() {
        for (media_type, expected) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("text/event-streams", false),
            ("text/html", false),
            ("", false),
        ] {
            assert_eq!(is_event_stream(media_type), expected, "{media_type}");
        }
    }
}
