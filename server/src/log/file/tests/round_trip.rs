//! What was appended comes back, whatever it was.

use proptest::prelude::*;

use super::*;
use crate::log::file::record::{Body, HEAD_LEN, Head};
use crate::log::file::scan::{Scan, Window};

/// What becomes an event.
type Raw = (Vec<String>, u8, String, Option<String>, Option<[u8; 16]>, bool, Option<u16>);

fn raw() -> impl Strategy<Value = Raw> {
    (
        proptest::collection::vec("[a-zäöü/{}*-]{0,40}", 1..4),
        0..3_u8,
        prop_oneof![9 => ".{0,60}", 1 => "[a\n]{20000}"],
        proptest::option::of("[0-9A-Za-z._-]{1,128}"),
        any::<Option<[u8; 16]>>(),
        any::<bool>(),
        any::<Option<u16>>(),
    )
}

fn event(position: u64, now: UnixMillis, raw: Raw) -> SharedEvent {
    let (names, kind, data, id, key, private, ttl) = raw;
    let names: Box<[Box<str>]> = names.into_iter().map(Into::into).collect();
    let audience = match kind {
        0 => Audience::All,
        1 => Audience::Topics(names),
        _ => Audience::Users(names),
    };
    let event = Event {
        audience,
        data: data.into(),
        kind: private.then(|| "created".into()),
        id: id.map(Into::into),
        retry_ms: ttl.map(u32::from),
        private,
        ttl: ttl.map(|seconds| Duration::from_secs(seconds.into())),
        ephemeral: false,
        shows_topics: false,
    };
    sequenced(position, now, event, key.map(EventKey))
}

/// Batches, each with milliseconds that pass before it, and whether the log is closed or dropped behind it.
fn batches() -> impl Strategy<Value = Vec<(Vec<Raw>, u64, Option<bool>)>> {
    let batch = proptest::collection::vec(raw(), 0..6);
    let pause = prop_oneof![3 => 0..10_u64, 1 => Just(20_000_000)];
    let end = proptest::option::weighted(0.3, any::<bool>());
    proptest::collection::vec((batch, pause, end), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn what_was_appended_comes_back(batches in batches(), write_max in proptest::option::of(1..5000_usize)) {
        let disk = MemoryDisk::default();
        // Segments of 64 KiB, or of three long pauses; nothing is let go of.
        let options = FileLogOptions { bytes: 1 << 20, age: Duration::from_secs(400_000), ids: 1000 };
        let cannot_reserve = write_max.is_some_and(|max| max % 2 == 0);
        disk.set_faults(Faults { write_max, cannot_reserve, ..Faults::default() });
        let (mut log, _) = open_with(&disk, options, START);
        let (mut now, mut appended, mut is_closed) = (START, Vec::new(), false);
        for (raws, pause, end) in batches {
            now.0 += pause;
            let first = log.newest().0 + 1;
            let events: Vec<_> = (first..).zip(raws).map(|(at, raw)| event(at, now, raw)).collect();
            log.append(&events, now).unwrap();
            is_closed &= events.is_empty();
            appended.extend(events);
            assert_same(&read_all(&log).0, &appended);
            if let Some(in_good_order) = end {
                if in_good_order {
                    is_closed |= !log.active.is_empty();
                    log.close().unwrap();
                } else {
                    drop(log);
                }
                let recovered;
                (log, recovered) = open_with(&disk, options, now);
                prop_assert_eq!(recovered.events, appended.len() as u64);
                prop_assert_eq!(recovered.cut, None);
                prop_assert_eq!(recovered.was_closed, is_closed);
                prop_assert_eq!(recovered.newest.0, appended.len() as u64);
                assert_same(&read_all(&log).0, &appended);
            }
            for event in &appended {
                let found = event.publisher_id.as_deref().map(|id| log.find(id));
                prop_assert!(found.is_none_or(|found| found.is_some_and(|found| found <= event.position)));
                let found = event.key.map(|key| log.find_key(&key));
                prop_assert!(found.is_none_or(|found| found.is_some_and(|found| found <= event.position)));
            }
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), mask: u32) {
        let _ = Head::decode(&bytes, mask);
        let run = Run {
            segment: "x".into(),
            offset: 64,
            len: bytes.len(),
            after: Position(0),
            upto: Position(u64::MAX),
            incarnation: HUB,
            mask,
            previous: 0,
        };
        prop_assert!(run.decode(Bytes::from(bytes.clone())).is_err());
        let disk = MemoryDisk::default();
        disk.put(FIRST_SEGMENT, &bytes);
        let file = disk.open_to_read(FIRST_SEGMENT).unwrap();
        let mut scan = Scan::new(Window::new(&disk, &file).unwrap(), mask, 0, Position(0), 0);
        prop_assert!(scan.next().unwrap().is_err());
        prop_assert!(scan.look_beyond().unwrap().used <= bytes.len() as u64);
    }

    /// Bytes whose checksums hold, as a newer version or a bug might write them.
    #[test]
    fn any_sealed_body_is_decoded_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        head in any::<[u8; 8]>(),
    ) {
        let mut out = Vec::new();
        let event = plain(1, &"x".repeat(bytes.len()));
        let link = Link { mask: 7, previous: 0, synced: Position(0) };
        record::encode_event(&mut out, &event, link);
        let end = out.len();
        out[HEAD_LEN..HEAD_LEN + bytes.len()].copy_from_slice(&bytes);
        // Kind, flags, audience, lengths of id and names; small, so that some of it makes sense.
        for (at, byte) in head.into_iter().enumerate() {
            out[48 + at] = byte % 8;
        }
        record::reseal(&mut out, 7);
        if let Ok(head) = Head::decode(&out, 7) {
            let body = Bytes::from(out).slice(HEAD_LEN..end);
            if let Ok(decoded) = Body::decode(&head, &body) {
                let _ = (decoded.audience(), decoded.event(&body, HUB));
            }
        }
    }
}

