//! The service as it is installed: units that systemd accepts and calls safe, files that are consistent with the hub and with
//! `docs/operations.md`, scripts that install and remove what they say.
//!
//! Not here: whether the units work. `scripts/test-package` boots a Debian for that.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use corecast::config::{schema, units::parse_duration};
use corecast_tests::binary;
use tempfile::TempDir;

/// Tenths of the exposure that `systemd-analyze security` may find; 10.0 is a service without any protection.
const EXPOSURE_MAX: &str = "--threshold=20";

/// What a hub may take to end beyond `drain.over`.
const STOP_SLACK: Duration = Duration::from_secs(15);

/// What a ring counts as locked memory (docs/operations.md, `memlock`).
const RING_LOCKED_KIB: u64 = 324;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in the workspace").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The values of a unit's lines `key=…`.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    let all = values(unit, key);
    assert_eq!(all.len(), 1, "{key}= should be there once: {all:?}");
    all[0]
}

/// A setting's default, without the quotes of TOML.
fn default_of(section: &str, key: &str) -> &'static str {
    let setting = schema::find(section, key).expect("there is such a setting");
    setting.default.expect("it has a default").trim_matches('"')
}

/// Both units in a folder, with the path of the binary that is tested: systemd looks whether it can be run.
fn units() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let binary = binary::corecast().to_str().expect("plain names");
    for name in ["corecast.service", "corecast.socket"] {
        let text = read(&format!("deploy/systemd/{name}")).replace("/usr/bin/corecast", binary);
        fs::write(folder.path().join(name), text).expect("the temporary folder can be written");
    }
    folder
}

fn systemd_analyze(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).current_dir(folder).env("SYSTEMD_UNIT_PATH", format!("{}:", folder.display()));
    command.output().expect("systemd-analyze is installed (Debian: systemd)")
}

#[track_caller]
fn assert_verified(folder: &Path) {
    let output = systemd_analyze(folder, &["verify", "--man=no", "./corecast.service", "./corecast.socket"]);
    // What is wrong is often only said: an unknown line is ignored, with success.
    assert!(output.status.success() && shown(&output).is_empty(), "{}", shown(&output));
}

#[test]
fn systemd_finds_no_fault_in_the_units() {
    assert_verified(units().path());
}

#[test]
fn the_service_is_little_exposed() {
    let folder = units();
    let output =
        systemd_analyze(folder.path(), &["security", "--offline=yes", EXPOSURE_MAX, "./corecast.service"]);
    assert!(output.status.success(), "{}", shown(&output));
}

#[test]
fn changes_that_the_guide_shows_are_accepted() {
    let guide = read("docs/operations.md");
    let snippets: Vec<&str> =
        guide.split("```ini\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(snippets.len() >= 3, "{snippets:?}");
    for snippet in snippets {
        let unit = snippet.lines().next().and_then(|line| line.strip_prefix("# systemctl edit "));
        let unit = match unit {
            Some("corecast") => "corecast.service",
            Some("corecast.socket") => "corecast.socket",
            other => panic!("the first line of a snippet says which unit it is for: {other:?}"),
        };
        let folder = units();
        let change = folder.path().join(format!("{unit}.d"));
        fs::create_dir(&change).unwrap();
        fs::write(change.join("change.conf"), snippet).unwrap();
        assert_verified(folder.path());
    }
}

#[test]
fn the_socket_is_where_the_hub_would_listen() {
    let socket = read("deploy/systemd/corecast.socket");
    let listen = default_of("hub", "listen");
    assert_eq!(value(&socket, "ListenStream"), listen);
    assert!(read("deploy/corecast.toml").contains(&format!("listen = \"{listen}\"")));
    assert_eq!(value(&socket, "FileDescriptorName"), "hub");
}

#[test]
fn a_stop_has_time_for_the_drain() {
    let stop = parse_duration(value(&read("deploy/systemd/corecast.service"), "TimeoutStopSec")).unwrap();
    assert!(stop > parse_duration(default_of("drain", "over")).unwrap() + STOP_SLACK, "{stop:?}");
}

#[test]
fn the_guide_says_what_the_limits_of_the_unit_are_good_for() {
    let (unit, guide) = (read("deploy/systemd/corecast.service"), read("docs/operations.md"));
    let locked = value(&unit, "LimitMEMLOCK");
    let mib: u64 = locked.strip_suffix('M').and_then(|mib| mib.parse().ok()).expect("in MiB");
    let shards = mib * 1024 / RING_LOCKED_KIB / 2;
    assert!(
        unit.contains(&format!("enough for {shards} shards"))
            && guide.contains(&format!("than {shards} shards"))
    );
    for key in
        ["LimitNOFILE", "LimitMEMLOCK", "TimeoutStopSec", "TimeoutStartSec", "WatchdogSec", "ProtectHome"]
    {
        let row = format!("| `{key}=` | {} |", value(&unit, key));
        assert!(guide.contains(&row), "docs/operations.md lacks the row {row:?}");
    }
}

#[test]
fn system_calls_of_io_uring_are_allowed_by_name() {
    let unit = read("deploy/systemd/corecast.service");
    let allowed: Vec<&str> =
        values(&unit, "SystemCallFilter").iter().flat_map(|line| line.split(' ')).collect();
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register", "sched_setaffinity"] {
        assert!(allowed.contains(&call), "{call} is not in {allowed:?}");
    }
}

