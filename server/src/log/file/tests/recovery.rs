//! What opening does with what a crash, or a bad disk, has left.

use super::*;
use crate::log::file::record::{HEAD_LEN, Head, padded};

/// Where each record of a segment begins, and where the last one ends.
fn offsets(disk: &MemoryDisk, name: &str) -> Vec<usize> {
    let bytes = disk.bytes(name);
    let mut offsets = vec![segment::HEADER_LEN];
    loop {
        let at = offsets[offsets.len() - 1];
        let len = bytes.get(at..at + 4).map_or(0, |len| u32::from_le_bytes(len.try_into().unwrap()));
        if len == 0 {
            return offsets;
        }
        offsets.push(at + padded(len as usize));
    }
}

#[test]
fn a_batch_cut_short_at_any_byte_goes_and_everything_before_it_stays() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2, 3, 4]));
    let at = offsets(&disk, FIRST_SEGMENT);
    assert_eq!(at.len(), 10);
    let bytes = disk.bytes(FIRST_SEGMENT);
    for cut in at[5]..at[9] {
        let disk = disk.copy();
        disk.cut(FIRST_SEGMENT, cut);
        let (log, recovered) = open(&disk);
        // Whole records of the batch are as good as if it had been smaller.
        let whole = at.iter().take_while(|at| **at <= cut).count() - 1;
        assert_eq!(recovered.newest.0, whole as u64, "cut at {cut}");
        assert_eq!(read_all(&log).0.len(), whole);
        // Zeros at its end cannot be told from the reserve.
        let end = at[whole];
        let used = bytes[end..cut].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let expected = (used > 0).then_some((end as u64, used as u64));
        assert_eq!(recovered.cut.map(|cut| (cut.offset, cut.bytes)), expected, "cut at {cut}");
        assert_eq!(disk.bytes(FIRST_SEGMENT).len(), end);
    }
}

#[test]
fn zeros_where_the_disk_wrote_nothing_of_the_last_batch_cut_it_off() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2, 3, 4]));
    let at = offsets(&disk, FIRST_SEGMENT);
    let bytes = disk.bytes(FIRST_SEGMENT);
    // Each record of the last batch alone was not written, though those behind it were.
    for missing in 5..9 {
        let mut bytes = bytes.clone();
        bytes[at[missing]..at[missing + 1]].fill(0);
        let disk = MemoryDisk::default();
        disk.put(FIRST_SEGMENT, &bytes);
        let (mut log, recovered) = open(&disk);
        assert_eq!(recovered.newest.0, missing as u64);
        assert_eq!(recovered.cut.is_some(), missing < 8);
        // What was behind it does not come back behind what is written now.
        log.append(&[plain(missing as u64 + 1, "hello")], START).unwrap();
        drop(log);
        assert_eq!(open(&disk).1.newest.0, missing as u64 + 1);
    }
}

#[test]
fn a_bit_that_flips_in_what_was_acknowledged_is_an_error_that_says_where() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2, 3, 4]));
    let at = offsets(&disk, FIRST_SEGMENT);
    for record in 0..5 {
        for bit in at[record] * 8..at[record + 1] * 8 {
            let disk = disk.copy();
            disk.flip(FIRST_SEGMENT, bit);
            let damage = damage_of(&disk);
            assert_eq!((&*damage.segment, damage.offset), (FIRST_SEGMENT, at[record] as u64), "bit {bit}");
            assert_eq!(damage.position, Position(record as u64 + 1));
        }
    }
    for bit in 0..segment::HEADER_LEN * 8 {
        let disk = disk.copy();
        disk.flip(FIRST_SEGMENT, bit);
        assert_eq!(damage_of(&disk).offset, 0, "bit {bit}");
    }
}

#[test]
fn nothing_is_changed_on_a_damaged_disk() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2, 3, 4]));
    disk.flip(FIRST_SEGMENT, 1000);
    let before = disk.bytes(FIRST_SEGMENT);
    damage_of(&disk);
    assert_eq!(disk.bytes(FIRST_SEGMENT), before);
    assert_eq!(disk.names().unwrap(), [FIRST_SEGMENT]);
}

