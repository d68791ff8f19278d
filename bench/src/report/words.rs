//! The words of a report: what scenarios, targets, settings and figures are called, and how quantities are written.
//!
//! Everything is written here once, so that the terminal, the documents and the page say the same. Not here: layout.

use super::measured::Spread;
use crate::figures::{Figure, Setting, Unit};

/// A scenario as a report presents it.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What happens in it, in one sentence.
    pub(super) about: &'static str,
}

/// In the order of a report.
const SCENARIOS: [Scenario; 12] = [
    Scenario {
        name: "limit",
        title: "The limit of the machine",
        about: "A bare loop sends the same bytes over the same sockets, with no logic at all.",
    },
    Scenario {
        name: "fanout",
        title: "One event to everybody",
        about: "Every event goes to every subscriber, and the next is published as soon as one has reached all of them; \
                so many are outstanding at a time.",
    },
    Scenario {
        name: "rate",
        title: "Latency at a fixed rate",
        about: "Events go to every subscriber at a fixed rate, and each delivery is timed from the moment its event was \
                due, whether or not it could be published then.",
    },
    Scenario {
        name: "users",
        title: "Events to single users",
        about: "Each event goes to one user among all that are connected.",
    },
    Scenario {
        name: "hold",
        title: "Idle connections",
        about: "Subscribers stay connected while nothing is published, and heartbeats keep their streams alive.",
    },
    Scenario {
        name: "churn",
        title: "Coming and going",
        about: "1,000 subscribers a second connect and as many leave, each with a token that has to be verified, while events go to all.",
    },
    Scenario {
        name: "storm",
        title: "Everybody comes back at once",
        about: "All subscribers lose their connections, return together, and ask for what they missed; it ends when the \
                last of them has everything and receives live.",
    },
    Scenario {
        name: "resume",
        title: "Everybody comes back after a long time",
        about: "Subscribers return at once with cursors so far back that what they missed is in the log alone, while events \
                go to those who were never away. It ends when the last of them has everything; latencies are those of the \
                subscribers who stayed.",
    },
    Scenario {
        name: "slow",
        title: "Readers that stall",
        about: "Some subscribers stop reading while events go to all: what the others notice of it, and what it costs in \
                memory.",
    },
    Scenario {
        name: "publish",
        title: "Publishing",
        about: "Publishers write as fast as they are answered: one event per request, several requests ahead, or several \
                events in one request.",
    },
    Scenario {
        name: "durable",
        title: "Publishing that a disk has to take",
        about: "Publishers write one event each and wait for its answer, which comes once the event is on the disk: but for \
                the memory log of corecast, which shows what that costs. The limit appends and syncs as many events at a \
                time as there are publishers.",
    },
    Scenario {
        name: "scale",
        title: "Up to a million connections",
        about: "One process holds more and more connections: what each costs, how fast they come, and what deliveries and \
                idling cost then.",
    },
];

pub(super) const HOW_TO_READ: &str = "Figures are medians of the runs. In brackets: how many times the limit's figure, \
    which a bare loop reached with the same work on the same sockets. CPU time is that of the server's processes, user and \
    system. Whiskers in plots reach from the lowest run to the highest. A run in which an event was lost, doubled or out of order has no figures: it failed.";

/// Ours first, then the limits, then the others.
const TARGETS: [&str; 17] = [
    "corecast",
    "corecast-file",
    "corecast-scraped",
    "corecast-monoio",
    "corecast-epoll",
    "limit",
    "limit-joined",
    "limit-send",
    "device-reserved",
    "device",
    "durable-streams",
    "durable-streams-wal",
    "axum",
    "nchan",
    "pushpin",
    "nats",
    "redis",
];

/// How publishers write, from the plainest way on, and how subscribers come back.
const MODES: [&str; 5] = ["single", "pipelined", "ndjson", "together", "apart"];

/// Where a mode stands among settings: known ones in their order, then all others.
pub(super) fn mode_order(name: &str) -> usize {
    MODES.iter().position(|known| *known == name).unwrap_or(MODES.len())
}

/// Where a scenario stands in a report: known ones in their order, then unknown ones by name.
pub(super) fn scenario_order(name: &str) -> (usize, &str) {
    (SCENARIOS.iter().position(|known| known.name == name).unwrap_or(SCENARIOS.len()), name)
}

/// Where a target stands in a row: known ones in their order, then unknown ones by name.
pub(super) fn target_order(name: &str) -> (usize, &str) {
    (TARGETS.iter().position(|known| *known == name).unwrap_or(TARGETS.len()), name)
}

