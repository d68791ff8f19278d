//! SIGUSR2: a new process of the hub takes over, or does not and nothing has happened.
//!
//! Not here: takeovers under load (`restarts`).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use corecast_tests::exchange;
use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::swarm::Swarm;
use corecast_tests::wait::{PATIENCE, eventually};
use corecast_tests::wire::response::End;
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use socket2::SockRef;

const WITHIN: Duration = Duration::from_secs(60);

/// A hub whose clients are sent away at once.
fn builder(log: &Path) -> HubBuilder {
    Hub::builder().log_in(log).set("drain.over", "0s")
}

/// What the hub says when nothing was taken over.
const FAILED: &str = "this hub goes on as before";

#[test]
fn a_new_process_goes_on_with_the_sockets_and_the_log() {
    let log = tempfile::tempdir().unwrap();
    let mut hub = builder(log.path()).start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
    let first = Publisher::connect(hub.addr()).to_topic("t", "before");
    let (addr, admin, pid) = (hub.addr(), hub.admin(), hub.pid());
    hub.take_over();
    assert_ne!(hub.pid(), pid);
    assert_eq!(stream.next_event().data, "before");
    assert_eq!(stream.next_event().kind, "corecast.drain");
    assert_eq!(stream.end(), End::Abort);
    // At the same addresses, with the same log.
    let mut stream = EventStream::open(addr, &Subscribe::to("t").last_event_id(&first));
    Publisher::connect(addr).to_topic("t", "after");
    assert_eq!(stream.next_event().data, "after");
    eventually(PATIENCE, "the new process is ready", || {
        (exchange::get(admin, "/readyz").status() == 200).then_some(())
    });
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0), "the old process ends by itself");
    hub.sigterm();
    hub.wait_until_gone(WITHIN);
    assert!(exchange::Client::try_connect(addr).is_none(), "nobody has the socket any more");
}

#[test]
fn a_service_manager_is_told_of_the_new_main_process_and_not_of_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let log = tempfile::tempdir().unwrap();
    let mut hub = builder(log.path()).env("NOTIFY_SOCKET", path.to_str().unwrap()).start();
    hub.take_over();
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
    let mut bytes = [0; 8192];
    let told: String = std::iter::from_fn(|| socket.recv(&mut bytes).ok().map(|len| bytes[..len].to_vec()))
        .map(|told| String::from_utf8(told).unwrap())
        .collect();
    let ready: Vec<&str> = told.lines().filter(|line| ["READY=1", "STOPPING=1"].contains(line)).collect();
    assert_eq!(ready, ["READY=1", "READY=1"], "{told}");
    assert!(told.contains(&format!("MAINPID={}\nREADY=1\n", hub.pid().as_raw_nonzero())), "{told}");
    hub.sigterm();
    hub.wait_until_gone(WITHIN);
}

#[test]
fn with_a_socket_of_a_service_manager_it_is_the_same() {
    let log = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let socket: Arc<OwnedFd> = Arc::new(listener.into());
    let mut hub = builder(log.path()).socket("hub", &socket).start();
    for _ in 0..2 {
        hub.take_over();
        Publisher::connect(addr).to_topic("t", "x");
    }
    hub.sigterm();
    hub.wait_until_gone(WITHIN);
}

