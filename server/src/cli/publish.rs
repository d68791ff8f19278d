//! `corecast publish`: hands events to a hub, and prints the ids under which it has them.

use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

use clap::{ArgGroup, Args as ClapArgs};
use corecast_core::http::idempotency_key;
use corecast_core::limits::{NDJSON_BYTES_MAX, RETRY_MS_MAX};
use serde::{Deserialize, Serialize};
use ureq::Agent;

use super::error::CliError;
use super::remote::{Refusal, Remote, printable, refusal};
use super::{flags, output};
use crate::http_client;

/// Larger than any `limits.event_bytes`: what is too long for the hub, the hub says.
const DATA_BYTES_MAX: u64 = 32 << 20;

/// How much of standard input is looked at for lines that can go together.
const INPUT_BUFFER_BYTES: usize = 256 << 10;

/// The hub answers once its log has the event; one that takes longer is not going to.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// One answer for each line, each shorter than a refusal's message.
const ANSWERS_BYTES_MAX: u64 = 256 << 20;

const EXAMPLES: &str = "\
Examples:
  corecast publish --topic orders/17 '{\"state\":\"paid\"}'
  corecast publish --user alice --type notice --ttl 10m 'Your report is ready.'
  date | corecast publish --all --ephemeral
  corecast publish --topic orders/17 --idempotency-key order-17-paid '{\"state\":\"paid\"}'
  corecast publish --ndjson < events.ndjson     # a line: {\"topics\":[\"a\"],\"data\":{\"n\":1}}

The data goes out as it is. From standard input one line end at its end is dropped.";

#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("audience").args(["topic", "user", "all", "ndjson"]).required(true))]
pub(super) struct Args {
    #[command(flatten)]
    remote: Remote,
    /// A topic; can be repeated.
    #[arg(long)]
    topic: Vec<String>,
    /// A user whose streams all get it; can be repeated.
    #[arg(long)]
    user: Vec<String>,
    /// Every stream gets it.
    #[arg(long)]
    all: bool,
    /// The event's type; `message` without this.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// An id of your own, to resume from.
    #[arg(long)]
    id: Option<String>,
    /// A new reconnection time for the receivers, such as 3s.
    #[arg(long, value_name = "DURATION")]
    retry: Option<String>,
    /// Only for subscribers whose token grants it.
    #[arg(long)]
    private: bool,
    /// How long it may be replayed, in whole seconds, such as 10m.
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,
    /// For live subscribers only: never kept, never replayed.
    #[arg(long)]
    ephemeral: bool,
    /// Repeat the command with the same key and it is published once, whatever became of the first time.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Publish one JSON object for each line of standard input, as they come.
    #[arg(long, conflicts_with_all = ["kind", "id", "retry", "private", "ttl", "ephemeral", "idempotency_key", "data"])]
    ndjson: bool,
    /// The data; standard input without this.
    data: Option<String>,
}

/// The body of `POST /publish`.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    topics: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    users: &'a [String],
    #[serde(skip_serializing_if = "is_false")]
    all: bool,
    data: &'a str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<u128>,
    #[serde(skip_serializing_if = "is_false")]
    private: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    #[serde(skip_serializing_if = "is_false")]
    ephemeral: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Deserialize)]
struct Published {
    id: String,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let url = args.remote.endpoint("/publish")?;
    let agent = http_client::config().timeout_recv_response(Some(ANSWER_TIMEOUT)).build().new_agent();
    let publisher = Publisher { agent, url, remote: &args.remote };
    if args.ndjson { publisher.publish_lines() } else { publisher.publish_one(args) }
}

struct Publisher<'a> {
    agent: Agent,
    url: String,
    remote: &'a Remote,
}

