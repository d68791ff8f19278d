//! Shows results: Markdown tables and SVG plots for the documents, one self-contained HTML page for a browser, and text
//! for a terminal.
//!
//! The same results give the same bytes. Medians of the runs are quoted; what was not measured is said to be so, and never
//! shown as a zero. Not here: measuring (`scenario`).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::figures::Results;

mod words;
mod measured;
mod files;
mod goals;
mod table;
mod text;
mod plots;
mod markdown;
mod page;
#[cfg(test)]
mod tests;

/// Reads results from JSON files of one machine and merges them. Where two files measured the same, the later one in the
/// list counts: a part of a run can be repeated.
///
/// # Errors
/// If there is no path, a file cannot be read, is larger than 64 MiB or is not results, or files are of different machines
/// or of different versions of a target. The text names the file.
pub fn read(paths: &[PathBuf]) -> anyhow::Result<Results> {
    files::read(paths)
}

/// Writes `report.md`, the plots that it shows (`*.svg`) and `report.html` into the folder `out`, which is made if it is
/// not there. Plots of an earlier report by other names stay.
///
/// # Errors
/// If the folder or a file in it cannot be written. The text names it.
pub fn write(results: &Results, out: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let plots = plots::plots(results);
    for plot in &plots {
        write_file(&out.join(format!("{}.svg", plot.name)), &plot.svg)?;
    }
    write_file(&out.join("report.md"), &markdown::markdown(results, &plots))?;
    write_file(&out.join("report.html"), &page::page(results, &plots))
}

fn write_file(path: &Path, content: &str) -> anyhow::Result<()> {
    fs::write(path, content).with_context(|| format!("{} cannot be written", path.display()))
}

/// All tables and the goals as text with letters of one width: a table per scenario with a column per target, medians
/// with their ratio to the limit, and footnotes that say why a figure is missing.
#[must_use]
pub fn text(results: &Results) -> String {
    text::text(results)
}