#[test]
fn an_event_that_is_larger_than_a_segment_has_one_of_its_own() {
    let disk = MemoryDisk::default();
    let options = FileLogOptions { bytes: 1 << 20, ..OPTIONS };
    let (mut log, _) = open_with(&disk, options, START);
    let events = [plain(1, "a"), plain(2, &"x".repeat(300_000)), plain(3, "b")];
    for event in &events {
        log.append(std::slice::from_ref(event), START).unwrap();
    }
    assert_same(&read_all(&log).0, &events);
    assert_eq!(log.stats().snapshot().segments, 3);
    drop(log);
    assert_same(&read_all(&open_with(&disk, options, START).0).0, &events);
}

#[test]
fn a_page_has_about_64_kib_and_every_position_is_in_one() {
    let disk = MemoryDisk::default();
    let (mut log, _) = open(&disk);
    for position in 1..=2000 {
        log.append(&[plain(position, &"x".repeat(500))], START).unwrap();
    }
    let mut runs = Vec::new();
    for at in 1..=2000 {
        let Located::Run(run) = log.catalog().locate(Position(at)) else { panic!("{at} has no run") };
        assert!(run.len < 70_000);
        runs.push(run.offset);
        let page = read_page(&log, Position(at)).unwrap();
        assert!(page.after.0 < at && at <= page.upto.0);
    }
    runs.dedup();
    assert!((18..=20).contains(&runs.len()), "{runs:?}");
    assert_eq!(log.catalog().locate(Position(2001)), Located::Beyond);
    assert_eq!(log.catalog().locate(Position(0)), Located::Gone { upto: Position(0) });
}

#[test]
fn what_a_run_was_told_to_have_is_verified_when_it_is_read() {
    let disk = MemoryDisk::default();
    let log = log_of(&disk, &[3, 3]);
    let Located::Run(run) = log.catalog().locate(Position(4)) else { panic!("4 is there") };
    let bytes = disk.bytes(FIRST_SEGMENT)[run.offset as usize..][..run.len].to_vec();
    assert_eq!(run.decode(bytes.clone().into()).unwrap().events.len(), 6);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let damage = run.decode(flipped.into()).expect_err("a flipped bit is noticed");
        assert!(damage.offset <= run.offset + bit as u64 / 8);
    }
    for len in 0..bytes.len() {
        assert!(run.decode(bytes[..len].to_vec().into()).is_err(), "{len} bytes");
    }
}
