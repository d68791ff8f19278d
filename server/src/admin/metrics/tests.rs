//! The exposition of made-up hubs, and the page that documents it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, UNIX_EPOCH};

use corecast_core::auth::CacheCounters;
use corecast_core::close_reason::CloseReason;
use corecast_core::connection::Phase;
use corecast_core::counters::{Counters, DURATION_BOUNDS_SECS, DurationHistogram};
use corecast_core::latency::Latencies;
use corecast_core::settings::Settings;
use corecast_core::time::UnixMillis;
use corecast_ring::RingCounters;

use super::exposition::{FANOUT_BOUNDS_MICROS, OTHER_USERS, encode_scrape};
use super::host::{Host, pages_at_most, pages_in_use};
use super::process::{Memory, Process};
use super::scrape::{FileLogScrape, Scrape};
use crate::control::ControlSnapshot;
use crate::driver::{Choice, Chosen, Reason};
use crate::log::file::LogState;
use crate::log::timed::APPEND_BOUNDS_MICROS;
use crate::shard::stats::Snapshot;

const PAGE: &str = include_str!("../../../../docs/metrics.md");

/// Each counter has a number of its own. Written out in full, so that a new one does not compile until it is here.
fn numbered_shard() -> Snapshot {
    let mut numbers = 1..;
    let mut next = || numbers.next().unwrap();
    let counters = Counters {
        accepted: next(),
        requests: next(),
        requests_rejected: next(),
        tokens_rejected: next(),
        streams_opened: next(),
        moves: next(),
        moves_refused: next(),
        evicted_returns: next(),
        resumes: next(),
        gaps: next(),
        events: next(),
        deliveries: next(),
        deliveries_from_history: next(),
        pages: next(),
        ephemeral_missed: next(),
        expired: next(),
        sends: next(),
        bytes: next(),
        short_sends: next(),
        joined_bytes: next(),
        heartbeats: next(),
        published: next(),
        publishes_refused: next(),
        stale_inputs: next(),
        intake_refused: next(),
        would_refuse: of_reason(CloseReason::UserLimit, next()),
        would_evict: next(),
        closes: of_reason(CloseReason::DeadPeer, next()),
        durations: Default::default(),
        refusals: of_reason(CloseReason::AddressLimit, next()),
        evictions: of_reason(CloseReason::Replaced, next()),
        fanout: Latencies::default(),
    };
    let ring = RingCounters {
        enters: next(),
        sqes: next(),
        cqes: next(),
        enter_retries: next(),
        cq_backlogs: next(),
        cqes_dropped: next(),
        sqes_dropped: next(),
        cancel_misses: next(),
        close_misses: next(),
        reset_misses: next(),
        cqes_stale: next(),
    };
    let tokens = CacheCounters { hits: next(), misses: next() };
    let cpu = Duration::from_secs(next());
    Snapshot { counters, ring, tokens, cpu, turns: next(), ..Snapshot::default() }
}

fn of_reason(reason: CloseReason, count: u64) -> [u64; CloseReason::COUNT] {
    let mut counts = [0; CloseReason::COUNT];
    counts[reason.index()] = count;
    counts
}

/// The numbers go on where those of a shard end.
fn numbered_log() -> FileLogScrape {
    let mut numbers = numbered_shard().turns + 1..;
    let mut next = || numbers.next().unwrap();
    let mut log = FileLogScrape::default();
    for counter in [&mut log.log.appends, &mut log.log.syncs, &mut log.log.bytes_written] {
        *counter = next();
    }
    let reader = &mut log.reader;
    for counter in
        [&mut reader.seeks, &mut reader.reads, &mut reader.bytes, &mut reader.hits, &mut reader.damaged]
    {
        *counter = next();
    }
    log
}

/// The numbers go on where those of the log end.
fn numbered_control() -> ControlSnapshot {
    let mut numbers = numbered_log().reader.damaged + 1..;
    let mut next = || numbers.next().unwrap();
    ControlSnapshot {
        reloads_applied: next(),
        reloads_failed: next(),
        last_reload_applied: true,
        reloaded: UnixMillis(1_700_000_100_500),
        watchdog_proofs: next(),
        watchdog_misses: next(),
    }
}

