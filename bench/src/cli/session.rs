//! What every measuring command does: find its targets, measure part by part, say how far it is.
//!
//! Not here: what becomes of the results.

use anyhow::Context;
use time::OffsetDateTime;

use crate::cli::Cores;
use crate::figures::{Machine, Outcome, Results};
use crate::machine;
use crate::matrix::{Extent, Part};
use crate::measure::{Ran, measure, measurement};
use crate::scenario::Bench;
use crate::target::{Options, Target, by_name};

/// Targets that are there, and the results so far.
pub(super) struct Session {
    targets: Vec<Box<dyn Target>>,
    bench: Bench,
    extent: Extent,
    runs: u32,
    pub(super) results: Results,
}

impl Session {
    /// Checks the machine and that each of `names` is installed.
    pub(super) fn open(
        names: &[String],
        options: &Options,
        cores: &Cores,
        extent: Extent,
        runs: u32,
    ) -> anyhow::Result<Self> {
        machine::prepare(cores.server_core, cores.load_core)?;
        let mut results = Results {
            machine: Machine::this()?,
            command: std::env::args()
                .skip(1)
                .fold("corecast-bench".to_owned(), |line, word| line + " " + &word),
            begun: begun(OffsetDateTime::now_utc()),
            versions: std::collections::BTreeMap::new(),
            file_system: options.disk()?.file_system,
            measurements: Vec::new(),
        };
        let mut targets = Vec::new();
        for name in names {
            let target = by_name(name, options).with_context(|| format!("{name} is no target"))?;
            let version = target.version().with_context(|| format!("{name} cannot be measured"))?;
            results.versions.insert(name.clone(), version);
            targets.push(target);
        }
        let bench = Bench::new(cores.server_core, cores.load_core, extent.effort());
        Ok(Self { targets, bench, extent, runs, results })
    }

    /// Measures `part` and adds it to the results.
    pub(super) fn measure(&mut self, part: &Part) {
        let targets: Vec<&dyn Target> = self
            .targets
            .iter()
            .map(AsRef::as_ref)
            .filter(|target| part.targets.iter().any(|name| name == target.name()))
            .collect();
        let outcomes = measure(part.scenario, &part.setting, &targets, self.runs, &self.bench, |ran| {
            eprintln!("{}", progress(part, ran, self.runs));
        });
        for (target, outcome) in targets.iter().zip(outcomes) {
            self.results.measurements.push(measurement(
                part.scenario,
                target.name(),
                &part.setting,
                self.runs,
                self.extent,
                outcome,
            ));
        }
    }

    /// What failed on corecast and the bare loops. Others may fail, for instance by losing whoever falls behind while much is
    /// published: that is a result.
    pub(super) fn our_failures(&self) -> Vec<String> {
        let ours = [" on corecast", " on limit", " on device"];
        let is_ours = |failure: &String| ours.iter().any(|name| failure.contains(name));
        self.failures().into_iter().filter(is_ours).collect()
    }

    /// What failed, as `SCENARIO on TARGET: reason`.
    pub(super) fn failures(&self) -> Vec<String> {
        let failure = |m: &crate::figures::Measurement| match &m.outcome {
            Outcome::Failed(reason) => Some(format!("{} on {}: {reason}", m.scenario, m.target)),
            Outcome::Measured(_) | Outcome::Unable(_) => None,
        };
        self.results.measurements.iter().filter_map(failure).collect()
    }
}

/// One line for each run.
fn progress(part: &Part, ran: &Ran<'_>, runs: u32) -> String {
    let how = match ran.outcome {
        Outcome::Measured(_) => String::new(),
        Outcome::Unable(reason) => format!(", unable: {reason}"),
        Outcome::Failed(reason) => format!(", failed: {reason}"),
    };
    let setting = &part.setting;
    let mut words = Vec::new();
    words.extend(
        Some(setting.connections).filter(|&count| count > 0).map(|count| format!("{count} connections")),
    );
    words.extend(setting.event_bytes.map(|bytes| format!("{bytes} B")));
    words.extend(setting.outstanding.map(|count| format!("{count} outstanding")));
    words.extend(setting.events_per_second.map(|rate| format!("{rate}/s")));
    words.extend(setting.stalled_percent.map(|percent| format!("{percent} % stalled")));
    words.extend(setting.publishers.map(|count| format!("{count} publishers")));
    words.extend(setting.missed_events.map(|count| format!("{count} missed")));
    words.extend(setting.mode.clone());
    format!(
        "{} ({}) on {}, run {} of {runs}: {:.1} s{how}",
        part.scenario.name,
        words.join(", "),
        ran.target,
        ran.run,
        ran.took.as_secs_f64()
    )
}

/// UTC to the minute, RFC 3339.
fn begun(time: OffsetDateTime) -> String {
    let (date, month) = (time.date(), u8::from(time.month()));
    format!("{:04}-{month:02}-{:02}T{:02}:{:02}Z", date.year(), date.day(), time.hour(), time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_written_to_the_minute() {
        let time = OffsetDateTime::from_unix_timestamp(1_709_210_111).unwrap();
        assert_eq!(begun(time), "2024-02-29T12:35Z");
    }
}
