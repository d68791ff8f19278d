//! `corecast log verify|repair|dump`: a file log without a hub.
//!
//! Exit codes: 0 fine, 1 damage was found, 2 asked for wrongly or the log cannot be read.
//! Not here: what a log is made of, and how it is mended (`crate::log::file::inspect`).

mod dump;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::flags::load_config;
use super::output;
use crate::config::{LogKind, Purpose};
use crate::log::file::Folder;
use crate::log::file::inspect::{self, Report};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read all of a log, and say what it has and what is wrong with it.
    #[command(after_help = "\
Example:
  corecast log verify --path /var/lib/corecast

Changes nothing, and needs no lock: a hub may be running, then the last batch may look torn. Exits with 1 if
there is damage, and with 2 if the log cannot be read.")]
    Verify {
        #[command(flatten)]
        place: Place,
    },
    /// Make a damaged log usable: what can be read stays, the rest is said to be lost.
    #[command(after_help = "\
Example:
  corecast log repair --path /var/lib/corecast --yes

The hub must be stopped. Each damaged segment is written anew, and kept as it was beside it, as a file that ends in
.damaged: remove that when you are sure. Clients that ask for what is lost are told of a gap. Without --yes this
only says what is wrong, and exits with 2.")]
    Repair {
        #[command(flatten)]
        place: Place,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
    /// Print the events of a log, one JSON object a line.
    #[command(after_help = "\
Examples:
  corecast log dump --path /var/lib/corecast --from 1000 --count 10
  corecast log dump --config /etc/corecast.toml --data | jq -r 'select(.users) | .data'

Changes nothing. Damage is a line with \"problem\", and exits with 1.")]
    Dump {
        #[command(flatten)]
        place: Place,
        /// The position to begin with.
        #[arg(long, value_name = "POSITION", default_value_t = 1)]
        from: u64,
        /// How many events at most.
        #[arg(long, value_name = "N")]
        count: Option<u64>,
        /// With the data and the type of each event.
        #[arg(long)]
        data: bool,
    },
}

/// Which log.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Place {
    /// The folder of the log.
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    /// A configuration whose log.path is the folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    fn folder(&self) -> Result<PathBuf, CliError> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let log = load_config(self.config.clone(), Vec::new(), Purpose::Inspect)?.config.log;
        if log.kind == LogKind::File {
            return Ok(log.path);
        }
        let value = self.config.as_ref().map_or_else(String::new, |path| path.display().to_string());
        let reason = "has no log.kind = \"file\"; name the folder with --path".to_owned();
        Err(CliError::Flag { flag: "--config", value, reason })
    }
}

pub(super) fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Verify { place } => verify(place),
        Command::Repair { place, yes } => repair(place, *yes),
        Command::Dump { place, from, count, data } => {
            let disk = Folder::open_to_look(&place.folder()?)?;
            dump::run(&disk, *from, count.unwrap_or(u64::MAX), *data)
        }
    }
}

fn verify(place: &Place) -> Result<(), CliError> {
    let report = inspect::verify(&Folder::open_to_look(&place.folder()?)?)?;
    output::text(&shown(&report))?;
    damaged(&report)
}

fn repair(place: &Place, yes: bool) -> Result<(), CliError> {
    let folder = place.folder()?;
    // To open it for writing would make it if it is missing.
    let report = inspect::verify(&Folder::open_to_look(&folder)?)?;
    if report.problems.is_empty() && report.torn.is_none() {
        return Ok(output::line("nothing to repair")?);
    }
    let disk = Folder::open(&folder)?;
    if !yes {
        output::text(&shown(&report))?;
        return Err(CliError::Flag {
            flag: "--yes",
            value: "is missing".to_owned(),
            reason:
                "nothing was changed; with it what is lost is given up, and the damaged files are kept beside"
                    .to_owned(),
        });
    }
    let repaired = inspect::repair(&disk)?;
    for problem in &repaired.mended {
        output::line(&format!("mended: {problem}"))?;
    }
    if let Some(cut) = &repaired.cut {
        output::line(&format!(
            "cut off: {} bytes of {} from offset {}, which were never acknowledged",
            cut.bytes, cut.segment, cut.offset
        ))?;
    }
    for name in &repaired.kept {
        output::line(&format!("kept as it was: {}", folder.join(name).display()))?;
    }
    Ok(output::line("a hub can start with this log")?)
}

fn damaged(report: &Report) -> Result<(), CliError> {
    match report.problems.len() {
        0 => Ok(()),
        places => Err(CliError::Damaged { places }),
    }
}

/// A line for each segment, for all of them, and for each thing that is wrong.
fn shown(report: &Report) -> String {
    let mut lines: Vec<String> = report
        .segments
        .iter()
        .map(|segment| {
            format!(
                "{}: from position {}, events {}, bytes {}",
                segment.name, segment.base.0, segment.events, segment.bytes
            )
        })
        .collect();
    let (segments, newest) = (report.segments.len(), report.newest.0);
    let events: u64 = report.segments.iter().map(|segment| segment.events).sum();
    let bytes: u64 = report.segments.iter().map(|segment| segment.bytes).sum();
    lines.push(match report.incarnation {
        Some(log) => {
            format!(
                "log {:016x}: segments {segments}, events {events}, newest position {newest}, bytes {bytes}",
                log.0
            )
        }
        None => "no log is here".to_owned(),
    });
    for (first, last) in &report.lost {
        lines.push(format!("lost by an earlier repair: positions {} to {}", first.0, last.0));
    }
    if let Some(torn) = &report.torn {
        lines.push(format!(
            "torn: {} bytes of {} from offset {}; they were never acknowledged, and the next start cuts them off",
            torn.bytes, torn.segment, torn.offset
        ));
    }
    lines.extend(report.problems.iter().map(|problem| format!("damaged: {problem}")));
    lines.iter().map(|line| format!("{line}\n")).collect()
}