fn scrape(shards: Vec<Snapshot>) -> Scrape {
    Scrape {
        inbox_events: vec![2; shards.len()],
        shards,
        streams: 7,
        top_users: None,
        limits: Settings::default().limits,
        accept_rate: 40_000,
        history: Settings::default().history,
        draining: false,
        control: numbered_control(),
        sequencer_queue: 3,
        log: Some(numbered_log()),
        version: "1.2.3",
        driver: Chosen { choice: Choice::Uring, reason: Reason::Works },
        started: UNIX_EPOCH + Duration::from_millis(1_700_000_000_500),
        process: Process {
            cpu: Some(Duration::from_millis(2250)),
            memory: Some(Memory { virtual_bytes: 8192, resident_bytes: 4096 }),
            fds_open: Some(12),
            fds_max: Some(1024),
        },
        host: Host { tcp_memory: Some(3 * 4096), tcp_memory_limit: Some(9 * 4096) },
    }
}

fn shard_with_durations(reason: CloseReason, durations: DurationHistogram) -> Snapshot {
    let mut shard = Snapshot::default();
    shard.counters.durations[reason.index()] = durations;
    shard
}

/// What the text says of one metric family.
#[derive(Debug, Default, PartialEq, Eq)]
struct Family {
    metric_type: String,
    help: String,
    labels: BTreeSet<String>,
    /// Series and value, without the family's name: `_total{reason="done"}`, `1`.
    samples: Vec<(String, String)>,
}

