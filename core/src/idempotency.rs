//! Keys under which a publisher may repeat a request without publishing twice (the `Idempotency-Key` header of
//! draft-ietf-httpapi-idempotency-key-header).
//!
//! Only digests are kept. A key belongs to its publisher: the same key of another one is another key.
//! Not here: how long keys are remembered (as long as the log keeps their events).

use aws_lc_rs::digest::{Context, SHA256};

/// Of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey([u8; 16]);

/// Of one event of a request: it is what the log remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventKey(pub [u8; 16]);

impl IdempotencyKey {
    /// The key `key` of the publisher whose token has this `sub`.
    #[must_use]
    pub fn of(publisher: Option<&str>, key: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        let publisher = publisher.unwrap_or_default();
        // With its length in front, no name can borrow from the key behind it.
        context.update(&(publisher.len() as u64).to_le_bytes());
        context.update(publisher.as_bytes());
        context.update(key);
        Self(half(context))
    }

    /// The key of the event at `index` of the request, from 0.
    #[must_use]
    pub fn event(self, index: usize) -> EventKey {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(&(index as u64).to_le_bytes());
        EventKey(half(context))
    }
}

/// 128 bits: to meet another request's by chance takes 2^64 of them.
fn half(context: Context) -> [u8; 16] {
    let digest = context.finish();
    let (half, _) = digest.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
    *half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_publisher_key_and_index() {
        let key = |publisher, key: &str, index| IdempotencyKey::of(publisher, key.as_bytes()).event(index);
        let one = key(Some("alice"), "k", 0);
        assert_eq!(one, key(Some("alice"), "k", 0));
        for other in [
            key(Some("bob"), "k", 0),
            key(None, "k", 0),
            key(Some("alice"), "l", 0),
            key(Some("alice"), "k", 1),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(key(Some("a"), "bc", 0), key(Some("ab"), "c", 0));
    }
}
