//! What the checks came to: findings with their verdicts and remedies, and the ceiling that is the lowest.
//!
//! The names of checks, fields and verdicts are stable: scripts read them (`docs/operations.md`).

use serde::Serialize;

use super::figures::as_ceiling;

/// Whether something stands in the hub's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// It will hurt under some load, or could not be found out.
    Warn,
    /// It keeps the hub from starting, or from `limits.connections`.
    Fail,
}

impl Verdict {
    /// As it is printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// Where a line of a remedy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Place {
    /// Run as root; gone with the next boot.
    #[serde(rename = "shell")]
    Shell,
    /// Stays over boots.
    #[serde(rename = "/etc/sysctl.d/60-corecast.conf")]
    Sysctl,
    /// The service's unit, or `systemctl edit corecast`.
    #[serde(rename = "[Service]")]
    Unit,
    /// The hub's own configuration.
    #[serde(rename = "corecast.toml")]
    Config,
    /// What the kernel is booted with.
    #[serde(rename = "kernel command line")]
    Boot,
    /// No command: what a person has to do.
    #[serde(rename = "by hand")]
    Hand,
}

/// One line that raises a ceiling or settles a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where it goes.
    pub place: Place,
    /// The line itself, to be copied.
    pub line: String,
}

impl Step {
    pub(super) fn new(place: Place, line: impl Into<String>) -> Self {
        Self { place, line: line.into() }
    }
}

/// A kernel setting, now and over boots.
pub(super) fn sysctl(key: &str, value: &str) -> Vec<Step> {
    let quoted = if value.contains(' ') { format!("\"{value}\"") } else { value.to_owned() };
    vec![
        Step::new(Place::Shell, format!("sysctl -w {key}={quoted}")),
        Step::new(Place::Sysctl, format!("{key} = {value}")),
    ]
}

/// What a check found, before it has a name.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    found: String,
    verdict: Verdict,
    ceiling: Option<u64>,
    meaning: &'static str,
    remedy: Vec<Step>,
}

impl Finding {
    /// Something found, and in a sentence what it means for the hub.
    pub(super) fn new(found: impl Into<String>, meaning: &'static str) -> Self {
        Self { found: found.into(), verdict: Verdict::Ok, ceiling: None, meaning, remedy: Vec::new() }
    }

    /// Is no better than `verdict` if `holds`.
    pub(super) fn at_least(mut self, verdict: Verdict, holds: bool) -> Self {
        if holds {
            self.verdict = self.verdict.max(verdict);
        }
        self
    }

    /// Bounds the connections, and fails if that is below what is `wanted`.
    pub(super) fn bound(mut self, connections: u64, wanted: u64) -> Self {
        self.ceiling = as_ceiling(connections);
        self.at_least(Verdict::Fail, connections < wanted)
    }

    /// Whether nothing stands in the way.
    pub(super) fn is_usable(&self) -> bool {
        self.verdict < Verdict::Fail
    }

    /// What raises the ceiling, or settles the warning.
    pub(super) fn remedy(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.remedy.extend(steps);
        self
    }
}

/// One row of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Stable, for scripts.
    pub name: &'static str,
    /// For people: the name that the kernel or systemd has for it, where there is one.
    pub title: &'static str,
    /// What was found.
    pub found: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// The most connections that a hub could hold because of it; `None` where it sets no bound.
    pub ceiling: Option<u64>,
    /// What it means for a hub.
    pub meaning: &'static str,
    /// Lines that raise it.
    pub remedy: Vec<Step>,
}

impl Check {
    pub(super) fn named(name: &'static str, title: &'static str, finding: Finding) -> Self {
        let Finding { found, verdict, ceiling, meaning, remedy } = finding;
        Self { name, title, found, verdict, ceiling, meaning, remedy }
    }
}

/// The lowest ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ceiling {
    /// Connections.
    pub connections: u64,
    /// The name of the check that sets it.
    pub check: &'static str,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Of the program.
    pub version: &'static str,
    /// `limits.connections`, which the verdicts are about.
    pub connections: u32,
    /// `hub.shards`, or how many it would be.
    pub shards: u32,
    /// The worst of all checks.
    pub verdict: Verdict,
    /// The lowest of all ceilings, if any check sets one.
    pub ceiling: Option<Ceiling>,
    /// In the order in which they are shown.
    pub checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(connections: u32, shards: u32, checks: Vec<Check>) -> Self {
        let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
        let ceilings = checks
            .iter()
            .filter_map(|check| Some(Ceiling { connections: check.ceiling?, check: check.name }));
        let ceiling = ceilings.min_by_key(|ceiling| ceiling.connections);
        Self { version: env!("CARGO_PKG_VERSION"), connections, shards, verdict, ceiling, checks }
    }

    /// The check that sets the lowest ceiling.
    #[must_use]
    pub fn lowest(&self) -> Option<&Check> {
        let ceiling = self.ceiling?;
        self.checks.iter().find(|check| check.name == ceiling.check)
    }

    /// How many checks failed.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.checks.iter().filter(|check| check.verdict == Verdict::Fail).count()
    }
}
