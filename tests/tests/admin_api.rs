//! The admin API of a real hub with real streams: lists, pages, ends, bounds, and what is refused and how.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use corecast_tests::exchange::{self, Answer};
use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::swarm::Swarm;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use corecast_tests::wire::response::End;
use serde_json::{Value, json};

const ADMIN_TOKEN: &str = "an.admin-token~of_thirty+two/bytes=";

/// Asks the admin listener with these header fields and this body.
fn ask_with(admin: SocketAddr, line: &str, fields: &[(&str, &str)], body: &str) -> Answer {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let host = if fields.contains("Host: ") { "" } else { "Host: localhost\r\n" };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    exchange::send(admin, format!("{line} HTTP/1.1\r\n{host}{fields}{length}\r\n{body}").as_bytes())
}

/// Asks as a program does.
fn ask(hub: &Hub, line: &str) -> Answer {
    ask_with(hub.admin(), line, &[], "")
}

/// Changes something as a program does.
fn order(hub: &Hub, line: &str, body: &Value) -> Answer {
    ask_with(hub.admin(), line, &[("Content-Type", "application/json")], &body.to_string())
}

#[track_caller]
fn look(hub: &Hub, path: &str) -> Value {
    let answer = ask(hub, &format!("GET {path}"));
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    answer.json()
}

/// A row of a list by its field `name`.
fn names(rows: &Value, name: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("{rows} is a list"));
    rows.iter()
        .map(|row| row[name].as_str().unwrap_or_else(|| panic!("{row} has {name}")).to_owned())
        .collect()
}

/// All pages of a list, page by page.
fn walk(hub: &Hub, path: &str, list: &str) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = look(hub, &format!("{path}{cursor}"));
        rows.extend(page[list].as_array().expect("a list").iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                assert_eq!(page["matched"], rows.len(), "{path}");
                return rows;
            }
        }
    }
}

fn stream_of(hub: &Hub, user: &str, topics: &[&str]) -> EventStream {
    let request = Subscribe::with_token(&Token::of(user).sign());
    let request = topics.iter().fold(request, |request, topic| request.topic(topic));
    EventStream::open(hub.addr(), &request)
}

#[test]
fn lists_have_everybody_once_in_every_order_and_page() {
    let hub = Hub::builder().set("limits.per_user", 0).start();
    let mut streams = Vec::new();
    for number in 0..23 {
        streams.push(stream_of(
            &hub,
            &format!("user-{}", number % 10),
            &["all", &format!("t/{}", number % 5)],
        ));
    }
    hub.wait_for_connections(23);
    for sort in ["age", "bytes", "lag", "silence"] {
        for order in ["asc", "desc"] {
            let rows =
                walk(&hub, &format!("/api/connections?limit=5&sort={sort}&order={order}"), "connections");
            let ids: BTreeSet<_> = rows.iter().map(|row| row["id"].to_string()).collect();
            assert_eq!((rows.len(), ids.len()), (23, 23), "{sort} {order}");
        }
    }
    // Different streams have been sent different amounts.
    let mut publisher = Publisher::connect(hub.addr());
    (0..5).for_each(|number| (0..number).for_each(|_| drop(publisher.to_topic(&format!("t/{number}"), "x"))));
    let deliveries: u32 = (0..23).map(|number| number % 5).sum();
    eventually(PATIENCE, "all deliveries", || {
        (hub.metric("corecast_deliveries_total") == f64::from(deliveries)).then_some(())
    });
    for (order, is_in_order) in [("asc", u64::le as fn(&u64, &u64) -> bool), ("desc", u64::ge)] {
        let path = format!("/api/connections?limit=4&sort=bytes&state=streaming&order={order}");
        let rows = walk(&hub, &path, "connections");
        let bytes: Vec<u64> = rows.iter().map(|row| row["bytes"].as_u64().unwrap()).collect();
        assert!(bytes.len() == 23 && bytes.is_sorted_by(is_in_order) && bytes[0] != bytes[22], "{bytes:?}");
    }
    drop(publisher);

    let users = walk(&hub, "/api/users?limit=3&sort=name", "users");
    let expected: Vec<String> = (0..10).map(|number| format!("user-{number}")).collect();
    assert_eq!(names(&json!(users), "user"), expected);
    let most = look(&hub, "/api/users?limit=3");
    assert_eq!(names(&most["users"], "user"), ["user-2", "user-1", "user-0"]);
    assert_eq!((&most["users"][0]["connections"], &most["matched"]), (&json!(3), &json!(10)));
    assert_eq!(look(&hub, "/api/users?prefix=user-7")["matched"], 1);

    let topics = walk(&hub, "/api/topics?limit=2", "topics");
    assert_eq!(
        topics[0],
        json!({"selector": "all", "kind": "exact", "subscribers": 23}),
        "added up over shards"
    );
    assert_eq!(names(&json!(walk(&hub, "/api/topics?limit=2&sort=name", "topics")), "selector")[0], "all");
    let prefixed = walk(&hub, "/api/topics?limit=2&prefix=t/&sort=name", "topics");
    let counts: BTreeMap<_, _> = prefixed
        .iter()
        .map(|row| (row["selector"].as_str().unwrap(), row["subscribers"].as_u64().unwrap()))
        .collect();
    assert_eq!(counts, BTreeMap::from([("t/0", 5), ("t/1", 5), ("t/2", 5), ("t/3", 4), ("t/4", 4)]));

    for (filter, matched) in [
        ("user=user-0", 3),
        ("user=nobody", 0),
        ("topic=t/4", 4),
        ("topic=all&user=user-1", 3),
        ("topic=nobody-has-it", 0),
        ("anonymous=true", 0),
        ("address=127.0.0.1&state=streaming", 23),
        ("address=::ffff:127.0.0.1&state=streaming", 23),
        ("address=192.0.2.1", 0),
        ("state=streaming", 23),
        ("state=head&behind=false", 0),
        ("behind=true", 0),
    ] {
        assert_eq!(look(&hub, &format!("/api/connections?{filter}"))["matched"], matched, "{filter}");
    }
}