impl Publisher<'_> {
    fn publish_one(&self, args: &Args) -> Result<(), CliError> {
        let (second, max) = (Duration::from_secs(1), Duration::from_secs(3650 * 86_400));
        let retry_max = Duration::from_millis(RETRY_MS_MAX.into());
        let retry = args.retry.as_deref();
        let retry =
            retry.map(|text| flags::duration("--retry", text, Duration::ZERO, retry_max)).transpose()?;
        let ttl = args.ttl.as_deref();
        let ttl = ttl.map(|text| flags::duration("--ttl", text, second, max)).transpose()?;
        let key = args.idempotency_key.as_deref().map(checked_key).transpose()?;
        let data = match &args.data {
            Some(data) => data.clone(),
            None => read_data(&mut io::stdin().lock())?,
        };
        let event = Event {
            topics: &args.topic,
            users: &args.user,
            all: args.all,
            data: &data,
            kind: args.kind.as_deref(),
            id: args.id.as_deref(),
            retry: retry.map(|retry| retry.as_millis()),
            private: args.private,
            ttl: ttl.map(|ttl| ttl.as_secs()),
            ephemeral: args.ephemeral,
        };
        let body = serde_json::to_vec(&event).map_err(|error| self.unexpected(error.to_string()))?;
        let answer = self.post("application/json", key, &body)?;
        match serde_json::from_slice::<Published>(&answer) {
            Ok(published) => Ok(output::line(&printable(&published.id))?),
            Err(error) => Err(self.unexpected(error.to_string())),
        }
    }

    /// Publishes standard input. What is there already goes in one request, so that a pipe is fast and a person who
    /// types sees each answer at once.
    fn publish_lines(&self) -> Result<(), CliError> {
        let mut input = BufReader::with_capacity(INPUT_BUFFER_BYTES, io::stdin().lock());
        let mut lines = LineCount::default();
        let (mut refused, mut total) = (0, 0);
        while let Some(batch) = next_batch(&mut input, &mut lines)? {
            let answer = self.post("application/x-ndjson", None, &batch.body)?;
            let answers: Vec<&[u8]> =
                answer.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()).collect();
            for (answer, line) in answers.iter().zip(&batch.lines) {
                refused += u64::from(!self.report(answer, *line)?);
            }
            total += batch.lines.len() as u64;
            if answers.len() != batch.lines.len() {
                let reason = format!("{} answers to {} events", answers.len(), batch.lines.len());
                return Err(self.unexpected(reason));
            }
        }
        if refused == 0 { Ok(()) } else { Err(CliError::Partly { refused, total }) }
    }

    /// Prints the answer to one line; whether it was taken.
    fn report(&self, answer: &[u8], line: u64) -> Result<bool, CliError> {
        if let Ok(published) = serde_json::from_slice::<Published>(answer) {
            output::line(&printable(&published.id))?;
            return Ok(true);
        }
        match serde_json::from_slice::<Refusal>(answer) {
            Ok(refusal) => {
                eprintln!("line {line}: {}", printable(&refusal.message));
                Ok(false)
            }
            Err(error) => Err(self.unexpected(error.to_string())),
        }
    }

    /// The body of the hub's answer, if that is a success.
    fn post(&self, media_type: &str, key: Option<&str>, body: &[u8]) -> Result<Vec<u8>, CliError> {
        let unreachable = |cause| CliError::Unreachable { url: self.url.clone(), cause: Box::new(cause) };
        let mut request = self.agent.post(&self.url).header("Content-Type", media_type);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let mut answer = self.remote.authorize(request).send(body).map_err(unreachable)?;
        if answer.status() != 200 {
            return Err(refusal(answer));
        }
        answer.body_mut().with_config().limit(ANSWERS_BYTES_MAX).read_to_vec().map_err(unreachable)
    }

    fn unexpected(&self, reason: String) -> CliError {
        CliError::Unexpected { url: self.url.clone(), reason }
    }
}

/// A key as the hub takes it: an error before anything is sent names the flag.
fn checked_key(key: &str) -> Result<&str, CliError> {
    let refuse = |reason| CliError::Flag { flag: "--idempotency-key", value: format!("{key:?}"), reason };
    idempotency_key::parse(key.as_bytes()).map(|_| key).map_err(|error| refuse(error.to_string()))
}

fn read_data(input: &mut impl Read) -> Result<String, CliError> {
    let mut data = String::new();
    input.take(DATA_BYTES_MAX + 1).read_to_string(&mut data).map_err(CliError::Input)?;
    if data.len() as u64 > DATA_BYTES_MAX {
        let reason = io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {DATA_BYTES_MAX} bytes"));
        return Err(CliError::Input(reason));
    }
    // What `echo` and editors add is not meant.
    let trimmed = data.strip_suffix('\n').map(|data| data.strip_suffix('\r').unwrap_or(data));
    Ok(trimmed.map(str::to_owned).unwrap_or(data))
}

