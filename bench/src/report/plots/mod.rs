//! The plots of a report, as a list: which figures of which scenario, over what, as curves or as bars.
//!
//! What was not measured is left out of a plot, and the caption names it; it is never drawn as a zero. A plot of which
//! nothing was measured is not drawn. Not here: colours (`ink`) and drawing (`chart`).

use self::chart::{Bar, Bars, Curves, Series};
use super::measured::{self, Spread};
use super::words;
use crate::figures::{Figure, Measurement, Results, Setting, Unit};

mod ink;
mod chart;

/// A drawing and its words.
pub(super) struct Plot {
    pub(super) scenario: &'static str,
    /// Of its file, without `.svg`.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) caption: String,
    pub(super) svg: String,
}

struct Design {
    scenario: &'static str,
    name: &'static str,
    title: &'static str,
    kind: Kind,
}

enum Kind {
    /// A panel for each list of figures with its title. The figures of a list are added up.
    Curves(X, &'static [(&'static str, &'static [Figure])]),
    /// A panel for each setting, each with an axis of its own. Figures beyond the first are put on top of it.
    Bars(&'static [Figure]),
    /// The same with one axis for all settings.
    BarsOnOneScale(&'static [Figure]),
}

/// What curves run over.
#[derive(Clone, Copy)]
enum X {
    Outstanding,
    Rate,
    Connections,
    Publishers,
}

const MEMORY: [Figure; 2] = [Figure::OwnMemoryPerConnection, Figure::KernelMemoryPerConnection];

const DESIGNS: [Design; 20] = [
    Design {
        scenario: "fanout",
        name: "cpu-per-delivery",
        title: "Server CPU per delivery over events outstanding",
        kind: Kind::Curves(X::Outstanding, &[("", &[Figure::CpuPerDelivery])]),
    },
    bars("fanout", "deliveries", "Deliveries per second on one core", &[Figure::DeliveriesPerSecond]),
    Design {
        scenario: "rate",
        name: "latency",
        title: "Latency over events per second",
        kind: Kind::Curves(
            X::Rate,
            &[
                ("p50", &[Figure::LatencyP50]),
                ("p99", &[Figure::LatencyP99]),
                ("p99.9", &[Figure::LatencyP999]),
                ("last subscriber, p50", &[Figure::LastByteP50]),
            ],
        ),
    },
    Design {
        scenario: "rate",
        name: "rate-cpu",
        title: "Server CPU per delivery over events per second",
        kind: Kind::Curves(X::Rate, &[("", &[Figure::CpuPerDelivery])]),
    },
    bars("users", "users", "Server CPU per delivery to one user", &[Figure::CpuPerDelivery]),
    bars("hold", "memory", "Memory per idle connection: own, and in grey the kernel's", &MEMORY),
    bars("hold", "idle-cpu", "CPU share of one core with idle connections", &[Figure::CpuShare]),
    bars("hold", "connects", "Connects per second", &[Figure::ConnectsPerSecond]),
    bars("storm", "storm", "Time until everybody is back and has everything", &[Figure::TimeToComplete]),
    Design {
        scenario: "slow",
        name: "slow-p99",
        title: "p99 latency of those who read, while others stall",
        kind: Kind::BarsOnOneScale(&[Figure::LatencyP99]),
    },
    Design {
        scenario: "slow",
        name: "slow-memory",
        title: "Memory growth while some stall",
        kind: Kind::BarsOnOneScale(&[Figure::MemoryGrowth]),
    },
    bars("publish", "publish", "Events taken per second", &[Figure::EventsPerSecond]),
    Design {
        scenario: "durable",
        name: "durable",
        title: "Publishing that a disk has to take, over publishers",
        kind: Kind::Curves(
            X::Publishers,
            &[
                ("answers per second", &[Figure::RequestsPerSecond]),
                ("p50", &[Figure::LatencyP50]),
                ("p99", &[Figure::LatencyP99]),
            ],
        ),
    },
    bars("durable", "durable-syncs", "Answers for each sync", &[Figure::RequestsPerSync]),
    bars("resume", "resume", "Time until everybody has what they missed", &[Figure::TimeToComplete]),
    bars(
        "resume",
        "resume-deliveries",
        "Deliveries per second while all come back",
        &[Figure::DeliveriesPerSecond],
    ),
    Design {
        scenario: "resume",
        name: "resume-p99",
        title: "p99 latency of those who stayed, while all come back",
        kind: Kind::BarsOnOneScale(&[Figure::LatencyP99]),
    },
    Design {
        scenario: "scale",
        name: "scale",
        title: "From a thousand connections to a million",
        kind: Kind::Curves(
            X::Connections,
            &[
                ("memory per connection, own and kernel", &MEMORY),
                ("connects per second", &[Figure::ConnectsPerSecond]),
                ("server CPU per delivery", &[Figure::CpuPerDelivery]),
                ("CPU of one core, idle", &[Figure::CpuShare]),
            ],
        ),
    },
    bars("limit", "limit", "Server CPU per delivery of the bare loop", &[Figure::CpuPerDelivery]),
    bars("storm", "storm-connects", "Connects per second in the storm", &[Figure::ConnectsPerSecond]),
];

const fn bars(
    scenario: &'static str,
    name: &'static str,
    title: &'static str,
    figures: &'static [Figure],
) -> Design {
    Design { scenario, name, title, kind: Kind::Bars(figures) }
}

/// All plots of which anything was measured.
pub(super) fn plots(results: &Results) -> Vec<Plot> {
    DESIGNS.iter().flat_map(|design| design.plots(results)).collect()
}

impl Design {
    fn plots(&self, results: &Results) -> Vec<Plot> {
        match self.kind {
            Kind::Curves(x, panels) => self.curves(results, x, panels),
            Kind::Bars(figures) => self.bars(results, figures, false).into_iter().collect(),
            Kind::BarsOnOneScale(figures) => self.bars(results, figures, true).into_iter().collect(),
        }
    }

    /// A plot for each group of settings that differ only in `x`.
    fn curves(&self, results: &Results, x: X, panels: &[(&'static str, &[Figure])]) -> Vec<Plot> {
        let all = measured::of_scenario(results, self.scenario).filter(|m| x.of(&m.setting).is_some());
        let mut groups: Vec<Setting> =
            measured::settings(all.clone()).into_iter().map(|s| x.without(s)).collect();
        groups.dedup();
        let mut plots: Vec<Plot> = Vec::new();
        for group in &groups {
            let here = all.clone().filter(|m| x.without(&m.setting) == *group);
            let panels: Vec<Curves<'_>> = panels
                .iter()
                .filter_map(|(title, figures)| panel_of_curves(here.clone(), x, title, figures))
                .collect();
            if panels.is_empty() {
                continue;
            }
            let shown: Vec<&str> = panels.iter().flat_map(|p| p.series.iter().map(|s| s.target)).collect();
            // What is the same in the whole scenario stands above the plot already.
            let words = if groups.len() > 1 { measured::common_and_own(&[group]).0 } else { String::new() };
            let number = if plots.is_empty() { String::new() } else { format!("-{}", plots.len() + 1) };
            plots.push(self.plot(&number, [words::sentence(&words), missing(here, &shown)], |name| {
                chart::curves(name, &panels)
            }));
        }
        plots
    }

    fn bars(&self, results: &Results, figures: &[Figure], is_one_scale: bool) -> Option<Plot> {
        let all = measured::of_scenario(results, self.scenario);
        let unit = figures.first()?.unit();
        let settings = measured::settings(all.clone());
        let (_, own) = measured::common_and_own(&settings);
        let mut panels: Vec<Bars<'_>> = Vec::new();
        for (setting, own) in settings.into_iter().zip(own) {
            let here = all.clone().filter(|m| m.setting == *setting);
            let limit = measured::limit_of(results, self.scenario, setting).and_then(|m| sum(m, figures));
            let is_about_limits = here.clone().all(Measurement::is_limit);
            let bars: Vec<Bar<'_>> = here
                .filter(|m| is_about_limits || !m.is_limit())
                .filter_map(|m| Some(Bar { target: &m.target, parts: parts(m, figures)? }))
                .collect();
            let limit = limit.filter(|_| !is_about_limits).map(|limit| limit.median);
            panels.extend(panel_of_bars(own, unit, bars, limit));
        }
        if is_one_scale {
            let start = panels.iter().map(|panel| panel.start).fold(0.0, f64::min);
            let end = panels.iter().map(|panel| panel.end).fold(0.0, f64::max);
            panels.iter_mut().for_each(|panel| (panel.start, panel.end) = (start, end));
        }
        let shown: Vec<&str> = panels.iter().flat_map(|p| p.bars.iter().map(|bar| bar.target)).collect();
        let missing = missing(all, &shown);
        (!panels.is_empty()).then(|| self.plot("", [missing], |name| chart::bars(name, &panels)))
    }

    fn plot<const N: usize>(
        &self,
        number: &str,
        caption: [String; N],
        draw: impl Fn(&str) -> String,
    ) -> Plot {
        let caption = caption.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
        let (name, title) = (format!("{}{number}", self.name), self.title.to_owned());
        let svg = draw(&name);
        Plot { scenario: self.scenario, name, title, caption, svg }
    }
}

/// `None` if nobody has the figures.
fn panel_of_curves<'a>(
    here: impl Iterator<Item = &'a Measurement> + Clone,
    x: X,
    title: &'static str,
    figures: &[Figure],
) -> Option<Curves<'a>> {
    let series: Vec<Series<'a>> = measured::targets(here.clone())
        .into_iter()
        .map(|target| Series {
            target,
            points: points(here.clone().filter(|m| m.target == target), x, figures),
        })
        .filter(|series| !series.points.is_empty())
        .collect();
    let unit = figures.first()?.unit();
    let curves = Curves { title: title.to_owned(), x_label: x.label(), unit, series };
    (!curves.series.is_empty()).then_some(curves)
}

/// `None` if there is nothing to draw.
fn panel_of_bars(own: String, unit: Unit, mut bars: Vec<Bar<'_>>, limit: Option<f64>) -> Option<Bars<'_>> {
    bars.sort_by_key(|bar| words::target_order(bar.target));
    let ends = bars.iter().flat_map(Bar::ends).chain(limit);
    let (start, end) = ends.fold((0.0, 0.0), |(start, end), at| (f64::min(start, at), f64::max(end, at)));
    // Without bars there is nothing to show, and bars of nothing at all have no scale to be drawn on.
    if bars.is_empty() || start >= end {
        return None;
    }
    let dashed = limit.map(|limit| format!("dashed: limit {}", words::quantity(unit, limit)));
    let title = [Some(own).filter(|own| !own.is_empty()), dashed].into_iter().flatten().collect::<Vec<_>>();
    Some(Bars { title: title.join(" · "), unit, bars, limit, start: start * 1.04, end: end * 1.04 })
}

/// Who took part and is not shown, or not everywhere. The notes below the table say why.
fn missing<'a>(measurements: impl Iterator<Item = &'a Measurement> + Clone, shown: &[&str]) -> String {
    let mut sentences: Vec<String> = Vec::new();
    for target in measured::targets(measurements.clone()) {
        let word = measurements.clone().filter(|m| m.target == target).find_map(|m| m.outcome.without());
        let is_shown = shown.contains(&target);
        if let Some(word) = word {
            let how_much = if is_shown { "Shown in part" } else { "Not shown" };
            sentences.push(format!("{how_much}: {target} ({word})."));
        }
    }
    sentences.join(" ")
}

/// By ascending x. What has no logarithm is left out.
fn points<'a>(
    measurements: impl Iterator<Item = &'a Measurement>,
    x: X,
    figures: &[Figure],
) -> Vec<(f64, Spread)> {
    let mut points: Vec<(f64, Spread)> = measurements
        .filter_map(|m| Some((x.of(&m.setting)?, sum(m, figures)?)))
        .filter(|(x, spread)| *x > 0.0 && spread.min > 0.0)
        .collect();
    points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    points
}

/// All of `figures`, or nothing: a part would pass for the whole.
fn parts(measurement: &Measurement, figures: &[Figure]) -> Option<Vec<Spread>> {
    figures.iter().map(|figure| measurement.spread(*figure)).collect()
}

fn sum(measurement: &Measurement, figures: &[Figure]) -> Option<Spread> {
    let add = |a: Spread, b: Spread| Spread {
        median: a.median + b.median,
        min: a.min + b.min,
        max: a.max + b.max,
        runs: a.runs.min(b.runs),
    };
    parts(measurement, figures)?.into_iter().reduce(add)
}

impl X {
    fn of(self, setting: &Setting) -> Option<f64> {
        match self {
            Self::Outstanding => setting.outstanding.map(f64::from),
            Self::Rate => setting.events_per_second,
            Self::Connections => Some(f64::from(setting.connections)),
            Self::Publishers => setting.publishers.map(f64::from),
        }
    }

    /// The setting but for this, to be compared with others.
    fn without(self, setting: &Setting) -> Setting {
        let mut rest = setting.clone();
        match self {
            Self::Outstanding => rest.outstanding = None,
            Self::Rate => rest.events_per_second = None,
            Self::Connections => rest.connections = 0,
            Self::Publishers => rest.publishers = None,
        }
        rest
    }

    fn label(self) -> &'static str {
        match self {
            Self::Outstanding => "events outstanding",
            Self::Rate => "events per second",
            Self::Connections => "connections",
            Self::Publishers => "publishers",
        }
    }
}
