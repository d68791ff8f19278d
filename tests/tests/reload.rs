//! A hub follows its file without a restart, keeps what it had if the file is bad, and says which is which.

use std::path::Path;

use corecast_tests::exchange;
use corecast_tests::hub::{Hub, HubBuilder};
use corecast_tests::numbers;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use corecast_tests::wire::response::End;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

const OTHER_KEY: &str = "another-key-that-only-tests-know-0123456789";

/// A hub whose file can change.
struct Reloadable {
    hub: Hub,
    builder: HubBuilder,
}

impl Reloadable {
    fn start(builder: HubBuilder) -> Self {
        Self { hub: builder.clone().start(), builder }
    }

    /// Changes one setting in the file, and waits until the hub has followed.
    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.builder = self.builder.clone().set(key, value);
        self.write(&self.builder.toml());
        self.reload("the new configuration is in force");
    }

    fn write(&self, toml: &str) {
        std::fs::write(self.hub.config(), toml).expect("the hub's folder can be written");
    }

    /// Asks for a reload and waits for a line more that says this.
    fn reload(&self, said: &str) {
        let before = self.hub.count_in_log(&[said]);
        self.hub.sighup();
        eventually(PATIENCE, &format!("another line with {said:?}"), || {
            (self.hub.count_in_log(&[said]) > before).then_some(())
        });
    }

    fn subscribe(&self) -> EventStream {
        EventStream::open(self.hub.addr(), &Subscribe::to("t"))
    }

    fn publish(&self, data: &str) -> u16 {
        let event = json!({"topics": ["t"], "data": data});
        Publisher::connect(self.hub.addr()).try_publish(&event).status()
    }
}

fn as_alice() -> Subscribe {
    Subscribe::with_token(&Token::of("alice").sign())
}

fn status(hub: &Hub, request: &Subscribe) -> u16 {
    EventStream::open(hub.addr(), request).status()
}

fn signed_with(key: &str) -> Subscribe {
    let token = Token::of("alice").sign_with(Algorithm::HS256, &EncodingKey::from_secret(key.as_bytes()));
    Subscribe::with_token(&token).topic("t")
}

#[test]
fn limits_of_streams_change_while_streams_are_open() {
    let mut it = Reloadable::start(Hub::builder());
    let mut first = EventStream::open(it.hub.addr(), &as_alice());
    it.set("limits.per_user", 2);
    let mut second = EventStream::open(it.hub.addr(), &as_alice());
    it.hub.wait_for_connections(2);
    it.set("limits.per_user_policy", "reject_newest");
    assert_eq!(EventStream::open(it.hub.addr(), &as_alice()).next_event().kind, "corecast.limit");
    it.set("limits.dry_run", true);
    let mut third = EventStream::open(it.hub.addr(), &as_alice());
    it.hub.wait_for_connections(3);
    assert_eq!(it.publish("to all three"), 200);
    // Own streams carry what is for the user and for all.
    Publisher::connect(it.hub.addr()).publish(&json!({"all": true, "data": "here"}));
    for stream in [&mut first, &mut second, &mut third] {
        assert_eq!(stream.next_data(1), ["here"]);
    }
    it.set("limits.dry_run", false);
    it.set("limits.connections", 1);
    let refused = EventStream::open(it.hub.addr(), &Subscribe::to("t")).next_event();
    assert_eq!(refused.json()["reason"], "connections");
    it.set("limits.connections", 100);
    it.set("limits.per_ip", 3);
    let refused = EventStream::open(it.hub.addr(), &Subscribe::to("t")).next_event();
    assert_eq!(refused.json()["reason"], "per_ip", "streams that came before the limit count");
}

#[test]
fn open_streams_follow_what_is_said_of_streams() {
    let mut it = Reloadable::start(Hub::builder().set("stream.heartbeat", "25s"));
    let mut stream = it.subscribe();
    it.set("stream.heartbeat", "200ms");
    stream.wait_for_comments(3);
    it.set("stream.retry", "500s");
    assert!(it.subscribe().opening_retry() >= 500_000);
    it.set("stream.max_age", "1s");
    assert_eq!(stream.end(), End::Abort);
}

