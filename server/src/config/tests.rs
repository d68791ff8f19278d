//! The configuration through its own face: layers, every refusal, and what is printed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::load::{Loaded, Override, Purpose, Sources, load};
use super::problem::Problem;
use super::schema::{SETTINGS, sections};
use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A file that is gone when the test ends.
struct TempFile(PathBuf);

impl TempFile {
    fn new(text: &str) -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("corecast-config-{}-{number}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn env(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// Loads a file for `serve`, with a key from the environment so that only the text is judged.
fn load_text(text: &str) -> Result<Loaded, String> {
    let file = TempFile::new(text);
    let sources =
        Sources { file: Some(file.0.clone()), env: env(&[("CORECAST_AUTH__HMAC_KEY", KEY)]), flags: vec![] };
    let path = file.0.display().to_string();
    load(&sources, Purpose::Serve).map_err(|problems| problems.to_string().replace(&path, "corecast.toml"))
}

fn load_env(variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let sources = Sources { env: env(variables), ..Sources::default() };
    load(&sources, Purpose::Dev).map_err(|problems| problems.to_string())
}

#[test]
fn every_default_is_accepted_by_its_own_row() {
    let loaded = load_text("").unwrap();
    let settings = format!("{:?}", loaded.config.settings());
    assert_eq!(settings, format!("{:?}", Settings::default()));
    assert_eq!(loaded.config.hub.listen, "0.0.0.0:8080".parse().unwrap());
    assert_eq!(loaded.config.admin.listen, "127.0.0.1:9180".parse().unwrap());
    assert_eq!(loaded.config.log.bytes, 1 << 30);
    assert_eq!(loaded.config.log.ids, 1 << 22);
    assert_eq!(loaded.config.drain.over, Duration::from_secs(30));
    assert_eq!(loaded.warnings, []);
}

#[test]
fn every_setting_stands_once_and_sections_stand_together() {
    let mut names: Vec<String> = SETTINGS.iter().map(schema::Setting::name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), SETTINGS.len());
    let mut seen: Vec<&str> = sections().collect();
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

#[test]
fn printed_defaults_parse_to_the_defaults() {
    let printed = show::defaults();
    let from_file = load_text(&printed).unwrap();
    assert_eq!(from_file.config, load_text("").unwrap().config);
    for setting in SETTINGS {
        let line = format!("\n{} = {}\n", setting.key, setting.default.unwrap_or("\"\""));
        let unset = format!("\n#{} = \"\"\n", setting.key);
        assert!(printed.contains(&line) || printed.contains(&unset), "{} is missing", setting.name());
    }
    assert!(printed.lines().all(|line| line.len() <= 100), "a comment is too wide");
}

#[test]
fn what_is_in_force_is_shown_without_secrets_and_parses_back() {
    let file = TempFile::new("[stream]\nheartbeat = \"500ms\"\n[cors]\norigins = [\"https://a.example\"]\n");
    let sources = Sources {
        file: Some(file.0.clone()),
        env: env(&[("CORECAST_AUTH__HMAC_KEY", KEY), ("CORECAST_LIMITS__PER_USER", "3")]),
        flags: vec![Override { flag: "--shards", section: "hub", key: "shards", value: "2".to_owned() }],
    };
    let loaded = load(&sources, Purpose::Serve).unwrap();
    let shown = show::in_force(&loaded);
    assert!(shown.contains("hmac_key = <set>  # CORECAST_AUTH__HMAC_KEY\n"), "{shown}");
    assert!(shown.contains("per_user = 3  # CORECAST_LIMITS__PER_USER\n"), "{shown}");
    assert!(shown.contains("shards = 2  # --shards\n"), "{shown}");
    assert!(shown.contains(&format!("heartbeat = \"500ms\"  # {}:2\n", file.0.display())), "{shown}");
    assert!(!shown.contains(KEY) && !format!("{loaded:?}").contains(KEY));
    assert_eq!(load_text(&shown.replace("hmac_key = <set>", "#")).unwrap().config, loaded.config);
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let file = TempFile::new("[hub]\nlisten = \"127.0.0.1:1001\"\n");
    let flag =
        Override { flag: "--listen", section: "hub", key: "listen", value: "127.0.0.1:1003".to_owned() };
    let key = ("CORECAST_AUTH__HMAC_KEY", KEY);
    let variable = ("CORECAST_HUB__LISTEN", "127.0.0.1:1002");
    for (has_file, has_env, has_flag, port) in [
        (false, false, false, 8080),
        (true, false, false, 1001),
        (true, true, false, 1002),
        (true, true, true, 1003),
    ] {
        let sources = Sources {
            file: has_file.then(|| file.0.clone()),
            env: if has_env { env(&[key, variable]) } else { env(&[key]) },
            flags: if has_flag { vec![flag.clone()] } else { vec![] },
        };
        assert_eq!(load(&sources, Purpose::Serve).unwrap().config.hub.listen.port(), port);
    }
}

#[test]
fn each_wrong_line_is_named_with_its_place_and_what_is_allowed() {
    for (text, expected) in [
        (
            "[limits]\nhead_timeout = \"0s\"",
            "corecast.toml:2: limits.head_timeout = \"0s\" is below the minimum 1s",
        ),
        (
            "[limits]\nhead_timeout = \"1h\"",
            "corecast.toml:2: limits.head_timeout = \"1h\" is above the maximum 5m",
        ),
        (
            "[limits]\nhead_timeout = 10",
            "corecast.toml:2: limits.head_timeout = 10 has no unit: write \"10s\" or \"10ms\"",
        ),
        (
            "[limits]\nhead_timeout = \"10\"",
            "corecast.toml:2: limits.head_timeout = \"10\" has no unit: write \"10s\" or \"10ms\"",
        ),
        (
            "[limits]\nhead_timeout = \"soon\"",
            "corecast.toml:2: limits.head_timeout = \"soon\" is not a duration from \"1s\" to \"5m\" (units ms, s, m, h, d)",
        ),
        (
            "\n\n[limits]\n\nper_usr = 1",
            "corecast.toml:5: unknown key limits.per_usr: the nearest is limits.per_user",
        ),
        (
            "[stream]\nper_user = 1",
            "corecast.toml:2: unknown key stream.per_user: the nearest is limits.per_user",
        ),
        ("[limit]\nper_user = 1", "corecast.toml:1: unknown section [limit]: the nearest is [limits]"),
        ("lisen = \"0.0.0.0:1\"", "corecast.toml:1: unknown key lisen: the nearest is hub.listen"),
        ("limits = 5", "corecast.toml:1: limits is a section: write [limits] and its settings below"),
        ("[limits]\nconnections = 0", "corecast.toml:2: limits.connections = 0 is below the minimum 1"),
        (
            "[limits]\nconnections = 99999999999",
            "corecast.toml:2: limits.connections = 99999999999 is above the maximum 16777216",
        ),
        (
            "[limits]\nconnections = -1",
            "corecast.toml:2: limits.connections = -1 is not a whole number from 1 to 16777216",
        ),
        (
            "[limits]\nconnections = 1.5",
            "corecast.toml:2: limits.connections = a float is not a whole number from 1 to 16777216",
        ),
        (
            "[limits]\nper_user_policy = \"newest\"",
            "corecast.toml:2: limits.per_user_policy = \"newest\" is not \"evict_oldest\" or \"reject_newest\"",
        ),
        (
            "[limits]\nhead_bytes = \"1KiB\"",
            "corecast.toml:2: limits.head_bytes = \"1KiB\" is below the minimum 8KiB",
        ),
        (
            "[limits]\nevent_bytes = \"64MB\"",
            "corecast.toml:2: limits.event_bytes = \"64MB\" is not a size from \"1KiB\" to \"16MiB\" (units KiB, MiB, GiB; bytes without a unit)",
        ),
        ("[hub]\nshards = 0", "corecast.toml:2: hub.shards = 0 is below the minimum 1"),
        (
            "[hub]\nshards = \"many\"",
            "corecast.toml:2: hub.shards = \"many\" is not \"auto\" or a whole number from 1 to 1024",
        ),
        (
            "[hub]\ndriver = \"epoll\"",
            "corecast.toml:2: hub.driver = \"epoll\" is not \"auto\", \"uring\" or \"monoio\"",
        ),
        ("[log]\nkind = \"tape\"", "corecast.toml:2: log.kind = \"tape\" is not \"memory\" or \"file\""),
        (
            "[log]\nids = \"many\"",
            "corecast.toml:2: log.ids = \"many\" is not a whole number from 0 to 1073741824",
        ),
        (
            "[hub]\nlisten = \"localhost\"",
            "corecast.toml:2: hub.listen = \"localhost\" is not an IP address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
        ),
        ("[history]\nevents = 0", "corecast.toml:2: history.events = 0 is below the minimum 1"),
        ("[auth]\nanonymous = \"yes\"", "corecast.toml:2: auth.anonymous = \"yes\" is not true or false"),
        (
            "[auth]\njwks_url = \"http://keys.example.com/\"",
            "corecast.toml:2: auth.jwks_url = \"http://keys.example.com/\" is not an https URL, or an http URL of a loopback address",
        ),
        (
            "[cors]\norigins = [\"https://a.example/\"]",
            "corecast.toml:2: cors.origins = [\"https://a.example/\"] has \"https://a.example/\", which is not \"*\" or scheme://host[:port] in lower case, without a path",
        ),
        ("[hub]\nlisten = \"127.0.0.1:80", "corecast.toml:2: invalid basic string, expected `\"`"),
    ] {
        assert_eq!(load_text(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn impossible_pairs_are_refused() {
    for (text, expected) in [
        (
            "[stream]\nheartbeat = \"30s\"",
            "corecast.toml:2: stream.heartbeat = \"30s\" must be shorter than stream.dead_peer = \"30s\"",
        ),
        (
            "[hub]\nlisten = \"0.0.0.0:9180\"",
            "corecast.toml:2: admin.listen = \"127.0.0.1:9180\" collides with hub.listen = \"0.0.0.0:9180\"",
        ),
        (
            "[history]\nbytes = \"64KiB\"\n[limits]\nevent_bytes = \"128KiB\"",
            "corecast.toml:4: history.bytes = \"64KiB\" must not be smaller than limits.event_bytes = 131072",
        ),
        (
            "[log]\nkind = \"file\"\nbytes = \"1MiB\"\n[limits]\nevent_bytes = \"2MiB\"",
            "corecast.toml:5: log.bytes = \"1MiB\" must not be smaller than limits.event_bytes = 2097152",
        ),
        (
            "[auth]\njwks_url = \"https://keys.example.com/\"\npublic_key_file = \"/nowhere/key.pem\"",
            "corecast.toml:3: auth.public_key_file and auth.jwks_url are both set: only one of them can be\n\
             corecast.toml:3: auth.public_key_file = \"/nowhere/key.pem\": cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(load_text(text).unwrap_err(), expected);
    }
    let both =
        load_text(&format!("[auth]\nhmac_key_file = \"{}\"", TempFile::new(KEY).0.display())).unwrap_err();
    assert!(both.contains("auth.hmac_key and auth.hmac_key_file are both set"), "{both}");
}

#[test]
fn an_idle_timeout_within_the_heartbeat_is_warned_of() {
    let file = TempFile::new("[stream]\nidle_timeout = \"15s\"\n");
    let env = env(&[("CORECAST_AUTH__HMAC_KEY", KEY)]);
    let loaded = load(&Sources { file: Some(file.0.clone()), env, flags: vec![] }, Purpose::Serve).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.text.as_str()).collect();
    assert!(
        matches!(warnings[..], [text] if text.contains("every quiet stream will be closed")),
        "{warnings:?}"
    );
}

#[test]
fn a_file_log_that_keeps_less_than_memory_is_warned_of() {
    for (text, is_warned) in [
        ("[log]\nkind = \"file\"\nbytes = \"32MiB\"", true),
        ("[log]\nkind = \"file\"\nage = \"30m\"", true),
        ("[log]\nkind = \"file\"", false),
        ("[log]\nbytes = \"32MiB\"", false),
    ] {
        let warnings = load_text(text).unwrap().warnings;
        assert_eq!(warnings.iter().any(|warning| warning.text.contains("[history]")), is_warned, "{text}");
    }
}

#[test]
fn listeners_overlap_only_where_linux_says_so() {
    for (hub, admin, is_refused) in [
        ("127.0.0.1:9000", "127.0.0.1:9000", true),
        ("0.0.0.0:9000", "127.0.0.1:9000", true),
        ("[::]:9000", "127.0.0.1:9000", true),
        ("[::]:9000", "[::1]:9000", true),
        ("0.0.0.0:9000", "[::1]:9000", false),
        ("127.0.0.1:9000", "127.0.0.2:9000", false),
        ("127.0.0.1:9000", "127.0.0.1:9001", false),
        ("127.0.0.1:0", "127.0.0.1:0", false),
    ] {
        let found = load_env(&[("CORECAST_HUB__LISTEN", hub), ("CORECAST_ADMIN__LISTEN", admin)]);
        assert_eq!(found.is_err(), is_refused, "{hub} {admin}");
    }
}

#[test]
fn all_errors_are_reported_at_once_from_top_to_bottom() {
    let found = load_text(
        "[stream]\nretry = \"1\"\nheartbeat = \"1d\"\n[limits]\nconections = 5\n[hub]\nshards = 0\n",
    );
    let lines: Vec<String> = found.unwrap_err().lines().map(str::to_owned).collect();
    let places: Vec<&str> = lines.iter().map(|line| line.split(": ").next().unwrap()).collect();
    // Unknown names come first: they are found before any value is judged.
    assert_eq!(places, ["corecast.toml:5", "corecast.toml:2", "corecast.toml:3", "corecast.toml:7"]);
}

#[test]
fn a_wrong_value_is_reported_even_where_it_is_overridden() {
    let file = TempFile::new("[hub]\nlisten = \"nowhere\"\n");
    let sources = Sources {
        file: Some(file.0.clone()),
        env: env(&[("CORECAST_AUTH__HMAC_KEY", KEY), ("CORECAST_HUB__LISTEN", "127.0.0.1:1")]),
        flags: vec![],
    };
    assert_eq!(load(&sources, Purpose::Serve).unwrap_err().0.len(), 1);
}

#[test]
fn the_environment_is_as_strict_as_the_file() {
    for (name, value, expected) in [
        (
            "CORECAST_LIMITS__PER_USR",
            "1",
            "unknown key CORECAST_LIMITS__PER_USR: the nearest is CORECAST_LIMITS__PER_USER",
        ),
        (
            "CORECAST_LIMITS__PER_USER",
            "two",
            "CORECAST_LIMITS__PER_USER: limits.per_user = \"two\" is not a whole number from 0 to 65535",
        ),
        (
            "CORECAST_STREAM__HEARTBEAT",
            "15",
            "CORECAST_STREAM__HEARTBEAT: stream.heartbeat = \"15\" has no unit: write \"15s\" or \"15ms\"",
        ),
        (
            "CORECAST_AUTH__ANONYMOUS",
            "1",
            "CORECAST_AUTH__ANONYMOUS: auth.anonymous = \"1\" is not true or false",
        ),
        (
            "CORECAST_AUTH__HMAC_KEY",
            "short",
            "CORECAST_AUTH__HMAC_KEY: auth.hmac_key = <set> has 5 bytes: at least 32 random bytes are needed",
        ),
    ] {
        assert_eq!(load_env(&[(name, value)]).unwrap_err(), expected);
    }
}

#[test]
fn the_environment_has_numbers_switches_and_lists_as_text() {
    let loaded = load_env(&[
        ("CORECAST_LIMITS__CONNECTIONS", "7"),
        ("CORECAST_LIMITS__EVENT_BYTES", "32KiB"),
        ("CORECAST_HUB__SHARDS", "2"),
        ("CORECAST_STREAM__MAX_AGE", "off"),
        ("CORECAST_AUTH__ANONYMOUS", "false"),
        ("CORECAST_CORS__ORIGINS", "https://a.example, http://localhost:3000"),
    ]);
    let config = loaded.unwrap().config;
    assert_eq!(config.limits.connections, 7);
    assert_eq!(config.limits.event_bytes, 32 << 10);
    assert_eq!(config.hub.shards, Some(2));
    assert_eq!(config.stream.max_age, None);
    assert!(!config.auth.anonymous);
    assert_eq!(config.cors.origins, ["https://a.example".into(), "http://localhost:3000".into()]);
}

#[test]
fn variables_of_others_are_left_alone() {
    let others =
        [("CORECAST_SERVICE_HOST", "10.0.0.1"), ("CORECAST_TOKEN", "x"), ("OTHER__KEY", "1"), ("PATH", "/")];
    assert!(load_env(&others).is_ok());
}

#[test]
fn serving_needs_a_key_and_signing_needs_a_shared_secret() {
    let none = Sources::default();
    let text = |purpose| load(&none, purpose).unwrap_err().to_string();
    assert_eq!(
        text(Purpose::Serve),
        "no key: set auth.hmac_key_file, auth.hmac_key, auth.public_key_file or auth.jwks_url"
    );
    assert_eq!(text(Purpose::Sign), "no key: set auth.hmac_key_file or auth.hmac_key");
    assert!(load(&none, Purpose::Dev).is_ok());
    let key_set = env(&[("CORECAST_AUTH__JWKS_URL", "https://keys.example.com/")]);
    let sources = Sources { env: key_set, ..Sources::default() };
    assert!(load(&sources, Purpose::Serve).is_ok());
    assert!(load(&sources, Purpose::Sign).is_err());
}

#[test]
fn an_unreadable_file_is_the_only_error() {
    let sources = Sources { file: Some(PathBuf::from("/nowhere/corecast.toml")), ..Sources::default() };
    let found = load(&sources, Purpose::Serve).unwrap_err().to_string();
    assert_eq!(found, "/nowhere/corecast.toml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    for (text, expected) in [
        ("[stream]\nheartbeat = \"26s\"", "stream.heartbeat = \"26s\" is above 25s"),
        ("[limits]\nevent_bytes = \"65KiB\"", "limits.event_bytes = 66560 is above 65536"),
        ("[limits]\nconnections = 10\nper_ip = 11", "limits.per_ip = 11 is above limits.connections = 10"),
    ] {
        let warnings = load_text(text).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{text}");
        let warning = warnings[0].to_string();
        assert!(warning.contains(expected) && warning.contains(".toml:"), "{warning}");
    }
}

#[test]
fn a_demo_stays_on_this_machine() {
    let config = load_env(&[]).unwrap().config;
    assert_eq!(config.hub.listen, "127.0.0.1:8080".parse().unwrap());
    assert!(config.auth.anonymous && config.stream.topics);
}

fn parse_file(text: &str) -> (usize, Vec<Problem>) {
    let mut problems = Vec::new();
    let given = file::parse(Path::new("corecast.toml"), text, &mut problems);
    (given.len(), problems)
}

proptest! {
    #[test]
    fn no_text_panics_the_file_reader(text in "\\PC{0,200}") {
        let _ = parse_file(&text);
    }

    #[test]
    fn no_value_panics_a_setting(row in 0..SETTINGS.len(), text in "\\PC{0,40}", number: i64) {
        let mut config = Config::blank();
        for raw in [
            value::Raw::Untyped(text.clone()),
            value::Raw::Text(text.clone()),
            value::Raw::List(vec![text]),
            value::Raw::Integer(Some(number)),
        ] {
            let before = config.clone();
            if SETTINGS[row].write(&mut config, &raw).is_err() {
                prop_assert_eq!(&before, &config);
            }
        }
    }

    #[test]
    fn what_a_setting_shows_it_reads(row in 0..SETTINGS.len(), seconds in 1..600_u64) {
        let setting = &SETTINGS[row];
        let mut config = Config::blank();
        let _ = setting.write(&mut config, &value::Raw::Untyped(format!("{seconds}s")));
        let _ = setting.write(&mut config, &value::Raw::Untyped(seconds.to_string()));
        if let Some(shown) = setting.read(&mut config).filter(|_| !setting.is_secret()) {
            let mut again = Config::blank();
            if setting.write(&mut again, &file::literal(&shown).unwrap()).is_ok() {
                prop_assert_eq!(setting.read(&mut again), Some(shown));
            }
        }
    }
}
