//! Results of all scenarios, made by hand, with everything that a report has to cope with: failures, features that are
//! missing, and figures that nobody measured.

use std::collections::BTreeMap;

use crate::figures::{Figure, Machine, Measurement, Outcome, Results, Setting};

/// A reason as an unfriendly target might word it.
pub(super) const FAILURE: &str = "lost 3 events: <b>\"id\"</b> | & `so` on";

pub(super) const INABILITY: &str = "has no history";

pub(super) fn none() -> Results {
    let machine =
        Machine { cpu: "Some CPU".to_owned(), cores: 2, memory_bytes: 8 << 30, kernel: "6.12.0".to_owned() };
    Results {
        machine,
        command: "corecast-bench all".to_owned(),
        begun: "2026-01-02T03:04Z".to_owned(),
        versions: BTreeMap::new(),
        file_system: "ext4".to_owned(),
        measurements: Vec::new(),
    }
}

pub(super) fn all() -> Results {
    let mut results = none();
    for (target, version) in [("corecast", "0.1.0"), ("axum", "0.8.7"), ("nchan", "1.3.6")] {
        results.versions.insert(target.to_owned(), version.to_owned());
    }
    let all = [
        fanout(),
        rate(),
        users(),
        hold(),
        churn(),
        storm(),
        resume(),
        slow(),
        publish(),
        durable(),
        scale(),
        limit(),
    ];
    results.measurements = all.into_iter().flatten().collect();
    results
}

/// Three runs around `median`.
fn runs(median: f64) -> Vec<f64> {
    vec![median * 1.04, median, median * 0.97]
}

fn ten_thousand() -> Setting {
    Setting { connections: 10_000, event_bytes: Some(128), ..Setting::default() }
}

pub(super) fn measured(
    scenario: &str,
    target: &str,
    setting: &Setting,
    figures: &[(Figure, f64)],
) -> Measurement {
    let figures = figures.iter().map(|(figure, median)| (*figure, runs(*median))).collect();
    with(scenario, target, setting, Outcome::Measured(figures))
}

pub(super) fn with(scenario: &str, target: &str, setting: &Setting, outcome: Outcome) -> Measurement {
    Measurement {
        scenario: scenario.to_owned(),
        target: target.to_owned(),
        setting: setting.clone(),
        command: format!("corecast-bench run {scenario} --target {target}"),
        outcome,
    }
}

pub(super) fn fanout() -> Vec<Measurement> {
    let cpu = [
        ("corecast", [4.15, 1.33, 0.46, 0.208]),
        ("corecast-file", [4.21, 1.34, 0.47, 0.21]),
        ("limit", [4.0, 3.9, 3.8, 3.8]),
        ("limit-joined", [4.02, 1.3, 0.45, 0.2]),
        ("limit-send", [5.6, 5.5, 5.5, 5.4]),
        ("durable-streams", [7.9, 1.41, 0.47, 0.27]),
        ("axum", [8.3, 1.84, 1.05, 0.96]),
        ("nchan", [9.6, 9.0, 8.9, 8.8]),
    ];
    let outstanding = [1, 4, 16, 64];
    let at = |outstanding| Setting { outstanding: Some(outstanding), ..ten_thousand() };
    let mut all = Vec::new();
    for (target, micros) in cpu {
        for (outstanding, micros) in outstanding.into_iter().zip(micros) {
            let figures = [
                (Figure::CpuPerDelivery, micros),
                (Figure::DeliveriesPerSecond, 1e6 / micros),
                (Figure::EventsPerSecond, 100.0 / micros),
                (Figure::LatencyP99, micros * 20.0),
            ];
            all.push(measured("fanout", target, &at(outstanding), &figures));
        }
    }
    for outstanding in outstanding {
        all.push(with("fanout", "pushpin", &at(outstanding), Outcome::Failed(FAILURE.to_owned())));
    }
    all
}