#[test]
fn other_shards_than_before_share_the_sockets() {
    let log = tempfile::tempdir().unwrap();
    let mut hub = builder(log.path()).start();
    for shards in [1, 3] {
        let config = std::fs::read_to_string(hub.config()).unwrap();
        let changed: String = config
            .lines()
            .map(|line| {
                if line.starts_with("hub.shards") {
                    format!("hub.shards = {shards}\n")
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        std::fs::write(hub.config(), changed).unwrap();
        hub.take_over();
        for _ in 0..20 {
            assert_eq!(exchange::get(hub.addr(), "/healthz").status(), 200, "{shards} shards");
        }
        hub.wait_for_log(&["limits in force", &format!("\"shards\":{shards},")]);
    }
}

#[test]
fn a_broken_configuration_changes_nothing() {
    let log = tempfile::tempdir().unwrap();
    let mut hub = builder(log.path()).start();
    let pid = hub.pid();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
    let config = std::fs::read_to_string(hub.config()).unwrap();
    std::fs::write(hub.config(), format!("{config}limits.per_usr = 1\n")).unwrap();
    hub.signal(Signal::USR2);
    let said = hub.wait_for_log(&[FAILED]);
    assert!(said.contains("exit status: 2"), "{said}");
    hub.wait_for_log(&["per_usr"]);
    Publisher::connect(hub.addr()).to_topic("t", "as before");
    assert_eq!((stream.next_event().data.as_str(), hub.pid()), ("as before", pid));
    assert_eq!(exchange::get(hub.admin(), "/readyz").status(), 200);
    // Mended, it is taken over.
    std::fs::write(hub.config(), config).unwrap();
    hub.take_over();
    Publisher::connect(hub.addr()).to_topic("t", "after");
}

#[test]
fn a_damaged_log_is_not_taken_over() {
    let log = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let given_up = || SockRef::from(&socket).tcp_user_timeout().unwrap();
    let shared = Arc::new(socket.try_clone().unwrap().into());
    let hub = builder(log.path()).socket("hub", &shared).start();
    let before = given_up();
    let config = std::fs::read_to_string(hub.config()).unwrap();
    std::fs::write(hub.config(), format!("{config}stream.dead_peer = \"300s\"\n")).unwrap();
    let mut publisher = Publisher::connect(hub.addr());
    let padding = "x".repeat(500);
    (0..20).for_each(|_| drop(publisher.to_topic("t", &padding)));
    corrupt(log.path());
    hub.signal(Signal::USR2);
    let said = hub.wait_for_log(&[FAILED]);
    assert!(said.contains("damaged"), "{said}");
    publisher.to_topic("t", "as before");
    assert_eq!(given_up(), before, "what the other process has set is set back");
    // The other process has had all sockets, and is gone.
    for _ in 0..2 {
        assert_eq!(exchange::get(hub.admin(), "/readyz").status(), 200);
    }
}

/// Turns over a byte in the first events of a log.
fn corrupt(folder: &Path) {
    let names = std::fs::read_dir(folder)
        .expect("the folder of the log")
        .map(|entry| entry.expect("an entry").path());
    let segment = names.filter(|path| !path.ends_with("lock")).min().expect("a log has a segment");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[1000] ^= 0xff;
    let file = OpenOptions::new().write(true).open(&segment).expect("a segment");
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes[1000..1001], 1000).expect("a byte can be damaged");
}

#[test]
fn who_resumes_from_a_memory_log_is_told_of_the_gap() {
    let mut hub = Hub::builder().set("drain.over", "0s").start();
    let id = Publisher::connect(hub.addr()).to_topic("t", "gone");
    hub.take_over();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t").last_event_id(&id));
    assert_eq!(stream.next_event().kind, "corecast.gap");
    Publisher::connect(hub.addr()).to_topic("t", "new");
    assert_eq!(stream.next_event().data, "new");
}

#[test]
fn told_to_stop_a_hub_stops_whatever_takes_over() {
    let log = tempfile::tempdir().unwrap();
    let mut hub = builder(log.path()).start();
    let addr = hub.addr();
    // The new process waits for its configuration, so that it cannot be faster than the signal.
    let path = pipe(&hub);
    let _pipe = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    std::fs::rename(&path, hub.config()).unwrap();
    hub.signal(Signal::USR2);
    hub.wait_for_log(&["was started to take over"]);
    hub.sigterm();
    hub.wait_for_exit(WITHIN);
    eventually(PATIENCE, "nobody listens", || exchange::Client::try_connect(addr).is_none().then_some(()));
}

#[test]
fn a_second_takeover_waits_for_the_first() {
    let log = tempfile::tempdir().unwrap();
    let mut hub = builder(log.path()).start();
    hub.signal(Signal::USR2);
    hub.wait_for_log(&["was started to take over"]);
    // Whoever is signalled now is busy with the first, or has been taken over: either way one process serves at last.
    hub.signal(Signal::USR2);
    hub.wait_for_log(&["SIGUSR2 is ignored"]);
    hub.expect_takeover();
    Publisher::connect(hub.addr()).to_topic("t", "x");
    hub.sigterm();
    hub.wait_until_gone(WITHIN);
}

/// A pipe with a name, beside the hub's configuration: who reads it waits for whoever writes it.
fn pipe(hub: &Hub) -> PathBuf {
    let path = hub.folder().join("pipe");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("the hub's folder can be written");
    path
}

#[test]
fn during_a_takeover_nothing_is_reloaded() {
    let log = tempfile::tempdir().unwrap();
    let mut hub = builder(log.path()).start();
    let config = std::fs::read_to_string(hub.config()).unwrap();
    // The new process waits for its configuration for as long as it takes.
    let path = pipe(&hub);
    let mut pipe = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    std::fs::rename(&path, hub.config()).unwrap();
    hub.signal(Signal::USR2);
    hub.wait_for_log(&["was started to take over"]);
    hub.sighup();
    hub.wait_for_log(&["SIGHUP", "a takeover is under way: the configuration is not read again"]);
    let head = "POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let answer = exchange::send(hub.admin(), format!("{head}Content-Length: 2\r\n\r\n{{}}").as_bytes());
    assert_eq!(answer.status(), 503, "{answer:?}");
    assert_eq!(hub.metric("corecast_config_reloads_total"), 0.0);
    std::fs::write(&path, &config).unwrap();
    std::fs::rename(&path, hub.config()).unwrap();
    pipe.write_all(config.as_bytes()).unwrap();
    drop(pipe);
    hub.expect_takeover();
    Publisher::connect(hub.addr()).to_topic("t", "x");
}

/// A lock of a log that holds up whoever wants to have it, once the hub at work has let go of it.
///
/// It is a pipe, locked by this test: who finds a lock taken reads there by whom, and nothing is written.
struct Snare {
    lock: PathBuf,
    pipe: File,
}

impl Snare {
    fn set(hub: &Hub, log: &Path) -> Self {
        let (path, lock) = (pipe(hub), log.join("lock"));
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let pipe = OpenOptions::new().read(true).custom_flags(nonblocking).open(&path).expect("a pipe");
        pipe.lock().expect("nobody else has it");
        std::fs::rename(&path, &lock).expect("both are in temporary folders");
        Self { lock, pipe }
    }

    /// Waits until somebody is held up.
    fn wait_for_prey(&mut self) {
        eventually(PATIENCE, "a process that wants the log", || match self.pipe.read(&mut [0]) {
            // Nobody has the other end.
            Ok(0) => None,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(()),
            other => panic!("nobody writes into this pipe: {other:?}"),
        });
    }

    /// Holds up nobody else.
    fn lift(&self) {
        std::fs::remove_file(&self.lock).expect("the lock is there");
    }
}

#[test]
fn a_process_that_dies_with_the_log_in_its_hands_is_replaced() {
    let log = tempfile::tempdir().unwrap();
    let mut hub = builder(log.path()).start();
    let addr = hub.addr();
    let mut stream = EventStream::open(addr, &Subscribe::to("t"));
    let first = Publisher::connect(addr).to_topic("t", "before");
    assert_eq!(stream.next_event().data, "before");
    let mut snare = Snare::set(&hub, log.path());
    hub.signal(Signal::USR2);
    let started = hub.wait_for_log(&["was started to take over"]);
    snare.wait_for_prey();
    // It waits in the sockets' queues for whichever process serves at last.
    let waiting = std::thread::spawn(move || Publisher::connect(addr).to_topic("t", "meanwhile"));
    snare.lift();
    kill_process(pid_in(&started), Signal::KILL).unwrap();
    hub.wait_for_log(&["has had the log: another one takes it"]);
    hub.expect_takeover();
    waiting.join().expect("it is answered");
    assert_eq!(stream.next_event().kind, "corecast.drain");
    assert_eq!(stream.end(), End::Abort);
    let mut stream = EventStream::open(addr, &Subscribe::to("t").last_event_id(&first));
    assert_eq!(stream.next_event().data, "meanwhile");
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
    assert_eq!(hub.count_in_log(&["was started to take over"]), 2);
}

/// The process that a line of the hub's log is about.
fn pid_in(line: &str) -> Pid {
    let record: Value = serde_json::from_str(line).expect("a line of JSON");
    let pid = record.get("fields").unwrap_or(&record)["pid"].as_i64();
    pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).unwrap_or_else(|| panic!("no pid in {line}"))
}

#[test]
fn a_log_that_no_process_can_open_ends_the_hub_in_good_order() {
    let log = tempfile::tempdir().unwrap();
    let builder = builder(log.path());
    let mut hub = builder.clone().start();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
    let id = Publisher::connect(hub.addr()).to_topic("t", "before");
    // The hub at work keeps the file that it has locked; a folder cannot be one.
    let lock = log.path().join("lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    hub.signal(Signal::USR2);
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(1));
    let said = hub.wait_for_log(&["no process goes on with the log"]);
    assert!(said.contains("log.path"), "{said}");
    assert_eq!(hub.count_in_log(&["was started to take over"]), 2);
    assert_eq!(
        (stream.next_event().data.as_str(), stream.next_event().kind.as_str()),
        ("before", "corecast.drain")
    );
    assert_eq!(stream.end(), End::Abort);
    assert!(exchange::Client::try_connect(hub.addr()).is_none(), "nobody has the socket any more");
    std::fs::remove_dir(&lock).unwrap();
    let hub = builder.start();
    Publisher::connect(hub.addr()).to_topic("t", "after");
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t").last_event_id(&id));
    assert_eq!(stream.next_event().data, "after");
}

const STREAMS: usize = 10_000;
const OVER: Duration = Duration::from_secs(6);

/// Slices of the window in which ends are counted.
const SLICES: usize = 12;

#[test]
fn ten_thousand_streams_are_ended_over_the_window_of_the_drain_after_a_takeover() {
    let log = tempfile::tempdir().unwrap();
    let mut hub = Hub::builder()
        .log_in(log.path())
        .set("limits.connections", STREAMS + STREAMS / 2)
        .set("drain.over", format!("{}s", OVER.as_secs()))
        .start();
    let mut swarm = Swarm::around(hub.addr(), 90);
    for _ in 0..STREAMS {
        swarm.join(&Subscribe::to("numbers"));
    }
    swarm.drive_until(WITHIN, "all streams open", |swarm| swarm.open() == STREAMS);
    hub.take_over();
    let begun = Instant::now();
    let mut left = Vec::new();
    for slice in 1..=SLICES {
        let until = begun + OVER * slice as u32 / SLICES as u32;
        swarm.drive_until(WITHIN, "the end of a slice", |_| Instant::now() >= until);
        left.push(swarm.open());
    }
    swarm.drive_until(WITHIN, "all ends", |swarm| swarm.open() == 0);
    println!(
        "open at the end of each {:?}: {left:?}; the last after {:?}",
        OVER / SLICES as u32,
        begun.elapsed()
    );
    hub.wait_for_log(&["draining", "left"]);
    // Nobody waits longer than the window for what the new process has, and no slice has much more than its part. Both
    // with room for a machine that does other things as well.
    let before = std::iter::once(STREAMS).chain(left.iter().copied());
    let most = before.zip(&left).map(|(before, after)| before - after).max().unwrap();
    assert!(most < 4 * STREAMS / SLICES, "{most} in one slice: {left:?}");
    assert!(left[SLICES / 2] > 0, "all at the beginning: {left:?}");
    let told = swarm.members().iter().filter(|member| member.control().len() == 1).count();
    assert_eq!(told, STREAMS, "each was told to come back");
    assert_eq!(hub.wait_for_exit(WITHIN).code(), Some(0));
    // The new process serves all the while.
    drop(EventStream::open(hub.addr(), &Subscribe::to("numbers")));
}
