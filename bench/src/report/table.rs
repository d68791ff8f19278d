//! One table per scenario: a row for each figure of each setting, a column for each target, notes for what has no number.
//!
//! Not here: how a table is drawn, on a terminal, in Markdown or HTML.

use super::measured::{self, Spread};
use super::words;
use crate::figures::{Figure, Measurement, Outcome, Results, Setting};

/// All of a scenario.
pub(super) struct Table<'a> {
    pub(super) scenario: &'a str,
    /// What is the same in all of its settings.
    pub(super) common: String,
    pub(super) targets: Vec<&'a str>,
    pub(super) rows: Vec<Row>,
    /// Why there is no number; cells refer to them by their place, counted from 1.
    pub(super) notes: Vec<String>,
    /// What repeats it.
    pub(super) commands: Vec<&'a str>,
}

pub(super) struct Row {
    /// What tells this setting from the others.
    pub(super) setting: String,
    /// Whether it is the first of its setting.
    pub(super) opens: bool,
    /// `None` where nothing of the setting was measured.
    pub(super) figure: Option<Figure>,
    /// One per target.
    pub(super) cells: Vec<Cell>,
}

pub(super) enum Cell {
    /// Nobody asked.
    Absent,
    Measured {
        spread: Spread,
        /// Of the limit's median.
        ratio: Option<f64>,
    },
    /// `unable` or `failed`, and the note that says why.
    Without { word: &'static str, note: usize },
}

pub(super) fn tables(results: &Results) -> Vec<Table<'_>> {
    measured::scenarios(results).into_iter().map(|scenario| table(results, scenario)).collect()
}

fn table<'a>(results: &'a Results, scenario: &'a str) -> Table<'a> {
    let all = measured::of_scenario(results, scenario);
    let settings = measured::settings(all.clone());
    let (common, own) = measured::common_and_own(&settings);
    let mut table = Table {
        scenario,
        common,
        targets: measured::targets(all.clone()),
        rows: Vec::new(),
        notes: Vec::new(),
        commands: commands(all),
    };
    for (setting, own) in settings.into_iter().zip(own) {
        table.append_setting(results, setting, &own);
    }
    table
}

/// Each command once, in the order of the measurements.
fn commands<'a>(measurements: impl Iterator<Item = &'a Measurement>) -> Vec<&'a str> {
    let mut commands: Vec<&str> = Vec::new();
    for command in measurements.map(|m| m.command.as_str()) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

impl Table<'_> {
    fn append_setting(&mut self, results: &Results, setting: &Setting, own: &str) {
        let here: Vec<Option<&Measurement>> = self
            .targets
            .iter()
            .map(|target| measured::find(results, self.scenario, target, setting))
            .collect();
        let limit = measured::limit_of(results, self.scenario, setting);
        let mut figures: Vec<Option<Figure>> = figures(&here).into_iter().map(Some).collect();
        if figures.is_empty() {
            figures.push(None);
        }
        for (index, figure) in figures.into_iter().enumerate() {
            let cells = here.iter().map(|found| self.cell(*found, figure, limit)).collect();
            self.rows.push(Row { setting: own.to_owned(), opens: index == 0, figure, cells });
        }
    }

    fn cell(
        &mut self,
        found: Option<&Measurement>,
        figure: Option<Figure>,
        limit: Option<&Measurement>,
    ) -> Cell {
        let Some(measurement) = found else { return Cell::Absent };
        let (word, reason) = match &measurement.outcome {
            Outcome::Measured(_) => return measured_cell(measurement, figure, limit),
            Outcome::Unable(reason) => ("unable", reason),
            Outcome::Failed(reason) => ("failed", reason),
        };
        Cell::Without { word, note: self.note(format!("{}: {word}: {reason}", measurement.target)) }
    }

    /// The number of a note, counted from 1. The same note is written once.
    fn note(&mut self, text: String) -> usize {
        if let Some(index) = self.notes.iter().position(|known| *known == text) {
            return index + 1;
        }
        self.notes.push(text);
        self.notes.len()
    }
}

fn measured_cell(measurement: &Measurement, figure: Option<Figure>, limit: Option<&Measurement>) -> Cell {
    let Some((figure, spread)) = figure.and_then(|figure| Some((figure, measurement.spread(figure)?))) else {
        return Cell::Absent;
    };
    let limit = limit.filter(|_| !measurement.is_limit()).and_then(|limit| limit.spread(figure));
    let ratio = limit.filter(|limit| limit.median > 0.0).map(|limit| spread.median / limit.median);
    Cell::Measured { spread, ratio }
}

/// Every figure that any of them has.
fn figures(measurements: &[Option<&Measurement>]) -> Vec<Figure> {
    let mut figures: Vec<Figure> = Vec::new();
    for measurement in measurements.iter().flatten() {
        if let Outcome::Measured(measured) = &measurement.outcome {
            figures.extend(measured.keys().filter(|figure| measurement.spread(**figure).is_some()));
        }
    }
    figures.sort_unstable();
    figures.dedup();
    figures
}

impl Row {
    /// What the row is about, in one cell: its figure, if there is one.
    pub(super) fn figure_words(&self) -> &'static str {
        self.figure.map_or("–", words::figure)
    }

    /// The cell's text: a median, what it is of the limit, or a reference to a note such as `failed [1]`.
    pub(super) fn text(&self, cell: &Cell) -> String {
        match (cell, self.figure) {
            (Cell::Measured { spread, ratio }, Some(figure)) => {
                let ratio = ratio.map(|ratio| format!(" ({})", words::ratio(ratio))).unwrap_or_default();
                format!("{}{ratio}", words::quantity(figure.unit(), spread.median))
            }
            (Cell::Without { word, note }, _) => format!("{word} [{note}]"),
            (Cell::Absent | Cell::Measured { .. }, _) => "–".to_owned(),
        }
    }
}
