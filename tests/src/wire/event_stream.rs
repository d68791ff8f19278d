//! Event streams (WHATWG HTML §9.2), held to the narrower form that every real client understands.
//!
//! A stream opens with comments and one `retry` line. Then come comments and blocks; a block is `event`, `retry`,
//! `topic` lines, `data` lines, `id`, each at most once except `topic` and `data`, in this order, and a blank line. Only LF ends lines; no BOM;
//! one space after a colon; no block without data. Everything else is an error here, though browsers forgive it.

use super::{WireError, printable};

/// Go's line scanner gives up at 64 KiB, so no block of the hub may reach it.
const BLOCK_BYTES_MAX: usize = 65_536;

/// One dispatched event, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The event type; `message` if the block names none.
    pub kind: String,
    /// The data lines, joined by LF.
    pub data: String,
    /// The id of this block.
    pub id: Option<String>,
    /// The reconnection time in this block, in milliseconds.
    pub retry: Option<u64>,
    /// The topics that this block names.
    pub topics: Vec<String>,
}

impl Received {
    /// The data as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("data is no JSON ({e}): {self:?}"))
    }
}

/// What a piece of an event stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A comment, without its colon.
    Comment(String),
    /// The reconnection time of the first bytes, in milliseconds.
    Opening(u64),
    /// A complete block.
    Event(Received),
}

/// Reads an event stream.
#[derive(Debug, Default)]
pub struct EventStreamParser {
    line: Vec<u8>,
    opened: bool,
    block: Block,
    block_bytes: usize,
}

/// The block being read. The order of its phases is the order of fields on the wire.
#[derive(Debug, Default)]
struct Block {
    phase: Phase,
    kind: Option<String>,
    retry: Option<u64>,
    topics: Vec<String>,
    data: Option<String>,
    id: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Nothing,
    Kind,
    Retry,
    Topic,
    Data,
    Id,
}

impl EventStreamParser {
    /// Takes more of the stream.
    pub fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(Item)) -> Result<(), WireError> {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            self.line.extend_from_slice(piece);
            self.block_bytes += piece.len();
            if self.block_bytes > BLOCK_BYTES_MAX {
                return Err(WireError::new("a block of more than 65,536 bytes"));
            }
            if self.line.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.line);
                if let Some(item) = self.on_line(&line[..line.len() - 1])? {
                    take(item);
                }
            }
        }
        Ok(())
    }

    /// Whether nothing of a block is pending: here a chunk may end, and a stream.
    #[must_use]
    pub fn is_between_blocks(&self) -> bool {
        self.line.is_empty() && self.block.phase == Phase::Nothing
    }

    /// Whether the first bytes have come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.opened
    }

    fn on_line(&mut self, line: &[u8]) -> Result<Option<Item>, WireError> {
        let bad = |why: &str| WireError::new(format!("{why}: line {}", printable(line)));
        let text = std::str::from_utf8(line).map_err(|_| bad("not UTF-8"))?;
        if text.contains('\r') {
            return Err(bad("a CR in a line"));
        }
        if text.starts_with('\u{feff}') {
            return Err(bad("a BOM"));
        }
        if text.is_empty() {
            self.block_bytes = 0;
            return self.block.dispatch().map(|event| Some(Item::Event(event)));
        }
        if let Some(comment) = text.strip_prefix(':') {
            if self.block.phase == Phase::Nothing {
                self.block_bytes = 0;
            }
            return Ok(Some(Item::Comment(comment.to_owned())));
        }
        let (name, value) = text.split_once(':').ok_or_else(|| bad("a field without a colon"))?;
        let value = match value.strip_prefix(' ') {
            Some(value) => value,
            // Nothing may follow where the space is missing.
            None if value.is_empty() => value,
            None => return Err(bad("no space after the colon")),
        };
        if !self.opened {
            self.opened = true;
            self.block_bytes = 0;
            return if name == "retry" {
                Ok(Some(Item::Opening(milliseconds(value)?)))
            } else {
                Err(bad("no opening retry"))
            };
        }
        self.block.on_field(name, value)?;
        Ok(None)
    }
}

