//! Where io_uring is refused, all of it or a part, the hub runs on another driver, and says which and why.
//!
//! Here is the choice itself. That every feature works without io_uring the rest of the suite shows, when it is run with
//! `CORECAST_TESTS_WITHOUT_IO_URING=1`.

use std::net::TcpStream;
use std::ops::Range;
use std::process::{Command, Output};

use corecast_tests::binary;
use corecast_tests::exchange::send;
use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::numbers;
use corecast_tests::publish::Publisher;
use corecast_tests::refused_calls::{
    IO_URING_ENTER, IO_URING_REGISTER, IO_URING_SETUP, RefusedCall, io_uring, refusing,
};
use corecast_tests::stream::EventStream;
use corecast_tests::swarm::raise_nofile;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use rustix::io::Errno;
use serde_json::Value;

const EVENTS: u32 = 100;

/// `IORING_REGISTER_FILES2` of `linux/io_uring.h`: the table of direct descriptors, since 5.13.
const REGISTER_FILES2: u32 = 13;
/// `IORING_REGISTER_RING_FDS`: since 5.18.
const REGISTER_RING_FDS: u32 = 20;

fn only(call: i64, only_if: Option<(u8, u32)>, errno: Errno) -> Vec<RefusedCall> {
    vec![RefusedCall { call, only_if, errno }]
}

/// What is refused, and with what monoio can wait then.
fn refusals() -> Vec<(Vec<RefusedCall>, &'static str)> {
    let mut refusals: Vec<_> = [Errno::PERM, Errno::NOSYS]
        .into_iter()
        .flat_map(|errno| {
            [
                (io_uring(errno), "epoll"),
                (only(IO_URING_SETUP, None, errno), "epoll"),
                (only(IO_URING_ENTER, None, errno), "epoll"),
                (only(IO_URING_REGISTER, None, errno), "epoll"),
            ]
        })
        .collect();
    // Old kernels have rings, and not what our own driver wants of them.
    for operation in [REGISTER_FILES2, REGISTER_RING_FDS] {
        refusals.push((only(IO_URING_REGISTER, Some((1, operation)), Errno::INVAL), "io_uring"));
    }
    refusals
}

/// Streams of users, who have home shards, and of nobody; all events in order in each.
fn assert_serves(hub: &Hub, events: Range<u32>) {
    let mut streams: Vec<EventStream> =
        (0..8).map(|_| EventStream::open(hub.addr(), &numbers::subscribe())).collect();
    streams.extend((0..8).map(|user| {
        let token = Token::of(&format!("user-{user}")).sign();
        EventStream::open(hub.addr(), &numbers::subscribe().bearer(&token))
    }));
    numbers::publish(&mut Publisher::connect(hub.addr()), events.clone());
    for stream in &mut streams {
        numbers::expect(stream, events.clone());
    }
}

/// What the admin API says of the hub.
fn about(hub: &Hub) -> Value {
    send(hub.admin(), b"GET /api/hub HTTP/1.1\r\nHost: localhost\r\n\r\n").json()
}

#[test]
fn whatever_is_refused_the_hub_runs_and_says_with_what_and_why() {
    for (refused, waits_with) in refusals() {
        let hub = Hub::builder().refuse(refused.clone()).start();
        assert_serves(&hub, 0..EVENTS);
        let info = format!(
            "corecast_driver_info{{driver=\"monoio\",reason=\"fallback\",waits_with=\"{waits_with}\"}} 1"
        );
        let metrics = hub.metrics();
        assert!(metrics.lines().any(|line| line == info), "{refused:?}: {info} is not in {metrics}");
        let log = hub.log();
        let warnings: Vec<_> = log.lines().filter(|line| line.contains("\"driver\":\"monoio\"")).collect();
        assert!(warnings[0].contains("WARN") && warnings[0].contains("io_uring cannot be used: "), "{log}");
        let answer = about(&hub);
        assert_eq!(answer["driver"], "monoio");
        assert!(answer["driver_reason"].as_str().is_some_and(|why| why.contains("io_uring")), "{answer}");
    }
}

