//! Reads results that runs left behind, and merges those of one machine.
//!
//! Results of different machines, or of different versions of a target, are refused: side by side they would compare
//! what cannot be compared. Not here: writing them, which is one call of serde_json where they are made.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::figures::Results;

/// Larger than any results of ours by far: a file beyond it is something else.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Reads all of `paths`. Where two files measured the same, the later one in the list counts: a part of a run can be
/// repeated.
///
/// # Errors
/// If there is no path, a file cannot be read, is larger than 64 MiB or is not results, or files are of different machines
/// or versions. The text names the file.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Results> {
    let Some((first, rest)) = paths.split_first() else {
        bail!("no results to read: name at least one file");
    };
    let mut merged = read_one(first)?;
    for path in rest {
        let later = read_one(path)?;
        merge(&mut merged, later).with_context(|| format!("{} cannot be merged", path.display()))?;
    }
    Ok(merged)
}

fn read_one(path: &Path) -> anyhow::Result<Results> {
    let shown = path.display();
    let size = fs::metadata(path).with_context(|| format!("{shown} cannot be read"))?.len();
    ensure!(size <= FILE_BYTES_MAX, "{shown} has {size} bytes, results have at most {FILE_BYTES_MAX}");
    let text = fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
    serde_json::from_str(&text).with_context(|| format!("{shown} is not results of corecast-bench"))
}

fn merge(into: &mut Results, later: Results) -> anyhow::Result<()> {
    ensure!(
        into.machine == later.machine,
        "it was measured on another machine: {:?}, the others on {:?}",
        later.machine,
        into.machine
    );
    if into.file_system.is_empty() {
        into.file_system = later.file_system;
    } else if !later.file_system.is_empty() {
        ensure!(
            into.file_system == later.file_system,
            "its files were on {}, those of the others on {}",
            later.file_system,
            into.file_system
        );
    }
    for (target, version) in later.versions {
        let known = into.versions.entry(target.clone()).or_insert_with(|| version.clone());
        ensure!(*known == version, "it measured {target} {version:?}, the others measured {known:?}");
    }
    for measurement in later.measurements {
        into.measurements.retain(|earlier| {
            (&earlier.scenario, &earlier.target, &earlier.setting)
                != (&measurement.scenario, &measurement.target, &measurement.setting)
        });
        into.measurements.push(measurement);
    }
    if !into.command.lines().any(|line| line == later.command) {
        into.command = format!("{}\n{}", into.command, later.command);
    }
    // RFC 3339 in UTC sorts as text.
    into.begun = into.begun.clone().min(later.begun);
    Ok(())
}
