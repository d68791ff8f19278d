//! The report for a terminal: a table, what to do about the rows that are not well, and the lowest ceiling.
//!
//! Commands stand below the table, each on a line of its own: a cell would wrap them, and they are there to be copied.

use std::fmt::{self, Write as _};

use comfy_table::{CellAlignment, ColumnConstraint, Table, Width, presets};

use super::report::{Check, Place, Report, Verdict};

/// Most columns of a terminal that the text takes.
const TEXT_WIDTH: u16 = 110;

/// Most of them for what was found.
const FOUND_WIDTH: u16 = 56;

/// More is no limit: no machine has so many, and the kernel writes its own largest numbers.
const NO_LIMIT: u64 = 1 << 60;

/// To be read with letters of one width.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (connections, shards) = (grouped(self.connections.into()), self.shards);
        writeln!(
            f,
            "can this machine hold {connections} connections (limits.connections), with {shards} shards?\n"
        )?;
        writeln!(f, "{}\n", table(self).trim_fmt())?;
        let lowest = self.ceiling.map(|ceiling| ceiling.check);
        for check in &self.checks {
            if check.verdict > Verdict::Ok || lowest == Some(check.name) {
                f.write_str(&advice(check))?;
            }
        }
        f.write_str(&last_line(self))
    }
}

fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_width(TEXT_WIDTH);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(["check", "found", "verdict", "ceiling"]);
    for check in &report.checks {
        let ceiling = check.ceiling.map_or_else(|| "–".to_owned(), grouped);
        table.add_row([check.title, &first_clause(&check.found), check.verdict.word(), &ceiling]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(FOUND_WIDTH)));
    }
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What fits into a cell. The whole of it stands below the table, if it is more.
fn first_clause(found: &str) -> String {
    let chars_max = usize::from(FOUND_WIDTH) * 2;
    if found.chars().count() <= chars_max {
        return found.to_owned();
    }
    found.chars().take(chars_max - 1).chain(['…']).collect()
}

/// A check's meaning and remedy.
fn advice(check: &Check) -> String {
    let mut text = format!("{} ({}): {}\n", check.title, check.verdict.word(), check.meaning);
    if first_clause(&check.found) != check.found {
        let _ = writeln!(text, "  found: {}", check.found);
    }
    for step in &check.remedy {
        let place = match step.place {
            Place::Shell => "run",
            Place::Sysctl => "in /etc/sysctl.d/60-corecast.conf",
            Place::Unit => "in the unit, [Service]",
            Place::Config => "in corecast.toml",
            Place::Boot => "on the kernel's command line",
            Place::Hand => "by hand",
        };
        let _ = writeln!(text, "  {place:<34} {}", step.line);
    }
    text.push('\n');
    text
}

fn last_line(report: &Report) -> String {
    let wanted = grouped(report.connections.into());
    match (report.ceiling, report.lowest()) {
        (Some(ceiling), Some(check)) => {
            let reached = if ceiling.connections < u64::from(report.connections) {
                "cannot be reached"
            } else {
                "fits"
            };
            format!(
                "lowest ceiling: {} connections, set by {}; limits.connections = {wanted} {reached}\n",
                grouped(ceiling.connections),
                check.title
            )
        }
        _ => format!("lowest ceiling: none found; limits.connections = {wanted}\n"),
    }
}

/// `28,232`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A limit that may be none.
pub(super) fn limit(number: u64) -> String {
    if number >= NO_LIMIT { "no limit".to_owned() } else { grouped(number) }
}

/// Bytes in the unit in which they are easiest to compare.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x2_8000_0000 => format!("{} MiB", grouped(bytes >> 20)),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        for (number, shown) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (28_232, "28,232"), (1_048_576, "1,048,576")]
        {
            assert_eq!(grouped(number), shown);
        }
        assert_eq!(limit(u64::MAX), "no limit");
        for (bytes, shown) in [
            (0, "0 B"),
            (4096, "4 KiB"),
            (8 << 20, "8 MiB"),
            (10 << 30, "10.0 GiB"),
            ((10 << 30) - 1, "10,239 MiB"),
            (u64::MAX, "17179869184.0 GiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