#[test]
fn kernel_settings_of_the_guide_are_the_files() {
    let settings = |text: &str| -> BTreeSet<String> {
        text.lines().map(str::to_owned).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    };
    let guide = read("docs/operations.md");
    let block = guide.split("```sysctl\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let files = read("deploy/sysctl/60-corecast.conf") + &read("deploy/sysctl/million.conf");
    assert_eq!(settings(block), settings(&files));
}

#[test]
fn settings_that_the_guide_names_exist() {
    let guide = read("docs/operations.md");
    let sections: Vec<&str> = schema::sections().collect();
    let mut found = 0;
    for word in guide.split('`').skip(1).step_by(2) {
        let name = word.split([' ', '=']).next().unwrap_or_default();
        let Some((section, key)) = name.split_once('.') else { continue };
        // Such as a unit's name, or a page's.
        let is_setting =
            sections.contains(&section) && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_setting && !["md", "toml"].contains(&key) {
            assert!(
                schema::find(section, key).is_some(),
                "docs/operations.md names {name}, which is no setting"
            );
            found += 1;
        }
    }
    assert!(found > 10, "the guide names only {found} settings");
}

#[test]
fn files_that_the_pages_link_to_are_installed_with_them() {
    let to = destination();
    install(to.path(), &[]);
    let documents = to.path().join("usr/local/share/doc/corecast");
    let manifest = read("server/Cargo.toml");
    let mut found = 0;
    for page in fs::read_dir(documents.join("docs")).expect("the pages are installed") {
        let text = fs::read_to_string(page.expect("our own folder").path()).expect("a page is text");
        for link in text.split("](../").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            assert!(documents.join(link).exists(), "{link} is not installed");
            let folder = link.rsplit_once('/').map_or(link, |(folder, _)| folder);
            assert!(
                manifest.contains(&format!("usr/share/doc/corecast/{folder}/")),
                "the package lacks {link}"
            );
            found += 1;
        }
    }
    assert!(found >= 6, "the pages link to {found} files only");
}

