//! The wheel against a plain map of deadlines.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

const TICK: Duration = Duration::from_nanos(1 << TICK_BITS);

/// The wheel, and what it must know: the deadline of each armed index.
struct Pair {
    wheel: TimerWheel,
    deadlines: BTreeMap<u32, Instant>,
    now: Instant,
}

impl Pair {
    fn new(now: Instant) -> Self {
        Self { wheel: TimerWheel::new(now), deadlines: BTreeMap::new(), now }
    }

    fn arm(&mut self, index: u32, at: Instant) {
        self.wheel.arm(index, at);
        // What is overdue already counts as due in the present tick.
        let present = Instant::from_nanos(self.now.as_nanos() >> TICK_BITS << TICK_BITS);
        self.deadlines.insert(index, at.max(present));
    }

    fn disarm(&mut self, index: u32) {
        self.wheel.disarm(index);
        self.deadlines.remove(&index);
    }

    /// Checks what expires against the promise: nothing early, nothing that was due a tick ago left, in order.
    fn advance(&mut self, now: Instant) {
        let promised = self.wheel.next_deadline();
        let mut expired = Vec::new();
        self.wheel.advance(now, &mut expired);
        self.now = self.now.max(now);
        let mut last_tick = 0;
        for index in expired {
            let at = self.deadlines.remove(&index).unwrap_or_else(|| panic!("{index} was not armed"));
            assert!(at <= self.now, "{index} expired early");
            assert!(promised.is_some_and(|promised| promised <= self.now), "no deadline was promised");
            let tick = at.as_nanos().div_ceil(1 << TICK_BITS);
            assert!(tick >= last_tick, "{index} expired after a later one");
            last_tick = tick;
        }
        for (index, at) in &self.deadlines {
            assert!(*at + TICK > self.now, "{index} should have expired");
        }
        self.compare();
    }

    fn compare(&self) {
        self.wheel.assert_invariants();
        assert_eq!(self.wheel.len(), self.deadlines.len());
        assert_eq!(self.wheel.is_empty(), self.deadlines.is_empty());
        let earliest = self.deadlines.values().min();
        assert_eq!(self.wheel.next_deadline().is_some(), earliest.is_some());
        if let (Some(promised), Some(earliest)) = (self.wheel.next_deadline(), earliest) {
            assert!(promised < (*earliest).max(self.now) + TICK, "the next deadline is late");
        }
    }

    /// Follows `next_deadline` until nothing is armed; returns how many calls it took.
    fn run_out(&mut self) -> usize {
        let mut calls = 0;
        while let Some(next) = self.wheel.next_deadline() {
            self.advance(next.max(self.now));
            calls += 1;
        }
        assert!(self.deadlines.is_empty());
        calls
    }
}

/// A time span of any order of magnitude: every level of the wheel and beyond it comes up.
fn any_span(random: &mut fastrand::Rng) -> Duration {
    Duration::from_nanos(random.u64(..) >> random.u32(8..64))
}

#[test]
fn random_sequences_agree_with_the_model() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut pair = Pair::new(Instant::ZERO + any_span(&mut random));
        for _ in 0..400 {
            let index = random.u32(..40);
            match random.u32(..10) {
                0..=4 => pair.arm(index, pair.now + any_span(&mut random)),
                5 => pair.arm(index, pair.now - any_span(&mut random)),
                6 => pair.disarm(index),
                7 => pair.advance(pair.now - any_span(&mut random)),
                8 => pair.advance(pair.now + any_span(&mut random) / 2),
                _ => pair.advance(pair.wheel.next_deadline().unwrap_or(pair.now).max(pair.now)),
            }
            pair.compare();
        }
        pair.run_out();
    }
}

#[test]
fn every_pair_of_distances_around_the_edges_of_levels_agrees_with_the_model() {
    let edges =
        [0, 1, 63, 64, 65, 4095, 4096, 4097, 262_143, 262_144, 262_145, 16_777_215, 16_777_216, 40_000_000];
    for start in [0, 1, 63, 64, 4095, 262_143, 16_777_215, 16_777_216 * 3 + 5] {
        for first in edges {
            for second in edges {
                let now = Instant::from_nanos(start << TICK_BITS);
                let mut pair = Pair::new(now);
                pair.arm(0, now + TICK * first);
                pair.arm(1, now + TICK * second - Duration::from_nanos(1));
                pair.compare();
                pair.advance(now + TICK * first.min(second));
                pair.run_out();
            }
        }
    }
}

#[test]
fn following_the_next_deadline_takes_few_calls_however_far_it_is() {
    for hours in [0, 1, 77, 79, 24 * 365] {
        let mut pair = Pair::new(Instant::ZERO);
        pair.arm(7, Instant::ZERO + Duration::from_secs(hours * 3600 + 1));
        let revolutions = usize::try_from(hours / 76).unwrap();
        let calls = pair.run_out();
        assert!(calls <= revolutions + LEVELS as usize + 1, "{hours} hours took {calls} calls");
    }
}

#[test]
fn a_jump_of_a_year_expires_everything_in_order() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut pair = Pair::new(Instant::ZERO);
    for index in 0..50_000 {
        pair.arm(index, Instant::ZERO + any_span(&mut random).min(Duration::from_secs(300 * 86_400)));
    }
    pair.advance(Instant::ZERO + Duration::from_secs(366 * 86_400));
    assert!(pair.deadlines.is_empty());
}

#[test]
fn the_end_of_time_is_a_deadline() {
    let mut pair = Pair::new(Instant::ZERO);
    pair.arm(0, Instant::from_nanos(u64::MAX));
    pair.advance(Instant::from_nanos(u64::MAX - (2 << TICK_BITS)));
    assert!(pair.wheel.is_armed(0));
    pair.advance(Instant::from_nanos(u64::MAX));
    assert!(!pair.wheel.is_armed(0));
}

#[test]
fn an_index_can_be_armed_again_for_the_very_tick_that_just_passed() {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    let now = Instant::ZERO + Duration::from_secs(1);
    let mut expired = Vec::new();
    wheel.advance(now, &mut expired);
    wheel.arm(3, now - Duration::from_millis(500));
    assert!(wheel.next_deadline() <= Some(now));
    wheel.advance(now, &mut expired);
    assert_eq!(expired, [3]);
}
