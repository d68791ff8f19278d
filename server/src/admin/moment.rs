//! Moments as the admin API writes them: RFC 3339 in UTC, to the millisecond.

use std::time::SystemTime;

use jiff::Timestamp;

/// `2026-11-23T07:00:00.000Z`; `None` beyond the year 9999.
pub(super) fn moment(at: SystemTime) -> Option<String> {
    Timestamp::try_from(at).ok().map(|at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn moments_have_milliseconds_and_an_end() {
        let after = |millis| moment(UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(after(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(after(1_793_610_000_123).as_deref(), Some("2026-11-02T09:00:00.123Z"));
        assert_eq!(after((1 << 48) - 2), None, "the last end that a token can have");
    }
}