#[test]
fn a_log_that_was_closed_shows_damage_in_its_last_batch_too() {
    let disk = MemoryDisk::default();
    log_of(&disk, &[2, 3]).close().unwrap();
    let at = offsets(&disk, FIRST_SEGMENT);
    assert_eq!(at.len(), 7, "5 events and the record of closing");
    assert_eq!(disk.bytes(FIRST_SEGMENT).len(), at[6], "the reserve is cut off");
    for bit in at[4] * 8..at[5] * 8 {
        let disk = disk.copy();
        disk.flip(FIRST_SEGMENT, bit);
        assert_eq!(damage_of(&disk).position, Position(5));
    }
    let (mut log, recovered) = open(&disk);
    assert!(recovered.was_closed);
    log.append(&[plain(6, "hello")], START).unwrap();
    assert_eq!(read_all(&log).0.len(), 6);
    drop(log);
    let (log, recovered) = open(&disk);
    assert!(!recovered.was_closed);
    assert_eq!(read_all(&log).0.len(), 6);
}

#[test]
fn a_segment_that_was_never_finished_is_taken_away() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2, 3]));
    let header = Header { incarnation: HUB, mask: 1, base: Position(6), made: START };
    let (header, _) = header.encode();
    let mut torn = header;
    torn[30..].fill(0);
    for unfinished in [&[][..], &header[..1], &header[..63], &[0; 5000], &torn] {
        let disk = disk.copy();
        disk.put("00000000000000000006.log", unfinished);
        let (mut log, recovered) = open(&disk);
        let cut =
            Cut { segment: "00000000000000000006.log".into(), offset: 0, bytes: unfinished.len() as u64 };
        assert_eq!(recovered.cut, Some(cut));
        assert_eq!(disk.names().unwrap(), [FIRST_SEGMENT]);
        log.append(&[plain(6, "hello")], START).unwrap();
        assert_eq!(read_all(&log).0.len(), 6);
    }
    let alone = MemoryDisk::default();
    alone.put(FIRST_SEGMENT, &header[..20]);
    let (_, recovered) = open(&alone);
    assert!(recovered.is_new && recovered.cut.is_some());
}

#[test]
fn a_segment_that_has_records_and_no_header_is_damaged() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2]));
    let mut bytes = disk.bytes(FIRST_SEGMENT);
    bytes[..segment::HEADER_LEN].fill(0);
    disk.put(FIRST_SEGMENT, &bytes);
    assert_eq!((damage_of(&disk).offset, damage_of(&disk).position), (0, Position(1)));
}

#[test]
fn damage_at_the_end_of_a_segment_is_known_by_the_next_one() {
    let disk = MemoryDisk::default();
    let mut log = log_of(&disk, &[2, 3]);
    let later = UnixMillis(START.0 + OPTIONS.age.as_millis() as u64 / 4);
    log.append(&[plain(6, "hello")], later).unwrap();
    drop(log);
    let second = "00000000000000000006.log";
    assert_eq!(disk.names().unwrap(), [FIRST_SEGMENT, second]);
    let at = offsets(&disk, FIRST_SEGMENT);

    let flipped = disk.copy();
    flipped.flip(FIRST_SEGMENT, at[4] * 8 + 3);
    assert_eq!(damage_of(&flipped).position, Position(5));

    let cut = disk.copy();
    cut.cut(FIRST_SEGMENT, at[4]);
    let OpenError::Hole { expected, .. } = open_error(&cut) else { panic!("events are missing") };
    assert_eq!(expected, Position(5));

    // The next one never got its header, but nobody made it before all of this was durable.
    flipped.put(second, &[]);
    assert_eq!(damage_of(&flipped).position, Position(5));
}