#[test]
fn requests_follow_what_is_said_of_requests() {
    let mut it = Reloadable::start(Hub::builder());
    let large = "x".repeat(2000);
    assert_eq!(it.publish(&large), 200);
    it.set("limits.event_bytes", 1024);
    assert_eq!(it.publish(&large), 413);
    let long = Subscribe::to("t").field("X-Long", &"x".repeat(10_000));
    assert_eq!(status(&it.hub, &long), 200);
    it.set("limits.head_bytes", 8192);
    assert_eq!(status(&it.hub, &long), 431);
    let origin = Subscribe::to("t").field("Origin", "https://app.test");
    let allowed = |it: &Reloadable| {
        let stream = EventStream::open(it.hub.addr(), &origin);
        stream.head().field("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(allowed(&it), None);
    it.set("cors.origins", vec!["https://app.test"]);
    assert_eq!(allowed(&it).as_deref(), Some("https://app.test"));
    it.set("auth.anonymous", false);
    assert_eq!(status(&it.hub, &Subscribe::to("t")), 401);
}

#[test]
fn history_is_shortened_and_who_needs_more_of_it_is_told() {
    let mut it = Reloadable::start(Hub::builder());
    let mut publisher = Publisher::connect(it.hub.addr());
    let ids: Vec<_> = (0..10).map(|n| publisher.to_topic("t", &n.to_string())).collect();
    it.set("history.events", 2);
    eventually(PATIENCE, "a history of two events", || {
        (it.hub.metric("corecast_history_events") == 2.0).then_some(())
    });
    let resumed = Subscribe::to("t").last_event_id(&ids[0]);
    let mut stream = EventStream::open(it.hub.addr(), &resumed);
    assert_eq!(stream.next_event().kind, "corecast.gap");
    assert_eq!(stream.next_data(2), ["8", "9"]);
}

#[test]
fn a_file_log_lets_go_of_what_is_more_than_it_may_keep_now() {
    let folder = tempfile::tempdir().unwrap();
    let mut it = Reloadable::start(Hub::builder().log_in(folder.path()).set("log.bytes", "32MiB"));
    let mut publisher = Publisher::connect(it.hub.addr());
    let data = "x".repeat(60_000);
    (0..100).for_each(|_| drop(publisher.to_topic("t", &data)));
    assert!(it.hub.metric("corecast_log_bytes") > 5e6);
    it.set("log.bytes", "2MiB");
    eventually(PATIENCE, "a small log", || {
        // The last segment stays, and one may have been begun under the old limit.
        (it.hub.metric("corecast_log_bytes") < 5e6).then_some(())
    });
    numbers::publish(&mut publisher, 0..3);
}

#[test]
fn messages_follow_their_level() {
    let mut it = Reloadable::start(Hub::builder());
    // A flag of the start is stronger than the file: the harness gives none for the level.
    it.set("logging.level", "debug");
    it.builder = it.builder.clone().set("logging.level", "error").set("hub.shards", 5);
    it.write(&it.builder.toml());
    let reloads = || it.hub.metric("corecast_config_reloads_total");
    let before = reloads();
    it.hub.sighup();
    eventually(PATIENCE, "a reload of which nothing is said", || (reloads() > before).then_some(()));
    // What is said at the level `error` only: that there is a fault.
    it.write("nonsense");
    it.reload("the new configuration is not applied");
    assert_eq!(it.hub.count_in_log(&["needs a restart"]), 0);
    it.write(&it.builder.clone().set("logging.level", "info").toml());
    it.reload("the new configuration is in force");
    assert_eq!(it.hub.count_in_log(&["needs a restart"]), 1);
}

#[test]
fn a_stop_takes_the_window_that_is_in_force() {
    let mut it = Reloadable::start(Hub::builder().set("drain.over", "600s"));
    let mut streams: Vec<_> = (0..20).map(|_| it.subscribe()).collect();
    it.set("drain.over", "0s");
    it.hub.sigterm();
    for stream in &mut streams {
        assert!(stream.next_event().retry.unwrap() <= 6001);
    }
    assert_eq!(it.hub.wait_for_exit(PATIENCE).code(), Some(0));
}

#[test]
fn a_bad_file_changes_nothing_and_every_fault_is_said() {
    let it = Reloadable::start(Hub::builder().set("limits.per_user", 1));
    let good = it.builder.toml();
    it.write(&format!(
        "{}nonsense.key = 1\nstream.retry = \"soon\"\n",
        it.builder.clone().set("limits.per_user", 7).toml()
    ));
    it.reload("stream.retry");
    it.hub.wait_for_log(&["nonsense", "all of the old one stays"]);
    let _first = EventStream::open(it.hub.addr(), &as_alice());
    let _second = EventStream::open(it.hub.addr(), &as_alice());
    it.hub.wait_for_connections(1);
    std::fs::remove_file(it.hub.config()).unwrap();
    it.reload("cannot be read");
    it.write(&good);
    it.reload("the configuration is as it was");
}

#[test]
fn what_needs_a_restart_is_named_and_stays() {
    let mut it = Reloadable::start(Hub::builder());
    let address = it.hub.addr();
    it.builder = it.builder.clone().set("hub.shards", 3).set("limits.per_user", 5);
    it.set("limits.connections", 20_000);
    for setting in ["hub.shards", "limits.connections"] {
        it.hub.wait_for_log(&["needs a restart", setting]);
    }
    it.hub.wait_for_log(&["changed", "limits.per_user"]);
    assert_eq!(it.hub.metric("corecast_limits_connections"), 10_000.0);
    assert_eq!(it.hub.metric("corecast_limits_per_user"), 5.0);
    assert_eq!(exchange::get(address, "/readyz").status(), 200);
}

#[test]
fn old_and_new_keys_are_good_for_the_overlap_and_then_only_the_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hmac.key");
    let write = |key: &str| std::fs::write(&file, key).unwrap();
    write(corecast_tests::token::HMAC_KEY);
    let builder = Hub::builder().unset("auth.hmac_key").set("auth.hmac_key_file", shown(&file));
    let mut it = Reloadable::start(builder.set("auth.key_overlap", "1h"));
    assert_eq!(status(&it.hub, &signed_with(OTHER_KEY)), 401);
    write(OTHER_KEY);
    it.reload("with other content");
    assert_eq!(status(&it.hub, &signed_with(OTHER_KEY)), 200);
    assert_eq!(status(&it.hub, &as_alice().topic("t")), 200, "tokens that are out there are still good");
    // A shorter overlap is one for the old keys too.
    it.set("auth.key_overlap", "1s");
    it.hub.wait_for_log(&["the overlap is over"]);
    eventually(PATIENCE, "the old key is gone", || {
        (status(&it.hub, &as_alice().topic("t")) == 401).then_some(())
    });
    assert_eq!(status(&it.hub, &signed_with(OTHER_KEY)), 200);
}

#[test]
fn a_key_that_is_of_no_use_keeps_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hmac.key");
    std::fs::write(&file, corecast_tests::token::HMAC_KEY).unwrap();
    let it = Reloadable::start(Hub::builder().unset("auth.hmac_key").set("auth.hmac_key_file", shown(&file)));
    std::fs::write(&file, "too short").unwrap();
    it.reload("at least 32 random bytes");
    assert_eq!(status(&it.hub, &as_alice().topic("t")), 200);
}

#[test]
fn a_storm_of_signals_is_survived_and_the_last_file_holds() {
    let it = Reloadable::start(Hub::builder());
    let mut stream = it.subscribe();
    for round in 0..200 {
        it.write(&it.builder.clone().set("limits.per_user", 2 + round % 3).toml());
        it.hub.sighup();
    }
    it.write(&it.builder.clone().set("limits.per_user", 9).toml());
    it.hub.sighup();
    it.hub.wait_for_log(&["changed", "limits.per_user", "\"to\":\"9\""]);
    assert_eq!(it.publish("still here"), 200);
    assert_eq!(stream.next_data(1), ["still here"]);
    let _streams: Vec<_> = (0..9).map(|_| EventStream::open(it.hub.addr(), &as_alice())).collect();
    it.hub.wait_for_connections(10);
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
