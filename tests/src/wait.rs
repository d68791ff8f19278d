//! Waiting for a condition, with a deadline. The only place that may sleep.

use std::time::{Duration, Instant};

/// Long enough for a loaded two-core machine, short enough that a hang is noticed: every wait without a reason of
/// its own uses it.
pub const PATIENCE: Duration = Duration::from_secs(20);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Asks `condition` again and again until it gives a value.
///
/// # Panics
/// After `within`, naming `what` was waited for.
pub fn eventually<T>(within: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        pause();
    }
}

/// Lets a random time pass, at most a fraction of a second: for tests that interfere at any moment, which is no
/// waiting for a condition.
///
/// # Panics
/// If it is longer, and somebody hopes for luck.
#[expect(clippy::disallowed_methods, reason = "a random moment is what is wanted, nothing is waited for")]
pub fn let_pass(moment: Duration) {
    assert!(moment <= Duration::from_millis(500), "{moment:?} is no moment");
    std::thread::sleep(moment);
}

#[expect(clippy::disallowed_methods, reason = "the pause between two questions of a wait with a deadline")]
fn pause() {
    std::thread::sleep(POLL_INTERVAL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_its_condition() {
        let mut asked = 0;
        let value = eventually(PATIENCE, "third question", || {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(value, 3);
    }

    #[test]
    #[should_panic(expected = "not within 1ms: never")]
    fn a_wait_ends_at_its_deadline() {
        eventually(Duration::from_millis(1), "never", || None::<()>);
    }
}
