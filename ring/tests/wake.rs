//! Wake-ups from other threads: early, late, many, and under load.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{DEADLINE, next, next_within};
use corecast_ring::{Completion, Outcome, Ring, Setup, Token, Wake};

const WAKE: Token = Token::new(0xBE11);
const WOKEN: Completion = Completion { token: WAKE, outcome: Outcome::Woken };

fn ring() -> Ring {
    Ring::new(&Setup { slots: 4, sq_entries: 8, cq_entries: 16, ..Setup::default() })
        .expect("the tests need io_uring")
}

#[test]
fn shared_types_cross_threads() {
    common::shared_types_cross_threads();
}

#[test]
fn a_wake_before_the_watch_is_not_lost() {
    let (mut ring, wake) = (ring(), Wake::new().unwrap());
    wake.wake();
    ring.watch_wake(&wake, WAKE);
    assert_eq!(next(&mut ring), WOKEN);
}

#[test]
fn a_wake_before_the_wait_is_not_lost() {
    let (mut ring, wake) = (ring(), Wake::new().unwrap());
    ring.watch_wake(&wake, WAKE);
    ring.flush();
    for _ in 0..3 {
        wake.wake();
        assert_eq!(next(&mut ring), WOKEN);
        assert_eq!(next_within(&mut ring, Duration::ZERO), None, "a wake ends one wait, not two");
    }
}

#[test]
fn a_wake_ends_a_wait_without_end() {
    let (mut ring, wake) = (ring(), Wake::new().unwrap());
    ring.watch_wake(&wake, WAKE);
    ring.flush();
    let waker = thread::spawn(move || wake.wake());
    ring.wait(1, None);
    assert_eq!(ring.next_completion(), Some(WOKEN));
    waker.join().unwrap();
}

/// The reader sleeps whenever it has seen the last value; a lost wake would leave it asleep before the end.
#[test]
fn no_wake_is_lost_between_two_busy_threads() {
    const WAKES: u64 = 100_000;
    let (mut ring, wake) = (ring(), Wake::new().unwrap());
    ring.watch_wake(&wake, WAKE);
    let published = Arc::new(AtomicU64::new(0));
    let writer = {
        let (wake, published) = (wake.clone(), Arc::clone(&published));
        thread::spawn(move || {
            for n in 1..=WAKES {
                published.store(n, Ordering::Release);
                wake.wake();
            }
        })
    };
    let mut seen = 0;
    while seen < WAKES {
        let woken = next_within(&mut ring, DEADLINE);
        assert_eq!(woken, Some(WOKEN), "asleep at {seen} of {}", published.load(Ordering::Acquire));
        seen = published.load(Ordering::Acquire);
    }
    writer.join().unwrap();
}

#[test]
fn wakes_beyond_the_completion_queue_arm_the_watch_anew() {
    let (mut ring, wake) = (ring(), Wake::new().unwrap());
    ring.watch_wake(&wake, WAKE);
    let own = ring.address();
    // Fill the queue so that the watch cannot post and ends.
    for n in 0..40 {
        ring.notify(&own, Token::new(n), Token::new(99));
    }
    wake.wake();
    ring.wait(64, Some(Duration::ZERO));
    let mut woken = 0;
    while let Some(completion) = next_within(&mut ring, Duration::from_millis(10)) {
        woken += u32::from(completion == WOKEN);
    }
    assert!(woken > 0);
    wake.wake();
    assert_eq!(next(&mut ring), WOKEN, "it is armed again");
}
