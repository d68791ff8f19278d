//! Results as Markdown, to be kept among the documents: it can be read on its own, and shows plots that lie beside it.
//!
//! Not here: the spread of runs, which the page shows.

use std::fmt::Write as _;

use comfy_table::presets;

use super::goals::{self, Verdict};
use super::plots::Plot;
use super::table::{Table, tables};
use super::{text, words};
use crate::figures::Results;

pub(super) fn markdown(results: &Results, plots: &[Plot]) -> String {
    let mut out = String::from("# Benchmarks\n\n");
    out.push_str(&machine(results));
    out.push_str("\n## Numbers to reach\n\n");
    out.push_str(&goals_list(&goals::verdicts(results)));
    for table in tables(results) {
        out.push_str(&section(&table, plots));
    }
    out
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let mut out = String::new();
    let files = Some(&results.file_system).filter(|name| !name.is_empty());
    let _ = writeln!(
        out,
        "Measured {} on {}, {} cores, {} of memory, Linux {}{}.",
        plain(&results.begun),
        plain(&machine.cpu),
        machine.cores,
        words::memory(machine.memory_bytes),
        plain(&machine.kernel),
        files.map(|name| format!(", files on {}", plain(name))).unwrap_or_default()
    );
    let _ = writeln!(out, "\n{}\n", words::HOW_TO_READ);
    if !results.versions.is_empty() {
        out.push_str("| target | version |\n|---|---|\n");
        for (target, version) in &results.versions {
            let _ = writeln!(out, "| {} | {} |", plain(target), plain(version));
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{}", fenced(results.command.lines()));
    out
}

fn goals_list(verdicts: &[Verdict]) -> String {
    let mut out = String::from("| goal | | found |\n|---|---|---|\n");
    for Verdict { goal, standing, found } in verdicts {
        let _ = writeln!(out, "| {goal} | **{}** | {} |", standing.words(), plain(found));
    }
    out
}

fn section(table: &Table<'_>, plots: &[Plot]) -> String {
    let (title, about) = words::scenario(table.scenario);
    let mut out = format!("\n## {}\n", plain(title));
    for paragraph in [about, &words::sentence(&table.common)] {
        if !paragraph.is_empty() {
            let _ = write!(out, "\n{}\n", plain(paragraph));
        }
    }
    for plot in plots.iter().filter(|plot| plot.scenario == table.scenario) {
        let _ = write!(out, "\n![{}]({}.svg)\n", plot.title, plot.name);
        if !plot.caption.is_empty() {
            let _ = write!(out, "\n*{}*\n", plain(&plot.caption));
        }
    }
    let _ = write!(out, "\n{}\n", grid(table));
    for (index, note) in table.notes.iter().enumerate() {
        let _ = write!(out, "\n\\[{}\\] {}\n", index + 1, plain(note));
    }
    let _ = writeln!(out, "\n{}", fenced(table.commands.iter().copied()));
    out
}

fn grid(table: &Table<'_>) -> String {
    text::grid(table, presets::ASCII_MARKDOWN, plain).to_string()
}

/// Commands, each on its line, with a fence that none of them can end.
fn fenced<'a>(commands: impl Iterator<Item = &'a str>) -> String {
    let text = commands.collect::<Vec<_>>().join("\n");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}sh\n{text}\n{fence}")
}

/// Text from outside on one line, with nothing in it that Markdown would take for its own.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
