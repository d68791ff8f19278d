//! Names for what is in a ring: [`Slot`] for a socket, [`Token`] for what the caller waits for.
//!
//! Invariant: a `Token` never has the top byte the ring keeps for itself.

pub use rustix::io::Errno;

/// A direct descriptor: an index into the ring's own table of files.
///
/// It is a plain number. The kernel hands a closed slot to the next accept at once, so whoever keeps slots keeps a
/// generation with them; a slot that holds nothing answers `EBADF`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// What the caller calls an operation: it comes back with the completion, unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(u64);

impl Token {
    /// Tokens are below this value: the top byte `0xFF` marks what the ring itself waits for.
    pub const END: u64 = crate::user_data::OWN_PREFIX << 56;

    /// A token of the caller's own meaning.
    ///
    /// # Panics
    ///
    /// If `value` is not below [`Token::END`]: the completion would be taken for one of the ring's own.
    #[must_use]
    #[inline]
    pub const fn new(value: u64) -> Self {
        assert!(value < Self::END, "the top byte 0xFF of a token is reserved for the ring");
        Self(value)
    }

    /// The value it was made from.
    #[must_use]
    #[inline]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// A token out of the kernel's `user_data` that [`crate::user_data::Own::decode`] did not claim.
    #[inline]
    pub(crate) const fn from_user_data(value: u64) -> Self {
        Self(value)
    }
}

/// A CQE's `res`: a count, bits or slot, or the errno.
///
/// It is input: a negative value that is no errno becomes `EINVAL` instead of a panic in `rustix`.
#[inline]
pub(crate) fn result_of(res: i32) -> Result<u32, Errno> {
    match u32::try_from(res) {
        Ok(value) => Ok(value),
        Err(_) if res >= -4095 => Err(Errno::from_raw_os_error(-res)),
        Err(_) => Err(Errno::INVAL),
    }
}

/// The errno behind an [`std::io::Error`]; `EIO` where there is none, which no system call produces.
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_never_trusted_to_be_an_errno() {
        for (res, expected) in [
            (0, Ok(0)),
            (i32::MAX, Ok(i32::MAX as u32)),
            (-11, Err(Errno::AGAIN)),
            (-4095, Err(Errno::from_raw_os_error(4095))),
            (-4096, Err(Errno::INVAL)),
            (i32::MIN, Err(Errno::INVAL)),
        ] {
            assert_eq!(result_of(res), expected, "{res}");
        }
    }

    #[test]
    fn the_largest_token_is_accepted() {
        assert_eq!(Token::new(Token::END - 1).value(), 0xFEFF_FFFF_FFFF_FFFF);
    }

    #[test]
    #[should_panic(expected = "reserved for the ring")]
    fn a_token_of_the_ring_is_refused() {
        let _ = Token::new(Token::END);
    }
}
