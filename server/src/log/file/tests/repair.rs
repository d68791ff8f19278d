//! What is said of a damaged log, and what repair makes of it.

use std::collections::BTreeSet;

use super::*;
use crate::log::file::inspect::{Dumped, dump, repair, verify};

/// Some segments with some batches in each, not closed.
fn log_of_segments(random: &mut fastrand::Rng, disk: &MemoryDisk) -> Vec<SharedEvent> {
    let (mut log, _) = open(disk);
    let mut events = Vec::new();
    for part in 0..4 {
        let now = UnixMillis(START.0 + part * OPTIONS.age.as_millis() as u64 / 4);
        for _ in 0..random.u64(2..5) {
            let first = log.newest().0 + 1;
            let last = first + random.u64(0..4);
            let batch: Vec<_> = (first..=last).map(|at| with_id(at, &format!("order-{at}"), now)).collect();
            log.append(&batch, now).unwrap();
            events.extend(batch);
        }
    }
    log.active.cut(&log.disk).unwrap();
    events
}

/// Where the records of events are: file, offset and bytes, by position.
fn places(disk: &MemoryDisk) -> Vec<(Arc<str>, usize, usize)> {
    let mut places = Vec::new();
    dump(disk, Position(0), |dumped| {
        if let Dumped::Event { segment, offset, bytes, .. } = dumped {
            places.push((segment, offset as usize, record::padded(bytes)));
        }
        true
    })
    .unwrap();
    places
}

fn dumped_positions(disk: &MemoryDisk) -> Vec<u64> {
    let mut positions = Vec::new();
    dump(disk, Position(0), |dumped| {
        if let Dumped::Event { event, .. } = dumped {
            positions.push(event.position.0);
        }
        true
    })
    .unwrap();
    positions
}

/// Repairs, and checks that everything but `broken` is there.
fn check_repair(disk: &MemoryDisk, events: &[SharedEvent], broken: &BTreeSet<u64>) {
    let before = disk.copy();
    let sound: Vec<_> = events.iter().filter(|event| !broken.contains(&event.position.0)).cloned().collect();
    let report = verify(disk).unwrap();
    let repaired = repair(disk).unwrap();
    assert_eq!(repaired.mended, report.problems);
    for kept in &repaired.kept {
        assert_eq!(disk.bytes(kept), before.bytes(kept.strip_suffix(".damaged").unwrap()));
    }
    let report = verify(disk).unwrap();
    assert_eq!((report.problems, report.torn), (Vec::new(), None));
    let (log, recovered) = open(disk);
    assert_eq!((recovered.cut, recovered.is_new), (None, false));
    let (shown, _) = read_all(&log);
    assert_same(&shown, &sound);
    for event in &sound {
        assert_eq!(log.find(event.publisher_id.as_deref().unwrap()), Some(event.position));
    }
    let again = repair(disk).unwrap();
    assert_eq!((again.mended, again.kept), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_sound_is_kept_and_what_is_not_is_said_to_be_lost() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = MemoryDisk::default();
        let events = log_of_segments(&mut random, &disk);
        assert_eq!(dumped_positions(&disk).len(), events.len());
        let places = places(&disk);
        // The last batch of the last segment cannot be told from one that was torn.
        let broken: BTreeSet<u64> =
            (0..random.usize(1..6)).map(|_| random.u64(1..=events.len() as u64 - 4)).collect();
        for position in &broken {
            let (segment, offset, bytes) = &places[*position as usize - 1];
            let mut file = disk.bytes(segment);
            match random.u32(..3) {
                0 => file[random.usize(*offset..offset + bytes)] ^= 1 << random.u32(..8),
                1 => file[*offset..offset + bytes].fill(0),
                _ => file[*offset..offset + bytes].fill_with(|| random.u8(..)),
            }
            disk.put(segment, &file);
        }
        let lost: u64 = verify(&disk)
            .unwrap()
            .problems
            .iter()
            .map(|problem| problem.upto.0 + 1 - problem.damage.position.0)
            .sum();
        assert_eq!(lost, broken.len() as u64, "seed {seed}");
        check_repair(&disk, &events, &broken);

        // A stream that asks for what is lost goes on behind it, and the log goes on where it ended.
        let (mut log, _) = open(&disk);
        for position in &broken {
            let upto = read_page(&log, Position(*position)).expect_err("it is lost");
            assert!((position + 1..=upto.0).all(|lost| broken.contains(&lost)));
        }
        let next = log.newest().next();
        assert_eq!(next.0, events.len() as u64 + 1);
        log.append(&[plain(next.0, "hello")], START).unwrap();
        assert!(read_page(&log, next).is_ok());
    }
}

