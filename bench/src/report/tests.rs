//! What every report must hold: all that was measured is in it, nothing else, and it is whole on its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::goals::{Standing, verdicts};
use super::{plots, read, text, words, write};
use crate::figures::{Figure, Measurement, Outcome, Results, Setting, median};

mod sample;

/// Every file of a report by its name.
fn written(results: &Results) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().expect("a folder for a report");
    write(results, folder.path()).expect("a report is written");
    let entries = fs::read_dir(folder.path()).expect("the report's folder");
    let files = entries.map(|entry| entry.expect("a file of the report").path());
    files.map(|file| (name(&file), fs::read_to_string(&file).expect("a report is text"))).collect()
}

fn name(path: &Path) -> String {
    path.file_name().expect("a file has a name").to_string_lossy().into_owned()
}

/// As words appear in a report: every median of every figure.
fn medians(results: &Results) -> Vec<String> {
    let mut all = Vec::new();
    for measurement in &results.measurements {
        if let Outcome::Measured(figures) = &measurement.outcome {
            for (figure, values) in figures {
                all.push(words::quantity(figure.unit(), median(values).expect("a figure has runs")));
            }
        }
    }
    all
}

/// The text of a page, as a browser would show it, of the few entities that occur.
fn unescaped(html: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")]
        .iter()
        .fold(html.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}

#[test]
fn every_median_is_in_the_text_the_document_and_the_page() {
    let results = sample::all();
    let files = written(&results);
    let medians = medians(&results);
    assert!(medians.len() > 200, "{}", medians.len());
    for median in medians {
        for (place, content) in
            [("text", &text(&results)), ("md", &files["report.md"]), ("html", &files["report.html"])]
        {
            assert!(content.contains(&median), "{median} is not in the {place}");
        }
    }
}

#[test]
fn reasons_stand_where_figures_are_missing() {
    let results = sample::all();
    let files = written(&results);
    for reason in [sample::FAILURE, sample::INABILITY] {
        assert!(text(&results).contains(reason), "{reason}");
        assert!(unescaped(&files["report.html"]).contains(reason), "{reason}");
    }
    assert!(text(&results).contains("pushpin: failed: lost 3 events"));
    assert!(text(&results).contains("axum: unable: has no history"));
    assert!(files["report.md"].contains("axum: unable: has no history"));
}

#[test]
fn a_median_stands_beside_its_ratio_to_the_limit_with_the_same_work() {
    let text = text(&sample::all());
    // With one event outstanding there is nothing to join, with 64 there is.
    for ratio in ["4.15 µs (1.04×)", "0.208 µs (1.04×)", "8.80 µs (44×)"] {
        assert!(text.contains(ratio), "{ratio} is not in:\n{text}");
    }
    for of_a_limit in ["4.00 µs (", "0.200 µs ("] {
        assert!(!text.contains(of_a_limit), "{of_a_limit} is in:\n{text}");
    }
}

#[test]
fn nothing_measured_is_no_panic_and_no_plot() {
    let files = written(&sample::none());
    assert_eq!(files.keys().collect::<Vec<_>>(), ["report.html", "report.md"]);
    assert!(files["report.md"].contains("not measured"));
    assert!(!text(&sample::none()).contains("met "), "no goal is judged");
}

#[test]
fn figures_without_runs_are_not_figures() {
    let mut results = sample::none();
    let setting = Setting { connections: 10_000, outstanding: Some(1), ..Setting::default() };
    for values in [vec![], vec![f64::NAN], vec![f64::INFINITY, 1.0]] {
        let outcome = Outcome::Measured(BTreeMap::from([(Figure::CpuPerDelivery, values)]));
        results.measurements = vec![sample::with("fanout", "corecast", &setting, outcome)];
        let files = written(&results);
        assert!(!files.keys().any(|name| name.ends_with(".svg")), "{:?}", files.keys());
        assert!(text(&results).contains('–'));
    }
}

#[test]
fn zeros_and_negative_figures_can_be_shown() {
    let mut results = sample::none();
    let setting = Setting { connections: 1, outstanding: Some(0), ..Setting::default() };
    for scenario in ["fanout", "slow", "scale", "hold", "unheard of"] {
        for (target, value) in [("corecast", 0.0), ("axum", -5.0)] {
            let figures = [
                Figure::CpuPerDelivery,
                Figure::MemoryGrowth,
                Figure::OwnMemoryPerConnection,
                Figure::KernelMemoryPerConnection,
                Figure::DeliveriesPerSecond,
            ];
            let figures = figures.map(|figure| (figure, value));
            results.measurements.push(sample::measured(scenario, target, &setting, &figures));
        }
    }
    let files = written(&results);
    assert!(files["report.md"].contains("unheard of"));
    for (name, content) in files {
        assert!(!content.contains("NaN") && !content.contains("inf\""), "{name}");
    }
}

#[test]
fn the_same_results_give_the_same_bytes() {
    let results = sample::all();
    // Told apart by names alone: two reports are too long to be read in a failure.
    let (first, second) = (written(&results), written(&results.clone()));
    let differing: Vec<_> =
        first.iter().filter(|(name, content)| second.get(*name) != Some(content)).map(|f| f.0).collect();
    assert_eq!(differing, [""; 0]);
    assert_eq!(text(&results), text(&results.clone()));
}

#[test]
fn the_page_loads_nothing() {
    for (name, content) in written(&sample::all()) {
        // The name of the SVG language is written as an address, and is not one that is loaded.
        let content = content.replace("xmlns=\"http://www.w3.org/2000/svg\"", "").replace("url(#", "");
        for word in ["http:", "https:", "src=", "url(", "@import", "<script", "<link"] {
            assert!(!content.contains(word), "{word} in {name}");
        }
    }
}

#[test]
fn text_from_outside_is_escaped() {
    let mut results = sample::all();
    let evil = "<img onerror=x>&\"'|`*_[a](b)\n\u{1b}[2J";
    results.machine.cpu = evil.to_owned();
    results.versions.insert(evil.to_owned(), evil.to_owned());
    let setting = Setting { connections: 10_000, outstanding: Some(1), ..Setting::default() };
    let setting = Setting { mode: Some(evil.to_owned()), ..setting };
    results.measurements.push(sample::measured("fanout", evil, &setting, &[(Figure::CpuPerDelivery, 1.0)]));
    results.measurements.push(sample::with(evil, evil, &setting, Outcome::Failed(evil.to_owned())));
    for (name, content) in written(&results) {
        let content = if name == "report.md" { without_code(&content) } else { content };
        assert!(!content.contains("<img"), "{name}");
    }
    assert!(!text(&results).contains('\u{1b}'));
}

/// Code is shown as it is.
fn without_code(markdown: &str) -> String {
    markdown.split("\n```").step_by(2).collect()
}

#[test]
fn elements_of_pages_and_plots_are_closed_in_order() {
    for (name, content) in written(&sample::all()).iter().filter(|(name, _)| !name.ends_with(".md")) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = content.as_str();
        while let Some((_, after)) = rest.split_once('<') {
            let (tag, after) = after.split_once('>').expect("a tag ends");
            rest = after;
            let element = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(element), "{name}");
            } else if !tag.starts_with('!') && !tag.ends_with('/') && element != "meta" {
                open.push(element);
            }
        }
        assert_eq!(open, [""; 0], "{name}");
    }
}

