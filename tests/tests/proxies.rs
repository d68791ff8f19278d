//! Behind nginx, HAProxy and Caddy, each with its file from `deploy/proxy/`, a stream is what it is without them.
//!
//! Where a proxy cannot do something, the test says what it does instead, and docs/proxies.md repeats it.
//! Not here: speed; and every default of the proxies, of which a few that would surprise are shown at the end.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use corecast_tests::exchange::{self, Client};
use corecast_tests::hub::Hub;
use corecast_tests::netns::{Cable, Namespace};
use corecast_tests::proxy::{Kind, Proxy, ProxyBuilder};
use corecast_tests::publish::{Publisher, request};
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::swarm::Swarm;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use corecast_tests::wire::response::End;
use serde_json::json;

/// HAProxy without its option holds each write back for 200 ms; the others would hold it until a buffer is full.
const AT_ONCE: Duration = Duration::from_millis(150);

/// Of several tries one is not disturbed by whatever else the machine does, and a proxy that holds back does so always.
const TRIES: u32 = 8;

fn fastest(mut measured: impl FnMut(u32)) -> Duration {
    let time = |n| {
        let begun = Instant::now();
        measured(n);
        begun.elapsed()
    };
    (0..TRIES).map(time).min().expect("there are tries")
}

/// What a client sees when the hub aborts a stream. Caddy ends the body as if it were complete.
fn seen_of_an_abort(kind: Kind) -> End {
    match kind {
        Kind::Nginx | Kind::Haproxy => End::Abort,
        Kind::Caddy => End::Clean,
    }
}

#[test]
fn the_head_and_each_event_come_at_once() {
    let hub = Hub::start();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        let opened = fastest(|_| drop(EventStream::open(proxy.addr(), &Subscribe::to("t"))));
        assert!(opened < AT_ONCE, "{kind:?}: the head and the first bytes come after {opened:?}");

        let mut stream = EventStream::open(proxy.addr(), &Subscribe::to("t"));
        assert_eq!(stream.head().field("content-type"), Some("text/event-stream; charset=utf-8"), "{kind:?}");
        assert_eq!(
            stream.head().field("cache-control"),
            Some("no-cache, no-store, no-transform"),
            "{kind:?}"
        );
        let mut publisher = Publisher::connect(hub.addr());
        let came = fastest(|n| {
            publisher.to_topic("t", &n.to_string());
            assert_eq!(stream.next_data(1), [n.to_string()], "{kind:?}");
        });
        assert!(came < AT_ONCE, "{kind:?}: an event comes {came:?} after its publish began");
    }
}

/// The file with time-outs of 3 s instead of 60 s.
fn impatient(kind: Kind) -> ProxyBuilder {
    let proxy = Proxy::builder(kind);
    match kind {
        Kind::Nginx => proxy
            .with("proxy_read_timeout 60s", "proxy_read_timeout 3s")
            .with("send_timeout 60s", "send_timeout 3s"),
        Kind::Haproxy => proxy
            .with("timeout client 60s", "timeout client 3s")
            .with("timeout server 60s", "timeout server 3s"),
        Kind::Caddy => proxy.with("read_timeout 60s", "read_timeout 3s").with("idle 60s", "idle 3s"),
    }
}

/// Runs a test before all proxies side by side: what takes its time then takes it once.
fn behind_each(test: impl Fn(Kind) + Sync) {
    std::thread::scope(|scope| {
        for kind in Kind::ALL {
            let test = &test;
            scope.spawn(move || test(kind));
        }
    });
}

#[test]
fn heartbeats_keep_a_stream_open_beyond_every_time_out() {
    // So often that a busy machine, which is late with some, cuts nobody.
    let steady = Hub::builder().set("stream.heartbeat", "200ms").start();
    let silent = Hub::builder().set("stream.heartbeat", "20s").start();
    behind_each(|kind| {
        let steady_proxy = impatient(kind).start(steady.addr());
        let mut kept = EventStream::open(steady_proxy.addr(), &Subscribe::to("t"));
        let silent_proxy = impatient(kind).start(silent.addr());
        let begun = Instant::now();
        let mut cut = EventStream::open(silent_proxy.addr(), &Subscribe::to("t"));
        let end = cut.end();
        assert!(begun.elapsed() < Duration::from_secs(10), "{kind:?}: cut by its own time-out, {end:?}");

        kept.wait_for_comments(25);
        assert!(begun.elapsed() > Duration::from_secs(3), "{kind:?}: beyond the time-out");
        Publisher::connect(steady.addr()).to_topic("t", "still open");
        assert_eq!(kept.next_data(1), ["still open"], "{kind:?}");
    });
}