#[test]
fn a_missing_or_headless_segment_is_mended_too() {
    for seed in 0..20 {
        let disk = MemoryDisk::default();
        let events = log_of_segments(&mut fastrand::Rng::with_seed(seed), &disk);
        let places = places(&disk);
        let names: Vec<_> = disk.names().unwrap();

        let missing = disk.copy();
        missing.remove(&names[1]).unwrap();
        let gone = |name: &str| {
            let of_segment = (1..).zip(&places).filter(|(_, (segment, ..))| **segment == *name);
            of_segment.map(|(position, _)| position).collect::<BTreeSet<u64>>()
        };
        check_repair(&missing, &events, &gone(&names[1]));

        for headless in &names {
            let disk = disk.copy();
            let mut file = disk.bytes(headless);
            file[..64].fill(0xff);
            disk.put(headless, &file);
            check_repair(&disk, &events, &BTreeSet::new());
        }
        for cut in &names[..3] {
            let disk = disk.copy();
            disk.cut(cut, 10);
            check_repair(&disk, &events, &gone(cut));
        }
    }
}

#[test]
fn without_any_header_nothing_is_touched() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2]));
    disk.flip(FIRST_SEGMENT, 3);
    let before = disk.bytes(FIRST_SEGMENT);
    assert!(matches!(verify(&disk), Err(OpenError::Damaged { .. })));
    assert!(matches!(repair(&disk), Err(OpenError::Damaged { .. })));
    assert_eq!(disk.bytes(FIRST_SEGMENT), before);
    assert_eq!(disk.names().unwrap(), [FIRST_SEGMENT]);
}

#[test]
fn a_torn_tail_is_no_damage_and_is_cut() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2, 3]));
    let len = disk.bytes(FIRST_SEGMENT).len();
    disk.cut(FIRST_SEGMENT, len - 20);
    let report = verify(&disk).unwrap();
    assert_eq!((report.problems.len(), report.newest), (0, Position(4)));
    let repaired = repair(&disk).unwrap();
    assert!(repaired.mended.is_empty() && repaired.kept.is_empty());
    assert_eq!(repaired.cut, report.torn);
    assert_eq!(open(&disk).1.cut, None);

    let unfinished = "00000000000000000005.log";
    disk.put(unfinished, &[0; 10]);
    let cut = Cut { segment: unfinished.into(), offset: 0, bytes: 10 };
    assert_eq!(verify(&disk).unwrap().torn.as_ref(), Some(&cut));
    assert_eq!(repair(&disk).unwrap().cut, Some(cut));
    assert_eq!(disk.names().unwrap(), [FIRST_SEGMENT]);
}

#[test]
fn a_repair_that_finds_no_room_leaves_the_log_as_it_was() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2, 3, 4]));
    disk.flip(FIRST_SEGMENT, 1000);
    let before = disk.bytes(FIRST_SEGMENT);
    for room in [0, 10, 700] {
        disk.set_faults(Faults { room: Some(room), ..Faults::default() });
        assert!(matches!(repair(&disk), Err(OpenError::NoSpace { .. })));
        assert_eq!(disk.bytes(FIRST_SEGMENT), before);
        assert_eq!(damage_of(&disk.copy()).position, Position(1));
    }
    disk.set_faults(Faults::default());
    assert_eq!(repair(&disk).unwrap().mended.len(), 1);
    assert_eq!(open(&disk).1.events, 8);
}

#[test]
fn verify_tells_what_each_segment_has() {
    let disk = MemoryDisk::default();
    assert_eq!(verify(&disk).unwrap(), inspect::Report::default());
    log_of(&disk, &[2, 3]).close().unwrap();
    let report = verify(&disk).unwrap();
    let [segment] = &report.segments[..] else { panic!("there is one segment") };
    assert_eq!((&*segment.name, segment.base, segment.made), (FIRST_SEGMENT, Position(1), Some(START)));
    assert_eq!((segment.events, segment.records), (5, 6));
    assert_eq!(segment.bytes, disk.bytes(FIRST_SEGMENT).len() as u64);
    assert_eq!((report.incarnation, report.newest), (Some(HUB), Position(5)));
}

#[test]
fn dump_begins_and_ends_where_it_is_told() {
    let disk = MemoryDisk::default();
    log_of(&disk, &[5]).close().unwrap();
    let mut seen = Vec::new();
    dump(&disk, Position(3), |dumped| {
        seen.push(match dumped {
            Dumped::Event { event, .. } => event.position.0,
            other => panic!("{other:?}"),
        });
        seen.len() < 2
    })
    .unwrap();
    assert_eq!(seen, [3, 4]);
    let mut last = None;
    dump(&disk, Position(5), |dumped| {
        last = Some(dumped);
        true
    })
    .unwrap();
    assert!(matches!(last, Some(Dumped::Closed { at: Position(5) })));
}
