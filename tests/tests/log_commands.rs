//! `corecast log verify | repair | dump`: what they say of a sound, a torn, a damaged and a missing log, and how they exit.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use corecast_tests::binary;
use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::publish::Publisher;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Bytes of a segment before its first record (docs/log-format.md).
const HEADER_LEN: usize = 64;

fn with_log(folder: &Path) -> HubBuilder {
    Hub::builder().set("log.kind", "file").set("log.path", shown(folder)).set("drain.over", "0s")
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("plain names")
}

fn log(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary::corecast());
    command.arg("log").args(arguments).env_remove("CORECAST_BIN").output().expect("the binary runs")
}

fn log_in(folder: &Path, command: &str, arguments: &[&str]) -> Output {
    log(&[&[command, "--path", shown(folder)], arguments].concat())
}

#[track_caller]
fn assert_says(output: &Output, code: i32, on_stdout: &[&str], on_stderr: &[&str]) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    for (text, words) in [(&out, on_stdout), (&err, on_stderr)] {
        for word in words {
            assert!(text.contains(word), "{word:?} is missing in: {text}");
        }
    }
    assert!(!err.contains("panicked"), "{err}");
}

/// A log of three events whose hub has ended.
fn a_log() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut hub = with_log(folder.path()).start();
    let mut publisher = Publisher::connect(hub.addr());
    publisher.publish(&json!({"topics": ["a", "b"], "data": "one\ntwo", "type": "note", "id": "own-1"}));
    publisher.publish(&json!({"users": ["alice"], "data": {"n": 2}, "private": true, "ttl": 60}));
    publisher.publish(&json!({"all": true, "data": ""}));
    hub.sigterm();
    assert!(hub.wait_for_exit(Duration::from_secs(20)).success());
    folder
}

fn segment(folder: &Path) -> PathBuf {
    folder.join(format!("{:020}.log", 1))
}

/// Changes a byte of the first event.
fn damage(folder: &Path) {
    const AT: usize = HEADER_LEN + 80;
    let path = segment(folder);
    let byte = fs::read(&path).expect("a segment")[AT];
    let file = fs::File::options().write(true).open(&path).expect("a segment");
    file.write_all_at(&[byte ^ 1], AT as u64).expect("it can be written");
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("JSON is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

#[test]
fn a_sound_log_is_summed_up() {
    let folder = a_log();
    let output = log_in(folder.path(), "verify", &[]);
    let words =
        ["00000000000000000001.log: from position 1, events 3", "segments 1, events 3, newest position 3"];
    assert_says(&output, 0, &words, &[]);
    assert_says(&log_in(folder.path(), "repair", &[]), 0, &["nothing to repair"], &[]);
}

#[test]
fn events_are_dumped_as_they_were_published() {
    let folder = a_log();
    let all = lines(&log_in(folder.path(), "dump", &["--data"]));
    let part = |line: &Value, names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| line[name].clone()).collect()
    };
    assert_eq!(
        part(&all[0], &["position", "id", "topics", "private", "type", "data", "expires", "offset"]),
        [
            json!(1),
            json!("own-1"),
            json!(["a", "b"]),
            json!(false),
            json!("note"),
            json!("one\ntwo"),
            Value::Null,
            json!(64)
        ]
    );
    assert_eq!(
        part(&all[1], &["position", "users", "private", "type", "data"]),
        [json!(2), json!(["alice"]), json!(true), json!("message"), json!("{\"n\":2}")]
    );
    assert_eq!(all[1]["expires"].as_u64().unwrap() - all[1]["time"].as_u64().unwrap(), 60_000);
    assert_eq!(part(&all[2], &["position", "all", "data"]), [json!(3), json!(true), json!("")]);
    assert_eq!(all[3], json!({"closed_at": 3}));

    let some = lines(&log_in(folder.path(), "dump", &["--from", "2", "--count", "1"]));
    assert_eq!(some.len(), 1);
    assert_eq!((&some[0]["position"], &some[0]["data"]), (&json!(2), &Value::Null));
}

