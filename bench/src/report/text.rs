//! Results as text for a terminal: one table per scenario, medians, and what is short of a number as footnotes.
//!
//! Not here: the spread of runs, which the page shows.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ColumnConstraint, Table as Grid, TableStyle, presets};

use super::goals;
use super::table::{Table, tables};
use super::words;
use crate::figures::Results;

/// All tables and the goals, to be read with letters of one width.
pub(super) fn text(results: &Results) -> String {
    let mut out = String::new();
    for table in tables(results) {
        let (title, _) = words::scenario(table.scenario);
        let _ = writeln!(out, "{}: {}", one_line(table.scenario), one_line(title));
        if !table.common.is_empty() {
            let _ = writeln!(out, "{}", one_line(&table.common));
        }
        let _ = writeln!(out, "{}", grid(&table, presets::UTF8_FULL_CONDENSED, one_line).trim_fmt());
        for (index, note) in table.notes.iter().enumerate() {
            let _ = writeln!(out, "[{}] {}", index + 1, one_line(note));
        }
        out.push('\n');
    }
    out.push_str("Medians of the runs; in brackets, of the limit's.\n\n");
    // What was not measured is in the report; here it would bury the one table that somebody asked for.
    let verdicts = goals::verdicts(results).into_iter();
    for verdict in verdicts.filter(|verdict| verdict.standing != goals::Standing::NotMeasured) {
        let _ =
            writeln!(out, "{:<12} {}: {}", verdict.standing.words(), verdict.goal, one_line(&verdict.found));
    }
    out
}

/// A table of medians in one of the presets of the library. `plain` makes text fit for a cell.
pub(super) fn grid(table: &Table<'_>, preset: TableStyle, plain: fn(&str) -> String) -> Grid {
    let mut grid = Grid::new();
    grid.load_style(preset);
    let heads = ["setting", "figure"].into_iter().chain(table.targets.iter().copied());
    grid.set_header(heads.map(plain));
    for row in &table.rows {
        let setting = if row.opens { row.setting.as_str() } else { "" };
        let cells = row.cells.iter().map(|cell| row.text(cell));
        let about = [setting, row.figure_words()].map(str::to_owned);
        grid.add_row(about.into_iter().chain(cells).map(|text| plain(&text)));
    }
    for column in grid.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let has_settings = table.rows.iter().any(|row| !row.setting.is_empty());
    if let (false, Some(column)) = (has_settings, grid.column_mut(0)) {
        column.set_constraint(ColumnConstraint::Hidden);
    }
    grid
}

/// Text from outside without what would move a terminal's cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
