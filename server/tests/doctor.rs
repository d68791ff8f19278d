//! `corecast doctor` as an operator types it, and whether the hub agrees with what it says.
#![expect(clippy::unwrap_used, reason = "what a test cannot set up has failed it")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_corecast");

/// Everything that scripts may look for; a file log has more.
const NAMES: [&str; 27] = [
    "kernel",
    "driver",
    "io_uring_setup",
    "io_uring_direct_accept",
    "io_uring_inline_send",
    "io_uring_short_send",
    "io_uring_full_socket",
    "io_uring_cancel_poll",
    "io_uring_close",
    "io_uring_pass_socket",
    "io_uring_send_after_pass",
    "io_uring_disabled",
    "seccomp",
    "nofile",
    "nr_open",
    "file_max",
    "memlock",
    "memory",
    "cgroup_memory",
    "cpus",
    "cgroup_cpu",
    "clock_source",
    "somaxconn",
    "tcp_max_syn_backlog",
    "tcp_mem",
    "ip_local_port_range",
    "conntrack",
];

/// The command with `settings` in its environment, which is otherwise empty, and at most `nofile` open files.
fn corecast(args: &[&str], settings: &[(&str, u32)], nofile: Option<u32>) -> Command {
    let mut command = match nofile {
        Some(nofile) => {
            let mut command = Command::new("prlimit");
            command.arg(format!("--nofile={nofile}:{nofile}")).arg(BINARY);
            command
        }
        None => Command::new(BINARY),
    };
    let settings = settings.iter().map(|(key, value)| (format!("CORECAST_{key}"), value.to_string()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.args(args).env_clear().env("PATH", path).envs(settings);
    command
}

fn doctor(args: &[&str], settings: &[(&str, u32)], nofile: Option<u32>) -> Output {
    corecast(&[&["doctor"], args].concat(), settings, nofile).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(settings: &[(&str, u32)], nofile: Option<u32>) -> (Value, Option<i32>) {
    let output = doctor(&["--json"], settings, nofile);
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code())
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn the_table_has_every_check_and_ends_with_the_lowest_ceiling() {
    let settings = [("LIMITS__CONNECTIONS", 100), ("HUB__SHARDS", 1)];
    let output = doctor(&[], &settings, Some(2000));
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let (report, _) = json(&settings, Some(2000));
    for check in report["checks"].as_array().unwrap() {
        let title = check["title"].as_str().unwrap();
        assert!(
            text.lines().any(|line| line.starts_with(&format!("│ {title} "))),
            "{title} is not in:\n{text}"
        );
    }
    assert!(text.contains("LimitNOFILE=1048576"), "{text}");
    let last = text.lines().last().unwrap();
    assert_eq!(last, "lowest ceiling: 720 connections, set by RLIMIT_NOFILE; limits.connections = 100 fits");
}

#[test]
fn the_names_in_the_json_are_the_documented_ones() {
    let (report, code) = json(&[("LIMITS__CONNECTIONS", 100), ("HUB__SHARDS", 1)], None);
    assert_eq!(code, Some(0), "{report}");
    let fields: Vec<_> = report.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["version", "connections", "shards", "verdict", "ceiling", "checks"]);
    let checks = report["checks"].as_array().unwrap();
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    for check in checks {
        let fields: Vec<_> = check.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["name", "title", "found", "verdict", "ceiling", "meaning", "remedy"]);
        assert!(["ok", "warn", "fail"].contains(&check["verdict"].as_str().unwrap()), "{check}");
        assert!(check["ceiling"].is_u64() || check["ceiling"].is_null(), "{check}");
    }
    let operations = include_str!("../../docs/operations.md");
    for name in NAMES.iter().chain(&["log_folder", "log_file_system", "log_space", "log_sync"]) {
        assert!(operations.contains(&format!("`{name}`")), "{name} is not in docs/operations.md");
    }
}

#[test]
fn a_low_limit_of_open_files_lowers_the_ceiling() {
    for (nofile, shards, ceiling, verdict, code) in
        [(2000, 1, 720, "fail", 1), (2000, 8, 14_720, "ok", 0), (11_280, 1, 10_000, "ok", 0)]
    {
        let (report, exit) = json(&[("HUB__SHARDS", shards)], Some(nofile));
        let check = check(&report, "nofile");
        assert_eq!((check["ceiling"].as_u64(), check["verdict"].as_str()), (Some(ceiling), Some(verdict)));
        assert_eq!(exit, Some(code), "{report}");
        assert_eq!(report["ceiling"]["check"], "nofile", "{report}");
    }
    let output = doctor(&[], &[("HUB__SHARDS", 1)], Some(2000));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("limits.connections = 10000 cannot run here"), "{message}");
}

