//! Durations and sizes as the operator writes them: a whole number and its unit, `"10s"`, `"64MiB"`.
//!
//! Own code and not a library: humantime also takes `1month 3days`, bytesize takes `64MB` for 64,000,000. What is
//! accepted here is exactly what `config defaults` documents, and what is shown parses back to the same value.

use std::time::Duration;

use thiserror::Error;

/// Units of durations with their milliseconds, largest first so that a value is shown in its shortest form.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Units of sizes with their bytes, largest first. Powers of two only: `MB` would mean different things to readers.
const SIZE_UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Why a text is no duration or size.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UnitError {
    /// No number at the start, a sign, a fraction, a blank, or a unit that does not exist.
    #[error("not a whole number with a known unit")]
    Malformed,
    /// A duration without a unit.
    #[error("a unit is missing")]
    UnitMissing,
    /// More than 64 bits hold.
    #[error("too large")]
    TooLarge,
}

/// Reads `250ms`, `10s`, `5m`, `1h`, `7d`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text)?;
    if unit.is_empty() {
        return Err(UnitError::UnitMissing);
    }
    scale(number, unit, &DURATION_UNITS).map(Duration::from_millis)
}

/// Reads `65536`, `64KiB`, `64MiB`, `1GiB`; without a unit the number counts bytes.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text)?;
    if unit.is_empty() { Ok(number) } else { scale(number, unit, &SIZE_UNITS) }
}

/// The shortest text that `parse_duration` reads as `duration`, of which fractions of a millisecond are dropped.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 { "0s".to_owned() } else { show(millis, &DURATION_UNITS) }
}

/// The shortest text that `parse_bytes` reads as `bytes`.
#[must_use]
pub fn show_bytes(bytes: u64) -> String {
    if bytes == 0 { "0".to_owned() } else { show(bytes, &SIZE_UNITS) }
}

/// Splits the leading digits from the rest.
fn split(text: &str) -> Result<(u64, &str), UnitError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(UnitError::Malformed);
    }
    let (number, unit) = text.split_at(digits);
    let value = number
        .bytes()
        .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    Ok((value.ok_or(UnitError::TooLarge)?, unit))
}

fn scale(number: u64, unit: &str, units: &[(&str, u64)]) -> Result<u64, UnitError> {
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or(UnitError::Malformed)?;
    number.checked_mul(*factor).ok_or(UnitError::TooLarge)
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    match units.iter().find(|(_, factor)| value.is_multiple_of(*factor)) {
        Some((name, factor)) => format!("{}{name}", value / factor),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, millis) in [
            ("0s", 0),
            ("1ms", 1),
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
            ("007s", 7000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_or_without_unit() {
        for (text, bytes) in
            [("0", 0), ("65536", 65_536), ("64KiB", 65_536), ("64MiB", 64 << 20), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in
            ["", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1h30m", "1min", "1week", "off"]
        {
            assert_eq!(parse_duration(text), Err(UnitError::Malformed), "{text}");
        }
        assert_eq!(parse_duration("10"), Err(UnitError::UnitMissing));
        for text in ["", "KiB", "-1", "1.5MiB", "64 MiB", "64MB", "64mib", "64M", "64k", "1TiB", "1B"] {
            assert_eq!(parse_bytes(text), Err(UnitError::Malformed), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_too_large() {
        assert_eq!(parse_duration("18446744073709551615d"), Err(UnitError::TooLarge));
        assert_eq!(parse_duration("99999999999999999999999s"), Err(UnitError::TooLarge));
        assert_eq!(parse_bytes("17179869184GiB"), Err(UnitError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_shown_parses_to_the_same_value(value: u64) {
            prop_assert_eq!(parse_bytes(&show_bytes(value)), Ok(value));
            let duration = Duration::from_millis(value);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = (parse_duration(&text), parse_bytes(&text));
        }
    }
}