#[test]
fn the_last_event_id_passes() {
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    let ids: Vec<String> = (0..10).map(|n| publisher.to_topic("numbers", &n.to_string())).collect();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        for request in [
            Subscribe::to("numbers").last_event_id(&ids[6]),
            Subscribe::to("numbers").query("last_event_id", &ids[6]),
        ] {
            let mut stream = EventStream::open(proxy.addr(), &request);
            assert_eq!(stream.next_data(3), ["7", "8", "9"], "{kind:?}");
        }
    }
}

#[test]
fn a_long_head_passes() {
    let hub = Hub::start();
    let request = Subscribe::to("t").field("Cookie", &format!("session={}", "x".repeat(14_000)));
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        assert_eq!(EventStream::open(proxy.addr(), &request).status(), 200, "{kind:?}");
    }
}

/// A post whose body comes in chunks, as of a backend that does not know its length before.
fn chunked_post(token: &str, body: &[u8]) -> Vec<u8> {
    const CHUNK_BYTES: usize = 10_000;
    let mut post = format!(
        "POST /publish HTTP/1.1\r\nHost: hub.test\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(CHUNK_BYTES) {
        post.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        post.extend(chunk);
        post.extend(b"\r\n");
    }
    post.extend(b"0\r\n\r\n");
    post
}

#[test]
fn publishes_pass_whole_and_in_chunks_on_one_connection() {
    let hub = Hub::start();
    let token = Token::publisher().sign();
    let data = "x".repeat(60_000);
    let body = json!({"topics": ["t"], "data": data}).to_string();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        let mut stream = EventStream::open(hub.addr(), &Subscribe::to("t"));
        let mut client = Client::connect(proxy.addr());
        let plain = request("/publish", &token, "application/json", body.as_bytes());
        for post in [plain, chunked_post(&token, body.as_bytes())] {
            client.send(&post);
            let answer = client.read_answer();
            assert_eq!(answer.status(), 200, "{kind:?}: {}", answer.text());
            let event = stream.next_event();
            assert_eq!(event.data, data, "{kind:?}");
            assert_eq!(answer.json()["id"].as_str(), event.id.as_deref(), "{kind:?}");
        }
        // What the hub refuses it refuses through the proxy, in its own words.
        let answer =
            exchange::send(proxy.addr(), &request("/publish", "no token", "application/json", b"{}"));
        assert_eq!(answer.status(), 401, "{kind:?}");
        assert!(answer.json()["error"].is_string(), "{kind:?}: {}", answer.text());
    }
}

#[test]
fn a_client_that_leaves_frees_its_slot() {
    // No heartbeat comes in time to find out that nobody reads.
    let hub = Hub::builder()
        .set("stream.heartbeat", "5m")
        .set("stream.dead_peer", "10m")
        .set("stream.idle_timeout", "off")
        .start();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        let streams: Vec<_> = (0..20).map(|_| EventStream::open(proxy.addr(), &Subscribe::to("t"))).collect();
        hub.wait_for_connections(20);
        drop(streams);
        hub.wait_for_connections(0);
    }
}

#[test]
fn the_hubs_end_reaches_the_client() {
    let hub = Hub::builder().set("stream.max_age", "2s").start();
    let tab = |name: String| Subscribe::with_token(&Token::of("alice").sign()).client_id(&name);
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        let mut old = EventStream::open(proxy.addr(), &tab(format!("old-{kind:?}")));
        let mut new = EventStream::open(proxy.addr(), &tab(format!("new-{kind:?}")));
        assert_eq!(old.next_event().kind, "corecast.evicted", "{kind:?}");
        assert_eq!(old.end(), End::Clean, "{kind:?}: do not come back");
        assert_eq!(new.end(), seen_of_an_abort(kind), "{kind:?}: come back, if the proxy can say so");
        hub.wait_for_connections(0);
    }
}

