//! What we build on may be built on: licences and sources of every dependency, by the rules in `deny.toml`.
//!
//! The same rules as `cargo deny check licenses bans sources`, which takes longer to build than the hub. Not here:
//! known vulnerabilities, whose list is on the internet; `cargo deny check advisories` looks them up.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

/// Of a package that comes from a registry, as opposed to a repository (`git+`).
const FROM_A_REGISTRY: &str = "registry+";

fn rules() -> toml::Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deny.toml");
    std::fs::read_to_string(file).expect("deny.toml is in the root").parse().expect("deny.toml is TOML")
}

fn list(rules: &toml::Table, section: &str, key: &str) -> Vec<String> {
    let items = rules[section][key].as_array().unwrap_or_else(|| panic!("{section}.{key} is a list"));
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run where its tests run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let used: Vec<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .map(|nodes| nodes.iter().filter_map(|node| node["id"].as_str()).collect())
        .expect("metadata has what was resolved");
    let packages = metadata["packages"].as_array().expect("metadata has packages");
    packages.iter().filter(|p| p["id"].as_str().is_some_and(|id| used.contains(&id))).cloned().collect()
}

#[test]
fn every_licence_is_allowed() {
    let allowed = list(&rules(), "licenses", "allow");
    let packages = packages();
    assert!(packages.len() > 10, "{} packages", packages.len());
    for package in packages {
        let (name, text) = (&package["name"], package["license"].as_str().unwrap_or_default());
        let expression =
            Expression::parse_mode(text, ParseMode::LAX).unwrap_or_else(|e| panic!("{name}: {text:?}: {e}"));
        let is_allowed =
            expression.evaluate(|requirement| allowed.iter().any(|a| *a == requirement.to_string()));
        assert!(is_allowed, "{name}: {text:?} is not covered by deny.toml, licenses.allow");
    }
}

#[test]
fn every_dependency_comes_from_the_registry() {
    for package in packages() {
        let source = package["source"].as_str();
        assert!(source.is_none_or(|s| s.starts_with(FROM_A_REGISTRY)), "{}: {source:?}", package["name"]);
    }
}

#[test]
fn banned_crates_are_not_used() {
    let rules = rules();
    let bans = rules["bans"]["deny"].as_array().expect("bans.deny is a list");
    let banned: BTreeMap<&str, &str> = bans
        .iter()
        .filter_map(|ban| Some((ban.get("crate")?.as_str()?, ban.get("reason")?.as_str()?)))
        .collect();
    assert!(!banned.is_empty());
    for package in packages() {
        let name = package["name"].as_str().unwrap_or_default();
        assert_eq!(banned.get(name), None, "{name} is banned");
    }
}

#[test]
fn every_requirement_names_a_version() {
    for package in packages().iter().filter(|package| package["source"].is_null()) {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let is_ours = dependency["path"].is_string();
            assert!(is_ours || dependency["req"] != "*", "{}: {}", package["name"], dependency["name"]);
        }
    }
}
