//! Reads what a peer received: answers and event streams, strictly, since the hub made them.
//!
//! Not here: leniency. What real clients forgive is not forgiven.

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    /// The value of the only header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes once");
        value
    }

    pub(super) fn closes(&self) -> bool {
        self.header("Connection") == Some("close")
    }
}

/// One event as an `EventSource` dispatches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) kind: String,
    pub(super) data: String,
    pub(super) id: Option<String>,
    pub(super) retry: Option<u64>,
}

/// What came of a stream.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) head: Answer,
    pub(super) events: Vec<Received>,
    /// Comment lines, the one of the first bytes included.
    pub(super) comments: usize,
    /// The reconnection time of the first bytes.
    pub(super) retry: u64,
    /// Whether the last chunk has come: "do not come back".
    pub(super) is_clean_end: bool,
    /// Whether the bytes end within a chunk or an event.
    pub(super) is_cut: bool,
}

impl Seen {
    pub(super) fn data(&self) -> Vec<String> {
        self.events.iter().map(|event| event.data.clone()).collect()
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        self.events.iter().map(|event| event.kind.clone()).collect()
    }

    pub(super) fn last(&self) -> &Received {
        self.events.last().expect("an event")
    }

    pub(super) fn last_id(&self) -> String {
        self.events.iter().rev().find_map(|event| event.id.clone()).expect("an event with an id")
    }

    /// Heartbeats, as comments behind the first.
    pub(super) fn heartbeats(&self) -> usize {
        self.comments - 1
    }
}

fn head_in(bytes: &[u8]) -> (Answer, &[u8]) {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("a head ends: {:?}", String::from_utf8_lossy(bytes)))
        + 4;
    let head = str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let status_line = lines.next().unwrap();
    let status = status_line.strip_prefix("HTTP/1.1 ").expect("a status line")[..3].parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect();
    (Answer { status, headers, body: String::new() }, &bytes[end..])
}

/// Every answer in `bytes`, to requests that are not `HEAD`.
pub(super) fn answers_in(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let (mut answer, rest) = head_in(bytes);
        let len = answer.header("Content-Length").map_or(0, |len| len.parse().unwrap());
        answer.body = String::from_utf8(rest[..len].to_vec()).unwrap();
        bytes = &rest[len..];
        answers.push(answer);
    }
    answers
}

/// The stream in `bytes`, from its head on.
pub(super) fn stream_in(bytes: &[u8]) -> Seen {
    let (head, body) = head_in(bytes);
    assert_eq!(head.status, 200, "a stream begins: {}", String::from_utf8_lossy(bytes));
    let is_chunked = head.header("Transfer-Encoding") == Some("chunked");
    let (text, is_clean_end, is_cut_in_chunk) =
        if is_chunked { dechunk(body) } else { (body.to_vec(), false, false) };
    let mut seen =
        Seen { head, events: Vec::new(), comments: 0, retry: 0, is_clean_end, is_cut: is_cut_in_chunk };
    read_events(&text, &mut seen);
    seen
}

/// The data of all whole chunks and of a cut one at the end; whether the last chunk has come; whether one is cut.
fn dechunk(mut body: &[u8]) -> (Vec<u8>, bool, bool) {
    let mut data = Vec::new();
    while !body.is_empty() {
        let Some(line) = body.windows(2).position(|window| window == b"\r\n") else {
            return (data, false, true);
        };
        let size = usize::from_str_radix(str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
        let rest = &body[line + 2..];
        if size == 0 {
            assert!(rest.is_empty() || rest == b"\r\n", "nothing follows the last chunk");
            return (data, rest == b"\r\n", rest != b"\r\n");
        }
        if rest.len() < size + 2 {
            data.extend_from_slice(&rest[..size.min(rest.len())]);
            return (data, false, true);
        }
        data.extend_from_slice(&rest[..size]);
        assert_eq!(&rest[size..size + 2], b"\r\n", "a chunk ends where it says");
        body = &rest[size + 2..];
    }
    (data, false, false)
}

fn read_events(text: &[u8], seen: &mut Seen) {
    let mut event = Received { kind: "message".to_owned(), ..Received::default() };
    let mut fields = 0;
    let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    seen.is_cut |= lines.pop().is_some_and(|rest| !rest.is_empty());
    for line in lines {
        let line = str::from_utf8(line).unwrap();
        assert!(!line.contains('\r'), "lines end in LF alone: {line:?}");
        if line.starts_with(':') {
            seen.comments += 1;
        } else if line.is_empty() {
            assert!(fields > 0, "no blank line without an event");
            event.data.truncate(event.data.len().saturating_sub(1));
            let next = Received { kind: "message".to_owned(), ..Received::default() };
            seen.events.push(std::mem::replace(&mut event, next));
            fields = 0;
        } else {
            let (name, value) = line.split_once(':').expect("a field has a colon");
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "data" => {
                    event.data.push_str(value);
                    event.data.push('\n');
                }
                "event" => event.kind = value.to_owned(),
                "id" => event.id = Some(value.to_owned()),
                "retry" if seen.retry == 0 => {
                    seen.retry = value.parse().unwrap();
                    continue;
                }
                "retry" => event.retry = Some(value.parse().unwrap()),
                other => panic!("unknown field {other}"),
            }
            fields += 1;
        }
    }
    seen.is_cut |= fields > 0;
}