#[test]
fn one_connection_is_shown_in_full_until_it_is_ended() {
    let hub = Hub::start();
    let mut alice = stream_of(&hub, "alice", &["a", "/b/{id}"]);
    let row = look(&hub, "/api/users/alice")["connections"][0].clone();
    let id = row["id"].as_str().unwrap();
    let details = look(&hub, &format!("/api/connections/{id}"));
    for field in
        ["id", "shard", "state", "user", "anonymous", "address", "bytes", "lag_events", "behind", "expires"]
    {
        assert_eq!(details[field], row[field], "{field}");
    }
    assert_eq!(
        (&details["user"], &details["state"], &details["anonymous"]),
        (&json!("alice"), &json!("streaming"), &json!(false))
    );
    assert_eq!(
        (&details["selectors"].as_array().unwrap().len(), &details["framing"]),
        (&2, &json!("chunked"))
    );

    let words = "you \"did\"\nit";
    let answer = order(&hub, &format!("DELETE /api/connections/{id}"), &json!({"reason": words}));
    assert_eq!((answer.status(), answer.json()), (200, json!({"disconnected": 1})));
    let told = alice.next_event();
    assert_eq!((told.kind.as_str(), told.retry), ("corecast.evicted", Some(86_400_000)));
    assert_eq!(told.json(), json!({"reason": "disconnected", "message": words}));
    assert_eq!(alice.end(), End::Clean);
    for line in [
        format!("GET /api/connections/{id}"),
        format!("DELETE /api/connections/{id}"),
        "GET /api/users/alice".into(),
    ] {
        let answer = ask(&hub, &line);
        assert_eq!(answer.status(), 404, "{line}: {}", answer.text());
    }
    hub.wait_for_connections(0);
}

