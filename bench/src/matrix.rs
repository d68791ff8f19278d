//! Which scenarios a comparison runs, with which settings, on which targets.
//!
//! Not here: how each is run (`measure`).

use crate::figures::Setting;
use crate::scenario::{Effort, Scenario, by_name};

/// One setting of one scenario, on several targets.
#[derive(Clone, Debug)]
pub struct Part {
    pub scenario: &'static Scenario,
    pub setting: Setting,
    /// Names of targets, in the order of measuring.
    pub targets: Vec<String>,
}

/// How much is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// For documents: hours.
    Full,
    /// Some quarter of an hour.
    Quick,
    /// Less than one: whether everything works.
    Smoke,
}

impl Extent {
    /// How long each of its windows is.
    #[must_use]
    pub fn effort(self) -> Effort {
        match self {
            Self::Full => Effort::FULL,
            Self::Quick => Effort::QUICK,
            Self::Smoke => Effort::SMOKE,
        }
    }

    fn pick<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Smoke => smoke,
        }
    }
}

/// Subscribers where everything works but nothing is measured.
const SMOKE_CONNECTIONS: u32 = 300;

/// The parts of `extent` with these `scenarios` and `targets`; a part that is left with no target is left out.
#[must_use]
pub fn parts(extent: Extent, scenarios: &[String], targets: &[String]) -> Vec<Part> {
    let effort = extent.effort();
    let named = scenarios.iter().filter_map(|name| by_name(name));
    let settings = named.flat_map(|scenario| {
        settings(extent, scenario.name, &(scenario.defaults)(&effort))
            .into_iter()
            .map(move |setting| (scenario, setting))
    });
    let parts = settings.map(|(scenario, setting)| Part {
        scenario,
        setting: small(extent, setting),
        targets: targets.iter().filter(|target| is_asked(scenario.name, target)).cloned().collect(),
    });
    parts.filter(|part| !part.targets.is_empty()).collect()
}

/// Whether a target says something in a scenario. Bare loops have no features, but show what idling and sending cost; a
/// reader that stalls stops them for all, so `slow` is not for them. What a log on disk costs is asked where it is written and
/// read, and in `fanout`, where it should cost nothing; as should a scrape a second. The drivers differ in sends, in what an idle
/// stream takes, and in how fast a herd is let in.
fn is_asked(scenario: &str, target: &str) -> bool {
    match (scenario, target) {
        ("durable", _) => {
            ["corecast", "corecast-file", "limit", "durable-streams-wal"].contains(&target)
                || is_of_disks(target)
        }
        (_, "durable-streams-wal") => false,
        (_, target) if is_of_disks(target) => false,
        (_, "corecast-file") => ["fanout", "resume"].contains(&scenario),
        (_, "corecast-scraped") => scenario == "fanout",
        (_, "corecast-monoio" | "corecast-epoll") => ["fanout", "hold", "storm"].contains(&scenario),
        ("limit", _) => target.starts_with("limit"),
        ("scale", _) => ["corecast", "limit"].contains(&target),
        ("resume", "axum" | "pushpin") => false,
        (_, "limit-joined" | "limit-send") => scenario == "fanout",
        (_, "limit") => ["fanout", "rate", "hold"].contains(&scenario),
        _ => true,
    }
}

/// What writes to disks and serves no streams.
fn is_of_disks(target: &str) -> bool {
    ["device", "device-reserved", "nats", "redis"].contains(&target)
}