#[test]
fn five_hundred_streams_at_once_see_every_event() {
    const STREAMS: usize = 500;
    const EVENTS: u32 = 5;
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    for (kind, first_source) in Kind::ALL.into_iter().zip(60..) {
        let proxy = Proxy::start(kind, hub.addr());
        let mut swarm = Swarm::around(proxy.addr(), first_source);
        for _ in 0..STREAMS {
            swarm.join(&Subscribe::to("numbers"));
        }
        swarm.drive_until(PATIENCE, "500 streams through one proxy", |s| s.open() == STREAMS);
        hub.wait_for_connections(STREAMS);
        for n in 0..EVENTS {
            publisher.to_topic("numbers", &n.to_string());
        }
        let all = STREAMS * EVENTS as usize;
        swarm.drive_until(PATIENCE, "every event to every stream", |s| s.events() >= all);
        assert!(swarm.members().iter().all(|m| m.seen() == [0, 1, 2, 3, 4]), "{kind:?}");
        drop(swarm);
        hub.wait_for_connections(0);
    }
}

#[test]
fn a_drain_tells_every_client_when_to_come_back() {
    const STREAMS: usize = 50;
    for (kind, first_source) in Kind::ALL.into_iter().zip(70..) {
        let mut hub = Hub::builder().set("drain.over", "2s").start();
        let proxy = Proxy::start(kind, hub.addr());
        let mut swarm = Swarm::around(proxy.addr(), first_source);
        for _ in 0..STREAMS {
            swarm.join(&Subscribe::to("numbers"));
        }
        swarm.drive_until(PATIENCE, "all streams", |s| s.open() == STREAMS);
        hub.sigterm();
        swarm.drive_until(PATIENCE, "all ends", |s| s.members().iter().all(|m| m.end().is_some()));
        assert_eq!(hub.wait_for_exit(PATIENCE).code(), Some(0), "{kind:?}");

        let mut times = Vec::new();
        for member in swarm.members() {
            assert_eq!(member.end(), Some(seen_of_an_abort(kind)), "{kind:?}");
            let [told] = member.control() else { panic!("{kind:?}: {:?}", member.control()) };
            assert_eq!(told.kind, "corecast.drain", "{kind:?}");
            times.push(told.retry.expect("a time to come back"));
        }
        times.sort_unstable();
        times.dedup();
        assert!(times.len() > STREAMS / 2, "{kind:?}: all would come back at once: {times:?}");
    }
}

/// A hub with this address, after another one had it.
fn again(addr: SocketAddr) -> Hub {
    Hub::builder().set("hub.listen", addr.to_string()).start()
}

#[test]
fn while_the_hub_is_away_no_tab_is_stranded() {
    behind_each(|kind| {
        let mut hub = Hub::start();
        let addr = hub.addr();
        // Two of them wait for the hub first, here not as long as shipped.
        let proxy = match kind {
            Kind::Nginx => Proxy::builder(kind),
            Kind::Haproxy => Proxy::builder(kind).with("retries 10", "retries 1"),
            Kind::Caddy => Proxy::builder(kind).with("lb_try_duration 10s", "lb_try_duration 500ms"),
        };
        let proxy = proxy.start(addr);
        hub.kill9();
        let asked = Subscribe::to("t").field("Origin", "https://app.test");
        let mut told = EventStream::open(proxy.addr(), &asked);
        assert_eq!(told.status(), 200, "{kind:?}: a browser stays dead after any other status");
        assert!((2000..=6000).contains(&told.opening_retry()), "{kind:?}: {}", told.opening_retry());
        assert_eq!(told.end(), End::Clean, "{kind:?}");
        assert_eq!(told.head().field("content-type"), Some("text/event-stream"), "{kind:?}");
        assert_eq!(told.head().field("access-control-allow-origin"), Some("https://app.test"), "{kind:?}");
        let script = exchange::send(proxy.addr(), &Subscribe::to("t").without_accept().encode());
        assert_eq!(script.status(), 503, "{kind:?}: others are told the truth");

        let _hub = again(addr);
        eventually(PATIENCE, "the way to the new hub", || {
            let mut stream = EventStream::open(proxy.addr(), &Subscribe::to("t"));
            Publisher::connect(addr).to_topic("t", "back");
            stream.next_event_or_end()
        });
    });
}