#[test]
fn the_configuration_that_is_installed_is_good_and_holds_no_secret() {
    let text = read("deploy/corecast.toml");
    assert!(text.lines().all(|line| !line.starts_with("hmac_key =")), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    fs::write(&key, "0123456789abcdef".repeat(4)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let output = Command::new(binary::corecast())
        .args(["config", "check", "--config"])
        .arg(root().join("deploy/corecast.toml"))
        .env("CORECAST_AUTH__HMAC_KEY_FILE", &key)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", shown(&output));
}

#[test]
fn what_the_package_holds_is_there() {
    let manifest: toml::Table = read("server/Cargo.toml").parse().expect("TOML");
    let deb = &manifest["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().expect("a list");
    for source in assets.iter().filter_map(|asset| asset[0].as_str()?.strip_prefix("../")) {
        let folder = source.strip_suffix("/*").or(source.strip_suffix("/*.md")).unwrap_or(source);
        assert!(root().join(folder).exists(), "the package's {source} does not exist");
    }
    for script in ["postinst", "prerm", "postrm"] {
        let path = root().join("deploy/debian").join(script);
        let checked = Command::new("sh").arg("-n").arg(&path).status().expect("a shell");
        assert!(checked.success(), "{script}");
        // There the starting and stopping of the units goes.
        assert!(read(&format!("deploy/debian/{script}")).contains("\n#DEBHELPER#\n"), "{script}");
    }
}

/// A folder to install below, with the files that systemd-sysusers wants.
fn destination() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("etc")).expect("the temporary folder can be written");
    folder
}

/// Runs a script below `to`.
fn run(script: &str, to: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(root().join("scripts").join(script));
    command.args(arguments).env("DESTDIR", to).output().expect("the script can be run")
}

fn install(to: &Path, arguments: &[&str]) {
    let binary = binary::corecast().to_str().expect("plain names");
    let output = run("install", to, &[&["--binary", binary], arguments].concat());
    assert!(output.status.success(), "{}", shown(&output));
}

/// The files below `folder` but those of the user database, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("our own folder") {
            let path = entry.expect("our own folder").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).expect("below it").display().to_string());
            }
        }
    }
    let databases = ["passwd", "group", "shadow", "gshadow", ".pwd.lock"];
    found.retain(|path| {
        path.strip_prefix("etc/").is_none_or(|name| !databases.contains(&name.trim_end_matches('-')))
    });
    found
}

#[test]
fn an_installation_has_a_key_for_its_group_alone_and_units_that_find_it() {
    let to = destination();
    install(to.path(), &["--prefix", "/opt/corecast"]);
    let key = fs::metadata(to.path().join("etc/corecast/hmac.key")).unwrap();
    assert_eq!((key.mode() & 0o7777, key.uid(), key.size()), (0o640, 0, 64));
    let groups = fs::read_to_string(to.path().join("etc/group")).unwrap();
    assert!(groups.contains(&format!("corecast:x:{}:", key.gid())), "{groups}");
    let unit = fs::read_to_string(to.path().join("usr/local/lib/systemd/system/corecast.service")).unwrap();
    assert!(value(&unit, "ExecStart").starts_with("/opt/corecast/bin/corecast serve "), "{unit}");
    assert!(to.path().join("opt/corecast/bin/corecast").exists());
    assert!(!unit.contains("/usr/bin/corecast") && !unit.contains("/usr/share/doc"), "{unit}");
}

#[test]
fn a_second_installation_keeps_what_was_set() {
    let to = destination();
    install(to.path(), &[]);
    let (config, key) =
        (to.path().join("etc/corecast/corecast.toml"), to.path().join("etc/corecast/hmac.key"));
    fs::write(&config, "# mine\n").unwrap();
    let (made, before) = (fs::read(&key).unwrap(), files(to.path()));
    install(to.path(), &[]);
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    assert_eq!(fs::read(&key).unwrap(), made);
    assert_eq!(files(to.path()), before);
}

#[test]
fn an_uninstallation_takes_what_was_installed_and_nothing_else() {
    let to = destination();
    install(to.path(), &[]);
    let mine = to.path().join("usr/local/bin/mine");
    fs::write(&mine, "").unwrap();
    let output = run("uninstall", to.path(), &[]);
    assert!(output.status.success(), "{}", shown(&output));
    let left = ["etc/corecast/corecast.toml", "etc/corecast/hmac.key", "usr/local/bin/mine"];
    assert_eq!(files(to.path()), left.map(str::to_owned).into());

    let output = run("uninstall", to.path(), &[]);
    assert!(!output.status.success() && shown(&output).contains("nothing of ours"), "{}", shown(&output));
    let output = run("uninstall", to.path(), &["--purge"]);
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(files(to.path()), ["usr/local/bin/mine".to_owned()].into());
    let users = fs::read_to_string(to.path().join("etc/passwd")).unwrap();
    assert!(!users.contains("corecast"), "{users}");
}

#[test]
fn an_unknown_option_changes_nothing() {
    for (script, wrong) in [("install", "--prefx"), ("uninstall", "--prge"), ("install", "/usr")] {
        let to = destination();
        let output = run(script, to.path(), &[wrong, "/usr"]);
        assert!(!output.status.success() && shown(&output).contains(wrong), "{}", shown(&output));
        assert_eq!(files(to.path()), BTreeSet::new());
    }
}
