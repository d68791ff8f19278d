//! The metrics page of the real binary is the one that is documented, however many read it at once.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use corecast_tests::exchange;
use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};

/// Name and type of each row of the tables of `docs/metrics.md`.
fn documented() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let is_type = |word: &&str| ["gauge", "counter", "histogram", "info"].contains(word);
    rows.filter_map(|(name, rest)| {
        let metric_type = rest.split(" | ").next().filter(is_type)?;
        Some((name.to_owned(), metric_type.to_owned()))
    })
    .collect()
}

/// Name and type of each family of the page, in order.
fn exposed(page: &str) -> Vec<(String, String)> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types
        .map(|(name, metric_type)| {
            let suffix = match metric_type {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            (format!("{name}{suffix}"), metric_type.to_owned())
        })
        .collect()
}

#[test]
fn the_binary_exposes_what_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::builder().log_in(folder.path()).start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("a"));
    Publisher::connect(hub.addr()).to_topic("a", "x");
    stream.next_event();
    drop(stream);
    hub.wait_for_connections(0);
    assert_eq!(exposed(&hub.metrics()), documented());
    let has_unit = |name: &str, unit: &str| {
        let line = format!("# UNIT {name} {unit}");
        assert!(hub.metrics().lines().any(|it| it == line), "{line}");
    };
    has_unit("corecast_fanout_seconds", "seconds");
    has_unit("corecast_history_bytes", "bytes");
}

#[test]
fn an_event_is_in_the_histogram_and_took_no_longer_than_its_publisher_waited() {
    let hub = Hub::start();
    let mut streams: Vec<_> = (0..50).map(|_| EventStream::open(hub.addr(), &Subscribe::to("a"))).collect();
    let mut publisher = Publisher::connect(hub.addr());
    let begin = std::time::Instant::now();
    for n in 0..20 {
        publisher.to_topic("a", &n.to_string());
        streams.iter_mut().for_each(|stream| drop(stream.next_event()));
    }
    let took = begin.elapsed().as_secs_f64();
    // Snapshots follow within moments.
    eventually(PATIENCE, "twenty events in each shard", || {
        (hub.metric("corecast_fanout_seconds_count") == 40.0).then_some(())
    });
    let sum = hub.metric("corecast_fanout_seconds_sum");
    assert!(sum > 0.0 && sum < 2.0 * took, "{sum} s of {took} s in each of two shards");
    assert_eq!(hub.metric("corecast_deliveries_total"), 1000.0);
}

#[test]
fn many_scrapes_at_once_agree_and_a_reader_that_never_reads_holds_up_nobody() {
    let hub = Hub::start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("a"));
    let stuck: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut socket = TcpStream::connect(hub.admin()).unwrap();
            socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            socket
        })
        .collect();
    let mut publisher = Publisher::connect(hub.addr());
    std::thread::scope(|scope| {
        let scrapers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = 0.0;
                    for _ in 0..25 {
                        let answer = exchange::get(hub.admin(), "/metrics");
                        assert_eq!(answer.status(), 200);
                        let page = answer.text();
                        assert!(page.ends_with("# EOF\n"), "{page}");
                        let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
                        let lines =
                            page.lines().filter(|line| line.starts_with("corecast_deliveries_total{"));
                        let deliveries: f64 = lines.map(value).sum();
                        assert!(deliveries >= last, "{deliveries} after {last}");
                        last = deliveries;
                    }
                })
            })
            .collect();
        for n in 0..200 {
            publisher.to_topic("a", &n.to_string());
            assert_eq!(stream.next_event().data, n.to_string());
        }
        scrapers.into_iter().for_each(|scraper| scraper.join().unwrap());
    });
    drop(stuck);
}

#[test]
fn users_with_the_most_streams_are_shown_and_the_sum_is_that_of_all() {
    let hub = Hub::builder().set("metrics.top_users", 2).set("limits.per_user", 0).start();
    let open = |user: &str, client_id: String| {
        let token = Token::of(user).sign();
        EventStream::open(hub.addr(), &Subscribe::with_token(&token).topic("a").client_id(&client_id))
    };
    let mut streams = Vec::new();
    for (user, count) in [("alice", 3), ("bob", 2), ("carol", 1), ("_other", 4)] {
        streams.extend((0..count).map(|n| open(user, format!("tab-{n}"))));
    }
    // Without a token a name proves nothing.
    streams.extend(
        (0..5).map(|n| EventStream::open(hub.addr(), &Subscribe::to("a").client_id(&format!("tab-{n}")))),
    );
    hub.wait_for_connections(15);
    // The list is walked anew when it is 5 seconds old.
    eventually(PATIENCE, "alice", || (of_user(&hub, "alice") == 3.0).then_some(()));
    let page = hub.metrics();
    let series: Vec<&str> = page.lines().filter(|line| line.starts_with("sse_active_connections")).collect();
    let expected = [
        "sse_active_connections{user_id=\"alice\"} 3",
        "sse_active_connections{user_id=\"bob\"} 2",
        "sse_active_connections{user_id=\"_other\"} 10",
    ];
    assert_eq!(series, expected, "the user who is called `_other` is one of the others");
    let all = hub.metric("sse_active_connections");
    assert_eq!(all, 15.0);
}

fn of_user(hub: &Hub, user: &str) -> f64 {
    hub.metric_where("sse_active_connections", &format!("user_id=\"{user}\""))
}

#[test]
fn limits_that_only_count_and_reloads_are_shown() {
    let builder = Hub::builder().set("limits.dry_run", true);
    let hub = builder.clone().start();
    let alice = Subscribe::with_token(&Token::of("alice").sign());
    let _streams: Vec<_> = (0..3).map(|_| EventStream::open(hub.addr(), &alice)).collect();
    hub.wait_for_connections(3);
    let becomes = |name: &str, label: &str, value: f64| {
        eventually(PATIENCE, &format!("{name} {value}"), || {
            (hub.metric_where(name, label) == value).then_some(())
        });
    };
    becomes("corecast_would_evict_total", "", 2.0);
    assert_eq!(hub.metric("corecast_limits_dry_run"), 1.0);
    assert_eq!(hub.metric("corecast_evictions_total"), 0.0);
    assert_eq!(hub.metric("corecast_config_last_reload_successful"), 1.0);
    let started = hub.metric("corecast_config_last_reload_time_seconds");

    let reload = |toml: &str| {
        std::fs::write(hub.config(), toml).unwrap();
        hub.sighup();
    };
    reload("limits.per_user = \"many\"");
    becomes("corecast_config_last_reload_successful", "", 0.0);
    becomes("corecast_config_reloads_total", "result=\"failed\"", 1.0);
    assert_eq!(hub.metric("corecast_limits_dry_run"), 1.0, "the old configuration is in force");
    assert_eq!(hub.metric("corecast_config_last_reload_time_seconds"), started);

    reload(&builder.set("limits.dry_run", false).set("limits.per_user", 5).toml());
    becomes("corecast_config_last_reload_successful", "", 1.0);
    becomes("corecast_limits_per_user", "", 5.0);
    assert_eq!(hub.metric("corecast_limits_dry_run"), 0.0);
    assert_eq!(hub.metric_where("corecast_config_reloads_total", "result=\"applied\""), 1.0);
    assert!(hub.metric("corecast_config_last_reload_time_seconds") > started);
}