#[test]
fn a_restart_of_the_hub_is_waited_for_where_the_proxy_can() {
    for kind in [Kind::Haproxy, Kind::Caddy] {
        let mut hub = Hub::start();
        let addr = hub.addr();
        let proxy = Proxy::start(kind, addr);
        hub.kill9();
        let mut waiting = Client::connect(proxy.addr());
        let subscribe = Subscribe::to("t");
        waiting.send(&subscribe.encode());
        assert!(!waiting.has_answer_within(Duration::from_millis(500)), "{kind:?} waits for the hub");
        let _hub = again(addr);
        let mut stream = EventStream::answer_to(waiting.into_socket(), &subscribe);
        Publisher::connect(addr).to_topic("t", "after the restart");
        assert_eq!(stream.next_data(1), ["after the restart"], "{kind:?}");
    }
}

/// Connects from this address of loopback.
fn connect_from(source: IpAddr, addr: SocketAddr) -> TcpStream {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a TCP socket");
    socket.bind(&SocketAddr::new(source, 0).into()).expect("a free port");
    socket.connect(&addr.into()).expect("the proxy listens");
    socket.into()
}

/// The head of the request that comes to `listener`, which answers a `GET` with nothing, and a `POST` not at all.
fn requested_head(listener: &TcpListener) -> String {
    let mut socket = listener.accept().expect("the proxy connects").0;
    socket.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
    let mut head = String::new();
    let mut lines = BufReader::new(&socket);
    while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).expect("a whole head") > 0 {}
    if head.starts_with("POST") {
        // Only the answer is missing: all of the request must have been read, or the close becomes a reset.
        lines.read_exact(&mut [0; 2]).expect("a body of two bytes");
        return head;
    }
    let nothing = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    socket.write_all(nothing).expect("the proxy reads");
    head.to_lowercase()
}

#[test]
fn the_clients_address_is_forwarded_and_what_it_says_of_itself_is_not() {
    let client = IpAddr::from(Ipv4Addr::new(127, 0, 0, 80));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, listener.local_addr().unwrap());
        let mut socket = connect_from(client, proxy.addr());
        let request = Subscribe::to("t")
            .field("X-Forwarded-For", "192.0.2.1")
            .field("Forwarded", "for=192.0.2.1")
            .last_event_id("a-1");
        socket.write_all(&request.encode()).unwrap();
        let head = requested_head(&listener);
        assert!(head.starts_with("get /events?topic=t http/1.1\r\n"), "{kind:?}: {head}");
        let forwarded: Vec<_> = head.lines().filter(|l| l.starts_with("x-forwarded-for:")).collect();
        assert_eq!(forwarded, [format!("x-forwarded-for: {client}")], "{kind:?}: {head}");
        assert!(!head.contains("192.0.2.1"), "{kind:?}: {head}");
        for kept in ["last-event-id: a-1", "accept: text/event-stream", "x-forwarded-proto: http"] {
            assert!(head.lines().any(|line| line == kept), "{kind:?}: {kept} in {head}");
        }
    }
}

#[test]
fn a_publish_that_got_no_answer_is_not_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, listener.local_addr().unwrap());
        let mut client = Client::connect(proxy.addr());
        client.send(&request("/publish", "token", "application/json", b"{}"));
        assert!(requested_head(&listener).starts_with("POST /publish"), "{kind:?}");
        let answer = client.read_answer();
        assert!((502..=503).contains(&answer.status()), "{kind:?}: {answer:?}");
        listener.set_nonblocking(true).unwrap();
        let other = listener.accept().map(|(_, addr)| addr);
        assert_eq!(other.unwrap_err().kind(), ErrorKind::WouldBlock, "{kind:?}");
        listener.set_nonblocking(false).unwrap();
    }
}

#[test]
fn the_limit_per_address_counts_the_proxy() {
    let hub = Hub::builder().set("limits.per_ip", 2).start();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        let open = |host: u8| {
            let mut socket = connect_from(IpAddr::from(Ipv4Addr::new(127, 0, 0, host)), proxy.addr());
            socket.write_all(&Subscribe::to("t").encode()).unwrap();
            EventStream::answer_to(socket, &Subscribe::to("t"))
        };
        let streams = [open(81), open(82)];
        let mut third = open(83);
        let told = third.next_event();
        assert_eq!(
            (told.kind.as_str(), &told.json()["reason"]),
            ("corecast.limit", &json!("per_ip")),
            "{kind:?}"
        );
        drop((streams, third));
        hub.wait_for_connections(0);
    }
}

