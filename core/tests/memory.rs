//! What an idle stream costs in the engine's own memory, counted by an allocator.
//!
//! Not here: what the allocator adds, and the host's own rows; the end-to-end test `ten_thousand` looks at a real hub.

use std::net::SocketAddr;
use std::time::Duration;

use corecast_core::auth::{Keys, Verifier, mint};
use corecast_core::connection::{ConnectionId, PeerHash};
use corecast_core::engine::census::{Census, Full};
use corecast_core::engine::output::{Output, ShardId};
use corecast_core::engine::{Engine, EngineOptions};
use corecast_core::hash::HashSeed;
use corecast_core::id::{Incarnation, Position};
use corecast_core::settings::Settings;
use corecast_core::time::{Instant, Now, UnixMillis};

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";

/// So many connect in one turn, as in a herd.
const HERD: u32 = 64;

/// Lets everybody in.
struct Open;

impl Census for Open {
    fn try_enter(&self, _: PeerHash) -> Result<(), Full> {
        Ok(())
    }

    fn enter(&self, _: PeerHash) -> Option<Full> {
        None
    }

    fn leave(&self, _: PeerHash) {}
}

fn engine(slots: u32, tokens_cached: usize) -> Engine {
    let mut settings = Settings::default();
    settings.limits.connections = slots;
    let mut keys = Keys::new();
    keys.add_secret(SECRET).expect("the secret is long enough");
    let options = EngineOptions {
        shard: ShardId(0),
        shards: 1,
        slots,
        incarnation: Incarnation(1),
        newest: Position(0),
        replays: false,
        hash_seed: HashSeed::new(7),
        random_seed: 1,
        verifier: Verifier::new(keys, tokens_cached, 1),
        census: Box::new(Open),
        assets: [].into(),
    };
    Engine::new(settings, options)
}

const NOW: Now = Now { instant: Instant::from_nanos(1_000_000_000), unix: UnixMillis(1_793_610_000_000) };

/// A request for the topic `numbers`, of a user and a client of its own.
fn request(number: u32) -> String {
    let user = format!("user-{number}");
    let token = mint(SECRET, Some(&user), &[], &[], Duration::from_secs(3600), NOW.unix).expect("a token");
    let query = format!("topic=numbers&client_id=tab-{number}");
    format!("GET /events?{query} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// Opens the streams of a herd, and turns until their greetings are out.
fn open_streams(engine: &mut Engine, slots: std::ops::Range<u32>) {
    engine.begin_turn(NOW);
    for index in slots {
        let id: ConnectionId = engine.handle_accepted(index, SocketAddr::from(([10, 0, 0, 1], 40_000)));
        engine.handle_received(id, request(index).as_bytes());
    }
    loop {
        while let Some(output) = engine.poll_output() {
            assert!(!matches!(output, Output::Close(_) | Output::Move { .. }), "{output:?}");
        }
        if !engine.has_work() {
            return;
        }
        engine.begin_turn(NOW);
    }
}

/// Bytes for each of `count` streams, from an engine that has just begun to one in which all are idle.
fn bytes_a_stream(count: u32, tokens_cached: usize) -> u64 {
    let mut kept = None;
    let measured = allocation_counter::measure(|| {
        let mut engine = engine(count, tokens_cached);
        for begin in (0..count).step_by(HERD as usize) {
            open_streams(&mut engine, begin..count.min(begin + HERD));
        }
        assert_eq!((engine.streams(), engine.streams_behind()), (count, 0));
        kept = Some(engine);
    });
    let engine = kept.expect("the engine was made");
    assert_eq!(engine.users(), count as usize);
    u64::try_from(measured.bytes_current).expect("an engine has memory") / u64::from(count)
}

#[test]
fn an_idle_stream_costs_at_most_208_bytes() {
    for count in [10_000, 100_000] {
        let bytes = bytes_a_stream(count, 0);
        println!("{count} streams: {bytes} bytes each");
        assert!(bytes <= 208, "{bytes} bytes for each of {count}");
    }
}

#[test]
fn a_token_is_remembered_in_at_most_24_bytes() {
    let count = 8192;
    let bytes = bytes_a_stream(count, count as usize) - bytes_a_stream(count, 0);
    assert!(bytes <= 24, "{bytes} bytes for each token");
}
