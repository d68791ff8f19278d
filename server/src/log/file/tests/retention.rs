//! What is let go of, and when.

use super::*;

const SMALL: FileLogOptions = FileLogOptions { bytes: 1 << 20, age: Duration::from_secs(80), ids: 1 << 20 };

fn after(seconds: u64) -> UnixMillis {
    UnixMillis(START.0 + seconds * 1000)
}

fn append(log: &mut FileLog<MemoryDisk>, now: UnixMillis, data_bytes: usize) {
    let position = log.newest().0 + 1;
    let event = Event {
        audience: Audience::All,
        data: "x".repeat(data_bytes).into(),
        kind: None,
        id: Some(format!("order-{position}").into()),
        retry_ms: None,
        private: false,
        ttl: None,
        ephemeral: false,
        shows_topics: false,
    };
    log.append(&[sequenced(position, now, event, None)], now).unwrap();
}

/// That the files, the catalog and the numbers tell the same.
fn check(log: &FileLog<MemoryDisk>) {
    let start = log.catalog().start();
    let snapshot = log.stats().snapshot();
    let names = log.disk.names().unwrap();
    assert_eq!(segment::base_of(&names[0]), Some(start.next()));
    assert_eq!((snapshot.segments, snapshot.oldest), (names.len() as u64, start.next()));
    let (events, gone) = read_all(log);
    assert_eq!((events.len() as u64, gone.len()), (log.newest().0 - start.0, 0));
    let position_of = |position: u64| log.find(&format!("order-{position}"));
    for position in 1..=log.newest().0 {
        let expected = (position > start.0).then_some(Position(position));
        assert_eq!(position_of(position), expected);
    }
    if start > Position(0) {
        assert_eq!(log.catalog().locate(start), Located::Gone { upto: start });
    }
}

#[test]
fn the_oldest_segments_go_when_there_are_too_many_bytes() {
    let disk = MemoryDisk::default();
    let (mut log, _) = open_with(&disk, SMALL, START);
    for round in 0..40 {
        for _ in 0..10 {
            append(&mut log, START, 9000);
        }
        if round % 8 == 0 {
            check(&log);
        }
        let bytes = log.stats().snapshot().bytes;
        assert!(bytes <= SMALL.bytes);
        assert!(round < 12 || bytes > SMALL.bytes - SMALL.bytes / 8, "{bytes} bytes are kept");
    }
    let before = (log.catalog().start(), log.stats().snapshot().bytes);
    assert!(before.0 > Position(250));
    drop(log);
    let (log, recovered) = open_with(&disk, SMALL, START);
    assert_eq!((log.catalog().start(), recovered.bytes), before);
    check(&log);
}

#[test]
fn segments_go_when_all_in_them_is_too_old() {
    let disk = MemoryDisk::default();
    let (mut log, _) = open_with(&disk, SMALL, START);
    for second in 0..400 {
        append(&mut log, after(second), 10);
        let kept = log.newest().0 - log.catalog().start().0;
        let kept_max = 80 + 80 / 8 + 2;
        assert!(kept == second + 1 || (80..=kept_max).contains(&kept), "{kept} s are kept");
    }
    check(&log);
    // Long after, with an append of nothing, all goes but the segment that is written.
    log.append(&[], after(10_000)).unwrap();
    assert_eq!(log.stats().snapshot().segments, 1);
    append(&mut log, after(10_000), 10);
    assert_eq!((log.stats().snapshot().segments, log.catalog().start()), (1, Position(400)));
    check(&log);
    drop(log);
    let (log, recovered) = open_with(&disk, SMALL, after(10_000));
    assert_eq!((recovered.oldest, recovered.newest), (Position(401), Position(401)));
    check(&log);
}

#[test]
fn a_clock_that_was_set_back_neither_keeps_events_forever_nor_takes_young_ones() {
    let disk = MemoryDisk::default();
    let (mut log, _) = open_with(&disk, SMALL, START);
    append(&mut log, after(0), 10);
    // A century ahead; what was there before seems too old then.
    let wrong = 100 * 365 * 86_400;
    for second in 0..30 {
        append(&mut log, after(wrong + second), 10);
    }
    let start = log.catalog().start();
    // And back. The events of the wrong time are as old as the first that came after them.
    for second in 30..60 {
        append(&mut log, after(second), 10);
        assert_eq!(log.catalog().start(), start, "nothing is old at {second} s");
    }
    drop(log);
    for second in 60..300 {
        let (mut log, _) = open_with(&disk, SMALL, after(second));
        append(&mut log, after(second), 10);
        check(&log);
    }
    let (log, _) = open_with(&disk, SMALL, after(300));
    let kept = log.newest().0 - log.catalog().start().0;
    assert!((80..=95).contains(&kept), "{kept} s are kept");
}

