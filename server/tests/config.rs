//! `corecast config` and `corecast token` as an operator types them: what is printed, and how they exit.
#![expect(clippy::unwrap_used, reason = "what a test cannot set up has failed it")]

use std::path::PathBuf;
use std::process::{Command, Output};

use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A folder that is gone when the test ends; commands run in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("corecast-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.0.join(name), text).unwrap();
        self
    }

    /// Runs the binary with no environment but `env`.
    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_corecast"));
        command.current_dir(&self.0).env_clear().args(args).envs(env.iter().copied()).output().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn printed_defaults_are_a_configuration_that_holds() {
    let folder = Folder::new("defaults");
    let printed = folder.run(&["config", "defaults"], &[]);
    assert_eq!(printed.status.code(), Some(0));
    folder.write("corecast.toml", &stdout(&printed));
    let env = [("CORECAST_AUTH__HMAC_KEY", KEY)];
    let from_file = folder.run(&["config", "check", "--config", "corecast.toml"], &env);
    let from_nothing = folder.run(&["config", "check"], &env);
    assert_eq!(from_file.status.code(), Some(0), "{}", stderr(&from_file));
    let without_places = |output: &Output| -> Vec<String> {
        stdout(output).lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(without_places(&from_file), without_places(&from_nothing));
}

#[test]
fn a_check_prints_what_is_in_force_and_no_secret() {
    let folder = Folder::new("check");
    folder.write("corecast.toml", &format!("[auth]\nhmac_key = \"{KEY}\"\n[limits]\nper_user = 2\n"));
    let env = [("CORECAST_LIMITS__PER_USER", "3"), ("CORECAST_CONFIG", "corecast.toml")];
    let checked = folder.run(&["config", "check"], &env);
    assert_eq!(checked.status.code(), Some(0));
    let shown = stdout(&checked);
    assert!(shown.contains("\nhmac_key = <set>  # corecast.toml:2\n"), "{shown}");
    assert!(shown.contains("\nper_user = 3  # CORECAST_LIMITS__PER_USER\n"), "{shown}");
    assert!(!shown.contains(KEY));
}

#[test]
fn every_wrong_configuration_exits_with_2_and_says_where_and_what_is_allowed() {
    let folder = Folder::new("wrong");
    folder.write("short.key", "0123456789\n").write("private.pem", "-----BEGIN PRIVATE KEY-----\n");
    let key = "[auth]\nhmac_key_file = \"hmac.key\"\n";
    folder.write("hmac.key", KEY);
    for (text, expected) in [
        ("[limits]\nhead_timeout = \"0s\"", "limits.head_timeout = \"0s\" is below the minimum 1s"),
        ("[limits]\nper_usr = 1", "unknown key limits.per_usr: the nearest is limits.per_user"),
        ("[limit]\nper_user = 1", "unknown section [limit]: the nearest is [limits]"),
        ("[history]\nevents = 0", "history.events = 0 is below the minimum 1"),
        (
            "[stream]\nheartbeat = \"1m\"",
            "stream.heartbeat = \"1m\" must be shorter than stream.dead_peer = \"30s\"",
        ),
        ("[hub]\nlisten = \"127.0.0.1:9180\"", "admin.listen = \"127.0.0.1:9180\" collides with hub.listen"),
        (
            "[admin]\nlisten = \"0.0.0.0:9180\"",
            "admin.listen = \"0.0.0.0:9180\" can be reached from elsewhere: set admin.token_file (or admin.token), or listen on \
             127.0.0.1",
        ),
        (
            "[admin]\ntoken = \"short\"",
            "admin.token = <set> has 5 bytes: at least 32 random bytes are needed",
        ),
        (
            "[admin]\ntoken = \"thirty-two bytes that have blanks\"",
            "admin.token = <set>: has a character that a bearer token cannot have",
        ),
        (
            "[admin]\ntoken = \"thirty-two-bytes-that-have-none--\"\ntoken_file = \"/nowhere\"",
            "admin.token and admin.token_file are both set: only one of them can be",
        ),
        ("[admin]\ntoken_file = \"/nowhere/token\"", "admin.token_file = \"/nowhere/token\": cannot be read"),
        ("[hub]\ndriver = \"epoll\"", "hub.driver = \"epoll\" is not \"auto\", \"uring\" or \"monoio\""),
        ("[log]\nkind = \"tape\"", "log.kind = \"tape\" is not \"memory\" or \"file\""),
        ("[hub", "corecast.toml:1: "),
    ] {
        folder.write("corecast.toml", &format!("{text}\n{key}"));
        for command in [&["config", "check"][..], &["serve"]] {
            let output = folder.run(&[command, &["--config", "corecast.toml"]].concat(), &[]);
            let message = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{text}: {message}");
            assert!(message.starts_with("corecast.toml:") && message.contains(expected), "{text}: {message}");
            assert_eq!(message.lines().filter(|line| !line.starts_with("warning: ")).count(), 1, "{message}");
            assert_eq!(stdout(&output), "");
        }
    }
}

#[test]
fn wrong_keys_exit_with_2_and_the_cause() {
    let folder = Folder::new("keys");
    folder.write("short.key", "0123456789\n").write("private.pem", "-----BEGIN PRIVATE KEY-----\n");
    folder.write("hmac.key", KEY).write("text.pem", "hello");
    for (text, expected) in [
        ("", "no key: set auth.hmac_key_file"),
        ("anonymous = true", "no key: set auth.hmac_key_file"),
        ("hmac_key = \"short\"", "auth.hmac_key = <set> has 5 bytes: at least 32 random bytes are needed"),
        ("hmac_key_file = \"short.key\"", "auth.hmac_key_file = \"short.key\": has 10 bytes: at least 32"),
        ("hmac_key_file = \"missing.key\"", "cannot be read: No such file or directory"),
        ("hmac_key_file = \".\"", "cannot be read: Is a directory"),
        ("public_key_file = \"text.pem\"", "is no PEM file"),
        ("public_key_file = \"private.pem\"", "holds a private key: only the public key belongs here"),
        ("jwks_url = \"http://keys.example.com/\"", "is not an https URL"),
        (
            "hmac_key = \"0123456789abcdef0123456789abcdef\"\nhmac_key_file = \"hmac.key\"",
            "auth.hmac_key and auth.hmac_key_file are both set",
        ),
        (
            "public_key_file = \"text.pem\"\njwks_url = \"https://keys.example.com/\"",
            "auth.public_key_file and auth.jwks_url are both set",
        ),
    ] {
        folder.write("corecast.toml", &format!("[auth]\n{text}\n"));
        let output = folder.run(&["serve", "--config", "corecast.toml"], &[]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{text}: {message}");
        assert!(message.contains(expected), "{text}: {message}");
        assert!(!message.contains(KEY), "{message}");
    }
}

#[test]
fn all_errors_of_all_layers_are_printed_at_once() {
    let folder = Folder::new("all");
    folder.write("corecast.toml", "[limits]\nconnections = 0\nconections = 5\n");
    let args = ["serve", "--config", "corecast.toml", "--shards", "0", "--listen", "here"];
    let output = folder.run(&args, &[("CORECAST_STREAM__RETRY", "soon"), ("CORECAST_HUB__SHARD", "1")]);
    assert_eq!(output.status.code(), Some(2));
    let message = stderr(&output);
    let places: Vec<&str> = message.lines().map(|line| line.split([':', ' ']).next().unwrap()).collect();
    assert_eq!(
        places,
        ["corecast.toml", "corecast.toml", "unknown", "CORECAST_STREAM__RETRY", "--listen", "--shards", "no"],
        "{message}"
    );
}

#[test]
fn flags_that_do_not_exist_exit_with_2() {
    let folder = Folder::new("flags");
    for args in
        [&["serve", "--listn", "x"][..], &["token"], &["publish", "x"], &["config"], &["token", "--user"]]
    {
        assert_eq!(folder.run(args, &[]).status.code(), Some(2), "{args:?}");
    }
}

fn claims(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let printed = stdout(output);
    let token = printed.strip_suffix('\n').unwrap();
    let key = DecodingKey::from_secret(KEY.as_bytes());
    let decoded = jsonwebtoken::decode::<Value>(token, &key, &Validation::default());
    decoded.unwrap().claims
}

#[test]
fn a_token_is_the_only_output_and_holds_what_was_asked_for() {
    let folder = Folder::new("token");
    folder.write("hmac.key", &format!("{KEY}\n"));
    folder.write("corecast.toml", "[auth]\nhmac_key_file = \"hmac.key\"\n");
    let args =
        ["token", "--user", "alice", "--subscribe", "orders/{id}", "--subscribe", "news", "--ttl", "15m"];
    let none: &[(&str, &str)] = &[];
    for (flags, env) in [
        (&["--config", "corecast.toml"][..], none),
        (&["--hmac-key-file", "hmac.key"], none),
        (&[], &[("CORECAST_AUTH__HMAC_KEY", KEY)]),
        (&[], &[("CORECAST_AUTH__HMAC_KEY_FILE", "hmac.key")]),
    ] {
        let claims = claims(&folder.run(&[&args[..], flags].concat(), env));
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["corecast"], json!({ "subscribe": ["orders/{id}", "news"] }));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
    }
}

#[test]
fn a_token_of_a_back_end_has_no_user() {
    let folder = Folder::new("back-end");
    let output = folder.run(&["token", "--publish", "*"], &[("CORECAST_AUTH__HMAC_KEY", KEY)]);
    let claims = claims(&output);
    assert_eq!(claims.get("sub"), None);
    assert_eq!(claims["corecast"], json!({ "publish": ["*"] }));
}

#[test]
fn a_token_that_no_hub_would_take_is_not_signed() {
    let folder = Folder::new("no-token");
    let long = "x".repeat(1025);
    let many: Vec<String> = (0..9).map(|i| format!("{i}{}", "x".repeat(1000))).collect();
    let mut too_many = vec!["--user", "alice"];
    too_many.extend(many.iter().flat_map(|selector| ["--subscribe", selector]));
    for (args, expected) in [
        (
            &["--user", "alice", "--ttl", "0s"][..],
            "error: --ttl 0s: out of range, allowed is from 1s to 3650d",
        ),
        (
            &["--user", "alice", "--ttl", "1 hour"],
            "error: --ttl 1 hour: not a whole number with a known unit",
        ),
        (&["--user", ""], "error: cannot make a token: a user name of 0 bytes, allowed are 1 to 255"),
        (&["--user", &long], "a user name of 1025 bytes, allowed are 1 to 255"),
        (&["--user", "alice", "--subscribe", &long], "allowed are 1 to 1024"),
        (&too_many, "is too large, allowed are 8192"),
    ] {
        let output = folder.run(&[&["token"], args].concat(), &[("CORECAST_AUTH__HMAC_KEY", KEY)]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
    let output = folder.run(&["token", "--user", "alice"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output), "no key: set auth.hmac_key_file or auth.hmac_key\n");
}