/// Reads the text as a scraper does, in the order in which families appear.
fn parse(text: &str) -> Vec<(String, Family)> {
    let mut families: Vec<(String, Family)> = Vec::new();
    for line in text.strip_suffix("# EOF\n").expect("it ends as OpenMetrics must").lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (keyword, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            match keyword {
                "HELP" => families.push((name.into(), Family { help: rest.into(), ..Family::default() })),
                "TYPE" => families.last_mut().unwrap().1.metric_type = rest.into(),
                "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                _ => panic!("{line:?} is no comment of OpenMetrics"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, family) = families.last_mut().unwrap();
        let rest = series.strip_prefix(name.as_str()).unwrap_or_else(|| panic!("{line:?} is not of {name}"));
        if let Some((_, labels)) = rest.split_once('{') {
            let keys = labels.split("\",").map(|label| label.split_once('=').unwrap().0.to_owned());
            family.labels.extend(keys.filter(|key| key != "le"));
        }
        family.samples.push((rest.into(), value.into()));
    }
    families
}

/// The name in a query.
fn query_name(family_name: &str, family: &Family) -> String {
    let suffix = match family.metric_type.as_str() {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    };
    format!("{family_name}{suffix}")
}

fn samples(text: &str) -> BTreeMap<String, String> {
    let mut samples = BTreeMap::new();
    for (name, family) in parse(text) {
        for (series, value) in family.samples {
            let twice = samples.insert(format!("{name}{series}"), value);
            assert_eq!(twice, None, "{name}{series} appears twice");
        }
    }
    samples
}

#[track_caller]
fn check(scrape: Scrape, expected: &[(&str, &str)]) {
    let samples = samples(&encode_scrape(scrape).unwrap());
    for &(series, value) in expected {
        assert_eq!(samples.get(series).map(String::as_str), Some(value), "{series}");
    }
}

#[test]
fn every_counter_is_shown_once() {
    let samples = samples(&encode_scrape(scrape(vec![numbered_shard()])).unwrap());
    let is_total =
        |name: &str| name.starts_with("corecast_") && name.split('{').next().unwrap().ends_with("_total");
    let mut shown: Vec<u64> = samples
        .iter()
        .filter(|(name, _)| is_total(name))
        .map(|(_, value)| value.parse::<f64>().unwrap() as u64)
        .filter(|&value| value > 0)
        .collect();
    shown.sort_unstable();
    let counters = numbered_control().watchdog_misses;
    assert_eq!(shown, (1..=counters).collect::<Vec<_>>());
}

#[test]
fn what_shards_counted_is_added_up() {
    let mut one = Snapshot { users: 2, streams: 4, streams_behind: 1, ..Snapshot::default() };
    (one.phases[Phase::Head.index()], one.phases[Phase::Streaming.index()]) = (5, 4);
    one.counters.deliveries = 10;
    one.counters.closes[CloseReason::Evicted.index()] = 2;
    one.ring.enters = 100;
    (one.history_events, one.history_bytes) = (50, 700);
    let mut other = one.clone();
    other.users = 3;
    other.streams = 3;
    other.counters.deliveries = 1;
    other.counters.closes[CloseReason::Evicted.index()] = 1;
    other.history_bytes = 600;
    check(
        scrape(vec![one, other]),
        &[
            ("sse_active_connections", "7"),
            ("corecast_users", "5"),
            ("corecast_connections{shard=\"0\",state=\"head\"}", "5"),
            ("corecast_connections{shard=\"1\",state=\"streaming\"}", "4"),
            ("corecast_streams{shard=\"0\"}", "4"),
            ("corecast_streams{shard=\"1\"}", "3"),
            ("corecast_streams_behind{shard=\"1\"}", "1"),
            ("corecast_deliveries_total{shard=\"0\"}", "10"),
            ("corecast_deliveries_total{shard=\"1\"}", "1"),
            ("corecast_inbox_events{shard=\"1\"}", "2"),
            ("corecast_closes_total{reason=\"evicted\"}", "3"),
            ("corecast_closes_total{reason=\"dead_peer\"}", "0"),
            ("corecast_ring_enters_total", "200"),
            ("corecast_sequencer_queue", "3"),
            ("corecast_history_events", "50"),
            ("corecast_history_bytes", "700"),
        ],
    );
}

#[test]
fn users_are_shown_so_that_the_sum_is_that_of_all_streams() {
    let mut scrape = scrape(Vec::new());
    scrape.top_users = Some(vec![("alice".into(), 3), ("bob".into(), 1)]);
    check(
        scrape,
        &[
            ("sse_active_connections{user_id=\"alice\"}", "3"),
            ("sse_active_connections{user_id=\"bob\"}", "1"),
            ("sse_active_connections{user_id=\"_other\"}", "3"),
        ],
    );
}

#[test]
fn users_that_left_since_they_were_counted_make_no_number_negative() {
    let mut scrape = scrape(Vec::new());
    scrape.top_users = Some(vec![("alice".into(), 30)]);
    check(scrape, &[("sse_active_connections{user_id=\"_other\"}", "0")]);
}

#[test]
fn the_fan_out_is_one_cumulative_histogram_over_all_shards() {
    let mut shards = vec![Snapshot::default(); 2];
    for (shard, micros) in [(0, 50), (0, 51), (1, 1000), (1, 60_000_000)] {
        shards[shard].counters.fanout.add(Duration::from_micros(micros));
    }
    check(
        scrape(shards),
        &[
            ("corecast_fanout_seconds_bucket{le=\"0.00005\"}", "1"),
            ("corecast_fanout_seconds_bucket{le=\"0.0001\"}", "2"),
            ("corecast_fanout_seconds_bucket{le=\"0.0005\"}", "2"),
            ("corecast_fanout_seconds_bucket{le=\"0.001\"}", "3"),
            ("corecast_fanout_seconds_bucket{le=\"10.0\"}", "3"),
            ("corecast_fanout_seconds_bucket{le=\"+Inf\"}", "4"),
            ("corecast_fanout_seconds_count", "4"),
            ("corecast_fanout_seconds_sum", "60.001101"),
        ],
    );
}

#[test]
fn limits_are_shown_with_whom_they_met() {
    let mut scrape = scrape(vec![numbered_shard(), numbered_shard()]);
    scrape.limits.dry_run = true;
    scrape.limits.per_user = 3;
    let counters = numbered_shard().counters;
    let twice = |count: u64| (2 * count).to_string();
    check(
        scrape,
        &[
            ("corecast_limits_connections", "10000"),
            ("corecast_limits_per_user", "3"),
            ("corecast_limits_per_ip", "0"),
            ("corecast_limits_event_bytes", "65536"),
            ("corecast_limits_head_bytes", "16384"),
            ("corecast_limits_head_timeout_seconds", "10.0"),
            ("corecast_limits_accept_rate", "40000"),
            ("corecast_limits_dry_run", "1"),
            ("corecast_history_limit_events", "65536"),
            ("corecast_history_limit_bytes", "67108864"),
            (
                "corecast_refusals_total{reason=\"address_limit\"}",
                &twice(counters.refusals[CloseReason::AddressLimit.index()]),
            ),
            ("corecast_refusals_total{reason=\"drain\"}", "0"),
            (
                "corecast_evictions_total{reason=\"replaced\"}",
                &twice(counters.evictions[CloseReason::Replaced.index()]),
            ),
            (
                "corecast_would_refuse_total{reason=\"user_limit\"}",
                &twice(counters.would_refuse[CloseReason::UserLimit.index()]),
            ),
            ("corecast_would_evict_total", &twice(counters.would_evict)),
        ],
    );
}

#[test]
fn what_was_dropped_is_shown_with_why() {
    let mut shard = Snapshot::default();
    (shard.counters.ephemeral_missed, shard.counters.expired) = (3, 4);
    check(
        scrape(vec![shard.clone(), shard]),
        &[
            ("corecast_deliveries_dropped_total{why=\"ephemeral\"}", "6"),
            ("corecast_deliveries_dropped_total{why=\"expired\"}", "8"),
        ],
    );
}

#[test]
fn the_control_thread_is_shown() {
    let mut scrape = scrape(Vec::new());
    scrape.draining = true;
    scrape.control.last_reload_applied = false;
    check(
        scrape,
        &[
            ("corecast_draining", "1"),
            ("corecast_config_last_reload_successful", "0"),
            ("corecast_config_last_reload_time_seconds", "1700000100.5"),
        ],
    );
}

#[test]
fn before_the_first_reload_the_configuration_is_that_of_the_start() {
    let mut scrape = scrape(Vec::new());
    scrape.control.reloaded = UnixMillis(0);
    check(scrape, &[("corecast_config_last_reload_time_seconds", "1700000000.5")]);
}

#[test]
fn socket_memory_is_counted_in_pages() {
    let sockstat = "sockets: used 23\nTCP: inuse 1 orphan 0 tw 0 alloc 5 mem 383\nUDP: inuse 0 mem 7\n";
    assert_eq!(pages_in_use(sockstat), Some(383));
    assert_eq!(pages_at_most("287901\t383868\t575802\n"), Some(575_802));
    for broken in ["", "TCP:", "TCP: inuse alloc mem", "TCP: mem many", "UDP: inuse many mem"] {
        assert_eq!((pages_in_use(broken), pages_at_most(broken)), (None, None), "{broken:?}");
    }
}

#[test]
fn durations_are_one_cumulative_histogram_over_all_shards() {
    let one = DurationHistogram { buckets: [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0], sum_ms: 20_250 };
    let other = DurationHistogram { buckets: [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], sum_ms: 90_004_000 };
    let shards = vec![
        shard_with_durations(CloseReason::Evicted, one),
        shard_with_durations(CloseReason::Evicted, other),
    ];
    let bucket =
        |le: &str| format!("sse_connection_duration_seconds_bucket{{le=\"{le}\",status=\"evicted\"}}");
    check(
        scrape(shards),
        &[
            (&bucket("1.0"), "1"),
            (&bucket("5.0"), "2"),
            (&bucket("15.0"), "4"),
            (&bucket("86400.0"), "4"),
            (&bucket("+Inf"), "5"),
            ("sse_connection_duration_seconds_count{status=\"evicted\"}", "5"),
            ("sse_connection_duration_seconds_sum{status=\"evicted\"}", "90024.25"),
        ],
    );
}

#[test]
fn a_reason_that_never_occurred_costs_no_histogram() {
    let durations = DurationHistogram { buckets: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], sum_ms: 1 };
    let text = encode_scrape(scrape(vec![shard_with_durations(CloseReason::Drain, durations)])).unwrap();
    assert!(text.contains("status=\"drain\""), "{text}");
    assert!(!text.contains("status=\"done\""), "{text}");
}

