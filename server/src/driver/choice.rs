//! Which driver hosts the shards: decided by doing what it relies on, never by the version of the kernel.

use std::fmt;

use corecast_ring::{Ring, SelftestError, Setup, selftest, selftest_poll};

use super::ACCEPTS;
use super::monoio::{ENTRIES, Waiter};
use crate::config::Driver;

/// What hosts the shards of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A ring of ours for each shard.
    Uring,
    /// A monoio runtime for each shard, which waits in this way.
    Monoio(Waiter),
}

impl Choice {
    /// Its name in `hub.driver`, in metrics and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Monoio(_) => "monoio",
        }
    }

    /// The system calls by which it waits.
    #[must_use]
    pub fn waits_with(self) -> &'static str {
        match self {
            Self::Uring | Self::Monoio(Waiter::Uring) => "io_uring",
            Self::Monoio(Waiter::Epoll) => "epoll",
        }
    }
}

/// A driver, and how it came to be this one.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The driver.
    pub choice: Choice,
    /// Why.
    pub reason: Reason,
}

/// How a driver came to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `hub.driver` names it.
    Configured,
    /// It is the fastest, and the self-test showed that it works here.
    Works,
    /// The faster one does not work here: what the self-test missed, and what would help.
    Fallback(String),
}

impl Reason {
    /// A word for it, in metrics and in the API.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Works => "works",
            Self::Fallback(_) => "fallback",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured => f.write_str("hub.driver names it"),
            Self::Works => f.write_str("the self-test found all that it relies on"),
            Self::Fallback(cause) => write!(f, "io_uring cannot be used: {cause}"),
        }
    }
}

/// Tries what the drivers rely on, as far as `wanted` asks for it, and chooses one for so many shards.
///
/// # Errors
/// io_uring is wanted and nothing else, and does not work here.
pub fn choose(wanted: Driver, shards: u32) -> Result<Chosen, SelftestError> {
    decide(wanted, || selftest().and_then(|()| rings_at_once(shards)), || can_wait(shards))
}

/// One ring each, at the same time and with the queues that the shards will have: what bounds their memory counts them
/// together.
fn rings_at_once(shards: u32) -> Result<(), SelftestError> {
    let setup = Setup { slots: 1, accepts: ACCEPTS, ..Setup::default() };
    let rings: Result<Vec<Ring>, _> = (0..shards).map(|_| Ring::new(&setup)).collect();
    rings.map(drop).map_err(SelftestError::from)
}

/// Whether plain rings can do what monoio needs of them, one for each of so many shards at the same time.
#[must_use]
pub(crate) fn can_wait(shards: u32) -> bool {
    monoio::utils::detect_uring() && selftest_poll(shards, ENTRIES).is_ok()
}

/// The choice, given how the trials end.
fn decide(
    wanted: Driver,
    uring: impl FnOnce() -> Result<(), SelftestError>,
    plain_ring: impl FnOnce() -> bool,
) -> Result<Chosen, SelftestError> {
    let monoio = || Choice::Monoio(if plain_ring() { Waiter::Uring } else { Waiter::Epoll });
    Ok(match wanted {
        Driver::Uring => {
            uring()?;
            Chosen { choice: Choice::Uring, reason: Reason::Configured }
        }
        Driver::Monoio => Chosen { choice: monoio(), reason: Reason::Configured },
        Driver::Auto => match uring() {
            Ok(()) => Chosen { choice: Choice::Uring, reason: Reason::Works },
            Err(error) => Chosen { choice: monoio(), reason: Reason::Fallback(error.to_string()) },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use corecast_ring::{Need, SetupError};

    use super::*;

    /// Every way in which the self-test can end badly: no ring, and each single feature that an old kernel lacks.
    fn misses() -> Vec<SelftestError> {
        let refused = || io::Error::from_raw_os_error(1);
        let mut misses: Vec<SelftestError> = vec![
            SetupError::Forbidden(refused()).into(),
            SetupError::Missing(refused()).into(),
            SetupError::TooOld { step: "io_uring_setup", source: refused() }.into(),
        ];
        misses.extend(Need::ALL.map(|need| SelftestError::Missed {
            need,
            expected: "it",
            found: "nothing".to_owned(),
        }));
        misses
    }

    #[test]
    fn whatever_io_uring_lacks_monoio_takes_its_place_and_says_why() {
        for (waiter, plain_ring) in [(Waiter::Uring, true), (Waiter::Epoll, false)] {
            for miss in misses() {
                let cause = miss.to_string();
                let chosen = decide(Driver::Auto, || Err(miss), || plain_ring).unwrap();
                assert_eq!(chosen.choice, Choice::Monoio(waiter), "{cause}");
                assert_eq!(chosen.reason, Reason::Fallback(cause));
            }
        }
    }

    #[test]
    fn whoever_wants_io_uring_alone_is_told_what_it_lacks() {
        for miss in misses() {
            let cause = miss.to_string();
            let error = decide(Driver::Uring, || Err(miss), || true).unwrap_err();
            assert_eq!(error.to_string(), cause);
        }
    }

    #[test]
    fn io_uring_is_taken_where_it_works_unless_monoio_is_wanted() {
        let chosen = |wanted| decide(wanted, || Ok(()), || true).unwrap();
        assert_eq!(chosen(Driver::Auto).choice, Choice::Uring);
        assert_eq!(chosen(Driver::Auto).reason, Reason::Works);
        assert_eq!(chosen(Driver::Uring).reason, Reason::Configured);
        assert_eq!(chosen(Driver::Monoio).choice, Choice::Monoio(Waiter::Uring));
    }
}