#[test]
fn whoever_is_named_is_disconnected_and_nobody_else() {
    let hub = Hub::builder().set("limits.per_user", 0).start();
    let mut streams: Vec<_> =
        ["alice", "alice", "bob", "carol"].iter().map(|user| stream_of(&hub, user, &["a"])).collect();
    let mut tab = EventStream::open(hub.addr(), &Subscribe::to("b").client_id("alice"));
    let disconnect = |whom: Value, disconnected: u64| {
        let answer = order(&hub, "POST /api/disconnect", &whom);
        assert_eq!((answer.status(), answer.json()), (200, json!({"disconnected": disconnected})), "{whom}");
    };
    disconnect(json!({"user": "alice", "reconnect": true}), 2);
    for stream in &mut streams[..2] {
        let told = stream.next_event();
        assert_eq!(told.kind, "corecast.drain");
        assert!(told.retry.is_some_and(|retry| retry < 60_000), "{told:?}");
        assert_eq!(stream.end(), End::Abort, "an abort says: come back");
    }
    disconnect(json!({"user": "alice"}), 0);
    disconnect(json!({"user": "alice", "anonymous": true}), 1);
    assert_eq!((tab.next_event().kind.as_str(), tab.end()), ("corecast.evicted", End::Clean));
    let bob = look(&hub, "/api/connections?user=bob")["connections"][0]["id"].clone();
    disconnect(json!({"connection": bob}), 1);
    disconnect(json!({"connection": bob}), 0);
    disconnect(json!({"connection": "900-0-0"}), 0);
    disconnect(json!({"topic": "nobody-has-it"}), 0);
    disconnect(json!({"topic": "a"}), 1);
    hub.wait_for_connections(0);
    let mut last = stream_of(&hub, "dave", &["a"]);
    disconnect(json!({"address": "192.0.2.1"}), 0);
    disconnect(json!({"address": "127.0.0.1"}), 1);
    assert_eq!((last.next_event().kind.as_str(), last.end()), ("corecast.evicted", End::Clean));
}

/// A request, its header fields and body; the status and the field of the answer.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[test]
fn what_is_wrong_is_answered_with_the_field_that_is_to_blame() {
    let hub = Hub::start();
    let json_type = ("Content-Type", "application/json");
    let long = "x".repeat(300);
    let huge = format!("{{\"reason\":\"{}\"}}", "x".repeat(70_000));
    let cases: &[Case<'_>] = &[
        ("POST /api/hub", &[json_type], "{}", 405, "method"),
        ("DELETE /api/users/alice", &[], "", 405, "method"),
        ("GET /api/drain", &[], "", 405, "method"),
        ("GET /api/nothing", &[], "", 404, "path"),
        ("GET /api/connections/abc", &[], "", 400, "id"),
        ("GET /api/connections/1-2", &[], "", 400, "id"),
        ("GET /api/connections/+1-2-3", &[], "", 400, "id"),
        ("GET /api/connections/1-2-99999999999", &[], "", 400, "id"),
        ("GET /api/connections/0-0-0", &[], "", 404, "id"),
        ("GET /api/connections/900-0-0", &[], "", 404, "id"),
        ("GET /api/connections?limit=0", &[], "", 400, "limit"),
        ("GET /api/connections?limit=1001", &[], "", 400, "limit"),
        ("GET /api/connections?limit=ten", &[], "", 400, "limit"),
        ("GET /api/connections?limit=1&limit=2", &[], "", 400, "limit"),
        ("GET /api/connections?sort=name", &[], "", 400, "sort"),
        ("GET /api/connections?order=up", &[], "", 400, "order"),
        ("GET /api/connections?state=dead", &[], "", 400, "state"),
        ("GET /api/connections?behind=1", &[], "", 400, "behind"),
        ("GET /api/connections?address=localhost", &[], "", 400, "address"),
        ("GET /api/connections?user=", &[], "", 400, "user"),
        ("GET /api/connections?topic=", &[], "", 400, "topic"),
        ("GET /api/connections?cursor=AAAA", &[], "", 400, "cursor"),
        ("GET /api/connections?cursor=%00", &[], "", 400, "cursor"),
        ("GET /api/connections?frob=1", &[], "", 400, "frob"),
        ("GET /api/users?sort=subscribers", &[], "", 400, "sort"),
        ("GET /api/users/%FF", &[], "", 400, "path"),
        ("GET /api/users/nobody", &[], "", 404, "user"),
        ("POST /api/disconnect", &[], "{}", 415, "Content-Type"),
        ("POST /api/disconnect", &[("Content-Type", "text/plain")], "{\"user\":\"a\"}", 415, "Content-Type"),
        ("POST /api/disconnect", &[json_type], "", 400, "body"),
        ("POST /api/disconnect", &[json_type], "{}", 400, "body"),
        ("POST /api/disconnect", &[json_type], "{\"user\":\"a\",\"topic\":\"b\"}", 400, "body"),
        ("POST /api/disconnect", &[json_type], "{\"user\":\"a\"} x", 400, "body"),
        ("POST /api/disconnect", &[json_type], "[\"alice\"]", 400, "body"),
        ("POST /api/reload", &[json_type], "[]", 400, "body"),
        ("POST /api/reload", &[json_type], "null", 400, "body"),
        ("POST /api/disconnect", &[json_type], "{\"usr\":\"a\"}", 400, "usr"),
        ("POST /api/disconnect", &[json_type], "{\"user\":1}", 400, "user"),
        ("POST /api/disconnect", &[json_type], "{\"user\":\"\"}", 400, "user"),
        ("POST /api/disconnect", &[json_type], "{\"user\":\"a\",\"user\":\"b\"}", 400, "user"),
        ("POST /api/disconnect", &[json_type], "{\"connection\":\"x\"}", 400, "connection"),
        ("POST /api/disconnect", &[json_type], "{\"address\":\"x\"}", 400, "address"),
        ("POST /api/disconnect", &[json_type], "{\"topic\":\"\"}", 400, "topic"),
        ("POST /api/disconnect", &[json_type], "{\"topic\":\"a\",\"anonymous\":true}", 400, "anonymous"),
        ("POST /api/disconnect", &[json_type], "{\"user\":\"a\",\"reconnect\":\"yes\"}", 400, "reconnect"),
        ("POST /api/disconnect", &[json_type], &huge, 413, "body"),
        ("PUT /api/log-level", &[json_type], "{}", 400, "level"),
        ("PUT /api/log-level", &[json_type], "{\"level\":\"\"}", 422, "level"),
        ("PUT /api/log-level", &[json_type], "{\"level\":\"loud=very\"}", 422, "level"),
        ("POST /api/drain", &[json_type], "{\"over\":1}", 400, "over"),
        ("POST /api/drain", &[], "", 415, "Content-Type"),
        (
            "POST /api/reload",
            &[("Content-Type", "application/json"), ("Origin", "http://evil.example")],
            "",
            403,
            "Origin",
        ),
        ("GET /api/hub", &[("Host", "evil.example")], "", 421, "Host"),
        ("GET /api/hub", &[("Sec-Fetch-Site", "cross-site")], "", 403, "Sec-Fetch-Site"),
    ];
    for &(line, fields, body, status, field) in cases {
        let answer = ask_with(hub.admin(), line, fields, body);
        let what = format!("{line} {fields:?} {:.60}: {}", body, answer.text());
        assert_eq!(answer.status(), status, "{what}");
        assert_eq!(answer.head.field("content-type"), Some("application/problem+json"), "{what}");
        let problem = answer.json();
        assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!("about:blank")), "{what}");
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{what}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{what}");
    }
    let reason = order(&hub, "POST /api/disconnect", &json!({"user": "a", "reason": long}));
    assert_eq!((reason.status(), &reason.json()["field"]), (400, &json!("reason")));
    assert_eq!(look(&hub, "/api/hub")["state"], "running");
}

