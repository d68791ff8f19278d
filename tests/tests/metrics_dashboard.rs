//! What is shipped for Grafana and Prometheus fits the hub: a real Prometheus scrapes a hub that has seen traffic, and every
//! expression finds its series there.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use corecast_tests::hub::Hub;
use corecast_tests::prometheus::{Prometheus, number};
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::eventually;
use serde_json::Value;

/// A user whose name is all that a label's value must survive.
const HOSTILE: &str = "a\"b\\c{}=,#\u{1f980}'$";

fn dashboard() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana/corecast.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every panel's title with each of its expressions, with Grafana's variables filled in.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().expect("a dashboard has panels");
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets
            .into_iter()
            .map(move |target| (title.clone(), target["expr"].as_str().unwrap_or_default().to_owned()))
    };
    let annotations = dashboard["annotations"]["list"].as_array().cloned().unwrap_or_default();
    let annotations = annotations
        .into_iter()
        .map(|it| ("annotation".to_owned(), it["expr"].as_str().unwrap_or_default().to_owned()));
    let fill = |text: String| text.replace("$instance", ".*").replace("$__rate_interval", "1m");
    let all: Vec<_> =
        panels.iter().flat_map(of_panel).chain(annotations).map(|(t, e)| (t, fill(e))).collect();
    assert!(all.len() > 80, "only {} expressions were found", all.len());
    all
}

/// The names of series in an expression. What stands in quotes is no name.
fn names_in(expression: &str) -> BTreeSet<String> {
    let outside: String = expression.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    let words = outside.split(|char: char| !char.is_ascii_alphanumeric() && char != '_' && char != ':');
    let is_ours = |word: &&str| {
        *word == "up"
            || ["sse_", "corecast_", "corecast:", "process_"].iter().any(|stem| word.starts_with(stem))
    };
    words.filter(is_ours).map(str::to_owned).collect()
}

/// A hub that has seen some of everything: kept events, streams that ended, an eviction, a gap.
fn busy_hub(folder: &Path) -> (Hub, Vec<EventStream>) {
    let hub = Hub::builder().log_in(folder).set("limits.per_user", 1).set("metrics.top_users", 10).start();
    let tab = |id: &str| Subscribe::with_token(&Token::of(HOSTILE).sign()).topic("a").client_id(id);
    let mut first = EventStream::open(hub.addr(), &tab("one"));
    let second = EventStream::open(hub.addr(), &tab("two"));
    assert_eq!(first.next_event().kind, "corecast.evicted");
    first.end();
    let mut stranger = EventStream::open(hub.addr(), &Subscribe::to("a").last_event_id("of-another-log"));
    assert_eq!(stranger.next_event().kind, "corecast.gap");
    let mut publisher = Publisher::connect(hub.addr());
    for n in 0..100 {
        publisher.to_topic("a", &n.to_string());
    }
    stranger.next_data(100);
    (hub, vec![second, stranger])
}

#[test]
fn every_expression_finds_its_series_in_a_real_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, _streams) = busy_hub(folder.path());
    let prometheus = Prometheus::scraping(hub.admin());

    for (panel, expression) in expressions(&dashboard()) {
        let result = prometheus.query(&expression).unwrap_or_else(|e| panic!("{panel}: {expression}: {e}"));
        // What compares has nothing to show while all is well.
        assert!(!result.is_empty() || expression.contains(" > "), "{panel}: nothing for {expression}");
    }

    let rules = eventually(Duration::from_secs(20), "rules that have been evaluated", || {
        let rules = prometheus.rules();
        (rules.len() > 30 && rules.iter().all(|rule| rule["health"] != "unknown")).then_some(rules)
    });
    let exposed = prometheus.names();
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        let expression = rule["query"].as_str().unwrap_or_default();
        assert!(!names_in(expression).is_empty(), "{rule}");
        let missing: Vec<_> =
            names_in(expression).into_iter().filter(|name| !exposed.contains(name)).collect();
        assert!(missing.is_empty(), "{}: {missing:?} are not exposed", rule["name"]);
        // No alert but that of the gap fires on a hub that was started a moment ago.
        let fires = rule["state"] == "firing";
        assert!(!fires || rule["name"] == "CorecastGaps", "{rule}");
    }
    for (panel, expression) in expressions(&dashboard()) {
        let missing: Vec<_> =
            names_in(&expression).into_iter().filter(|name| !exposed.contains(name)).collect();
        assert!(missing.is_empty(), "{panel}: {missing:?} are not exposed");
    }

    // A name is a name, whatever is in it.
    let users = prometheus.query("sse_active_connections{user_id!=\"_other\"}").unwrap();
    let user = |series: &Value| (series["metric"]["user_id"].as_str().map(str::to_owned), number(series));
    assert_eq!(users.iter().map(user).collect::<Vec<_>>(), [(Some(HOSTILE.to_owned()), 1.0)]);

    // What Prometheus has read is what the hub has counted.
    let sum = |name: &str| number(&prometheus.query(&format!("sum({name})")).unwrap()[0]);
    for name in ["corecast_published_total", "corecast_deliveries_total", "corecast_fanout_seconds_count"] {
        assert_eq!(sum(name), hub.metric(name), "{name}");
    }
    assert_eq!(sum("corecast_published_total"), 100.0);
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<_> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "instance"]);
    for panel in panels {
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{} is wider than the page", panel["title"]);
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            assert!(!panel["description"].as_str().unwrap_or_default().is_empty(), "{}", panel["title"]);
        }
        for other in panels.iter().take_while(|other| other["id"] != panel["id"]) {
            let at = |key: &str| other["gridPos"][key].as_u64().unwrap();
            let apart = |from: &str, len: &str| {
                place(from) + place(len) <= at(from) || at(from) + at(len) <= place(from)
            };
            assert!(apart("x", "w") || apart("y", "h"), "{} lies on {}", panel["title"], other["title"]);
        }
    }
}