#[test]
fn each_plot_is_shown_once_in_the_document_and_in_the_page() {
    let results = sample::all();
    let files = written(&results);
    let plots = plots::plots(&results);
    assert!(plots.len() >= 12, "{}", plots.len());
    for plot in plots {
        let reference = format!("]({}.svg)", plot.name);
        assert_eq!(files["report.md"].matches(&reference).count(), 1, "{reference}");
        assert_eq!(files["report.html"].matches(&plot.svg).count(), 1, "{}", plot.name);
        assert_eq!(files[&format!("{}.svg", plot.name)], plot.svg);
    }
}

#[test]
fn a_plot_names_whom_it_cannot_show() {
    let plots = plots::plots(&sample::all());
    let caption = |name| plots.iter().find(|plot| plot.name == name).map(|plot| plot.caption.as_str());
    assert!(
        caption("cpu-per-delivery").is_some_and(|caption| caption.contains("Not shown: pushpin (failed)"))
    );
    assert!(caption("scale").is_some_and(|caption| caption.contains("Shown in part: axum (unable)")));
    assert!(caption("storm").is_some_and(|caption| caption.contains("Not shown: axum (unable)")));
}

#[test]
fn goals_are_met_missed_or_not_measured() {
    let of = |results: &Results, words: &str| {
        let verdict = verdicts(results).into_iter().find(|verdict| verdict.goal.starts_with(words));
        verdict.map(|verdict| verdict.standing)
    };
    for (goal, standing) in [
        ("CPU per delivery, 1 ", Standing::Met),
        ("CPU per delivery, 64", Standing::Met),
        ("Deliveries per second on one core, 1 ", Standing::Met),
        ("Latency p50", Standing::Met),
        ("Own memory", Standing::Met),
        ("Own and kernel memory", Standing::Met),
        ("Connects", Standing::NotMet),
        ("10,000 come back", Standing::Met),
        ("10,000 idle", Standing::Met),
        ("10 % of readers stalled, the", Standing::Met),
        ("10 % of readers stalled, memory", Standing::Met),
        ("1,000,000", Standing::Met),
        ("Log on disk, 256 publishers", Standing::Met),
        ("Log on disk, 1 publisher", Standing::Met),
        ("Log on disk, CPU per delivery, 1 ", Standing::Met),
        ("Log on disk, CPU per delivery, 16", Standing::Met),
        ("A dead peer", Standing::NotMeasured),
    ] {
        assert_eq!(of(&sample::all(), goal), Some(standing), "{goal}");
    }
    assert!(verdicts(&sample::none()).iter().all(|verdict| verdict.standing == Standing::NotMeasured));
}