#[test]
fn a_file_log_is_shown_with_its_state_failures_and_times() {
    let mut scrape = scrape(Vec::new());
    let log = scrape.log.as_mut().unwrap();
    log.log.state = LogState::Full;
    log.log.last_sync.0 = 1_700_000_000_250;
    (log.log.failures_no_space, log.reader.failures) = (4, 2);
    (log.log.segments, log.log.bytes, log.log.ids) = (3, 5000, 17);
    (log.log.oldest.0, log.log.newest.0) = (11, 90);
    (log.times.buckets[0], log.times.buckets[APPEND_BOUNDS_MICROS.len()], log.times.sum_micros) =
        (2, 1, 2_000_100);
    check(
        scrape,
        &[
            ("corecast_log_state{state=\"ok\"}", "0"),
            ("corecast_log_state{state=\"full\"}", "1"),
            ("corecast_log_state{state=\"failed\"}", "0"),
            ("corecast_log_failures_total{kind=\"no_space\"}", "4"),
            ("corecast_log_failures_total{kind=\"read\"}", "2"),
            ("corecast_log_last_sync_time_seconds", "1700000000.25"),
            ("corecast_log_segments", "3"),
            ("corecast_log_bytes", "5000"),
            ("corecast_log_ids", "17"),
            ("corecast_log_oldest_position", "11"),
            ("corecast_log_newest_position", "90"),
            ("corecast_log_append_seconds_bucket{le=\"0.00005\"}", "2"),
            ("corecast_log_append_seconds_bucket{le=\"1.0\"}", "2"),
            ("corecast_log_append_seconds_bucket{le=\"+Inf\"}", "3"),
            ("corecast_log_append_seconds_sum", "2.0001"),
            ("corecast_log_append_seconds_count", "3"),
        ],
    );
}

