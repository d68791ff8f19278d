//! What a reload makes of two configurations. That everything follows is shown with the real binary.

use super::*;
use crate::config::{Override, Purpose, Sources, load};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn loaded(settings: &[(&'static str, &'static str, &str)]) -> Loaded {
    let row = |&(section, key, value): &(&'static str, &'static str, &str)| Override {
        flag: "--set",
        section,
        key,
        value: value.to_owned(),
    };
    let mut flags = vec![row(&("auth", "hmac_key", KEY))];
    flags.extend(settings.iter().map(row));
    load(&Sources { flags, ..Sources::default() }, Purpose::Serve).unwrap()
}

fn names(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| &*change.setting).collect()
}

#[test]
fn what_can_change_does_and_the_rest_stays() {
    let old = loaded(&[("limits", "per_user", "3")]);
    let mut new = loaded(&[
        ("limits", "per_user", "5"),
        ("hub", "shards", "7"),
        ("logging", "format", "json"),
        ("stream", "heartbeat", "off"),
    ]);
    let report = compare(&old, &mut new, ChangedFiles::default(), 10_000);
    let per_user = Change { setting: "limits.per_user".into(), from: "3".into(), to: "5".into() };
    assert_eq!(report.applied[0], per_user);
    assert_eq!(names(&report.applied), ["limits.per_user", "stream.heartbeat"]);
    assert_eq!(names(&report.needs_restart), ["hub.shards", "logging.format"]);
    assert_eq!((new.config.hub, new.config.logging), (old.config.hub.clone(), old.config.logging.clone()));
    assert_eq!((new.config.limits.per_user, new.config.stream.heartbeat), (5, None));
}

#[test]
fn the_same_configuration_changes_nothing() {
    let (old, mut new) = (loaded(&[]), loaded(&[]));
    assert_eq!(compare(&old, &mut new, ChangedFiles::default(), 10_000), ReloadReport::default());
}

#[test]
fn connections_change_within_what_tables_were_made_for() {
    let old = loaded(&[("limits", "connections", "100")]);
    for (wanted, fits) in [("50", true), ("200", true), ("201", false)] {
        let mut new = loaded(&[("limits", "connections", wanted)]);
        let report = compare(&old, &mut new, ChangedFiles::default(), 200);
        assert_eq!((report.applied.len(), report.needs_restart.len()), (fits.into(), (!fits).into()));
        assert_eq!(new.config.limits.connections.to_string(), if fits { wanted } else { "100" });
    }
}

#[test]
fn a_secret_that_changes_is_told_and_not_shown() {
    let old = loaded(&[]);
    let mut new = loaded(&[("auth", "hmac_key", "another key of thirty-two bytes or more")]);
    let report = compare(&old, &mut new, ChangedFiles { secret: true, ..ChangedFiles::default() }, 10_000);
    let change = Change { setting: "auth.hmac_key".into(), from: "<set>".into(), to: "<set>".into() };
    assert_eq!(report.applied, [change]);
}

#[test]
fn an_admin_token_with_other_content_needs_a_restart() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, KEY.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let old = loaded(&[("admin", "token_file", path)]);
    let files = ChangedFiles { admin_token: true, ..ChangedFiles::default() };
    let report = compare(&old, &mut old.clone(), files, 10_000);
    let from = format!("\"{path}\"");
    let to = format!("{from} with other content");
    assert_eq!(report.needs_restart, [Change { setting: "admin.token_file".into(), from, to }]);
    assert_eq!(report.applied, []);
    // One that is set as such is told by its setting.
    let old = loaded(&[("admin", "token", KEY)]);
    let mut new = loaded(&[("admin", "token", "fedcba9876543210fedcba9876543210")]);
    let report = compare(&old, &mut new, files, 10_000);
    let change = Change { setting: "admin.token".into(), from: "<set>".into(), to: "<set>".into() };
    assert_eq!(report.needs_restart, [change]);
}

#[test]
fn every_setting_that_needs_a_restart_is_put_back() {
    let old = loaded(&[]);
    let mut token = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut token, b"0123456789abcdef0123456789abcdef").unwrap();
    for setting in SETTINGS.iter().filter(|setting| setting.reload == Reload::NeedsRestart) {
        let value = match (setting.section, setting.key) {
            (_, "listen") => "127.0.0.1:1",
            (_, "shards") => "3",
            (_, "driver") => "uring",
            ("log", "kind") => "file",
            ("log", "path") => "/elsewhere",
            (_, "format") => "json",
            (_, "token") => "0123456789abcdef0123456789abcdef",
            (_, "token_file") => token.path().to_str().unwrap(),
            (section, key) => panic!("{section}.{key} needs a value here"),
        };
        let mut new = loaded(&[(setting.section, setting.key, value)]);
        let report = compare(&old, &mut new, ChangedFiles::default(), 10_000);
        assert_eq!(names(&report.needs_restart), [setting.name()]);
        assert_eq!(new.config, old.config, "{}", setting.name());
    }
}