#[test]
fn damage_is_told_mended_when_asked_and_then_gone() {
    let folder = a_log();
    damage(folder.path());
    let before = fs::read(segment(folder.path())).unwrap();
    let told = ["damaged: segment 00000000000000000001.log, offset 64", "position 1 is lost"];
    assert_says(&log_in(folder.path(), "verify", &[]), 1, &told, &["damaged in 1 place"]);
    assert_says(&log_in(folder.path(), "repair", &[]), 2, &told, &["--yes", "nothing was changed"]);
    let dumped = log_in(folder.path(), "dump", &[]);
    assert_eq!(dumped.status.code(), Some(1));
    assert!(lines(&dumped)[0]["problem"].as_str().unwrap().contains("offset 64"));
    assert_eq!(fs::read(segment(folder.path())).unwrap(), before, "none of them changes anything");

    let mended = log_in(folder.path(), "repair", &["--yes"]);
    assert_says(&mended, 0, &["mended: segment", "kept as it was: ", ".damaged", "a hub can start"], &[]);
    let verified = log_in(folder.path(), "verify", &[]);
    assert_says(&verified, 0, &["lost by an earlier repair: positions 1 to 1"], &[]);
    let dumped = lines(&log_in(folder.path(), "dump", &[]));
    assert_eq!((&dumped[0], &dumped[1]["position"]), (&json!({"lost_upto": 1}), &json!(2)));
    drop(with_log(folder.path()).start());
}

#[test]
fn a_torn_end_is_no_damage() {
    let folder = a_log();
    let path = segment(folder.path());
    // Without the mark of a clean stop, and a part of the last event, as a crash in its write leaves it.
    let offset = lines(&log_in(folder.path(), "dump", &[]))[2]["offset"].as_u64().unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(offset + 20).unwrap();
    let torn = format!("from offset {offset}");
    assert_says(
        &log_in(folder.path(), "verify", &[]),
        0,
        &["torn: ", &torn, "events 2, newest position 2"],
        &[],
    );
    assert_says(&log_in(folder.path(), "repair", &["--yes"]), 0, &["cut off: ", &torn], &[]);
    assert_says(&log_in(folder.path(), "verify", &[]), 0, &["events 2, newest position 2"], &[]);
}

#[test]
fn a_hub_that_runs_keeps_its_log_from_being_repaired_and_not_from_being_read() {
    let folder = a_log();
    let hub = with_log(folder.path()).start();
    damage(folder.path());
    let repaired = log_in(folder.path(), "repair", &["--yes"]);
    assert_says(&repaired, 2, &[], &["in use by process", shown(folder.path())]);
    assert_eq!(log_in(folder.path(), "verify", &[]).status.code(), Some(1));
    drop(hub);
}

#[test]
fn the_folder_can_be_named_by_the_configuration() {
    let folder = a_log();
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("corecast.toml");
    fs::write(&config, with_log(folder.path()).unset("auth.hmac_key").toml()).unwrap();
    assert_says(&log(&["verify", "--config", shown(&config)]), 0, &["events 3"], &[]);
    fs::write(&config, Hub::builder().toml()).unwrap();
    assert_says(&log(&["verify", "--config", shown(&config)]), 2, &[], &["log.kind", "--path"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for command in ["verify", "dump", "repair"] {
        assert_says(&log_in(&missing, command, &[]), 2, &[], &[shown(&missing), "does not exist"]);
    }
    assert!(!missing.exists(), "to look makes nothing");
    assert_says(&log_in(folder.path(), "verify", &[]), 0, &["no log is here"], &[]);
    fs::write(folder.path().join("notes.txt"), "").unwrap();
    assert_says(&log_in(folder.path(), "verify", &[]), 2, &[], &["notes.txt", "no part of a log"]);
    assert_says(&log(&["verify"]), 2, &[], &["--path", "--config"]);
}
