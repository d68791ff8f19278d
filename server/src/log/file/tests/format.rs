//! That `docs/log-format.md` shows the bytes as they are.

use super::*;

/// The example of the page: one event, and a log closed behind it.
fn example() -> Vec<u8> {
    let header = Header { incarnation: HUB, mask: 0x5eed_c0de, base: Position(17), made: START };
    let (header, previous) = header.encode();
    let mut bytes = header.to_vec();
    let event = Event {
        audience: Audience::Topics([Box::from("news")].into()),
        data: "hello".into(),
        kind: None,
        id: Some("order-1".into()),
        retry_ms: None,
        private: true,
        ttl: Some(Duration::from_secs(3600)),
        ephemeral: false,
        shows_topics: false,
    };
    let event = sequenced(17, START, event, Some(EventKey(*b"0123456789abcdef")));
    let mut link = Link { mask: 0x5eed_c0de, previous, synced: Position(16) };
    link.previous = record::encode_event(&mut bytes, &event, link);
    link.synced = Position(17);
    record::encode_mark(&mut bytes, Kind::Closed, Position(17), link);
    bytes
}

/// As `hexdump -C` shows it.
fn hexdump(bytes: &[u8]) -> Vec<String> {
    let line = |(index, line): (usize, &[u8])| {
        let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        let shown = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        let text: String = line.iter().map(shown).collect();
        let (left, right) = line.split_at(line.len().min(8));
        format!("{:08x}  {:<23}  {:<23}  |{text}|", index * 16, hex(left), hex(right))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

#[test]
fn the_example_in_the_documents_is_what_is_written() {
    let page = include_str!("../../../../../docs/log-format.md");
    let lines = hexdump(&example()).join("\n");
    assert!(page.contains(&lines), "docs/log-format.md should show\n{lines}");
}

#[test]
fn the_example_is_a_log() {
    let disk = MemoryDisk::default();
    disk.put("00000000000000000017.log", &example());
    let (log, recovered) = open(&disk);
    assert!(recovered.was_closed);
    assert_eq!(read_all(&log).0.len(), 1);
    assert_eq!(log.find("order-1"), Some(Position(17)));
}
