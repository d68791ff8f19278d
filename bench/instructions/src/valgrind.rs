//! Runs scenarios under Valgrind's Callgrind, each in a process of its own, and reads what it counted.
//!
//! A library for this exists (gungraun 0.20). Its runner takes 3.5 minutes of processor time to build wherever this
//! runs, and its limits are of whole runs, not of units that a reader can compare; all that is needed of it is one
//! command line.
//! Not here: which counts are good (`verdict`).

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fmt, fs, thread};

use crate::counted::COUNTED;
use crate::scenarios::Scenario;

/// The argument with which this program, under Valgrind, is told to do a scenario's work.
pub(crate) const INSIDE: &str = "--inside";

/// Why there is no count.
#[derive(Debug)]
pub(crate) enum CountError {
    /// Valgrind is not installed, or does not start.
    NoValgrind(io::Error),
    /// The scenario failed, or Valgrind did.
    Failed {
        /// What they said.
        said: String,
    },
    /// What they left behind cannot be read.
    Unreadable(PathBuf),
    /// Callgrind never met the counted function.
    NothingCounted,
}

/// Instructions of one unit of each scenario. As many run at a time as there are cores: they do not disturb each
/// other's counts. Callgrind's files stay in `folder`, for `callgrind_annotate`.
pub(crate) fn count_all(scenarios: &[&Scenario], folder: &Path) -> Vec<Result<f64, CountError>> {
    let next = AtomicUsize::new(0);
    let count_some = || {
        let take = || scenarios.get(next.fetch_add(1, Ordering::Relaxed)).copied();
        std::iter::from_fn(take).map(|scenario| (scenario.name, count(scenario, folder))).collect::<Vec<_>>()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut counted: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(count_some)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("counting does not panic")).collect()
    });
    let place_of = |name| scenarios.iter().position(|scenario| scenario.name == name);
    counted.sort_by_key(|&(name, _)| place_of(name));
    counted.into_iter().map(|(_, count)| count).collect()
}

fn count(scenario: &Scenario, folder: &Path) -> Result<f64, CountError> {
    let program = env::current_exe().map_err(CountError::NoValgrind)?;
    let file = folder.join(format!("{}.callgrind", scenario.name));
    fs::create_dir_all(folder).map_err(|_| CountError::Unreadable(folder.to_owned()))?;
    let output = Command::new("valgrind")
        // The environment lies on the stack and shifts what is behind it, which moves counts a little.
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args([INSIDE, scenario.name])
        .output()
        .map_err(CountError::NoValgrind)?;
    if !output.status.success() {
        return Err(CountError::Failed { said: String::from_utf8_lossy(&output.stderr).into_owned() });
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let units: u64 =
        said.trim().parse().map_err(|_| CountError::Failed { said: said.clone().into_owned() })?;
    let text = fs::read_to_string(&file).map_err(|_| CountError::Unreadable(file.clone()))?;
    match total(&text) {
        None => Err(CountError::Unreadable(file)),
        Some(0) => Err(CountError::NothingCounted),
        Some(instructions) => Ok(instructions as f64 / units as f64),
    }
}

/// The number of instructions in all, from a file in Callgrind's format (Valgrind manual, "Callgrind Format
/// Specification").
fn total(file: &str) -> Option<u64> {
    file.lines().rev().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

impl fmt::Display for CountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValgrind(error) => {
                write!(f, "valgrind does not start ({error}): install the package `valgrind`")
            }
            Self::Failed { said } => write!(f, "it failed and said:\n{said}"),
            Self::Unreadable(path) => write!(f, "{} cannot be read or written", path.display()),
            Self::NothingCounted => {
                write!(f, "no function {COUNTED} in this program, so nothing was counted")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_the_last_line_of_that_name() {
        let file = "# callgrind format\nsummary: 1\n\nfn=(1)\n3 7\n\ntotals: 4711\n";
        assert_eq!(total(file), Some(4711));
        assert_eq!(total("# callgrind format\n"), None);
    }
}
