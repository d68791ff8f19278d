//! The number of streams is not bound by `RLIMIT_NOFILE`: direct descriptors need none of the process's own.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use corecast_tests::hub::{Hub, is_without_io_uring};
use corecast_tests::publish::Publisher;

const NOFILE: u64 = 20_000;
const WORKERS: usize = 3;
const CONNECTIONS_EACH: usize = 10_000;
const EVENTS: u32 = 3;

/// One process of the swarm.
struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(addr: SocketAddr, number: usize) -> Self {
        // Addresses of its own for each: ports are counted by address.
        let first_source = (2 + number).to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_swarm"))
            .args([
                &addr.to_string(),
                &first_source,
                &CONNECTIONS_EACH.to_string(),
                "numbers",
                &EVENTS.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the swarm is built with its tests");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Self { child, lines }
    }

    /// Its own deadlines end it if the hub does not serve it, so this cannot hang.
    fn expect(&mut self, line: &str) {
        let said = self.lines.next().and_then(Result::ok);
        assert_eq!(said.as_deref(), Some(line), "a worker failed; its message is above");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn thirty_thousand_streams_under_a_limit_of_twenty_thousand_files() {
    let connections = WORKERS * CONNECTIONS_EACH;
    let builder = Hub::builder().nofile(NOFILE).set("limits.connections", connections + 1000);
    if is_without_io_uring() {
        // Each stream takes a descriptor then, which the hub knows at its start.
        let (_, said) = builder.launch().refusal();
        assert!(said.contains("LimitNOFILE=") && said.contains("the monoio driver takes one"), "{said}");
        return;
    }
    let hub = builder.start();
    let mut workers: Vec<_> = (0..WORKERS).map(|number| Worker::start(hub.addr(), number)).collect();
    workers.iter_mut().for_each(|worker| worker.expect("open"));
    hub.wait_for_connections(connections);
    println!("{connections} streams, {} MiB resident", hub.resident_bytes() >> 20);
    let mut publisher = Publisher::connect(hub.addr());
    (0..EVENTS).for_each(|n| drop(publisher.to_topic("numbers", &n.to_string())));
    workers.iter_mut().for_each(|worker| worker.expect("received"));
    hub.wait_for_connections(connections);
}