/// The title of a scenario and what happens in it. Unknown ones are called by their name.
pub(super) fn scenario(name: &str) -> (&str, &'static str) {
    let known = SCENARIOS.iter().find(|known| known.name == name);
    known.map_or((name, ""), |known| (known.title, known.about))
}

/// What a figure is called in a row of a table, without its unit: quantities carry theirs.
pub(super) fn figure(figure: Figure) -> &'static str {
    match figure {
        Figure::DeliveriesPerSecond => "deliveries",
        Figure::EventsPerSecond => "events",
        Figure::CpuPerDelivery => "CPU per delivery",
        Figure::CpuShare => "CPU, of one core",
        Figure::LoadCpuShare => "CPU of the load, of one core",
        Figure::LatencyP50 => "latency, p50",
        Figure::LatencyP90 => "latency, p90",
        Figure::LatencyP99 => "latency, p99",
        Figure::LatencyP999 => "latency, p99.9",
        Figure::LatencyP9999 => "latency, p99.99",
        Figure::LatencyMax => "latency, longest",
        Figure::LastByteP50 => "last subscriber, p50",
        Figure::LastByteP99 => "last subscriber, p99",
        Figure::LatencyBeforeP50 => "latency before, p50",
        Figure::LatencyBeforeP99 => "latency before, p99",
        Figure::ConnectsPerSecond => "connects",
        Figure::CpuPerConnect => "CPU per connect",
        Figure::OwnMemoryPerConnection => "own memory per connection",
        Figure::KernelMemoryPerConnection => "kernel memory per connection",
        Figure::MemoryGrowth => "memory growth",
        Figure::TimeToComplete => "time to complete",
        Figure::RequestsPerSecond => "requests",
        Figure::CpuPerRequest => "CPU per request",
        Figure::SyncsPerSecond => "syncs",
        Figure::RequestsPerSync => "requests per sync",
        Figure::DiskBytesRead => "read from the disk",
    }
}

/// What tells one setting from another, part by part; a part that means nothing to the scenario is absent.
pub(super) fn setting(setting: &Setting) -> [Option<String>; 8] {
    [
        Some(setting.connections).filter(|&count| count > 0).map(|count| counted(count, "connection")),
        setting.publishers.map(|count| counted(count, "publisher")),
        setting.event_bytes.map(|bytes| format!("events of {} B", grouped(f64::from(bytes)))),
        setting.outstanding.map(|count| format!("{} outstanding", grouped(f64::from(count)))),
        setting.events_per_second.map(|rate| format!("{rate} events/s")),
        setting.stalled_percent.map(|percent| format!("{percent} % stalled")),
        setting.missed_events.map(|count| format!("{} missed", grouped(f64::from(count)))),
        setting.mode.clone(),
    ]
}

fn counted(count: u32, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(f64::from(count)))
}

/// A quantity with its unit, to three digits or a little more: `126 k/s`, `1.33 µs`, `4,312 B`, `2.47 s`.
pub(super) fn quantity(unit: Unit, value: f64) -> String {
    let size = value.abs();
    let (divisor, suffix) = match unit {
        Unit::PerSecond if size >= 999_500.0 => (1e6, " M/s"),
        Unit::PerSecond if size >= 9_999.5 => (1e3, " k/s"),
        Unit::PerSecond => (1.0, "/s"),
        Unit::Micros if size >= 9_999.5 => (1e3, " ms"),
        Unit::Micros => (1.0, " µs"),
        Unit::Millis if size >= 9_999.5 => (1e3, " s"),
        Unit::Millis if size < 0.9995 && size > 0.0 => (1e-3, " µs"),
        Unit::Millis => (1.0, " ms"),
        Unit::Bytes if size >= 1e4 * 1_048_576.0 => (1_073_741_824.0, " GiB"),
        Unit::Bytes if size >= 1_048_576.0 => (1_048_576.0, " MiB"),
        // Below that a byte matters: it is what one connection of a million costs.
        Unit::Bytes => return format!("{} B", grouped(value)),
        Unit::Percent => (1.0, " %"),
        Unit::Count => (1.0, ""),
    };
    format!("{}{suffix}", significant(value / divisor))
}

/// A median with the spread of its runs, if there was more than one: `1.33 µs (1.30 µs – 1.38 µs, 3 runs)`.
pub(super) fn spread(unit: Unit, spread: Spread) -> String {
    let median = quantity(unit, spread.median);
    match range(unit, spread) {
        Some(range) => format!("{median} ({range}, {} runs)", spread.runs),
        None => median,
    }
}

