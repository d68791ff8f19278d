//! The alert rules say what they mean: each fires when it should and not before, and the page explains each.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use corecast_tests::prometheus;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn promtool(arguments: &[&str]) {
    let folder = prometheus::rules().parent().expect("a file is in a folder").to_owned();
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|e| panic!("promtool: {e}; scripts/test installs it"));
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
}

/// Each alert with severity and team, as the rules have them.
fn alerts() -> BTreeMap<String, (String, String)> {
    let rules = read("deploy/prometheus/corecast.rules.yml");
    let alerts: BTreeMap<_, _> = rules
        .split("- alert: ")
        .skip(1)
        .map(|rule| {
            let name = rule.lines().next().unwrap_or_default().to_owned();
            let labels =
                rule.split("labels: {severity: ").nth(1).unwrap_or_else(|| panic!("{name} has no labels"));
            let (severity, rest) =
                labels.split_once(", team: ").unwrap_or_else(|| panic!("{name} has no team"));
            (name, (severity.to_owned(), rest.split('}').next().unwrap_or_default().to_owned()))
        })
        .collect();
    assert!(alerts.len() > 20, "only {} alerts were found", alerts.len());
    alerts
}

#[test]
fn the_rules_are_what_prometheus_takes() {
    promtool(&["check", "rules", "corecast.rules.yml"]);
}

#[test]
fn every_alert_fires_when_it_should_and_not_before() {
    promtool(&["test", "rules", "corecast.rules.test.yml"]);
}

#[test]
fn every_alert_has_a_case_that_fires_one_that_does_not_and_a_hub_that_is_well() {
    let cases = read("deploy/prometheus/corecast.rules.test.yml");
    for name in alerts().keys() {
        let case = cases.split("\n  - name: ").find(|case| case.lines().next() == Some(name));
        let case = case.unwrap_or_else(|| panic!("{name} has no case"));
        assert!(
            case.contains(&format!("{{alertname: {name}, eval_time: ")),
            "{name}: when does it not fire?"
        );
        assert!(case.contains("exp_labels: {"), "{name}: when does it fire?");
        let well = format!("{{alertname: {name}, eval_time: 24h30m}}");
        assert!(cases.contains(&well), "{name}: is it silent on a hub that is well?");
    }
}

#[test]
fn the_page_explains_every_alert_and_no_other() {
    let page = read("docs/alerts.md");
    let explained: BTreeMap<_, _> = page
        .split("\n### ")
        .skip(1)
        .map(|section| {
            let mut lines = section.lines().filter(|line| !line.is_empty());
            let (name, first) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
            let who = first.split_once(". ").unwrap_or_else(|| panic!("{name}: {first}")).0;
            let (severity, team) = who.split_once(", team ").unwrap_or_else(|| panic!("{name}: {who}"));
            for part in ["\nLook", "Do: "] {
                assert!(
                    section.contains(part) || section.contains("Look and do: "),
                    "{name} has no {part:?}"
                );
            }
            (name.to_owned(), (severity.trim_matches('`').to_owned(), team.to_owned()))
        })
        .collect();
    assert_eq!(explained, alerts());
}

#[test]
fn every_alert_points_at_its_section() {
    let rules = read("deploy/prometheus/corecast.rules.yml");
    for name in alerts().keys() {
        let anchor = format!("runbook: docs/alerts.md#{}\n", name.to_lowercase());
        assert!(rules.contains(&anchor), "{name}");
    }
}
