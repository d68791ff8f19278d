//! Results as one HTML page that needs nothing else: its style and its plots are in it, and it loads nothing.
//!
//! It follows the reader's preference for light or dark, and prints in light. All text from outside is escaped by the
//! template. Not here: the plots' colours, which change in their own style sheets.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::goals::{self, Standing, Verdict};
use super::measured;
use super::plots::Plot;
use super::table::{Cell, Row, Table, tables};
use super::words;
use crate::figures::Results;

const STYLE: &str = include_str!("page.css");

pub(super) fn page(results: &Results, plots: &[Plot]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "corecast: benchmarks" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(results))
                main {
                    (goals_section(&goals::verdicts(results)))
                    @for table in tables(results) { (section(&table, plots)) }
                }
            }
        }
    };
    page.into_string()
}

fn header(results: &Results) -> Markup {
    let machine = &results.machine;
    html! {
        header {
            h1 { "corecast: benchmarks" }
            dl {
                div { dt { "measured" } dd { (results.begun) } }
                div { dt { "processor" } dd { (machine.cpu) ", " (machine.cores) " cores" } }
                div { dt { "memory" } dd { (words::memory(machine.memory_bytes)) } }
                div { dt { "kernel" } dd { (machine.kernel) } }
                @if !results.file_system.is_empty() { div { dt { "files on" } dd { (results.file_system) } } }
            }
            @if !results.versions.is_empty() {
                dl {
                    @for (target, version) in &results.versions { div { dt { (target) } dd { (version) } } }
                }
            }
            p { (words::HOW_TO_READ) }
            pre { (results.command) }
        }
    }
}

fn goals_section(verdicts: &[Verdict]) -> Markup {
    let count = |standing| verdicts.iter().filter(|verdict| verdict.standing == standing).count();
    html! {
        section {
            h2 { "Numbers to reach" }
            p {
                @for standing in [Standing::Met, Standing::NotMet, Standing::NotMeasured] {
                    (badge(standing)) " " (count(standing)) " "
                }
            }
            div.wide {
                table.goals {
                    thead { tr { th { "goal" } th { } th { "found" } } }
                    tbody {
                        @for Verdict { goal, standing, found } in verdicts {
                            tr { td { (goal) } td { (badge(*standing)) } td { (found) } }
                        }
                    }
                }
            }
        }
    }
}

fn badge(standing: Standing) -> Markup {
    let (class, sign) = match standing {
        Standing::Met => ("met", "✓"),
        Standing::NotMet => ("notmet", "✗"),
        Standing::NotMeasured => ("none", "–"),
    };
    html! { span.badge.(class) { (sign) " " (standing.words()) } }
}

fn section(table: &Table<'_>, plots: &[Plot]) -> Markup {
    let (title, about) = words::scenario(table.scenario);
    html! {
        section id=(table.scenario) {
            h2 { (title) }
            @if !about.is_empty() { p { (about) } }
            @if !table.common.is_empty() { p.common { (words::sentence(&table.common)) } }
            @for plot in plots.iter().filter(|plot| plot.scenario == table.scenario) {
                figure {
                    figcaption { strong { (plot.title) } " " @if !plot.caption.is_empty() { span { (plot.caption) } } }
                    (PreEscaped(&plot.svg))
                }
            }
            (grid(table))
            @if !table.notes.is_empty() {
                ol.notes { @for note in &table.notes { li { (note) } } }
            }
            pre { (table.commands.join("\n")) }
        }
    }
}

fn grid(table: &Table<'_>) -> Markup {
    let has_settings = table.rows.iter().any(|row| !row.setting.is_empty());
    html! {
        div.wide {
            table {
                thead {
                    tr {
                        @if has_settings { th { "setting" } }
                        th { "figure" }
                        @for target in &table.targets { th.value.(class(target)) { (target) } }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr.opens[row.opens] {
                            @if has_settings { th scope="row" { @if row.opens { (row.setting) } } }
                            td { (row.figure_words()) }
                            @for (cell, target) in row.cells.iter().zip(&table.targets) {
                                td.value.(class(target)) { (content(row, cell)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn class(target: &str) -> &'static str {
    match target {
        target if measured::is_ours(target) => "ours",
        target if measured::is_limit(target) => "machine",
        _ => "other",
    }
}

fn content(row: &Row, cell: &Cell) -> Markup {
    html! {
        (row.text(cell))
        @if let (Cell::Measured { spread, .. }, Some(figure)) = (cell, row.figure) {
            @if let Some(range) = words::range(figure.unit(), *spread) { small { (range) } }
        }
    }
}