fn rate() -> Vec<Measurement> {
    let at = |rate| Setting { events_per_second: Some(rate), ..ten_thousand() };
    let mut all = Vec::new();
    for (target, millis) in
        [("corecast", 18.0), ("limit", 16.0), ("durable-streams", 41.0), ("axum", 48.0), ("nchan", 400.0)]
    {
        for rate in [1.0, 5.0, 10.0, 15.0, 20.0] {
            let p50 = millis * (0.6 + rate / 37.0);
            let figures = [
                (Figure::LatencyP50, p50),
                (Figure::LatencyP99, p50 * 2.1),
                (Figure::LatencyP999, p50 * 2.6),
                (Figure::LatencyMax, p50 * 4.0),
                (Figure::LastByteP50, p50 * 1.9),
                (Figure::CpuPerDelivery, 4.0 + millis / 20.0 - rate / 30.0),
            ];
            all.push(measured("rate", target, &at(rate), &figures));
        }
    }
    all.push(with("rate", "pushpin", &at(15.0), Outcome::Unable("cannot keep up".to_owned())));
    all
}

fn users() -> Vec<Measurement> {
    let figure = |micros| [(Figure::CpuPerDelivery, micros), (Figure::LatencyP99, micros / 7.0)];
    vec![
        measured("users", "corecast", &ten_thousand(), &figure(6.1)),
        measured("users", "nchan", &ten_thousand(), &figure(19.7)),
    ]
}

fn hold() -> Vec<Measurement> {
    let setting = Setting { connections: 10_000, ..Setting::default() };
    let memory = [
        ("corecast", 212.0, 0.41, 36_000.0),
        ("durable-streams", 838.0, 0.65, 7_900.0),
        ("axum", 31_900.0, 0.71, 11_900.0),
        ("nchan", 10_300.0, 0.65, 35_300.0),
        ("pushpin", 43_700.0, 5.0, 1_300.0),
    ];
    let all = memory.map(|(target, own, cpu, connects)| {
        let figures = [
            (Figure::OwnMemoryPerConnection, own),
            (Figure::KernelMemoryPerConnection, 4_070.0),
            (Figure::CpuShare, cpu),
            (Figure::ConnectsPerSecond, connects),
        ];
        measured("hold", target, &setting, &figures)
    });
    all.into()
}

fn churn() -> Vec<Measurement> {
    let setting = Setting { events_per_second: Some(10.0), ..ten_thousand() };
    let latencies = [("corecast", 60.0), ("durable-streams", 92.0), ("axum", 106.0)];
    latencies
        .map(|(target, millis)| measured("churn", target, &setting, &[(Figure::LatencyP99, millis)]))
        .into()
}

fn storm() -> Vec<Measurement> {
    let times =
        [("corecast", 280.0), ("durable-streams", 1_700.0), ("nchan", 1_500.0), ("pushpin", 14_000.0)];
    let mut all: Vec<Measurement> = times
        .map(|(target, millis)| {
            measured("storm", target, &ten_thousand(), &[(Figure::TimeToComplete, millis)])
        })
        .into();
    all.push(with("storm", "axum", &ten_thousand(), Outcome::Unable(INABILITY.to_owned())));
    all
}

fn slow() -> Vec<Measurement> {
    let at = |percent| Setting { stalled_percent: Some(percent), outstanding: Some(16), ..ten_thousand() };
    let mut all = Vec::new();
    for (target, p99, worse, bytes) in [
        ("corecast", 80.0, 1.04, 300_000.0),
        ("durable-streams", 150.0, 1.3, 482_344_960.0),
        ("axum", 300.0, 1.4, 12_582_912.0),
    ] {
        let figures = |p99, bytes| [(Figure::LatencyP99, p99), (Figure::MemoryGrowth, bytes)];
        all.push(measured("slow", target, &at(0), &figures(p99, 200_000.0)));
        all.push(measured("slow", target, &at(10), &figures(p99 * worse, bytes)));
    }
    all
}

