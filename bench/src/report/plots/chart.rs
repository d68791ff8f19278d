//! Draws lines and bars with the plotting library, in the looks of `ink`.
//!
//! Not here: what is drawn. A chart is given numbers and words that are ready to be shown.

use std::sync::Arc;

use kuva::backend::svg::SvgBackend;
use kuva::plot::line::LineStyle;
use kuva::plot::{BarPlot, LinePlot, ScatterPlot};
use kuva::prelude::{Figure as Grid, Layout, LegendEntry, LegendShape, Plot, ReferenceLine, TickFormat};
use kuva::render::figure::FigureLegendPosition;
use kuva::render::render::Scene;

use super::ink::{self, WORDS};
use crate::figures::Unit;
use crate::report::measured::Spread;
use crate::report::words;

/// One axis with its curves.
pub(super) struct Curves<'a> {
    pub(super) title: String,
    pub(super) x_label: &'static str,
    pub(super) unit: Unit,
    /// In the order of the legend.
    pub(super) series: Vec<Series<'a>>,
}

/// The curve of one target.
pub(super) struct Series<'a> {
    pub(super) target: &'a str,
    /// By ascending x. All are above zero: both axes are logarithmic.
    pub(super) points: Vec<(f64, Spread)>,
}

/// One axis with its bars.
pub(super) struct Bars<'a> {
    pub(super) title: String,
    pub(super) unit: Unit,
    /// From the top down.
    pub(super) bars: Vec<Bar<'a>>,
    /// Drawn as a dashed line across all bars.
    pub(super) limit: Option<f64>,
    /// What the axis reaches from and to, in the figure's unit.
    pub(super) start: f64,
    pub(super) end: f64,
}

/// The bar of one target: its parts one after the other, the second in the machine's colour.
pub(super) struct Bar<'a> {
    pub(super) target: &'a str,
    pub(super) parts: Vec<Spread>,
}

const PANEL_WIDTH: f64 = 500.0;
const LINES_HEIGHT: f64 = 330.0;
const BAR_HEIGHT: f64 = 27.0;
/// Of the title and the axis of a panel with bars.
const BARS_FRAME_HEIGHT: f64 = 86.0;

