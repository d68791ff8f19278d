//! What time alone makes the engine do.

use std::time::Duration;

use corecast_core::time::Instant;
use corecast_core::timer_wheel::TimerWheel;

use crate::counted::counted;
use crate::host::{Host, get};

const STREAMS: u64 = 10_000;

/// Longer than the longest silence before a heartbeat, shorter than that before two.
const ONE_HEARTBEAT: Duration = Duration::from_secs(16);

fn hub() -> Host {
    Host::with_streams((0..STREAMS).map(|n| get(&format!("topic=news&client_id=tab-{n}"), "")))
}

/// Each of the silent streams gets its heartbeat, with a turn for every tick on which some are due.
pub(super) fn heartbeats() -> u64 {
    let mut host = hub();
    let before = host.engine.counters().heartbeats;
    counted(&mut || host.advance(ONE_HEARTBEAT));
    let heartbeats = host.engine.counters().heartbeats - before;
    assert_eq!(heartbeats, STREAMS, "every stream gets its heartbeat");
    heartbeats
}

/// Turns in which nothing happens: what each wake-up costs before anything is done.
pub(super) fn idle_turn() -> u64 {
    const TURNS: u64 = 1000;
    let mut host = hub();
    counted(&mut || (0..TURNS).for_each(|_| host.turn(|_| {})));
    TURNS
}

/// Time passes by a millisecond at a time, and nothing is due for minutes.
pub(super) fn wheel_advances() -> u64 {
    const ARMED: u32 = 100_000;
    const ADVANCES: u64 = 10_000;
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let mut random = fastrand::Rng::with_seed(1);
    for index in 0..ARMED {
        wheel.arm(index, Instant::ZERO + Duration::from_millis(random.u64(600_000..1_200_000)));
    }
    let mut expired = Vec::new();
    let mut now = Instant::ZERO;
    counted(&mut || {
        for _ in 0..ADVANCES {
            now += Duration::from_millis(1);
            wheel.advance(now, &mut expired);
        }
    });
    assert_eq!((wheel.len(), expired.len()), (ARMED as usize, 0), "nothing was due");
    ADVANCES
}
