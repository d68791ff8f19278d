//! The `user_data` of operations whose memory or outcome is the ring's own affair, packed
//! `0xFF:8 | kind:8 | generation:24 | index:24`.
//!
//! Invariant: `decode` finds exactly what `encode` made; everything else is the caller's token or is counted as
//! stale. It is never a pointer, and an index out of it is looked up, not trusted.

/// The top byte that no [`crate::Token`] has.
pub(crate) const OWN_PREFIX: u64 = 0xFF;

/// Both index and generation wrap below this.
pub(crate) const FIELD_END: u32 = 1 << 24;

/// Which of the ring's own operations a CQE belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// An accept that borrows the peer address cell `index`.
    Accept { index: u32, generation: u32 },
    /// The `index`-th send or receive of the batch `generation`.
    Inline { index: u32, generation: u32 },
    /// The `index`-th watched wake.
    Wake { index: u32 },
    /// A cancel: only its failure posts a CQE, and that is counted.
    Cancel,
    /// A close, likewise.
    Close,
    /// What makes a close a reset, likewise.
    Reset,
    /// The ring's own prefix with nothing known behind it.
    Unknown,
}

impl Own {
    #[inline]
    pub(crate) const fn encode(self) -> u64 {
        let (kind, generation, index) = match self {
            Self::Unknown => (0, 0, 0),
            Self::Accept { index, generation } => (1, generation, index),
            Self::Inline { index, generation } => (2, generation, index),
            Self::Wake { index } => (3, 0, index),
            Self::Cancel => (4, 0, 0),
            Self::Close => (5, 0, 0),
            Self::Reset => (6, 0, 0),
        };
        debug_assert!(generation < FIELD_END && index < FIELD_END);
        OWN_PREFIX << 56 | kind << 48 | (generation as u64) << 24 | index as u64
    }

    /// `None` if `user_data` is a caller's token.
    #[inline]
    pub(crate) const fn decode(user_data: u64) -> Option<Self> {
        if user_data >> 56 != OWN_PREFIX {
            return None;
        }
        let generation = (user_data >> 24) as u32 & (FIELD_END - 1);
        let index = user_data as u32 & (FIELD_END - 1);
        Some(match (user_data >> 48) as u8 {
            1 => Self::Accept { index, generation },
            2 => Self::Inline { index, generation },
            3 if generation == 0 => Self::Wake { index },
            4 if generation == 0 && index == 0 => Self::Cancel,
            5 if generation == 0 && index == 0 => Self::Close,
            6 if generation == 0 && index == 0 => Self::Reset,
            _ => Self::Unknown,
        })
    }
}

/// The generation after `generation`, wrapping within its field.
#[inline]
pub(crate) const fn next_generation(generation: u32) -> u32 {
    (generation + 1) & (FIELD_END - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u32 = FIELD_END - 1;

    #[test]
    fn what_was_encoded_is_decoded() {
        for own in [
            Own::Accept { index: 0, generation: 0 },
            Own::Accept { index: LAST, generation: 1 },
            Own::Inline { index: 1, generation: LAST },
            Own::Wake { index: LAST },
            Own::Cancel,
            Own::Close,
            Own::Reset,
        ] {
            assert_eq!(Own::decode(own.encode()), Some(own));
        }
    }

    #[test]
    fn every_token_is_left_to_the_caller() {
        for value in [0, 1, 0x00FF_FFFF_FFFF_FFFF, 0x01FF_0000_0000_0000, crate::Token::END - 1] {
            assert_eq!(Own::decode(value), None, "{value:#x}");
        }
    }

    #[test]
    fn nonsense_with_our_prefix_is_unknown() {
        for value in
            [crate::Token::END, 0xFF07_0000_0000_0000, 0xFF04_0000_0000_0001, 0xFF03_0000_0100_0000, u64::MAX]
        {
            assert_eq!(Own::decode(value), Some(Own::Unknown), "{value:#x}");
        }
    }

    #[test]
    fn generations_wrap_within_their_field() {
        assert_eq!(next_generation(0), 1);
        assert_eq!(next_generation(LAST), 0);
    }
}
