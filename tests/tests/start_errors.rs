//! A hub that cannot start says why and what to do, before it has touched anything.

use std::net::TcpListener;
use std::process::{Command, Output};

use corecast_tests::binary;
use corecast_tests::hub::{Hub, HubBuilder};

/// Runs the binary to its end, which must come by itself.
fn run(arguments: &[&str]) -> Output {
    Command::new("timeout")
        .arg("20")
        .arg(binary::corecast())
        .args(arguments)
        .env_remove("CORECAST_BIN")
        .output()
        .expect("every machine has timeout(1)")
}

/// Runs `command` on the configuration that `builder` would start a hub with.
fn run_with(command: &[&str], builder: &HubBuilder) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("corecast.toml");
    std::fs::write(&config, builder.toml()).expect("the temporary folder can be written");
    run(&[command, &["--config", config.to_str().expect("temporary folders have plain names")]].concat())
}

fn serve(builder: &HubBuilder) -> Output {
    run_with(&["serve"], builder)
}

fn check(builder: &HubBuilder) -> Output {
    run_with(&["config", "check"], builder)
}

fn assert_says(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_taken_port_is_named_with_the_remedy() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = holder.local_addr().unwrap().to_string();
    for setting in ["hub.listen", "admin.listen"] {
        let output = serve(&Hub::builder().set(setting, addr.as_str()));
        assert_says(&output, 1, &[&addr, setting, "in use"]);
    }
}

#[test]
fn a_second_hub_does_not_share_the_port_of_the_first() {
    let first = Hub::start();
    let addr = first.addr().to_string();
    assert_says(&serve(&Hub::builder().set("hub.listen", addr.as_str())), 1, &[&addr, "in use"]);
}

#[test]
fn a_wrong_setting_is_named_before_anything_starts() {
    let cases: &[(&str, serde_json::Value, &[&str])] = &[
        ("limits.per_usr", 1.into(), &["per_usr", "per_user"]),
        ("limit.per_user", 1.into(), &["limit", "limits"]),
        ("limits.per_user", "many".into(), &["per_user", "many"]),
        ("limits.per_user", (-1).into(), &["per_user", "-1"]),
        (
            "limits.per_user_policy",
            "evict_newest".into(),
            &["per_user_policy", "evict_newest", "evict_oldest"],
        ),
        ("limits.head_timeout", "0s".into(), &["head_timeout", "0s"]),
        ("stream.heartbeat", "15".into(), &["heartbeat", "15"]),
        ("history.bytes", "64 apples".into(), &["bytes", "64 apples"]),
        ("hub.listen", "nowhere".into(), &["listen", "nowhere"]),
        ("log.kind", "tape".into(), &["kind", "tape", "memory"]),
    ];
    for (key, value, words) in cases {
        let builder = Hub::builder().set(key, value.clone());
        assert_says(&serve(&builder), 2, words);
        assert_says(&check(&builder), 2, words);
    }
}

#[test]
fn a_hub_without_keys_does_not_start() {
    let output = serve(&Hub::builder().unset("auth.hmac_key"));
    assert_says(&output, 2, &["hmac_key", "public_key_file"]);
}

#[test]
fn a_missing_file_is_named() {
    assert_says(
        &run(&["serve", "--config", "/nonexistent/corecast.toml"]),
        2,
        &["/nonexistent/corecast.toml"],
    );
    let output = serve(&Hub::builder().unset("auth.hmac_key").set("auth.hmac_key_file", "/nonexistent/key"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)) && text.contains("/nonexistent/key"), "{text}");
}

#[test]
fn a_good_configuration_passes_its_check() {
    let output = check(&Hub::builder());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_listed_defaults_are_a_good_configuration() {
    let defaults = run(&["config", "defaults"]);
    assert_eq!(defaults.status.code(), Some(0));
    let text = String::from_utf8(defaults.stdout).unwrap();
    for setting in ["per_user", "heartbeat", "dead_peer", "listen", "event_bytes"] {
        assert!(text.contains(setting), "{setting} is not listed");
    }
}

#[test]
fn an_unknown_command_says_which_there_are() {
    let output = run(&["sevre"]);
    assert_says(&output, 2, &["sevre", "serve"]);
}