fn publish() -> Vec<Measurement> {
    let mut all = Vec::new();
    for (mode, factor) in [("single", 1.0), ("pipelined", 3.0), ("ndjson", 12.0)] {
        for (target, rate) in [("corecast", 61_000.0), ("axum", 40_000.0), ("nchan", 33_000.0)] {
            let setting = Setting {
                mode: Some(mode.to_owned()),
                connections: 1,
                event_bytes: Some(128),
                ..Setting::default()
            };
            let figures = [(Figure::EventsPerSecond, rate * factor), (Figure::CpuPerRequest, 1e6 / rate)];
            all.push(measured("publish", target, &setting, &figures));
        }
    }
    all
}

fn durable() -> Vec<Measurement> {
    let mut all = Vec::new();
    for publishers in [1, 16, 256] {
        let setting = Setting { publishers: Some(publishers), event_bytes: Some(128), ..Setting::default() };
        for (target, syncs, shared) in [
            ("corecast-file", 6_500.0, 0.55),
            ("device", 5_100.0, 1.0),
            ("device-reserved", 7_100.0, 1.0),
            ("nats", 4_100.0, 0.0),
            ("redis", 4_900.0, 0.8),
        ] {
            let per_sync = f64::max(1.0, shared * f64::from(publishers));
            let figures = [
                (Figure::RequestsPerSecond, syncs * per_sync),
                (Figure::LatencyP50, 1e3 * f64::from(publishers) / (syncs * per_sync)),
                (Figure::LatencyP99, 3e3 * f64::from(publishers) / (syncs * per_sync)),
                (Figure::SyncsPerSecond, syncs),
                (Figure::RequestsPerSync, per_sync),
            ];
            all.push(measured("durable", target, &setting, &figures));
        }
        let figures = [(Figure::RequestsPerSecond, 23_100.0)];
        all.push(measured("durable", "corecast", &setting, &figures));
    }
    all
}

fn resume() -> Vec<Measurement> {
    let mut all = Vec::new();
    for (target, millis) in [("corecast", 7_100.0), ("corecast-file", 8_200.0), ("durable-streams", 9_900.0)]
    {
        for mode in ["together", "apart"] {
            let setting =
                Setting { missed_events: Some(3_000), mode: Some(mode.to_owned()), ..ten_thousand() };
            let figures = [
                (Figure::TimeToComplete, millis),
                (Figure::DeliveriesPerSecond, 3e10 / millis),
                (Figure::LatencyP99, millis / 9.0),
                (Figure::LatencyBeforeP99, 1.25),
                (Figure::DiskBytesRead, millis * 150.0),
            ];
            all.push(measured("resume", target, &setting, &figures));
        }
    }
    all
}

fn scale() -> Vec<Measurement> {
    let mut all = Vec::new();
    for (step, connections) in [1_000, 10_000, 100_000, 1_000_000].into_iter().enumerate() {
        let step = step as f64;
        let setting = Setting { connections, ..Setting::default() };
        let figures = [
            (Figure::OwnMemoryPerConnection, 240.0 - step * 10.0),
            (Figure::KernelMemoryPerConnection, 4_100.0),
            (Figure::ConnectsPerSecond, 44_000.0 - step * 3_000.0),
            (Figure::CpuPerDelivery, 3.6 + step * 0.4),
            (Figure::CpuShare, 0.05 * 9.0_f64.powf(step)),
        ];
        all.push(measured("scale", "corecast", &setting, &figures));
        if connections <= 10_000 {
            all.push(measured(
                "scale",
                "axum",
                &setting,
                &figures.map(|(figure, value)| (figure, value * 2.2)),
            ));
        } else {
            let unable = Outcome::Unable("is bound by RLIMIT_NOFILE".to_owned());
            all.push(with("scale", "axum", &setting, unable));
        }
    }
    all
}

fn limit() -> Vec<Measurement> {
    [("limit", 4.0), ("limit-send", 5.6)]
        .map(|(target, micros)| {
            measured("limit", target, &ten_thousand(), &[(Figure::CpuPerDelivery, micros)])
        })
        .into()
}