#[test]
fn with_a_token_everything_but_health_and_the_page_needs_it() {
    let hub = Hub::builder().set("admin.token", ADMIN_TOKEN).start();
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    for path in ["/healthz", "/readyz", "/", "/dashboard.js", "/dashboard.css"] {
        assert_eq!(ask(&hub, &format!("GET {path}")).status(), 200, "{path}");
    }
    for path in ["/metrics", "/api/hub", "/api/connections", "/openapi.json"] {
        let refused = ask(&hub, &format!("GET {path}"));
        assert_eq!(refused.status(), 401, "{path}");
        assert_eq!(refused.head.field("www-authenticate"), Some("Bearer realm=\"corecast admin\""), "{path}");
        let allowed = ask_with(
            hub.admin(),
            &format!("GET {path}"),
            &[("Authorization", &bearer), ("Host", "any.example")],
            "",
        );
        assert_eq!(allowed.status(), 200, "{path}");
    }
    let config = ask_with(hub.admin(), "GET /api/config", &[("Authorization", &bearer)], "");
    assert_eq!(config.json()["admin"]["token"], "(secret)");
    assert!(!config.text().contains(ADMIN_TOKEN));
}

#[test]
fn a_hub_that_can_be_asked_from_elsewhere_starts_only_with_a_token() {
    let hub = Hub::builder().set("admin.listen", "0.0.0.0:0");
    let (status, said) = hub.clone().launch().refusal();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("admin.token_file"), "{said}");
    let short = hub.clone().set("admin.token", "short").launch().refusal();
    assert!(short.1.contains("at least 32"), "{}", short.1);
    let unfit = hub.clone().set("admin.token", "a token with spaces, of thirty-two bytes").launch().refusal();
    assert!(unfit.1.contains("admin.token") && !unfit.1.contains("with spaces"), "{}", unfit.1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{ADMIN_TOKEN}\n")).unwrap();
    let hub = hub.set("admin.token_file", file.display().to_string()).start();
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let port = SocketAddr::from(([127, 0, 0, 1], hub.admin().port()));
    assert_eq!(ask_with(port, "GET /api/hub", &[], "").status(), 401);
    assert_eq!(ask_with(port, "GET /api/hub", &[("Authorization", &bearer)], "").status(), 200);
}