/// From the lowest to the highest run, if there was more than one: `1.30 µs – 1.38 µs`.
pub(super) fn range(unit: Unit, spread: Spread) -> Option<String> {
    (spread.runs > 1).then(|| format!("{} – {}", quantity(unit, spread.min), quantity(unit, spread.max)))
}

/// A quantity at a mark of an axis, whose numbers are round.
pub(super) fn tick(unit: Unit, value: f64) -> String {
    let text = quantity(unit, value);
    let (number, suffix) = text.split_at(text.find([' ', '/']).unwrap_or(text.len()));
    format!("{}{suffix}", round(number))
}

/// A bare number at a mark of an axis: `16`, `100k`, `1M`.
pub(super) fn short(value: f64) -> String {
    let (divisor, suffix) = match value {
        value if value >= 1e6 => (1e6, "M"),
        value if value >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    format!("{}{suffix}", round(&significant(value / divisor)))
}

/// Without the zeros that end a fraction.
fn round(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// How much of the limit a value is: `1.03×`, `12×`.
pub(super) fn ratio(value: f64) -> String {
    let decimals = if value.abs() < 9.995 { 2 } else { 0 };
    format!("{value:.decimals$}×")
}

/// Three significant digits, and all of those before the point. Nothing is just 0.
pub(super) fn significant(value: f64) -> String {
    if value.abs() >= 99.95 || value == 0.0 {
        return grouped(value);
    }
    // A value below a millionth is written as zero: no figure of ours means anything there.
    let exponent = value.abs().max(1e-6).log10().floor();
    let decimals = (2.0 - exponent).clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}")
}

/// Of a machine: `7.6 GiB`.
pub(super) fn memory(bytes: u64) -> String {
    format!("{} GiB", significant(bytes as f64 / f64::from(1 << 30)))
}

/// With a capital and a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

/// The nearest whole number, with a comma between thousands.
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let sign = if value < 0.0 && digits != "0" { "-" } else { "" };
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_to_three_digits_with_their_unit() {
        for (unit, value, expected) in [
            (Unit::PerSecond, 126_412.0, "126 k/s"),
            (Unit::PerSecond, 3_812_345.0, "3.81 M/s"),
            (Unit::PerSecond, 7_912.4, "7,912/s"),
            (Unit::PerSecond, 0.0, "0/s"),
            (Unit::Micros, 1.3349, "1.33 µs"),
            (Unit::Micros, 0.0312, "0.0312 µs"),
            (Unit::Micros, 39.04, "39.0 µs"),
            (Unit::Millis, 2_470.2, "2,470 ms"),
            (Unit::Millis, 14_000.0, "14.0 s"),
            (Unit::Millis, 0.41, "410 µs"),
            (Unit::Bytes, 838.4, "838 B"),
            (Unit::Bytes, 31_950.0, "31,950 B"),
            (Unit::Bytes, 482_344_960.0, "460 MiB"),
            (Unit::Bytes, 24e9, "22.4 GiB"),
            (Unit::Bytes, -12.0, "-12 B"),
            (Unit::Percent, 0.482, "0.482 %"),
            (Unit::Count, 127.6, "128"),
            (Unit::Count, 5.25, "5.25"),
        ] {
            assert_eq!(quantity(unit, value), expected, "{unit:?} {value}");
        }
    }

    #[test]
    fn marks_of_axes_have_no_zeros_to_spare() {
        for (unit, value, expected) in [
            (Unit::Millis, 5_000.0, "5,000 ms"),
            (Unit::Millis, 10_000.0, "10 s"),
            (Unit::Micros, 0.2, "0.2 µs"),
            (Unit::PerSecond, 1_500_000.0, "1.5 M/s"),
            (Unit::PerSecond, 100.0, "100/s"),
        ] {
            assert_eq!(tick(unit, value), expected, "{unit:?} {value}");
        }
        assert_eq!([16.0, 100_000.0, 1e6, 0.5].map(short), ["16", "100k", "1M", "0.5"]);
    }

    #[test]
    fn thousands_are_grouped() {
        for (value, expected) in
            [(0.0, "0"), (-0.2, "0"), (999.0, "999"), (1_000.0, "1,000"), (-1_234_567.0, "-1,234,567")]
        {
            assert_eq!(grouped(value), expected, "{value}");
        }
    }
}
