//! A strict reader of event streams (WHATWG HTML §9.2), for what the hub promises beyond the standard: LF only, no
//! block without data, the id last, and each field with one space.
//!
//! Like a browser it forgets a block that is cut.

/// One dispatched event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// `event`
    pub(super) kind: Option<String>,
    /// `topic`, one a line.
    pub(super) topics: Vec<String>,
    /// `data`, its lines joined.
    pub(super) data: String,
    /// `id`
    pub(super) id: Option<String>,
    /// `retry`
    pub(super) retry_ms: Option<u64>,
}

/// What a reader found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// An event.
    Block(Block),
    /// A reconnection time outside an event: the first bytes have one.
    Retry(u64),
    /// A comment.
    Comment,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct EventStreamReader {
    line: Vec<u8>,
    block: Block,
    lines: Vec<String>,
}

impl EventStreamReader {
    /// Reads on.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        for &byte in bytes {
            assert!(byte != b'\r', "a carriage return in an event stream");
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line)).expect("an event stream is UTF-8");
            self.on_line(&line, &mut items);
        }
        items
    }

    /// Whether what was read last ended with a block, or between blocks.
    #[must_use]
    pub(super) fn is_between_blocks(&self) -> bool {
        self.line.is_empty() && self.lines.is_empty() && self.block == Block::default()
    }

    fn on_line(&mut self, line: &str, items: &mut Vec<Item>) {
        if line.is_empty() {
            let mut block = std::mem::take(&mut self.block);
            assert!(!self.lines.is_empty(), "a block without data: {block:?}");
            block.data = std::mem::take(&mut self.lines).join("\n");
            return items.push(Item::Block(block));
        }
        if line.starts_with(':') {
            return items.push(Item::Comment);
        }
        let (name, value) =
            line.split_once(':').unwrap_or_else(|| panic!("a field without a colon: {line:?}"));
        let value = value.strip_prefix(' ').unwrap_or(value);
        assert!(self.block.id.is_none(), "the id is not the last field: {line:?} follows");
        match name {
            "event" => set_once(&mut self.block.kind, value.to_owned()),
            "topic" => {
                assert!(self.lines.is_empty(), "a topic behind the data: {line:?}");
                self.block.topics.push(value.to_owned());
            }
            "data" => self.lines.push(value.to_owned()),
            "id" => set_once(&mut self.block.id, value.to_owned()),
            "retry" => {
                let ms = value.parse().expect("a reconnection time is a number");
                // Outside a block it stands alone, with no blank line behind it.
                if self.is_between_fields() {
                    items.push(Item::Retry(ms));
                } else {
                    set_once(&mut self.block.retry_ms, ms);
                }
            }
            _ => panic!("an unknown field: {line:?}"),
        }
    }

    fn is_between_fields(&self) -> bool {
        self.lines.is_empty() && self.block == Block::default()
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T) {
    assert!(slot.replace(value).is_none(), "a field twice in one block");
}