/// Lines of standard input read so far.
#[derive(Debug, Default)]
struct LineCount(u64);

/// Lines that go in one request. At least one; none is blank.
#[derive(Debug, Default, PartialEq)]
struct Batch {
    body: Vec<u8>,
    /// The number of each in standard input, from 1.
    lines: Vec<u64>,
}

/// Waits for one line and takes those that are in the buffer behind it. `None` is the end of the input.
fn next_batch(input: &mut BufReader<impl Read>, lines: &mut LineCount) -> Result<Option<Batch>, CliError> {
    let mut batch = Batch::default();
    while batch.lines.is_empty() {
        if !take_line(input, lines, &mut batch)? {
            return Ok(None);
        }
    }
    while let Some(end) = input.buffer().iter().position(|b| *b == b'\n') {
        if batch.body.len() + end + 1 > NDJSON_BYTES_MAX {
            break;
        }
        take_line(input, lines, &mut batch)?;
    }
    Ok(Some(batch))
}

/// Appends the next line unless it is blank; `false` at the end of the input.
fn take_line(
    input: &mut BufReader<impl Read>,
    lines: &mut LineCount,
    batch: &mut Batch,
) -> Result<bool, CliError> {
    let start = batch.body.len();
    let length =
        input.take(NDJSON_BYTES_MAX as u64).read_until(b'\n', &mut batch.body).map_err(CliError::Input)?;
    if length == 0 {
        return Ok(false);
    }
    lines.0 += 1;
    if !batch.body.ends_with(b"\n") {
        if length == NDJSON_BYTES_MAX {
            let text = format!("line {} has more than {NDJSON_BYTES_MAX} bytes", lines.0);
            return Err(CliError::Input(io::Error::new(io::ErrorKind::FileTooLarge, text)));
        }
        batch.body.push(b'\n');
    }
    if batch.body[start..].trim_ascii().is_empty() {
        batch.body.truncate(start);
    } else {
        batch.lines.push(lines.0);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// An input of which each read gives one piece, like a pipe.
    struct Pieces(VecDeque<&'static str>);

    impl Read for Pieces {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.pop_front().unwrap_or_default();
            buf[..piece.len()].copy_from_slice(piece.as_bytes());
            Ok(piece.len())
        }
    }

    fn batches(pieces: &[&'static str]) -> Vec<(String, Vec<u64>)> {
        let mut input = BufReader::with_capacity(4096, Pieces(pieces.iter().copied().collect()));
        let mut lines = LineCount::default();
        std::iter::from_fn(|| next_batch(&mut input, &mut lines).unwrap())
            .map(|batch| (String::from_utf8(batch.body).unwrap(), batch.lines))
            .collect()
    }

    #[test]
    fn lines_that_came_together_go_together() {
        for (pieces, expected) in [
            (&["a\nb\n"][..], vec![("a\nb\n", vec![1, 2])]),
            (&["a\n", "b\n"], vec![("a\n", vec![1]), ("b\n", vec![2])]),
            (&["a\nb", "c\n"], vec![("a\n", vec![1]), ("bc\n", vec![2])]),
            (&["a\n\n \r\nb\n"], vec![("a\nb\n", vec![1, 4])]),
            (&["\n", "a"], vec![("a\n", vec![2])]),
            (&["\n\n"], vec![]),
            (&[], vec![]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(body, lines)| (body.to_owned(), lines)).collect();
            assert_eq!(batches(pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_refused() {
        let long = vec![b'x'; NDJSON_BYTES_MAX + 1];
        let mut input = BufReader::new(&long[..]);
        let found = next_batch(&mut input, &mut LineCount::default()).unwrap_err().to_string();
        assert_eq!(found, "cannot read standard input: line 1 has more than 1048576 bytes");
    }

    #[test]
    fn one_line_end_is_dropped_from_data() {
        for (input, expected) in
            [("", ""), ("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\r", "a\r")]
        {
            assert_eq!(read_data(&mut input.as_bytes()).unwrap(), expected, "{input:?}");
        }
    }
}
