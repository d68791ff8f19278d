//! The standard's own examples, every rule of its parser, and every way to split a stream.

use proptest::prelude::*;

use super::*;

fn event(kind: &str, data: &str, id: &str) -> Item {
    Item::Event(Event { kind: kind.to_owned(), data: data.to_owned(), id: id.to_owned() })
}

fn retry(millis: u64) -> Item {
    Item::Retry(Duration::from_millis(millis))
}

fn read_all(stream: &[u8]) -> Vec<Item> {
    EventStream::new("").read(stream).unwrap()
}

#[test]
fn streams_say_what_the_standard_says() {
    for (stream, expected) in [
        // The examples of WHATWG HTML §9.2.6.
        ("data: YHOO\ndata: +2\ndata: 10\n\n", vec![event("message", "YHOO\n+2\n10", "")]),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            vec![
                event("message", "first event", "1"),
                event("message", "second event", ""),
                event("message", " third event", ""),
            ],
        ),
        ("data\n\ndata\ndata\n\ndata:", vec![event("message", "", ""), event("message", "\n", "")]),
        ("data:test\n\ndata: test\n\n", vec![event("message", "test", ""), event("message", "test", "")]),
        // Types last for one event; ids last.
        ("event: a\nid: 1\ndata: x\n\ndata: y\n\n", vec![event("a", "x", "1"), event("message", "y", "1")]),
        ("event: a\n\ndata: x\n\n", vec![event("message", "x", "")]),
        // An id without data moves the cursor and is no event.
        ("id: 7\n\ndata: x\n\n", vec![event("message", "x", "7")]),
        ("id: a\0b\ndata: x\n\n", vec![event("message", "x", "")]),
        // A retry counts as soon as its line is read.
        ("retry: 4231\n", vec![retry(4231)]),
        ("retry: 4231", vec![]),
        ("retry\nretry:\nretry: 1.5\nretry: -1\nretry: 1s\n", vec![]),
        ("retry: 99999999999999999999999\n", vec![retry(2_147_483_647)]),
        ("data: a\nretry: 5\ndata: b\n\n", vec![retry(5), event("message", "a\nb", "")]),
        // Comments, unknown fields, names that only look right.
        (":\n:x\n:data: x\nfoo: bar\nData: x\n data: x\n\n", vec![]),
        ("data: a\n:\ndata: b\n\n", vec![event("message", "a\nb", "")]),
        ("data: a:b: c\n\n", vec![event("message", "a:b: c", "")]),
        // A cut event is none.
        ("data: x\nid: 1\n", vec![]),
        ("", vec![]),
        ("\u{feff}data: x\n\n", vec![event("message", "x", "")]),
        ("\u{feff}\u{feff}data: x\n\n", vec![]),
        ("\n\u{feff}data: x\n\n", vec![]),
    ] {
        assert_eq!(read_all(stream.as_bytes()), expected, "{stream:?}");
    }
}

#[test]
fn all_line_ends_mean_the_same_and_can_be_mixed() {
    let expected = vec![event("a", "1\n2", "x"), event("message", "3", "x")];
    let lf = "event: a\nid: x\ndata: 1\ndata: 2\n\ndata: 3\n\n";
    for stream in [
        lf.to_owned(),
        lf.replace('\n', "\r"),
        lf.replace('\n', "\r\n"),
        "event: a\rid: x\r\ndata: 1\ndata: 2\r\n\rdata: 3\n\r".to_owned(),
    ] {
        assert_eq!(read_all(stream.as_bytes()), expected, "{stream:?}");
    }
}

#[test]
fn an_event_is_there_at_its_cr_and_the_lf_after_it_is_nothing() {
    let mut stream = EventStream::new("");
    assert_eq!(stream.read(b"data: x\r\n\r").unwrap(), [event("message", "x", "")]);
    assert_eq!(stream.read(b"\n").unwrap(), []);
    assert_eq!(stream.read(b"data: y\n\n").unwrap(), [event("message", "y", "")]);
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    assert_eq!(read_all(b"data: a\xff\xc3\n\n"), [event("message", "a\u{fffd}\u{fffd}", "")]);
}

#[test]
fn the_cursor_moves_at_the_blank_line_only() {
    let mut stream = EventStream::new("old");
    assert_eq!(stream.read(b"data: x\nid: new\n").unwrap(), []);
    assert_eq!(stream.last_event_id(), "old");
    assert_eq!(stream.read(b"\n").unwrap(), [event("message", "x", "new")]);
    assert_eq!(stream.last_event_id(), "new");
}

#[test]
fn a_stream_goes_on_with_the_cursor_of_the_one_before() {
    assert_eq!(EventStream::new("9").read(b"data: x\n\n").unwrap(), [event("message", "x", "9")]);
}

#[test]
fn what_does_not_end_is_refused() {
    let mut one_line = EventStream::new("");
    let piece = vec![b'x'; EVENT_BYTES_MAX];
    assert_eq!(one_line.read(&piece), Ok(vec![]));
    assert_eq!(one_line.read(b"x"), Err(TooLong));

    let mut many_lines = EventStream::new("");
    let line = [b"data: ".as_slice(), &vec![b'x'; 1 << 20], b"\n"].concat();
    let taken = (0..64).take_while(|_| many_lines.read(&line).is_ok()).count();
    assert_eq!(taken, 31);
}

/// Streams made of what the parser distinguishes.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "data: x",
        "data",
        "data:",
        "id: 1",
        "id",
        "event: e",
        "retry: 10",
        ":",
        "\u{feff}",
        "é",
        "😀",
        "\0",
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "\r\n\r\n",
    ]);
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes())
}

proptest! {
    #[test]
    fn where_a_stream_is_split_changes_nothing(stream in streams(), cuts: [prop::sample::Index; 6]) {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let mut reader = EventStream::new("");
        let mut found = Vec::new();
        for window in places.windows(2) {
            found.extend(reader.read(&stream[window[0]..window[1]]).unwrap());
        }
        prop_assert_eq!(found, read_all(&stream));
    }

    #[test]
    fn one_byte_at_a_time_is_the_same_as_all_at_once(stream in streams()) {
        let mut reader = EventStream::new("");
        let found: Vec<Item> = stream.iter().flat_map(|byte| reader.read(&[*byte]).unwrap()).collect();
        prop_assert_eq!(found, read_all(&stream));
    }

    #[test]
    fn no_bytes_panic(stream: Vec<u8>) {
        let _ = read_all(&stream);
    }
}