fn settings(extent: Extent, scenario: &str, defaults: &Setting) -> Vec<Setting> {
    let with = |change: &dyn Fn(&mut Setting)| {
        let mut setting = defaults.clone();
        change(&mut setting);
        setting
    };
    match scenario {
        "limit" | "fanout" => {
            let sizes: &[u32] = extent.pick(&[128, 1024, 4096], &[128], &[4096]);
            let windows: &[u32] = extent.pick(&[1, 4, 16, 64], &[1, 16, 64], &[1, 16]);
            let each = |&bytes: &u32| {
                windows
                    .iter()
                    .map(move |&count| with(&|s| (s.event_bytes, s.outstanding) = (Some(bytes), Some(count))))
            };
            sizes.iter().flat_map(each).collect()
        }
        "rate" => {
            let rates: &[f64] = extent.pick(&[1.0, 5.0, 15.0, 30.0, 50.0], &[15.0], &[20.0]);
            rates.iter().map(|&rate| with(&|s| s.events_per_second = Some(rate))).collect()
        }
        "users" => users(extent, defaults),
        "slow" => {
            let percents: &[u32] = extent.pick(&[0, 5, 10], &[0, 10], &[10]);
            percents.iter().map(|&percent| with(&|s| s.stalled_percent = Some(percent))).collect()
        }
        "storm" => modes(defaults, &["resume", "live"]),
        "publish" => modes(defaults, &["single", "pipelined", "ndjson"]),
        "durable" => {
            let counts: &[u32] = extent.pick(&[1, 16, 256], &[1, 16, 256], &[1, 16]);
            counts.iter().map(|&count| with(&|s| s.publishers = Some(count))).collect()
        }
        "resume" => {
            let counts: &[u32] = extent.pick(&[1_000, 10_000], &[1_000, 10_000], &[SMOKE_CONNECTIONS]);
            let ways: &[&str] = extent.pick(&["together", "apart"], &["together"], &["together", "apart"]);
            let each = |&count: &u32| {
                modes(defaults, ways).into_iter().map(move |way| Setting { connections: count, ..way })
            };
            counts.iter().flat_map(each).collect()
        }
        _ => vec![defaults.clone()],
    }
}

fn modes(defaults: &Setting, modes: &[&str]) -> Vec<Setting> {
    let with = |mode: &&str| Setting { mode: Some((*mode).to_owned()), ..defaults.clone() };
    modes.iter().map(with).collect()
}

/// As fast as it goes, by each way of writing, and at fixed rates, where neither way nor window means anything.
fn users(extent: Extent, defaults: &Setting) -> Vec<Setting> {
    let rates: &[f64] = extent.pick(&[1_000.0, 10_000.0], &[10_000.0], &[500.0]);
    let at = |&rate: &f64| Setting {
        events_per_second: Some(rate),
        outstanding: None,
        mode: None,
        ..defaults.clone()
    };
    modes(defaults, &["pipelined", "ndjson"]).into_iter().chain(rates.iter().map(at)).collect()
}

fn small(extent: Extent, mut setting: Setting) -> Setting {
    if extent == Extent::Smoke {
        setting.connections = setting.connections.min(SMOKE_CONNECTIONS);
    }
    setting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn all_scenarios() -> Vec<String> {
        scenario::ALL.iter().map(|scenario| scenario.name.to_owned()).collect()
    }

    #[test]
    fn every_scenario_has_a_part_in_every_extent() {
        for extent in [Extent::Full, Extent::Quick, Extent::Smoke] {
            let parts = parts(extent, &all_scenarios(), &names(&["corecast", "limit"]));
            for scenario in &scenario::ALL {
                let has_part = parts.iter().any(|part| part.scenario.name == scenario.name);
                assert!(has_part, "{extent:?} has no {}", scenario.name);
            }
        }
    }

    #[test]
    fn no_two_parts_are_the_same() {
        for extent in [Extent::Full, Extent::Quick, Extent::Smoke] {
            let parts = parts(extent, &all_scenarios(), &names(&["corecast", "limit"]));
            for (index, part) in parts.iter().enumerate() {
                let is_again =
                    |other: &Part| other.scenario.name == part.scenario.name && other.setting == part.setting;
                assert!(!parts[..index].iter().any(is_again), "{extent:?}: {part:?}");
            }
        }
    }

    #[test]
    fn only_what_was_asked_for_is_measured() {
        let parts = parts(Extent::Quick, &names(&["fanout", "scale"]), &names(&["axum", "limit-joined"]));
        assert!(parts.iter().all(|part| part.scenario.name == "fanout"), "scale is of neither target");
        assert!(parts.iter().all(|part| part.targets == ["axum", "limit-joined"]));
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn disks_are_measured_by_what_writes_to_them() {
        let targets = names(&["corecast-file", "device", "device-reserved", "nats", "redis"]);
        let parts = parts(Extent::Quick, &all_scenarios(), &targets);
        for part in &parts {
            let expected = match part.scenario.name {
                "durable" => &targets[..],
                "fanout" | "resume" => &targets[..1],
                other => panic!("{other} has {:?}", part.targets),
            };
            assert_eq!(part.targets, expected, "{}", part.scenario.name);
        }
        assert!(parts.iter().any(|part| part.scenario.name == "durable"));
    }

    #[test]
    fn a_smoke_has_few_connections() {
        let parts = parts(Extent::Smoke, &all_scenarios(), &names(&["corecast"]));
        assert!(parts.iter().all(|part| part.setting.connections <= SMOKE_CONNECTIONS));
    }
}