#[test]
fn the_limit_per_address_counts_clients_of_a_trusted_proxy_by_their_own() {
    let hub = Hub::builder().set("limits.per_ip", 2).set("hub.trusted_proxies", vec!["127.0.0.1"]).start();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        let open = |host: u8| {
            let mut socket = connect_from(IpAddr::from(Ipv4Addr::new(127, 0, 0, host)), proxy.addr());
            // What a client writes itself is not believed.
            let request =
                Subscribe::to("t").field("X-Forwarded-For", "192.0.2.1").field("Forwarded", "for=192.0.2.2");
            socket.write_all(&request.encode()).unwrap();
            EventStream::answer_to(socket, &Subscribe::to("t"))
        };
        let streams = [open(81), open(82), open(83), open(81)];
        hub.wait_for_connections(streams.len());
        let told = open(81).next_event();
        assert_eq!(
            (told.kind.as_str(), &told.json()["reason"]),
            ("corecast.limit", &json!("per_ip")),
            "{kind:?}"
        );
        drop(streams);
        hub.wait_for_connections(0);
    }
}

#[test]
fn a_browsers_tabs_share_one_connection_of_http_2() {
    const TABS: usize = 20;
    let hub = Hub::start();
    let mut publisher = Publisher::connect(hub.addr());
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        let mut browser = proxy.curl_http2();
        browser.args([
            "--parallel",
            "--parallel-max",
            "50",
            "--write-out",
            "[%{http_version} %{num_connects}]",
        ]);
        browser.args((0..TABS).map(|_| proxy.url("/events?topic=t")));
        let mut browser =
            browser.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("curl is installed");
        let mut output = browser.stdout.take().expect("stdout is piped");
        hub.wait_for_connections(TABS);

        let mut seen = String::new();
        for n in 0..3 {
            let id = publisher.to_topic("t", &format!("event {n}"));
            let block = format!("data: event {n}\nid: {id}\n\n");
            // Each is there before the next is published: nothing is held back.
            while seen.matches(&block).count() < TABS {
                let mut buf = [0; 65_536];
                let read = output.read(&mut buf).unwrap();
                assert!(read > 0, "{kind:?}: the browser has ended, and seen {seen:?}");
                seen.push_str(&String::from_utf8_lossy(&buf[..read]));
            }
        }
        drop(proxy);
        output.read_to_string(&mut seen).unwrap();
        browser.wait().unwrap();
        assert_eq!(seen.matches("[2 1]").count(), 1, "{kind:?}: one connection: {seen:?}");
        assert_eq!(seen.matches("[2 0]").count(), TABS - 1, "{kind:?}: for all: {seen:?}");
        hub.wait_for_connections(0);
    }
}

/// What curl says of a stream of HTTP/2 that was reset before its end.
const CURL_STREAM_RESET: i32 = 92;

#[test]
fn over_http_2_only_nginx_passes_an_abort() {
    let hub = Hub::builder().set("stream.max_age", "2s").start();
    behind_each(|kind| {
        let proxy = Proxy::start(kind, hub.addr());
        let aborted =
            proxy.curl_http2().arg(proxy.url("/events?topic=t")).output().expect("curl is installed");
        let expected = match kind {
            Kind::Nginx => CURL_STREAM_RESET,
            Kind::Haproxy | Kind::Caddy => 0,
        };
        let text = String::from_utf8_lossy(&aborted.stdout);
        assert_eq!(aborted.status.code(), Some(expected), "{kind:?}: {text}");
        assert!(text.starts_with(":\nretry: "), "{kind:?}: {text}");
    });
}

/// Two tabs on one connection, as a browser has them. It says `opened` when both have seen their first bytes, closes the
/// first tab, and says what the second sees.
const TWO_TABS: &str = r"
const http2 = require('node:http2');
const [url, certificate] = process.argv.slice(1);
const session = http2.connect(url, { ca: require('node:fs').readFileSync(certificate), servername: 'hub.example.org',
  lookup: (_name, options, found) =>
    options.all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4) });