impl Block {
    fn on_field(&mut self, name: &str, value: &str) -> Result<(), WireError> {
        let phase = match name {
            "event" => Phase::Kind,
            "retry" => Phase::Retry,
            "topic" => Phase::Topic,
            "data" => Phase::Data,
            "id" => Phase::Id,
            _ => return Err(WireError::new(format!("unknown field {name:?}"))),
        };
        let repeats = phase == self.phase && matches!(phase, Phase::Topic | Phase::Data);
        let in_order = phase > self.phase || repeats;
        if !in_order {
            return Err(WireError::new(format!("field {name:?} after {:?}", self.phase)));
        }
        self.phase = phase;
        match phase {
            Phase::Nothing => {}
            Phase::Kind => self.kind = Some(non_empty(name, value)?),
            Phase::Retry => self.retry = Some(milliseconds(value)?),
            Phase::Topic => self.topics.push(non_empty(name, value)?),
            Phase::Data => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            Phase::Id => self.id = Some(non_empty(name, value)?),
        }
        Ok(())
    }

    fn dispatch(&mut self) -> Result<Received, WireError> {
        let block = std::mem::take(self);
        let data = block.data.ok_or_else(|| WireError::new("a block without data"))?;
        let kind = block.kind.unwrap_or_else(|| "message".to_owned());
        Ok(Received { kind, data, id: block.id, retry: block.retry, topics: block.topics })
    }
}

fn non_empty(name: &str, value: &str) -> Result<String, WireError> {
    let valid = !value.is_empty() && !value.contains('\0');
    if valid { Ok(value.to_owned()) } else { Err(WireError::new(format!("{name}: {value:?}"))) }
}

/// Node's timers take more than 2,147,483,647 ms for 1 ms.
fn milliseconds(value: &str) -> Result<u64, WireError> {
    let bad = || WireError::new(format!("retry: {value:?}"));
    let milliseconds: u64 = value.parse().map_err(|_| bad())?;
    let canonical = value.bytes().all(|b| b.is_ascii_digit());
    if canonical && milliseconds <= 2_147_483_647 { Ok(milliseconds) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Item>, WireError> {
        let mut items = Vec::new();
        EventStreamParser::default().feed(text.as_bytes(), |item| items.push(item))?;
        Ok(items)
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_events() {
        let text = ":\nretry: 3100\nevent: greeting\nretry: 5\ntopic: a\ntopic: b\ndata: héllo\ndata:\ndata:  wörld 😀\nid: a-1\n\n:\ndata:\n\n";
        let expected = vec![
            Item::Comment(String::new()),
            Item::Opening(3100),
            Item::Event(Received {
                kind: "greeting".into(),
                data: "héllo\n\n wörld 😀".into(),
                id: Some("a-1".into()),
                retry: Some(5),
                topics: vec!["a".into(), "b".into()],
            }),
            Item::Comment(String::new()),
            Item::Event(Received {
                kind: "message".into(),
                data: String::new(),
                id: None,
                retry: None,
                topics: vec![],
            }),
        ];
        for cut in 0..=text.len() {
            let mut parser = EventStreamParser::default();
            let mut items = Vec::new();
            parser.feed(&text.as_bytes()[..cut], |item| items.push(item)).unwrap();
            parser.feed(&text.as_bytes()[cut..], |item| items.push(item)).unwrap();
            assert_eq!(items, expected, "cut at {cut}");
            assert!(parser.is_between_blocks());
        }
    }

    #[test]
    fn what_real_clients_stumble_over_is_refused() {
        for stream in [
            "\u{feff}:\nretry: 1\n",
            "data: x\n\n",
            ":\nretry: 1\n\n",
            ":\nretry: 2147483648\n",
            ":\nretry: +1\n",
            ":\r\nretry: 1\r\n",
            ":\nretry: 1\nid: 1\n\n",
            ":\nretry: 1\nid: 1\ndata: x\n\n",
            ":\nretry: 1\ndata: x\nevent: y\n\n",
            ":\nretry: 1\ndata:x\n\n",
            ":\nretry: 1\ndata\n\n",
            ":\nretry: 1\nid: \ndata: x\n\n",
            ":\nretry: 1\nevent: \ndata: x\n\n",
            ":\nretry: 1\ndata: x\nid: 1\nid: 2\n\n",
            ":\nretry: 1\ndata: x\ntopic: a\n\n",
            ":\nretry: 1\ntopic: a\n\n",
            ":\nretry: 1\nother: x\n\n",
        ] {
            assert!(parse(stream).is_err(), "{stream:?}");
        }
    }

    #[test]
    fn a_block_may_not_reach_the_limit_of_line_scanners() {
        let block = |data_bytes: usize| format!(":\nretry: 1\ndata: {}\n\n", "x".repeat(data_bytes));
        assert!(parse(&block(65_536 - 8)).is_ok());
        assert!(parse(&block(65_536 - 7)).is_err());
    }
}