#[test]
fn a_segment_that_cannot_be_removed_is_tried_again_and_those_behind_it_wait() {
    let disk = MemoryDisk::default();
    let (mut log, _) = open_with(&disk, SMALL, START);
    for second in 0..60 {
        append(&mut log, after(second), 10);
    }
    disk.set_faults(Faults { removals_fail: true, ..Faults::default() });
    append(&mut log, after(1000), 10);
    append(&mut log, after(1001), 10);
    let snapshot = log.stats().snapshot();
    assert_eq!((snapshot.failures_retention, snapshot.state), (2, LogState::Ok));
    // Without what was let go of, a new start finds no hole.
    assert_eq!(open_with(&disk.copy(), SMALL, START).1.oldest, Position(1));
    disk.set_faults(Faults::default());
    append(&mut log, after(1002), 10);
    check(&log);
    assert_eq!(log.catalog().start(), Position(60));
}

#[test]
fn a_stream_goes_on_where_the_table_says() {
    let disk = MemoryDisk::default();
    let (mut log, _) = open_with(&disk, SMALL, START);
    assert_eq!(log.catalog().seek("earliest"), Sought::After(Position(0)));
    append(&mut log, START, 10);
    for _ in 0..9 {
        append(&mut log, after(1000), 10);
    }
    log.append(&[with_id(11, "0000000000000def-7", after(1000))], after(1000)).unwrap();
    let own = |position: u64| EventId::kept(HUB, Position(position)).to_string();
    let cases = [
        ("earliest".into(), Sought::Gap(Position(1))),
        (own(0), Sought::Gap(Position(1))),
        (own(1), Sought::After(Position(1))),
        (own(7), Sought::After(Position(7))),
        (own(7) + "e3", Sought::After(Position(7))),
        (own(11), Sought::After(Position(11))),
        (own(12), Sought::Unknown),
        (own(u64::MAX), Sought::Unknown),
        ("order-1".into(), Sought::Unknown),
        ("order-2".into(), Sought::After(Position(2))),
        ("0000000000000def-7".into(), Sought::After(Position(11))),
        ("0000000000000def-5".into(), Sought::Gap(Position(1))),
        ("order-99".into(), Sought::Unknown),
        (String::new(), Sought::Unknown),
    ];
    let catalog = log.catalog();
    for (id, expected) in cases {
        assert_eq!(catalog.seek(&id), expected, "{id}");
    }
}

#[test]
fn of_many_ids_the_newest_are_remembered() {
    let disk = MemoryDisk::default();
    let options = FileLogOptions { ids: 10, ..OPTIONS };
    let (mut log, _) = open_with(&disk, options, START);
    for position in 1..=20 {
        log.append(&[with_id(position, &format!("order-{position}"), START)], START).unwrap();
    }
    for log in [log, open_with(&disk, options, START).0] {
        // Each event has an id and a key.
        for position in 1..=20 {
            let expected = (position > 15).then_some(Position(position));
            assert_eq!(log.find(&format!("order-{position}")), expected);
            let key = with_id(position, "x", START).key.unwrap();
            assert_eq!(log.find_key(&key), expected);
        }
    }
}

#[test]
fn a_log_keeps_what_it_is_told_to_while_it_runs() {
    let (mut log, _) = open_with(&MemoryDisk::default(), SMALL, START);
    for _ in 0..90 {
        append(&mut log, START, 9000);
    }
    let before = log.stats().snapshot();
    let history = corecast_core::settings::Settings::default().history;
    let retention = Retention { history, bytes: 1 << 19, age: SMALL.age, ids: 10 };
    log.set_retention(&retention);
    log.append(&[], START).unwrap();
    let after = log.stats().snapshot();
    assert!(before.bytes > 1 << 19 && after.bytes <= 1 << 19, "{} became {}", before.bytes, after.bytes);
    let newest = log.newest().0;
    let known = (1..=newest).filter(|position| log.find(&format!("order-{position}")).is_some()).count();
    assert_eq!(known, 10, "of the ids the newest");
    log.set_retention(&Retention { bytes: 1 << 30, ids: 1 << 20, ..retention });
    for _ in 0..90 {
        append(&mut log, START, 9000);
    }
    assert!(log.stats().snapshot().bytes > SMALL.bytes, "and more again");
}

#[test]
fn one_append_removes_a_bounded_number_of_segments() {
    let (mut log, _) = open_with(&MemoryDisk::default(), SMALL, START);
    for _ in 0..2 * REMOVED_AT_ONCE_MAX + 3 {
        append(&mut log, START, 10);
        log.roll(START).unwrap();
    }
    log.options.bytes = 1;
    for left in [REMOVED_AT_ONCE_MAX + 4, 4, 1] {
        log.append(&[], START).unwrap();
        assert_eq!(log.stats().snapshot().segments, left as u64);
    }
}
