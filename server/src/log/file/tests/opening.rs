//! What keeps a log from being opened, and the real folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A folder that goes with the test.
struct TestFolder(PathBuf);

impl TestFolder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("corecast-log-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn open_folder(path: &Path) -> Result<(FileLog<Folder>, Recovered), OpenError> {
    FileLog::open(Folder::open(path)?, OPTIONS, HUB, START)
}

fn message(path: &Path) -> String {
    open_folder(path).map(|_| ()).expect_err("the log was opened").to_string()
}

#[test]
fn a_log_in_a_folder_comes_back() {
    let folder = TestFolder::new();
    let path = folder.join("log");
    let (mut log, recovered) = open_folder(&path).unwrap();
    assert!(recovered.is_new);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o750);
    let events: Vec<_> = (1..=100).map(|position| plain(position, "hello")).collect();
    log.append(&events, START).unwrap();
    assert!(fs::metadata(path.join(FIRST_SEGMENT)).unwrap().len() > 1 << 20, "room is reserved");
    let bytes = log.stats().snapshot().bytes;
    drop(log);
    let (log, recovered) = open_folder(&path).unwrap();
    assert_eq!((recovered.events, recovered.newest, recovered.cut), (100, Position(100), None));
    assert_eq!(fs::metadata(path.join(FIRST_SEGMENT)).unwrap().len(), bytes);
    log.close().unwrap();
    assert!(open_folder(&path).unwrap().1.was_closed);
}

#[test]
fn one_process_has_the_log_at_a_time() {
    let folder = TestFolder::new();
    let (log, _) = open_folder(&folder.0).unwrap();
    let text = message(&folder.0);
    assert!(text.contains(&format!("in use by process {}", std::process::id())), "{text}");
    drop(log);
    open_folder(&folder.0).unwrap();
}

#[test]
fn a_folder_that_is_missing_or_none_says_so() {
    let folder = TestFolder::new();
    let text = message(&folder.join("a/b"));
    assert!(text.contains("a/b does not exist, and neither does the folder it would be in"), "{text}");
    fs::write(folder.join("file"), "x").unwrap();
    for path in ["file", "file/log"] {
        let text = message(&folder.join(path));
        assert!(text.contains("file") && text.contains("is not a folder; set log.path to one"), "{text}");
    }
}

#[test]
fn files_that_are_no_part_of_a_log_are_named_and_some_are_tolerated() {
    let folder = TestFolder::new();
    fs::create_dir(folder.join("lost+found")).unwrap();
    fs::write(folder.join("00000000000000000001.log.damaged"), "x").unwrap();
    open_folder(&folder.0).unwrap();
    fs::write(folder.join("notes.txt"), "x").unwrap();
    let text = message(&folder.0);
    assert!(text.contains("notes.txt is no part of a log"), "{text}");
}

#[test]
fn a_folder_that_belongs_to_another_user_says_whose_it_is() {
    let error = folder::explain(Path::new("/proc/1/x"), "read", io::ErrorKind::PermissionDenied.into());
    let text = error.to_string();
    let uid = rustix::process::geteuid().as_raw();
    assert!(
        text.starts_with(&format!("user {uid} may not read /proc/1, which belongs to user 0;")),
        "{text}"
    );
    let error = folder::explain(Path::new("/x"), "make", io::ErrorKind::ReadOnlyFilesystem.into());
    assert!(error.to_string().contains("mounted read-only"), "{error}");
}

#[test]
fn segments_of_another_version_or_log_are_refused() {
    let disk = MemoryDisk::default();
    let mut log = log_of(&disk, &[2]);
    let later = UnixMillis(START.0 + OPTIONS.age.as_millis() as u64 / 4);
    log.append(&[plain(3, "hello")], later).unwrap();
    drop(log);
    let second = "00000000000000000003.log";
    let bytes = disk.bytes(second);
    let header = Header::decode(&bytes).unwrap().0;

    let mut newer = bytes.clone();
    newer[8] = 2;
    let check = crc32c::crc32c(&newer[..60]);
    newer[60..64].copy_from_slice(&check.to_le_bytes());
    disk.put(second, &newer);
    let text = open_error(&disk).to_string();
    assert!(text.contains("format version 2, and this corecast reads version 1"), "{text}");

    for other in [Header { incarnation: OTHER_HUB, ..header }, Header { mask: !header.mask, ..header }] {
        let mut bytes = bytes.clone();
        bytes[..64].copy_from_slice(&other.encode().0);
        disk.put(second, &bytes);
        let text = open_error(&disk).to_string();
        assert!(text.contains(&format!("{second} is a segment of another log")), "{text}");
    }
}

#[test]
fn a_segment_that_is_missing_between_others_is_an_error() {
    let disk = MemoryDisk::default();
    let mut log = log_of(&disk, &[2]);
    for part in 1..4 {
        let later = UnixMillis(START.0 + part * OPTIONS.age.as_millis() as u64 / 4);
        log.append(&[plain(part + 2, "hello")], later).unwrap();
    }
    log.close().unwrap();
    assert_eq!(disk.names().unwrap().len(), 4);
    disk.remove("00000000000000000003.log").unwrap();
    let text = open_error(&disk).to_string();
    assert!(text.contains("00000000000000000004.log should begin at position 3"), "{text}");
    // The oldest may be missing: retention takes it.
    disk.remove(FIRST_SEGMENT).unwrap();
    assert_eq!(open(&disk).1.oldest, Position(4));
}