#[test]
fn what_a_refused_batch_has_left_behind_a_shorter_one_is_never_read() {
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[2]));
    let (mut log, _) = open(&disk);
    let refused: Vec<_> = (3..9).map(|position| plain(position, "hello")).collect();
    log.encode(&refused);
    let (stale, end) = (log.batch.clone(), log.active.end);
    // Every record of the refused batch is on the disk, and the first ones are the very same that are kept then.
    for kept in 1..4 {
        let disk = disk.copy();
        let (mut log, _) = open(&disk);
        write_at(&log, &stale, end);
        log.append(&refused[..kept], START).unwrap();
        drop(log);
        let (log, recovered) = open(&disk);
        assert_eq!(recovered.newest.0, 2 + kept as u64);
        assert_eq!(read_all(&log).0.len(), 2 + kept);
    }
}

fn write_at(log: &FileLog<MemoryDisk>, bytes: &[u8], offset: u64) {
    active::write_all(&log.disk, &log.active.file, bytes, offset).unwrap();
}

#[test]
fn records_in_the_data_of_an_event_are_not_found_there() {
    // Without the mask, which is secret, a publisher would make them so, and end in place of a torn tail an error.
    let disk = MemoryDisk::default();
    drop(log_of(&disk, &[1]));
    let mut forged = Vec::new();
    for guess in [0, 1, u32::MAX] {
        let link = Link { mask: guess, previous: 0, synced: Position(2) };
        record::encode_mark(&mut forged, Kind::Closed, Position(2), link);
    }
    let (mut log, _) = open(&disk);
    log.encode(&[plain(2, "hello")]);
    let mut bytes = log.batch.clone();
    bytes[20] ^= 1;
    bytes.extend_from_slice(&forged);
    write_at(&log, &bytes, log.active.end);
    let (_, recovered) = open(&disk);
    assert_eq!(recovered.newest, Position(1));
    assert_eq!(recovered.cut.unwrap().bytes as usize, last_used(&bytes));
}

fn last_used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1
}

#[test]
fn what_a_failed_sync_has_left_in_memory_is_written_again_before_it_is_shown() {
    let disk = MemoryDisk::default();
    let mut log = log_of(&disk, &[2]);
    disk.set_faults(Faults { syncs_fail: true, ..Faults::default() });
    log.append(&[plain(3, "hello")], START).unwrap_err();
    // The undoing of it is lost as well: only the process ends, and its pages stay.
    let refused = [plain(3, "hello")];
    log.encode(&refused);
    write_at(&log, &log.batch, log.active.end);
    log.disk.sync_data(&log.active.file).unwrap_err();
    drop(log);
    disk.set_faults(Faults::default());

    let (log, recovered) = open(&disk);
    assert_eq!(recovered.newest, Position(3));
    let shown = read_all(&log).0;
    drop(log);
    let (log, _) = open(&disk.after_power_loss());
    assert_same(&read_all(&log).0, &shown);
}

#[test]
fn a_search_finds_heads_across_the_ends_of_windows() {
    let disk = MemoryDisk::default();
    let mut log = log_of(&disk, &[1]);
    let big = "x".repeat((1 << 20) - 3 * HEAD_LEN);
    log.append(&[plain(2, &big)], START).unwrap();
    for position in 3..40 {
        log.append(&[plain(position, "hello")], START).unwrap();
    }
    drop(log);
    let at = offsets(&disk, FIRST_SEGMENT);
    let mut bytes = disk.bytes(FIRST_SEGMENT);
    let mask = Header::decode(&bytes).unwrap().0.mask;
    // Of the records behind the damaged one, all but one are wiped, each in turn.
    bytes[at[1] + 100] ^= 1;
    for left in 3..39 {
        let mut bytes = bytes.clone();
        bytes[at[2]..at[left]].fill(0);
        bytes[at[left + 1]..].fill(0);
        assert_eq!(Head::decode(&bytes[at[left]..], mask).unwrap().position.0, left as u64 + 1);
        let disk = MemoryDisk::default();
        disk.put(FIRST_SEGMENT, &bytes);
        assert_eq!(damage_of(&disk).position, Position(2), "record {left} alone");
    }
}