/// Panels side by side, two to a row, with one legend for all.
pub(super) fn curves(name: &str, panels: &[Curves<'_>]) -> String {
    let (plots, layouts): (Vec<_>, Vec<_>) = panels.iter().map(curves_panel).unzip();
    let mut legend: Vec<LegendEntry> = Vec::new();
    for series in panels.iter().flat_map(|panel| &panel.series) {
        if !legend.iter().any(|entry| entry.label == series.target) {
            legend.push(legend_entry(series.target));
        }
    }
    let grid = grid(plots, layouts, LINES_HEIGHT)
        .with_shared_legend_position(FigureLegendPosition::RightTop)
        .with_shared_legend_entries(legend);
    svg(name, grid.render())
}

/// Panels side by side, two to a row. Bars carry their names and medians at the axis.
pub(super) fn bars(name: &str, panels: &[Bars<'_>]) -> String {
    let longest = panels.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
    let (plots, layouts): (Vec<_>, Vec<_>) = panels.iter().map(bars_panel).unzip();
    svg(name, grid(plots, layouts, BARS_FRAME_HEIGHT + BAR_HEIGHT * longest as f64).render())
}

fn grid(plots: Vec<Vec<Plot>>, layouts: Vec<Layout>, height: f64) -> Grid {
    let columns = plots.len().clamp(1, 2);
    let rows = plots.len().div_ceil(columns).max(1);
    let width = if columns == 1 { PANEL_WIDTH * 1.4 } else { PANEL_WIDTH };
    Grid::new(rows, columns)
        .with_cell_size(width, height)
        .with_spacing(16.0)
        .with_plots(plots)
        .with_layouts(layouts)
}

fn curves_panel(panel: &Curves<'_>) -> (Vec<Plot>, Layout) {
    // What is drawn last lies on top: ours comes first in the legend, and last here.
    let plots: Vec<Plot> = panel.series.iter().rev().flat_map(|series| curve(series, panel.unit)).collect();
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let (left, right) = room(points().map(|(x, _)| *x));
    let (bottom, top) = room(points().flat_map(|(_, spread)| [spread.min, spread.max]));
    let layout = dressed(Layout::auto_from_plots(&plots), &panel.title)
        .with_x_axis_min(left)
        .with_x_axis_max(right)
        .with_y_axis_min(bottom)
        .with_y_axis_max(top)
        .with_x_label(panel.x_label)
        .with_log_scale()
        .with_x_tick_format(TickFormat::Custom(Arc::new(words::short)))
        .with_y_tick_format(quantities(panel.unit, 1.0));
    (plots, layout)
}

/// What a logarithmic axis reaches from and to, so that no mark of `values` lies on its ends.
fn room(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let wide = (f64::INFINITY, f64::NEG_INFINITY);
    let (least, most) = values.fold(wide, |(least, most), value| (least.min(value), most.max(value)));
    (least / 1.3, most * 1.3)
}

fn curve(series: &Series<'_>, unit: Unit) -> [Plot; 2] {
    let look = ink::of_target(series.target);
    let points: Vec<(f64, f64)> = series.points.iter().map(|(x, spread)| (*x, spread.median)).collect();
    let spreads = series.points.iter().map(|(_, s)| (s.median - s.min, s.max - s.median));
    let line = LinePlot::new()
        .with_data(points.clone())
        .with_y_err_asymmetric(spreads)
        .with_color(look.ink.light)
        .with_stroke_width(look.width);
    let line = if look.dashes.is_empty() {
        line
    } else {
        line.with_line_style(LineStyle::Custom(look.dashes.to_owned()))
    };
    let tips = series.points.iter().map(|(_, spread)| tip(series.target, *spread, unit));
    let marks = ScatterPlot::new()
        .with_data(points)
        .with_color(look.ink.light)
        .with_marker(look.marker)
        .with_size(look.width + 1.5)
        .with_tooltips()
        .with_tooltip_labels(tips);
    [Plot::Line(line), Plot::Scatter(marks)]
}

fn bars_panel(panel: &Bars<'_>) -> (Vec<Plot>, Layout) {
    let mut plot = BarPlot::new().with_horizontal(true).with_width(0.72).with_tooltips();
    let (mut tips, mut spreads) = (Vec::new(), Vec::new());
    let step = round_step(panel.unit, panel.end);
    // The library counts categories from the bottom.
    for bar in panel.bars.iter().rev() {
        let own = ink::of_target(bar.target).ink.light;
        let inks = [own, ink::MACHINE.light].into_iter().cycle();
        let lengths = bar.parts.iter().map(|part| part.median / step);
        plot = plot.with_group(bar.words(panel.unit), lengths.zip(inks));
        tips.extend(bar.parts.iter().map(|part| tip(bar.target, *part, panel.unit)));
        spreads.extend(
            bar.parts.iter().map(|part| ((part.median - part.min) / step, (part.max - part.median) / step)),
        );
    }
    plot = plot.with_tooltip_labels(tips).with_asymmetric_error(spreads).with_error_color(WORDS.light);
    if panel.bars.iter().any(|bar| bar.parts.len() > 1) {
        plot = plot.with_stacked();
    }
    let plots = vec![Plot::Bar(plot)];
    let mut layout = dressed(Layout::auto_from_plots(&plots), &panel.title)
        .with_x_axis_min(panel.start / step)
        .with_x_axis_max(panel.end / step)
        .with_ticks(3)
        .with_x_tick_format(quantities(panel.unit, step));
    if let Some(limit) = panel.limit {
        let line = ReferenceLine::vertical(limit / step).with_color(WORDS.light).with_stroke_width(1.5);
        layout = layout.with_reference_line(line);
    }
    (plots, layout)
}

impl Bar<'_> {
    /// Its length.
    pub(super) fn value(&self) -> f64 {
        self.parts.iter().map(|part| part.median).sum()
    }

    /// Where its whiskers end.
    pub(super) fn ends(&self) -> [f64; 2] {
        let below: f64 = self.parts.iter().map(|part| part.median - part.min).fold(0.0, f64::max);
        let above: f64 = self.parts.iter().map(|part| part.max - part.median).fold(0.0, f64::max);
        [self.value() - below, self.value() + above]
    }

    fn words(&self, unit: Unit) -> String {
        format!("{}  {}", self.target, words::quantity(unit, self.value()))
    }
}

fn dressed(layout: Layout, title: &str) -> Layout {
    // An empty title would keep its room.
    let layout = if title.is_empty() { layout } else { layout.with_title(title) };
    layout
        .with_title_size(13)
        .with_label_size(12)
        .with_tick_size(11)
        .with_body_size(12)
        .with_theme(ink::theme())
        .with_grid_line_width(1.0)
}

/// In what an axis to `end` counts, in the figure's unit: marks of mebibytes are at whole ones.
fn round_step(unit: Unit, end: f64) -> f64 {
    let mebibyte = f64::from(1 << 20);
    if unit == Unit::Bytes && end >= 4.0 * mebibyte { mebibyte } else { 1.0 }
}

/// Marks of an axis that counts in `step`.
fn quantities(unit: Unit, step: f64) -> TickFormat {
    TickFormat::Custom(Arc::new(move |value| words::tick(unit, value * step)))
}

fn tip(target: &str, spread: Spread, unit: Unit) -> String {
    format!("{target}: {}", words::spread(unit, spread))
}

fn legend_entry(target: &str) -> LegendEntry {
    let look = ink::of_target(target);
    let is_whole = look.dashes.is_empty();
    LegendEntry {
        label: target.to_owned(),
        color: look.ink.light.to_owned(),
        shape: if is_whole { LegendShape::Marker(look.marker) } else { LegendShape::Line },
        dasharray: (!is_whole).then(|| look.dashes.to_owned()),
    }
}

/// The drawing, which scales with the page and turns dark with the reader's preference.
fn svg(name: &str, mut scene: Scene) -> String {
    scene.background_color = Some(ink::theme().background);
    scene.text_color = Some(WORDS.light.to_owned());
    scene.defs.push(ink::dark_style());
    let size = format!("<svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" ", scene.width, scene.height);
    // The library writes a width and a height only, which do not scale.
    let svg = SvgBackend::new().with_pretty(true).render_scene(&scene).replacen("<svg ", &size, 1);
    with_own_ids(name, &svg)
}

/// What the library's identifiers begin with. It counts them over the life of the process.
const LIBRARY_ID: &str = "kuva-clip-";

/// With identifiers that follow from the plot alone and differ from those of other plots on the same page: the same
/// results are to give the same bytes, and a plot is to be clipped by its own panels.
fn with_own_ids(name: &str, svg: &str) -> String {
    let mut known: Vec<&str> = Vec::new();
    let mut parts = svg.split(LIBRARY_ID);
    let mut out = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (number, rest) = part.split_at(part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len()));
        let index = known.iter().position(|known| *known == number).unwrap_or(known.len());
        if index == known.len() {
            known.push(number);
        }
        out.push_str(&format!("{name}-{index}{rest}"));
    }
    out
}
