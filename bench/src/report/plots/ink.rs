//! Colours of plots: one set for light pages and one for dark ones, and how a plot changes between them by itself.
//!
//! The colours of targets are Okabe and Ito's, which people who confuse red and green can tell apart; ours is the strongest
//! of them. A plot is drawn in the light set, which every viewer shows, and carries a style sheet that replaces each
//! colour by its dark counterpart where the reader prefers that. Not here: the colours of the page around it.

use std::fmt::Write as _;

use kuva::prelude::{MarkerShape, Theme};

/// A colour on light ground and on dark ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ink {
    pub(super) light: &'static str,
    dark: &'static str,
}

const fn ink(light: &'static str, dark: &'static str) -> Ink {
    Ink { light, dark }
}

const GROUND: Ink = ink("#fffffe", "#14171b");
pub(super) const WORDS: Ink = ink("#24292f", "#d8dee4");
const AXIS: Ink = ink("#57606a", "#8b949e");
const GRID: Ink = ink("#e4e7eb", "#2b3138");
/// The limit, and the kernel's part of memory: facts of the machine.
pub(super) const MACHINE: Ink = ink("#8c959f", "#767f89");
const MACHINE_JOINED: Ink = ink("#6e7781", "#98a1ab");
const DEVICE: Ink = ink("#7d868f", "#848d96");
const DEVICE_RESERVED: Ink = ink("#5c6670", "#a3acb5");
const MACHINE_SEND: Ink = ink("#afb8c1", "#5d666f");

/// How a target looks in every plot.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) ink: Ink,
    pub(super) marker: MarkerShape,
    pub(super) width: f64,
    /// Lengths of dashes and gaps; empty where the line is whole.
    pub(super) dashes: &'static str,
}

const LOOKS: [(&str, Look); 17] = [
    ("corecast", look(ink("#d55e00", "#ff8a3d"), MarkerShape::Circle, 3.5, "")),
    ("corecast-file", look(ink("#a63d00", "#ffb385"), MarkerShape::Circle, 3.5, "6 3")),
    ("corecast-scraped", look(ink("#e69f00", "#ffc04d"), MarkerShape::Circle, 1.8, "2 3")),
    ("corecast-monoio", look(ink("#7f3c8d", "#b88ac2"), MarkerShape::Circle, 1.8, "8 3")),
    ("corecast-epoll", look(ink("#5f4690", "#9d8bc9"), MarkerShape::Circle, 1.8, "8 3 2 3")),
    ("limit", look(MACHINE, MarkerShape::Plus, 1.8, "8 4")),
    ("limit-joined", look(MACHINE_JOINED, MarkerShape::Plus, 1.8, "2 3")),
    ("limit-send", look(MACHINE_SEND, MarkerShape::Plus, 1.8, "8 3 2 3")),
    ("device", look(DEVICE, MarkerShape::Cross, 1.8, "8 4")),
    ("device-reserved", look(DEVICE_RESERVED, MarkerShape::Cross, 1.8, "2 3")),
    ("durable-streams", look(ink("#0072b2", "#4aa8e0"), MarkerShape::Square, 1.8, "")),
    ("durable-streams-wal", look(ink("#56b4e9", "#8fd0f5"), MarkerShape::Square, 1.8, "6 3")),
    ("axum", look(ink("#009e73", "#2fc79b"), MarkerShape::Triangle, 1.8, "")),
    ("nchan", look(ink("#cc79a7", "#e39cc3"), MarkerShape::Diamond, 1.8, "")),
    ("pushpin", look(ink("#b38600", "#e6bb33"), MarkerShape::TriangleDown, 1.8, "")),
    ("nats", look(ink("#117733", "#5fbf7f"), MarkerShape::Triangle, 1.8, "6 3")),
    ("redis", look(ink("#882255", "#d477a5"), MarkerShape::Diamond, 1.8, "6 3")),
];

const OTHER: Look = look(ink("#7a5195", "#b58fd0"), MarkerShape::Star, 1.8, "");

const fn look(ink: Ink, marker: MarkerShape, width: f64, dashes: &'static str) -> Look {
    Look { ink, marker, width, dashes }
}

/// Targets that nobody has given a look share one.
pub(super) fn of_target(target: &str) -> Look {
    LOOKS.iter().find(|(name, _)| *name == target).map_or(OTHER, |(_, look)| *look)
}

/// The chrome of a plot on light ground.
pub(super) fn theme() -> Theme {
    Theme {
        background: GROUND.light.to_owned(),
        axis_color: AXIS.light.to_owned(),
        grid_color: GRID.light.to_owned(),
        tick_color: AXIS.light.to_owned(),
        text_color: WORDS.light.to_owned(),
        legend_bg: GROUND.light.to_owned(),
        legend_border: "none".to_owned(),
        ..Theme::light()
    }
}

/// Replaces every colour by its dark counterpart on screens of readers who prefer dark pages. Paper stays light.
pub(super) fn dark_style() -> String {
    let mut style = String::from("<style>@media screen and (prefers-color-scheme: dark) {");
    let chrome = [GROUND, WORDS, AXIS, GRID];
    let targets = LOOKS.iter().map(|(_, look)| look.ink).chain([OTHER.ink]);
    for Ink { light, dark } in chrome.into_iter().chain(targets) {
        let _ =
            write!(style, " [fill=\"{light}\"] {{ fill: {dark} }} [stroke=\"{light}\"] {{ stroke: {dark} }}");
    }
    style.push_str("\n}</style>");
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_colour_of_its_own() {
        let mut inks: Vec<&str> =
            LOOKS.iter().map(|(_, look)| look.ink.light).chain([OTHER.ink.light]).collect();
        inks.sort_unstable();
        inks.dedup();
        assert_eq!(inks.len(), LOOKS.len() + 1);
    }
}
