//! The value of `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a quoted string as that draft has it, or
//! the same without quotes, which is what most clients send.
//!
//! Invariant: a key means the same with quotes and without. Several keys joined by a proxy are no key.
//! Not here: what a key stands for (`crate::idempotency`).

use std::borrow::Cow;

use super::PublishError;
use crate::limits::IDEMPOTENCY_KEY_BYTES_MAX;

/// The key that `value` spells.
///
/// # Errors
/// Nothing, too much, or characters that are not visible ASCII; within quotes a space is allowed too (RFC 9651 §3.3.3).
pub fn parse(value: &[u8]) -> Result<Cow<'_, [u8]>, PublishError> {
    let key = match value {
        [b'"', quoted @ ..] => unquoted(quoted).map(Cow::Owned),
        bare => bare.iter().all(u8::is_ascii_graphic).then_some(Cow::Borrowed(bare)),
    };
    key.filter(|key| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len())).ok_or(PublishError::IdempotencyKey)
}

/// What stands in a string of RFC 9651, without its opening quote; `None` if it is none, or something follows it.
fn unquoted(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter().copied();
    loop {
        match bytes.next()? {
            b'"' => return bytes.next().is_none().then_some(key),
            b'\\' => key.push(bytes.next().filter(|byte| matches!(byte, b'"' | b'\\'))?),
            byte if byte == b' ' || byte.is_ascii_graphic() => key.push(byte),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_with_quotes_and_without() {
        let long = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX);
        let too_long = "k".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1);
        for (value, expected) in [
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", Some("8e03978e-40d5-43dd-bc93-6894a57f9324")),
            ("\"8e03978e\"", Some("8e03978e")),
            ("\"two words\"", Some("two words")),
            (r#""a\"b\\c""#, Some(r#"a"b\c"#)),
            (r#"a"b"#, Some(r#"a"b"#)),
            ("~", Some("~")),
            (&long, Some(&long)),
            (&format!("\"{long}\""), Some(&long)),
            (&too_long, None),
            (&format!("\"{too_long}\""), None),
            ("", None),
            ("\"\"", None),
            ("\"", None),
            ("two words", None),
            ("\"a\", \"b\"", None),
            ("a, b", None),
            ("\"a\";p=1", None),
            (r#""a\b""#, None),
            (r#""a\"#, None),
            ("a\tb", None),
            ("\"a\tb\"", None),
            ("clé", None),
            ("\"clé\"", None),
        ] {
            let expected = expected.map(str::as_bytes).ok_or(PublishError::IdempotencyKey);
            assert_eq!(parse(value.as_bytes()).as_deref(), expected.as_deref(), "{value}");
        }
    }
}