/// A stream of the admin listener that is read by hand: what its samples say.
struct Live {
    socket: TcpStream,
    bytes: Vec<u8>,
}

impl Live {
    fn open(hub: &Hub, path: &str, fields: &str) -> Self {
        let mut socket = TcpStream::connect(hub.admin()).expect("the admin listener");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").expect("a request");
        Self { socket, bytes: Vec::new() }
    }

    /// Reads until `text` has come, and takes all up to its end.
    fn until(&mut self, text: &str) -> String {
        loop {
            let found = self.bytes.windows(text.len()).position(|window| window == text.as_bytes());
            if let Some(start) = found {
                let rest = self.bytes.split_off(start + text.len());
                return String::from_utf8(std::mem::replace(&mut self.bytes, rest)).expect("text");
            }
            let mut buf = [0; 4096];
            let read = self.socket.read(&mut buf).expect("more of the stream");
            assert!(read > 0, "the stream ended: {}", String::from_utf8_lossy(&self.bytes));
            self.bytes.extend_from_slice(&buf[..read]);
        }
    }

    fn sample(&mut self) -> Value {
        self.until("event: sample\ndata: ");
        let json = self.until("\n\n");
        serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"))
    }
}

#[test]
fn samples_show_what_the_hub_does() {
    let hub = Hub::start();
    let mut live = Live::open(&hub, "/api/live", "");
    let head = live.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
    let first = live.sample();
    assert_eq!(
        (&first["streams"], &first["state"], &first["log"]),
        (&json!(0), &json!("running"), &Value::Null)
    );
    let mut alice = stream_of(&hub, "alice", &["a"]);
    let mut publisher = Publisher::connect(hub.addr());
    publisher.to_topic("a", "x");
    alice.next_event();
    let sample = eventually(PATIENCE, "a sample with a delivery", || {
        Some(live.sample()).filter(|sample| sample["totals"]["deliveries"] == 1)
    });
    assert_eq!(
        (&sample["streams"], &sample["users"], &sample["totals"]["published"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(sample["shards"].as_array().unwrap().len(), 2);
    assert_eq!(sample["latency"]["count"], 1, "{sample}");
    let surveyed = eventually(PATIENCE, "a sample with the user", || {
        Some(live.sample()).filter(|sample| sample["top_users"][0]["user"] == "alice")
    });
    assert_eq!(surveyed["top_topics"], json!([{"selector": "a", "subscribers": 1}]));
    assert_eq!(surveyed["latency"], Value::Null, "nothing in the last second");
}

#[test]
fn eight_look_at_once_and_exchanges_go_on_beside_them() {
    let hub = Hub::start();
    let mut viewers: Vec<_> = (0..8).map(|_| Live::open(&hub, "/api/live", "")).collect();
    viewers.iter_mut().for_each(|viewer| drop(viewer.sample()));
    assert_eq!(ask(&hub, "GET /api/live").status(), 503);
    let mut debuggers: Vec<_> = (0..8).map(|_| Live::open(&hub, "/hub/events?topic=a", "")).collect();
    debuggers.iter_mut().for_each(|debugger| drop(debugger.until("retry: ")));
    assert_eq!(ask(&hub, "GET /hub/events").status(), 503);
    let scrapers: Vec<_> = (0..40)
        .map(|_| {
            let admin = hub.admin();
            std::thread::spawn(move || ask_with(admin, "GET /metrics", &[], "").status())
        })
        .collect();
    assert!(scrapers.into_iter().all(|scraper| scraper.join().unwrap() == 200));
    drop(viewers.pop());
    eventually(PATIENCE, "a place for another", || {
        let mut viewer = Live::open(&hub, "/api/live", "");
        viewer.until("\r\n\r\n").starts_with("HTTP/1.1 200").then_some(())
    });
    drop(debuggers);
    hub.wait_for_connections(0);
}

#[test]
fn the_debugger_reaches_the_hub_with_a_token_of_its_own() {
    let hub = Hub::builder().set("admin.token", ADMIN_TOKEN).set("auth.anonymous", false).start();
    let admin = format!("Bearer {ADMIN_TOKEN}");
    let refused = ask_with(hub.admin(), "GET /hub/events", &[("Authorization", &admin)], "");
    assert_eq!(refused.status(), 401, "the admin token is none of the hub's: {}", refused.text());
    let alice = format!(
        "Authorization: {admin}\r\nX-Corecast-Authorization: Bearer {}\r\n",
        Token::of("alice").sign()
    );
    let mut stream = Live::open(&hub, "/hub/events?topic=a", &alice);
    let head = stream.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
    let publisher = format!("Bearer {}", Token::publisher().sign());
    let fields = [
        ("Authorization", &*admin),
        ("X-Corecast-Authorization", &publisher),
        ("Content-Type", "application/json"),
    ];
    let body = json!({"topics": ["a"], "data": "by way of the debugger"}).to_string();
    let published = ask_with(hub.admin(), "POST /hub/publish", &fields, &body);
    assert_eq!(published.status(), 200, "{}", published.text());
    stream.until("data: by way of the debugger\n");
    let bad = ask_with(hub.admin(), "POST /hub/publish", &fields, "{");
    assert_eq!(bad.status(), 400, "the hub's own answer: {}", bad.text());
    assert_eq!(bad.json()["error"].as_str().map(str::is_empty), Some(false));
}

#[test]
fn a_stream_whose_reader_takes_nothing_is_cut_off() {
    let hub = Hub::start();
    let mut reader = Live::open(&hub, "/hub/events?topic=a", "");
    reader.until("retry: ");
    hub.wait_for_connections(1);
    let mut publisher = Publisher::connect(hub.addr());
    let long = "x".repeat(60_000);
    // More than all buffers on the way hold.
    (0..200).for_each(|_| drop(publisher.to_topic("a", &long)));
    hub.wait_for_connections(0);
    let mut rest = Vec::new();
    // It may find a reset instead of the end: bytes of it were never taken.
    let _ = reader.socket.read_to_end(&mut rest);
    assert!(rest.len() < 200 * long.len(), "{} bytes", rest.len());
}

#[test]
fn what_is_logged_can_be_changed_while_running() {
    let hub = Hub::start();
    assert_eq!(look(&hub, "/api/log-level"), json!({"level": "info"}));
    let debug = json!({"level": "warn,corecast::admin=debug"});
    assert_eq!(order(&hub, "PUT /api/log-level", &debug).json(), debug);
    assert_eq!(look(&hub, "/api/log-level"), debug);
    // A connection that says nothing sensible is worth a line at debug.
    drop(exchange::send(hub.admin(), b"?\r\n\r\n"));
    hub.wait_for_log(&["an admin exchange failed"]);
    // A reload takes the level of the configuration again, though that has not changed.
    order(&hub, "POST /api/reload", &json!({}));
    assert_eq!(look(&hub, "/api/log-level"), json!({"level": "info"}));
}

#[test]
fn the_configuration_is_shown_without_its_secrets() {
    let hub = Hub::builder().set("limits.per_user", 3).start();
    let config = look(&hub, "/api/config");
    assert_eq!(config["auth"]["hmac_key"], "(secret)");
    assert_eq!(
        (&config["limits"]["per_user"], &config["sources"]["limits.per_user"]),
        (&json!(3), &json!("file"))
    );
    assert_eq!(
        (&config["stream"]["heartbeat"], &config["sources"]["stream.heartbeat"]),
        (&json!("15s"), &json!("default"))
    );
    assert_eq!((&config["admin"]["token"], &config["cors"]["origins"]), (&Value::Null, &json!([])));
}

#[test]
fn a_reload_is_asked_for_and_says_what_it_changed() {
    let hub = Hub::builder().set("limits.per_user", 3).start();
    let reload =
        |hub: &Hub| ask_with(hub.admin(), "POST /api/reload", &[("Content-Type", "application/json")], "");
    let nothing = reload(&hub);
    assert_eq!((nothing.status(), nothing.json()), (200, json!({"applied": [], "needs_restart": []})));
    let text = std::fs::read_to_string(hub.config()).unwrap();
    std::fs::write(hub.config(), text.replace("limits.per_user = 3", "limits.per_user = 4")).unwrap();
    let changed = reload(&hub).json();
    assert_eq!(changed["applied"], json!([{"setting": "limits.per_user", "from": "3", "to": "4"}]));
    assert_eq!(look(&hub, "/api/config")["limits"]["per_user"], 4);
    std::fs::write(
        hub.config(),
        text.replace("limits.per_user = 3", "limits.per_user = -1\nlimits.frob = 1"),
    )
    .unwrap();
    let bad = reload(&hub);
    assert_eq!(bad.status(), 422, "{}", bad.text());
    let detail = bad.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("per_user") && detail.contains("frob"), "all errors at once: {detail}");
    assert_eq!(look(&hub, "/api/config")["limits"]["per_user"], 4);
}

#[test]
fn a_drain_is_ordered_once_and_ends_the_hub() {
    let mut hub = Hub::builder().set("drain.over", "1s").start();
    let mut alice = stream_of(&hub, "alice", &["a"]);
    let answer = order(&hub, "POST /api/drain", &json!({}));
    assert_eq!((answer.status(), answer.json()), (202, json!({"state": "draining", "over_seconds": 1.0})));
    assert_eq!(alice.next_event().kind, "corecast.drain");
    assert_eq!(alice.end(), End::Abort);
    assert!(hub.wait_for_exit(Duration::from_secs(30)).success());
}

#[test]
fn whoever_looks_at_ten_thousand_streams_holds_up_no_delivery() {
    const STREAMS: usize = 10_000;
    const EVENTS: u32 = 40;
    let hub = Hub::builder().set("limits.connections", STREAMS + STREAMS / 2).start();
    let mut swarm = Swarm::around(hub.addr(), 2);
    for number in 0..STREAMS {
        let token = Token::of(&format!("user-{number}")).sign();
        swarm.join(&Subscribe::with_token(&token).topic("numbers"));
    }
    swarm.drive_until(Duration::from_secs(120), "all streams open", |swarm| swarm.open() == STREAMS);
    hub.wait_for_connections(STREAMS);
    let (admin, addr) = (hub.admin(), hub.addr());
    let lookers: Vec<_> = [
        "connections?state=streaming&sort=bytes&",
        "connections?state=streaming&sort=silence&order=asc&",
        "users?",
        "topics?",
        "connections?user=user-1&",
    ]
    .into_iter()
    .map(|list| {
        std::thread::spawn(move || {
            (0..8).for_each(|_| {
                let answer = ask_with(admin, &format!("GET /api/{list}limit=1000"), &[], "");
                assert_eq!(answer.status(), 200, "{list}: {}", answer.text());
                let matched = answer.json()["matched"].as_u64();
                let expected =
                    if list.contains("user=") || list.contains("topics") { 1 } else { STREAMS as u64 };
                assert_eq!(matched, Some(expected), "{list}");
            });
        })
    })
    .collect();
    let publishing = std::thread::spawn(move || {
        let mut publisher = Publisher::connect(addr);
        (1..=EVENTS).for_each(|number| drop(publisher.to_topic("numbers", &number.to_string())));
    });
    swarm.drive_until(Duration::from_secs(120), "all events", |swarm| {
        swarm.events() == STREAMS * EVENTS as usize
    });
    publishing.join().unwrap();
    lookers.into_iter().for_each(|looker| looker.join().unwrap());
    assert!(
        swarm.members().iter().all(|member| member.seen().iter().copied().eq(1..=EVENTS)),
        "in order, each once"
    );
}

#[test]
fn the_description_names_every_path_and_its_answers() {
    let hub = Hub::start();
    let document = look(&hub, "/openapi.json");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    for path in
        ["/api/hub", "/api/connections/{id}", "/api/users/{user}/connections", "/api/live", "/hub/events"]
    {
        assert!(paths.iter().any(|listed| *listed == path), "{path} is not in {paths:?}");
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for status in ["400", "401", "403", "421", "503"] {
                assert!(operation["responses"][status].is_object(), "{method} {path} does not say {status}");
            }
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}
