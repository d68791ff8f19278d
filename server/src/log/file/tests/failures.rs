//! Disks that are full, or broken, or taken away.

use super::*;

#[test]
fn a_full_disk_refuses_a_batch_whole_and_takes_the_next_one_when_there_is_room() {
    for cannot_reserve in [false, true] {
        let disk = MemoryDisk::default();
        disk.set_faults(Faults { cannot_reserve, ..Faults::default() });
        let mut log = log_of(&disk, &[2]);
        drop(log.active.cut(&log.disk));
        let room = Some(log.active.end + 300);
        disk.set_faults(Faults { room, cannot_reserve, ..Faults::default() });
        let batch: Vec<_> = (3..8).map(|position| plain(position, "hello")).collect();
        let error = log.append(&batch, START).unwrap_err();
        assert_eq!((error.events, error.source.kind()), (5, io::ErrorKind::StorageFull));
        assert_eq!((log.newest(), log.stats().snapshot().state), (Position(2), LogState::Full));
        assert_eq!(log.catalog().locate(Position(3)), Located::Beyond);
        // A smaller one has room.
        log.append(&[plain(3, "hi")], START).unwrap();
        assert_eq!(log.stats().snapshot().state, LogState::Ok);
        assert_eq!(open(&disk.copy()).1.newest, Position(3));
        disk.set_faults(Faults { cannot_reserve, ..Faults::default() });
        log.append(&[plain(4, "hello")], START).unwrap();
        drop(log);
        let (log, recovered) = open(&disk);
        assert_eq!((recovered.newest, recovered.cut), (Position(4), None));
        assert_eq!(read_all(&log).0.len(), 4);
        assert_eq!(log.stats().snapshot().failures_no_space, 0);
    }
}

#[test]
fn a_segment_that_found_no_room_is_begun_again() {
    let later = UnixMillis(START.0 + OPTIONS.age.as_millis() as u64 / 4);
    for removals_fail in [false, true] {
        let disk = MemoryDisk::default();
        let mut log = log_of(&disk, &[2]);
        disk.set_faults(Faults { room: Some(20), removals_fail, ..Faults::default() });
        let error = log.append(&[plain(3, "hello")], later).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert_eq!(open(&disk.copy()).1.newest, Position(2));
        disk.set_faults(Faults::default());
        let appended = log.append(&[plain(3, "hello")], later);
        // One that stayed would be in the middle of the log if the next batch fit into the segment before.
        assert_eq!(appended.is_err(), removals_fail);
        let kept = if removals_fail { 2 } else { 3 };
        assert_eq!(read_all(&log).0.len(), kept);
        assert_eq!(log.stats().snapshot().segments, kept as u64 - 1);
    }
}

#[test]
fn after_a_failed_sync_or_write_nothing_is_kept_until_a_new_start() {
    let failed_sync = Faults { syncs_fail: true, ..Faults::default() };
    let failed_write = Faults { writes_fail: true, ..Faults::default() };
    for faults in [failed_sync, failed_write] {
        let disk = MemoryDisk::default();
        let mut log = log_of(&disk, &[2]);
        disk.set_faults(faults);
        log.append(&[plain(3, "hello")], START).unwrap_err();
        disk.set_faults(Faults::default());
        let error = log.append(&[plain(3, "hello")], START).unwrap_err();
        assert!(error.source.to_string().contains("until the hub is started again"), "{}", error.source);
        let snapshot = log.stats().snapshot();
        assert_eq!(snapshot.state, LogState::Failed);
        assert_eq!(snapshot.failures_sync + snapshot.failures_write, 1);
        // What is there can still be read.
        assert_eq!((log.newest(), read_all(&log).0.len()), (Position(2), 2));
        assert_eq!(log.catalog().locate(Position(3)), Located::Beyond);
        log.close().unwrap();
        let (mut log, _) = open(&disk);
        let next = log.newest().next();
        log.append(&[plain(next.0, "hello")], START).unwrap();
    }
}

#[test]
fn a_segment_that_was_deleted_underneath_is_noticed_before_anybody_is_told() {
    let disk = MemoryDisk::default();
    let mut log = log_of(&disk, &[2]);
    disk.remove(FIRST_SEGMENT).unwrap();
    let error = log.append(&[plain(3, "hello")], START).unwrap_err();
    assert!(error.source.to_string().contains("was deleted"), "{}", error.source);
    assert_eq!(log.stats().snapshot().state, LogState::Failed);
}

#[test]
fn a_batch_is_one_sync_and_nothing_is_none() {
    let disk = MemoryDisk::default();
    let mut log = log_of(&disk, &[2]);
    let before = disk.syncs();
    let batch: Vec<_> = (3..103).map(|position| plain(position, "hello")).collect();
    log.append(&batch, START).unwrap();
    assert_eq!(disk.syncs(), before + 1);
    log.append(&[], START).unwrap();
    assert_eq!(disk.syncs(), before + 1);
    let snapshot = log.stats().snapshot();
    assert_eq!((snapshot.appends, snapshot.syncs), (2, 2));
    assert_eq!(snapshot.newest, Position(102));
}
