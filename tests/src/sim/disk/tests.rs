//! The disk loses what a disk may lose, and nothing else.

use super::*;

fn write(disk: &SimDisk, file: &SimFile, bytes: &[u8], offset: u64) {
    assert_eq!(disk.write_at(file, bytes, offset).unwrap(), bytes.len());
}

/// A file with 4 synced sectors of `s`.
fn with_synced_file(seed: u64) -> (SimDisk, SimFile) {
    let disk = SimDisk::new(seed);
    let file = disk.create("a").unwrap();
    write(&disk, &file, &[b's'; 4 * SECTOR_BYTES], 0);
    disk.sync_data(&file).unwrap();
    disk.sync_folder().unwrap();
    (disk, file)
}

#[test]
fn what_was_synced_survives_and_what_was_not_survives_by_sectors() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let (disk, file) = with_synced_file(seed);
        write(&disk, &file, &[b'u'; 3 * SECTOR_BYTES], SECTOR_BYTES as u64);
        disk.crash(Crash::Power);
        assert!(disk.write_at(&file, b"x", 0).is_err(), "the disk is gone");
        let disk = disk.restart();
        let bytes = disk.contents("a");
        let sectors: Vec<u8> = bytes.chunks(SECTOR_BYTES).map(|sector| sector[0]).collect();
        for sector in bytes.chunks(SECTOR_BYTES) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "seed {seed}: a sector is torn");
        }
        assert_eq!((sectors.len(), sectors[0]), (4, b's'), "seed {seed}");
        outcomes.insert(sectors);
    }
    assert_eq!(outcomes.len(), 8, "every subset of three sectors comes up");
}

#[test]
fn a_killed_process_leaves_all_that_it_wrote() {
    let (disk, file) = with_synced_file(1);
    write(&disk, &file, b"more", 4 * SECTOR_BYTES as u64);
    disk.create("b").unwrap();
    disk.crash(Crash::Process);
    let disk = disk.restart();
    assert!(disk.contents("a").ends_with(b"more"));
    assert_eq!(disk.contents("b"), b"");
}

#[test]
fn names_that_were_not_synced_may_be_lost_but_in_order() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let (disk, _file) = with_synced_file(seed);
        disk.create("b").unwrap();
        disk.rename("b", "c").unwrap();
        disk.remove("a").unwrap();
        disk.crash(Crash::Power);
        let mut names = disk.restart().names().unwrap();
        names.sort();
        outcomes.insert(names.join(" "));
    }
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), ["a", "a b", "a c", "c"]);
}

#[test]
fn after_a_failed_sync_the_bytes_are_read_and_may_be_gone_after_a_crash() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let (disk, file) = with_synced_file(seed);
        write(&disk, &file, b"u", 0);
        disk.set_faults(DiskFaults { sync: 1.0, ..DiskFaults::default() });
        assert!(disk.sync_data(&file).is_err());
        disk.set_faults(DiskFaults::default());
        disk.sync_data(&file).unwrap();
        assert_eq!(disk.contents("a")[0], b'u', "it is what processes read");
        disk.crash(Crash::Power);
        outcomes.insert(disk.restart().contents("a")[0]);
    }
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), [b's', b'u']);
}

#[test]
fn a_disk_crashes_in_the_operation_it_was_told_to() {
    let (disk, file) = with_synced_file(1);
    let last = disk.operations() + 2;
    disk.crash_at(Some(last));
    write(&disk, &file, b"u", 0);
    assert!(disk.sync_data(&file).is_err());
    assert!(disk.has_crashed() && disk.operations() == last);
    assert!(disk.names().is_err() && disk.create("b").is_err());
    let disk = disk.restart();
    assert!(disk.create("b").is_ok());
}

#[test]
fn a_full_disk_takes_what_fits_and_has_room_again_when_a_file_is_removed() {
    let (disk, file) = with_synced_file(1);
    disk.set_capacity(Some(disk.bytes() + 10));
    let end = 4 * SECTOR_BYTES as u64;
    assert_eq!(disk.write_at(&file, &[1; 20], end).unwrap(), 10);
    let full = disk.write_at(&file, &[1; 10], end + 10).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    write(&disk, &file, b"over what is there", 0);
    assert_eq!(disk.reserve(&file, end + 11).unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.remove("a").unwrap();
    assert_eq!(disk.bytes(), end + 10, "it is still open");
    drop(file);
    assert_eq!(disk.bytes(), 0);
}

#[test]
fn a_lying_disk_has_a_sync_done_only_with_the_next_one() {
    let lost = (0..50).filter(|&seed| {
        let (disk, file) = with_synced_file(seed);
        disk.lie();
        write(&disk, &file, b"u", 0);
        disk.sync_data(&file).unwrap();
        disk.crash(Crash::Power);
        disk.restart().contents("a")[0] == b's'
    });
    assert!(lost.count() > 5);
}