const open = () => session.request({ ':path': '/events?topic=t', accept: 'text/event-stream' }).setEncoding('utf8');
const [closed, kept] = [open(), open()];
const opened = [closed, kept].map((tab) => new Promise((resolve) => tab.once('data', resolve)));
Promise.all(opened).then(() => {
  kept.on('data', (text) => process.stdout.write(text));
  process.stdout.write('opened\n');
  process.stdin.once('data', () => closed.close(http2.constants.NGHTTP2_CANCEL));
});
";

#[test]
fn a_tab_that_closes_frees_its_slot_while_the_others_stay() {
    let hub = Hub::builder().set("stream.heartbeat", "5m").set("stream.dead_peer", "10m");
    let hub = hub.set("stream.idle_timeout", "off").start();
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, hub.addr());
        let mut browser = std::process::Command::new("node")
            .args(["-e", TWO_TABS, &proxy.url("")])
            .arg(proxy.certificate())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is installed");
        let mut output = BufReader::new(browser.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "opened\n", "{kind:?}");
        hub.wait_for_connections(2);
        browser.stdin.as_mut().expect("stdin is piped").write_all(b"close\n").unwrap();
        hub.wait_for_connections(1);
        Publisher::connect(hub.addr()).to_topic("t", "to the tab that stays");
        line.clear();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "data: to the tab that stays\n", "{kind:?}");
        browser.kill().unwrap();
        browser.wait().unwrap();
        hub.wait_for_connections(0);
    }
}

#[test]
fn behind_haproxy_a_cut_network_frees_its_slots() {
    const STREAMS: usize = 5;
    let (near, far) = (Namespace::create(), Namespace::create());
    let cable = Cable::between(&near, &far);
    let hub = Hub::builder().set("stream.heartbeat", "1s").inside(&near).start();
    let proxy = Proxy::builder(Kind::Haproxy).with("tcp-ut 30s", "tcp-ut 3s").inside(&near).start(hub.addr());
    let mut browsers: Vec<_> = (0..STREAMS)
        .map(|_| {
            far.run(|| proxy.curl_http2().arg(proxy.url("/events?topic=t")).stdout(Stdio::null()).spawn())
        })
        .map(|browser| browser.expect("curl is installed"))
        .collect();
    hub.wait_for_connections(STREAMS);
    cable.cut();
    hub.wait_for_connections(0);
    for browser in &mut browsers {
        let still_there = browser.try_wait().unwrap().is_none();
        assert!(still_there, "the slots are free because of the cut, not of the browsers' end");
        browser.kill().unwrap();
        browser.wait().unwrap();
    }
}

#[test]
fn haproxy_without_its_option_is_late_with_each_event() {
    let hub = Hub::start();
    let proxy = Proxy::builder(Kind::Haproxy).with("option http-no-delay", "").start(hub.addr());
    let mut stream = EventStream::open(proxy.addr(), &Subscribe::to("t"));
    let mut publisher = Publisher::connect(hub.addr());
    let came = fastest(|n| {
        publisher.to_topic("t", &n.to_string());
        stream.next_event();
    });
    assert!(came > AT_ONCE, "{came:?}: if HAProxy has learnt, docs/proxies.md and the file may forget");
}

#[test]
fn nginx_with_http_1_0_to_the_hub_cannot_tell_an_abort_from_an_end() {
    let hub = Hub::builder().set("stream.max_age", "2s").start();
    let old = Proxy::builder(Kind::Nginx).with("proxy_http_version 1.1", "proxy_http_version 1.0");
    let proxy = old.start(hub.addr());
    let mut stream = EventStream::open(proxy.addr(), &Subscribe::to("t"));
    assert_eq!(stream.end(), End::Clean);
}

#[test]
fn nginx_holds_a_whole_stream_back_if_it_may_buffer_and_compress() {
    let hub = Hub::start();
    let proxy = Proxy::builder(Kind::Nginx)
        .with("proxy_buffering off;", "proxy_ignore_headers X-Accel-Buffering;")
        .with("gzip off;", "gzip on; gzip_types text/event-stream;");
    let proxy = proxy.start(hub.addr());
    let mut client = Client::connect(proxy.addr());
    client.send(&Subscribe::to("t").field("Accept-Encoding", "gzip").encode());
    hub.wait_for_connections(1);
    Publisher::connect(hub.addr()).to_topic("t", "held back");
    assert!(!client.has_answer_within(Duration::from_secs(1)), "not even the head comes");
}