#[test]
fn a_goal_needs_its_full_size_something_to_compare_with_and_no_failure() {
    let standing = |measurements: Vec<Measurement>| {
        let verdicts = verdicts(&Results { measurements, ..sample::none() });
        verdicts.first().map(|verdict| (verdict.standing, verdict.found.clone()))
    };
    let ours = |connections| {
        let setting = Setting { connections, outstanding: Some(1), ..Setting::default() };
        sample::measured("fanout", "corecast", &setting, &[(Figure::CpuPerDelivery, 4.0)])
    };
    let limit = |micros| {
        let setting = Setting { connections: 10_000, outstanding: Some(1), ..Setting::default() };
        sample::measured("fanout", "limit", &setting, &[(Figure::CpuPerDelivery, micros)])
    };
    let failed = Measurement { outcome: Outcome::Failed("lost".to_owned()), ..ours(10_000) };
    for (measurements, expected) in [
        (vec![ours(100), limit(4.0)], Standing::NotMeasured),
        (vec![ours(10_000)], Standing::NotMeasured),
        (vec![failed, limit(4.0)], Standing::NotMet),
        (vec![ours(10_000), limit(3.5)], Standing::NotMet),
        (vec![ours(10_000), limit(3.9)], Standing::Met),
    ] {
        let found = standing(measurements);
        assert!(
            found.as_ref().is_some_and(|(standing, _)| *standing == expected),
            "{found:?} is not {expected:?}"
        );
    }
}

/// Files with these contents, to be read.
fn files(contents: &[String]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder for results");
    let paths = contents.iter().enumerate().map(|(index, content)| {
        let path = folder.path().join(format!("results-{index}.json"));
        fs::write(&path, content).expect("results are written");
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

fn json(results: &Results) -> String {
    serde_json::to_string(results).expect("results are JSON")
}

#[test]
fn results_are_merged_and_the_later_file_counts() {
    let (setting, mut first, mut second) = (Setting::default(), sample::none(), sample::none());
    let run =
        |target, value| sample::measured("fanout", target, &setting, &[(Figure::CpuPerDelivery, value)]);
    first.measurements = vec![run("corecast", 4.0), run("axum", 8.0)];
    second.measurements = vec![run("corecast", 5.0), run("nchan", 9.0)];
    second.command = "corecast-bench fanout".to_owned();
    second.begun = "2025-12-31T23:59Z".to_owned();
    let (_folder, paths) = files(&[json(&first), json(&second)]);
    let merged = read(&paths).expect("results of one machine");
    let medians = medians(&merged);
    assert_eq!(medians, ["8.00 µs", "5.00 µs", "9.00 µs"]);
    assert_eq!(merged.command, "corecast-bench all\ncorecast-bench fanout");
    assert_eq!(merged.begun, "2025-12-31T23:59Z");
}

#[test]
fn results_that_cannot_stand_side_by_side_are_refused() {
    let good = json(&sample::all());
    let other_machine = {
        let mut results = sample::all();
        results.machine.kernel = "6.99.0".to_owned();
        json(&results)
    };
    let other_version = {
        let mut results = sample::all();
        results.versions.insert("axum".to_owned(), "0.9.0".to_owned());
        json(&results)
    };
    for (second, expected) in [
        (&other_machine, "another machine"),
        (&other_version, "axum \"0.9.0\""),
        (&"{\"machine\":".to_owned(), "is not results"),
        (&String::new(), "is not results"),
    ] {
        let (_folder, paths) = files(&[good.clone(), second.clone()]);
        let error = format!("{:#}", read(&paths).expect_err("these are not to be merged"));
        assert!(error.contains("results-1.json") && error.contains(expected), "{error}");
    }
    assert!(read(&[]).is_err());
    let error = read(&[PathBuf::from("/nowhere/results.json")]).expect_err("there is no such file");
    assert!(format!("{error:#}").contains("/nowhere/results.json"), "{error:#}");
}

#[test]
fn results_survive_being_kept_in_a_file() {
    let (_folder, paths) = files(&[json(&sample::all())]);
    let read = read(&paths).expect("results of ours");
    let (text_read, text_of_sample) = (text(&read), text(&sample::all()));
    let differing = text_read.lines().zip(text_of_sample.lines()).find(|(read, sample)| read != sample);
    assert_eq!(differing, None);
    assert_eq!(text_read.len(), text_of_sample.len());
}
