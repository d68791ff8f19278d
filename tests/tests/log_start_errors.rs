//! A hub that cannot open its log does not start, names what stands in the way, and says what would help.
//!
//! Run as root: what a user may not do is shown by dropping root's right to do it all the same.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use corecast_tests::binary;
use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::publish::Publisher;
use tempfile::TempDir;

/// Somebody who is not root: `nobody`, by tradition.
const STRANGER: u32 = 65_534;

/// Where a segment's header has the version of its format, and its checksum (docs/log-format.md).
const VERSION_AT: usize = 8;
const CHECK_AT: usize = 60;
const HEADER_LEN: usize = 64;

fn with_log(folder: &Path) -> HubBuilder {
    Hub::builder().set("log.kind", "file").set("log.path", folder.to_str().expect("plain names"))
}

/// Runs `corecast serve` on the log in `folder` to its end, which must come by itself; `before` are words before it.
fn serve_within(before: &[&str], folder: &Path) -> Output {
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = home.path().join("corecast.toml");
    fs::write(&config, with_log(folder).toml()).expect("the temporary folder can be written");
    let mut words: Vec<&str> = vec!["timeout", "20"];
    words.extend(before);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(binary::corecast()).arg("serve").arg("--config").arg(&config);
    command.env_remove("CORECAST_BIN").output().expect("every machine has timeout(1)")
}

#[track_caller]
fn assert_refuses(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let error = text.lines().last().unwrap_or_default();
    assert!(error.starts_with("error: log.path: "), "{text}");
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in: {error}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("plain names")
}

/// The folder of a log with three events, whose hub has ended, well or by a kill.
fn a_log(ends_well: bool) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut hub = with_log(folder.path()).set("drain.over", "0s").start();
    let mut publisher = Publisher::connect(hub.addr());
    ["one", "two", "three"].iter().for_each(|data| _ = publisher.to_topic("a", data));
    if ends_well {
        hub.sigterm();
        hub.wait_for_exit(std::time::Duration::from_secs(20));
    } else {
        hub.kill9();
    }
    folder
}

fn segment(folder: &Path) -> PathBuf {
    let name = format!("{:020}.log", 1);
    folder.join(name)
}

#[test]
fn a_folder_is_made_but_not_the_one_it_would_be_in() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    drop(with_log(&log).start());
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o750);
    let missing = folder.path().join("missing/log");
    assert_refuses(&serve_within(&[], &missing), &[shown(&missing), "does not exist", "log.path"]);
    assert!(!folder.path().join("missing").exists());
}

#[test]
fn what_is_no_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    fs::write(&file, "").unwrap();
    assert_refuses(&serve_within(&[], &file), &[shown(&file), "not a folder"]);
}

#[test]
fn a_folder_of_somebody_else_is_named_with_its_owner() {
    const WITHOUT_ROOTS_RIGHTS: [&str; 2] = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::create_dir(&log).unwrap();
    chown(&log, Some(STRANGER), Some(STRANGER)).unwrap();
    for (mode, what) in [(0o755, "write"), (0o000, "read")] {
        fs::set_permissions(&log, fs::Permissions::from_mode(mode)).unwrap();
        let output = serve_within(&WITHOUT_ROOTS_RIGHTS, &log);
        assert_refuses(&output, &[shown(&log), "user 0 may not", what, "user 65534", "chown"]);
    }
    fs::set_permissions(&log, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read_dir(&log).unwrap().count(), 0, "nothing was left behind");
}

#[test]
fn a_read_only_file_system_is_named() {
    let folder = a_log(true);
    // In a mount namespace of its own, which is gone with it.
    let remount =
        format!("mount --bind {0} {0} && mount -o remount,bind,ro {0} && exec \"$@\"", shown(folder.path()));
    let output = serve_within(&["unshare", "--mount", "sh", "-c", &remount, "sh"], folder.path());
    assert_refuses(&output, &[shown(folder.path()), "read-only", "ReadWritePaths"]);
}

#[test]
fn a_disk_without_room_for_one_segment_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // Filled with what may be in a log's folder.
    let mount = format!(
        "mount -t tmpfs -o size=16k tmpfs {0} && head -c 16384 /dev/zero > {0}/old.damaged && exec \"$@\"",
        shown(folder.path())
    );
    let output = serve_within(&["unshare", "--mount", "sh", "-c", &mount, "sh"], folder.path());
    assert_refuses(&output, &[shown(folder.path()), "no room", "make room"]);
}

#[test]
fn a_file_that_is_no_part_of_a_log_is_named_and_left_alone() {
    let folder = a_log(true);
    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "mine").unwrap();
    assert_refuses(&serve_within(&[], folder.path()), &[shown(&notes), "no part of a log", "move it away"]);
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    fs::remove_file(&notes).unwrap();
    // What mkfs and repair leave in a folder is no stranger.
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    fs::write(folder.path().join("00000000000000000001.log.damaged"), "").unwrap();
    drop(with_log(folder.path()).start());
}

#[test]
fn a_log_of_a_newer_corecast_is_told_apart_from_damage() {
    let folder = a_log(true);
    let path = segment(folder.path());
    let mut header = fs::read(&path).unwrap();
    header.truncate(HEADER_LEN);
    header[VERSION_AT..VERSION_AT + 4].copy_from_slice(&2u32.to_le_bytes());
    let check = crc32c(&header[..CHECK_AT]);
    header[CHECK_AT..].copy_from_slice(&check.to_le_bytes());
    fs::File::options().write(true).open(&path).unwrap().write_all_at(&header, 0).unwrap();
    assert_refuses(
        &serve_within(&[], folder.path()),
        &[shown(&path), "format version 2", "reads version 1", "newer"],
    );
}

/// The checksum of RFC 9260, appendix A, bit by bit: the test must not trust the hub's.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 },
        )
    })
}

#[test]
fn two_hubs_do_not_write_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = with_log(folder.path()).start();
    let holder = fs::read_to_string(folder.path().join("lock")).unwrap();
    let holder = format!("in use by process {}", holder.trim());
    assert_refuses(&serve_within(&[], folder.path()), &[shown(folder.path()), &holder]);
    // A lock that is left over holds up nobody.
    first.kill9();
    assert!(folder.path().join("lock").exists());
    drop(with_log(folder.path()).start());
}

#[test]
fn damage_is_named_by_segment_and_offset_with_the_way_to_repair() {
    for ends_well in [true, false] {
        let folder = a_log(ends_well);
        let path = segment(folder.path());
        let bytes = fs::read(&path).unwrap();
        // In the first of three events.
        let at = HEADER_LEN + 100;
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .write_all_at(&[bytes[at] ^ 1], at as u64)
            .unwrap();
        let before = fs::read(&path).unwrap();
        let repair = format!("corecast log repair --path {}", shown(folder.path()));
        let verify = format!("corecast log verify --path {}", shown(folder.path()));
        let output = serve_within(&[], folder.path());
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        assert_refuses(&output, &["damaged", name, &format!("offset {HEADER_LEN},"), &verify, &repair]);
        assert_eq!(fs::read(&path).unwrap(), before, "a hub that refuses has changed nothing");
    }
}