/// What a hub writes until a line has `word` in it, or until it ends. The hub is ended then.
fn serve_until(word: &str, settings: &[(&str, u32)], nofile: Option<u32>) -> String {
    let mut command =
        corecast(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], settings, nofile);
    command.env("CORECAST_AUTH__HMAC_KEY", "0123456789abcdef0123456789abcdef");
    let mut hub = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut written = String::new();
    for line in BufReader::new(hub.stderr.take().unwrap()).lines() {
        written.push_str(&line.unwrap());
        written.push('\n');
        if written.lines().last().is_some_and(|line| line.contains(word)) {
            break;
        }
    }
    hub.kill().unwrap();
    hub.wait().unwrap();
    written
}

#[test]
fn the_hub_starts_up_to_the_ceiling_and_not_beyond() {
    for (nofile, shards) in [(2000, 1), (10_753, 2)] {
        let settings = |connections| [("LIMITS__CONNECTIONS", connections), ("HUB__SHARDS", shards)];
        let (report, _) = json(&settings(1), Some(nofile));
        let ceiling = check(&report, "nofile")["ceiling"].as_u64().unwrap() as u32;
        let written = serve_until(" listening ", &settings(ceiling), Some(nofile));
        assert!(written.contains(" listening "), "{ceiling}: {written}");
        let written = serve_until(" listening ", &settings(ceiling + 1), Some(nofile));
        assert!(written.contains(&format!("limits.connections = {} needs", ceiling + 1)), "{written}");
    }
}

#[test]
fn the_hub_counts_memory_as_the_doctor_does() {
    let settings = [("LIMITS__CONNECTIONS", 20_000), ("HUB__SHARDS", 8)];
    let (report, _) = json(&settings, None);
    let found = check(&report, "memory")["found"].as_str().unwrap();
    let needed = found.split(", ").nth(1).and_then(|text| text.strip_suffix(" MiB needed when idle"));
    // Besides connections: 64 MiB of history, and 4 MiB for each shard.
    let for_connections = needed.unwrap().parse::<u64>().unwrap() - 64 - 8 * 4;
    let written = serve_until("limits in force", &settings, None);
    assert!(written.contains(&format!("memory_at_limit_mib={for_connections} ")), "{found}: {written}");
}

#[test]
fn what_is_asked_for_wrongly_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, "[limits]\nconnections = 0\n").unwrap();
    let (wrong, missing) = (wrong.to_str().unwrap(), "/nowhere/corecast.toml");
    for (args, expected) in [
        (&["--jsn"][..], "--json"),
        (&["--config", missing], missing),
        (&["--config", wrong, "--json"], "limits.connections = 0 is below the minimum 1"),
    ] {
        let output = doctor(args, &[], None);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_configuration_without_a_key_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("corecast.toml");
    std::fs::write(&config, "[limits]\nconnections = 123\n[hub]\nshards = 1\n").unwrap();
    let output = doctor(&["--json", "--config", config.to_str().unwrap()], &[], None);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["connections"], &report["shards"]), (&123.into(), &1.into()));
}

#[test]
fn the_folder_of_a_file_log_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    for (path, is_good) in [(log.as_path(), true), (Path::new("/nowhere/corecast/log"), false)] {
        let config = folder.path().join("corecast.toml");
        std::fs::write(&config, format!("[log]\nkind = \"file\"\npath = {path:?}\n")).unwrap();
        let output = doctor(&["--json", "--config", config.to_str().unwrap()], &[], None);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let verdict = &check(&report, "log_folder")["verdict"];
        assert_eq!(verdict == "fail", !is_good, "{report}");
        assert_eq!(output.status.code() == Some(1), !is_good, "{report}");
    }
    assert!(!log.exists(), "a doctor changes nothing");
}