#[test]
fn a_memory_log_shows_nothing_of_a_file() {
    let mut scrape = scrape(Vec::new());
    scrape.log = None;
    let samples = samples(&encode_scrape(scrape).unwrap());
    assert!(!samples.keys().any(|name| name.starts_with("corecast_log_")), "{samples:?}");
}

#[test]
fn label_values_are_escaped() {
    let mut scrape = scrape(Vec::new());
    scrape.version = "1.0\"\\\n";
    scrape.top_users = Some(vec![("a\"b\\c\n{}=,#d".into(), 1)]);
    let text = encode_scrape(scrape).unwrap();
    assert!(text.contains("corecast_build_info{version=\"1.0\\\"\\\\\\n\"} 1\n"), "{text}");
    let user = r#"sse_active_connections{user_id="a\"b\\c\n{}=,#d"} 1"#;
    assert!(text.lines().any(|line| line == user), "{text}");
}

#[test]
fn the_process_is_shown_in_seconds_and_bytes() {
    check(
        scrape(Vec::new()),
        &[
            ("process_start_time_seconds", "1700000000.5"),
            ("process_cpu_seconds_total", "2.25"),
            ("process_resident_memory_bytes", "4096"),
            ("process_virtual_memory_bytes", "8192"),
            ("process_open_fds", "12"),
            ("process_max_fds", "1024"),
        ],
    );
}

#[test]
fn what_the_kernel_does_not_tell_is_left_out() {
    let mut scrape = scrape(Vec::new());
    scrape.process = Process { cpu: None, memory: None, fds_open: None, fds_max: None };
    let samples = samples(&encode_scrape(scrape).unwrap());
    let shown: Vec<_> = samples.keys().filter(|name| name.starts_with("process_")).collect();
    assert_eq!(shown, ["process_start_time_seconds"]);
}

#[test]
fn this_process_has_memory_and_has_used_a_core() {
    let process = Process::read();
    let memory = process.memory.unwrap();
    assert!(memory.resident_bytes > 0 && memory.resident_bytes < memory.virtual_bytes, "{process:?}");
    assert!(process.cpu > Some(Duration::ZERO), "{process:?}");
}