#[test]
fn io_uring_that_is_wanted_and_cannot_be_had_is_an_error_with_the_remedy() {
    for (errno, remedy) in [(Errno::PERM, "SystemCallFilter=io_uring_setup"), (Errno::NOSYS, "Linux 6.1")] {
        let builder = Hub::builder().set("hub.driver", "uring").refuse(io_uring(errno));
        let (status, said) = builder.launch().refusal();
        assert_eq!(status.code(), Some(1), "{said}");
        for word in ["hub.driver = \"uring\"", remedy, "hub.driver = \"auto\""] {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    }
}

#[test]
fn monoio_that_is_wanted_runs_beside_a_kernel_with_io_uring() {
    let hub = Hub::builder().set("hub.driver", "monoio").refuse(Vec::new()).start();
    assert_serves(&hub, 0..EVENTS);
    let info = "corecast_driver_info{driver=\"monoio\",reason=\"configured\",waits_with=\"io_uring\"} 1";
    assert!(hub.metrics().lines().any(|line| line == info));
}

#[test]
fn the_doctor_says_which_driver_it_would_be() {
    for (refused, driver, verdict) in [
        (Vec::new(), "uring", "ok"),
        (io_uring(Errno::PERM), "monoio, which waits with epoll", "warn"),
        (
            only(IO_URING_REGISTER, Some((1, REGISTER_FILES2)), Errno::INVAL),
            "monoio, which waits with io_uring",
            "warn",
        ),
    ] {
        let output = doctor(&Hub::builder(), &refused);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        let checks = report["checks"].as_array().expect("it has checks");
        let row = checks.iter().find(|check| check["name"] == "driver").expect("it tells of the driver");
        let found = row["found"].as_str().unwrap_or_default();
        assert!(found.starts_with(driver), "{row}");
        assert_eq!(row["verdict"], verdict, "{row}");
    }
}

fn doctor(builder: &HubBuilder, refused: &[RefusedCall]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("corecast.toml");
    std::fs::write(&config, builder.toml()).expect("the temporary folder can be written");
    let mut command = Command::new(binary::corecast());
    command.args(["doctor", "--json", "--config"]).arg(&config);
    refusing(refused, || command.output()).expect("the binary runs")
}

#[test]
fn streams_and_log_outlive_a_stop_without_io_uring() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let builder = || Hub::builder().refuse(io_uring(Errno::PERM)).log_in(folder.path());
    let mut hub = builder().start();
    let ids = numbers::publish(&mut Publisher::connect(hub.addr()), 0..EVENTS);
    hub.sigterm();
    hub.wait_for_exit(PATIENCE);
    let hub = builder().set("history.events", 1).start();
    let from = &ids[9];
    let mut stream = EventStream::open(hub.addr(), &numbers::subscribe().last_event_id(from));
    numbers::expect(&mut stream, 10..EVENTS);
}

#[test]
fn a_hub_takes_over_from_one_on_the_other_driver() {
    let log = tempfile::tempdir().expect("a temporary folder");
    for (from, to) in [("auto", "monoio"), ("monoio", "auto")] {
        let mut hub =
            Hub::builder().refuse(Vec::new()).set("hub.driver", from).log_in(&log.path().join(from)).start();
        assert_serves(&hub, 0..EVENTS);
        let config = std::fs::read_to_string(hub.config()).expect("its configuration");
        let (old, new) = (format!("hub.driver = \"{from}\""), format!("hub.driver = \"{to}\""));
        assert!(config.contains(&old), "{config}");
        std::fs::write(hub.config(), config.replace(&old, &new)).expect("its configuration can be written");
        hub.take_over();
        // Whoever accepts on these sockets now must not mind what the other has done to them.
        assert_serves(&hub, EVENTS..2 * EVENTS);
        let name = if to == "auto" { "uring" } else { to };
        assert_eq!(about(&hub)["driver"], name);
    }
}

#[test]
fn connections_leave_descriptors_for_the_log_and_the_admin() {
    /// Far more than there are.
    const CONNECTIONS: usize = 2500;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = Hub::builder()
        .set("hub.driver", "monoio")
        .set("hub.shards", 4)
        .set("limits.connections", 200)
        .set("limits.per_ip", 0)
        .nofile(1800)
        .log_in(folder.path())
        .set("log.bytes", "1MiB")
        .start();
    let mut publisher = Publisher::connect(hub.addr());
    numbers::publish(&mut publisher, 0..1);
    raise_nofile();
    let idle: Vec<TcpStream> =
        (0..CONNECTIONS).map(|_| TcpStream::connect(hub.addr()).expect("the queue has room")).collect();
    hub.wait_for_log(&["the kernel cannot accept at present"]);
    // Enough that the log begins new segments, which are files.
    let padding = "x".repeat(10_000);
    (0..100).for_each(|_| drop(publisher.to_topic("t", &padding)));
    assert!(hub.metric("corecast_connections") < 1800.0 - 256.0);
    drop(idle);
    hub.wait_for_connections(0);
    eventually(PATIENCE, "somebody new is let in", || {
        EventStream::try_open(hub.addr(), &numbers::subscribe(), None)
    });
}