#[test]
fn memory_is_counted_in_pages() {
    let cases = [
        ("30 20 10 1 0 5 0\n", Some(Memory { virtual_bytes: 30 * 4096, resident_bytes: 20 * 4096 })),
        ("30", None),
        ("", None),
        ("30 many 10", None),
        ("18446744073709551615 20", None),
    ];
    for (statm, expected) in cases {
        assert_eq!(Memory::parse(statm, 4096), expected, "{statm:?}");
    }
}

/// The rows of the page's tables of metrics: name, type, labels, unit, meaning, a good value.
fn rows_of_the_page() -> Vec<[String; 6]> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(|cell| cell.replace('`', "")).collect::<Vec<_>>())
        .filter_map(|cells| cells.try_into().ok())
        .filter(|[name, ..]: &[String; 6]| name.contains('_'))
        .collect()
}

#[test]
fn the_page_lists_what_is_exposed() {
    let once = DurationHistogram { buckets: [1; DURATION_BOUNDS_SECS.len() + 1], sum_ms: 1 };
    let mut scrape = scrape(vec![shard_with_durations(CloseReason::Done, once)]);
    scrape.log = Some(FileLogScrape::default());
    scrape.top_users = Some(vec![("alice".into(), 2)]);
    let text = encode_scrape(scrape).unwrap();
    let exposed: Vec<[String; 4]> = parse(&text)
        .into_iter()
        .map(|(name, family)| {
            let labels: Vec<_> = family.labels.iter().cloned().collect();
            let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
            [query_name(&name, &family), family.metric_type, labels, family.help]
        })
        .collect();
    for ([name, metric_type, labels, _, help, _], exposed) in rows_of_the_page().into_iter().zip(&exposed) {
        assert_eq!(
            &[name, metric_type, labels, help],
            exposed,
            "docs/metrics.md says otherwise, or in another order"
        );
    }
    assert_eq!(rows_of_the_page().len(), exposed.len(), "docs/metrics.md has too few rows, or too many");
}

#[test]
fn the_page_explains_every_reason_and_bound() {
    for reason in CloseReason::ALL {
        assert!(PAGE.contains(&format!("\n| `{}` | ", reason.label())), "{} is missing", reason.label());
    }
    let bounds = DURATION_BOUNDS_SECS.map(|bound| bound.to_string()).join(", ");
    let text = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("bounds are {bounds} seconds")), "the bounds are {bounds}");
    let bounds = APPEND_BOUNDS_MICROS.map(|micros| (micros as f64 / 1000.0).to_string()).join(", ");
    assert!(text.contains(&format!("bounds are {bounds} milliseconds")), "the bounds are {bounds}");
    let bounds = FANOUT_BOUNDS_MICROS.map(|micros| (micros as f64 / 1000.0).to_string()).join(", ");
    assert!(text.contains(&format!("bounds are {bounds} ms")), "the bounds are {bounds}");
    assert!(text.contains(&format!("user_id=\"{OTHER_USERS}\"")));
    for phase in Phase::ALL {
        assert!(text.contains(&format!("`{}`", phase.label())), "{} is missing", phase.label());
    }
}

#[test]
fn the_page_has_a_unit_and_a_good_value_for_each_metric() {
    for [name, _, _, unit, _, good] in rows_of_the_page() {
        assert!(!unit.is_empty() && !good.is_empty(), "{name}");
        for suffix in ["seconds", "bytes"] {
            let of_name = name.trim_end_matches("_total").ends_with(&format!("_{suffix}"));
            assert_eq!(unit == suffix, of_name, "{name} is in {unit}");
        }
    }
}

#[test]
fn the_page_names_no_metric_that_is_not_there() {
    let rows = rows_of_the_page();
    let words = PAGE.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let names = words.filter(|word| {
        ["sse_", "corecast_", "process_"].iter().any(|prefix| word.starts_with(prefix) && word != prefix)
    });
    for name in names {
        let is_listed = |name: &str| rows.iter().any(|[listed, ..]| listed == name);
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert!(is_listed(name) || histogram.is_some_and(is_listed), "{name} is not exposed");
    }
}
