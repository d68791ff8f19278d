//! The side of the process that takes over.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::parent_id;
use std::time::Duration;

use super::keeper::Keeper;
use super::link::{Heard, Link};
use super::{VARIABLE, VERSION, words};
use crate::systemd::Sockets;
use crate::systemd::sockets::{ADMIN, HUB};

/// The sockets come at once.
const SOCKETS_PATIENCE: Duration = Duration::from_secs(10);

/// What cannot be had from the hub that is to be taken over.
#[derive(Debug, thiserror::Error)]
pub enum PredecessorError {
    /// Another version of corecast.
    #[error(
        "the hub that is to be taken over speaks version {0} of the takeover, this one version {VERSION}; restart it instead"
    )]
    Version(String),
    /// It has ended, or closed the link.
    #[error("the hub that is to be taken over is gone")]
    Gone,
    /// It says what it should not.
    #[error("the hub that is to be taken over said {0:?}, which is not expected here")]
    Unexpected(String),
    /// The link does not work.
    #[error("the link to the hub that is to be taken over failed: {0}")]
    Link(#[from] io::Error),
}

/// The hub that is taken over from.
#[derive(Debug)]
pub(in crate::hub) struct Predecessor {
    link: Link,
    keeper: Keeper,
}

impl Predecessor {
    /// The hub that started this process to take over; `None` if nobody did. A process that was started by that hub itself
    /// becomes the keeper of another, and does not return.
    pub(in crate::hub) fn find() -> Result<Option<Self>, PredecessorError> {
        let Some((version, pid)) = std::env::var(VARIABLE).ok().and_then(|value| {
            let (version, pid) = value.split_once(':')?;
            Some((version.to_owned(), pid.parse::<u32>().ok()?))
        }) else {
            return Ok(None);
        };
        if parent_id() == pid {
            std::process::exit(Keeper::be()?);
        }
        // The variable may have been passed on by something in between, which has no link to pass on.
        let Some(keeper) = Keeper::find()? else { return Ok(None) };
        if version != VERSION.to_string() {
            return Err(PredecessorError::Version(version));
        }
        let link = Link::new(io::stdin().as_fd().try_clone_to_owned()?)?;
        close_stdin()?;
        Ok(Some(Self { link, keeper }))
    }

    /// The sockets, with what waits in their queues.
    pub(in crate::hub) fn sockets(&self) -> Result<Sockets, PredecessorError> {
        let mut sockets = Sockets::default();
        loop {
            match self.link.receive(Some(SOCKETS_PATIENCE))? {
                Heard::Word(word, Some(socket)) if word == HUB => sockets.hub.push(socket),
                Heard::Word(word, Some(socket)) if word == ADMIN => sockets.admin = Some(socket),
                Heard::Word(word, None) if word == words::SOCKETS_END => return Ok(sockets),
                Heard::Word(word, _) => return Err(PredecessorError::Unexpected(word)),
                Heard::Silence | Heard::End => return Err(PredecessorError::Gone),
            }
        }
    }

    /// Says that it takes long, and is not for nothing.
    pub(in crate::hub) fn still_preparing(&self) {
        self.say(words::STILL_PREPARING);
    }

    /// Says that everything is there but the log, and waits for it.
    pub(in crate::hub) fn wait_for_log(&self) -> Result<(), PredecessorError> {
        self.link.send(words::PREPARED, None)?;
        match self.link.receive(None)? {
            Heard::Word(word, _) if word == words::YOURS => Ok(()),
            Heard::Word(word, _) => Err(PredecessorError::Unexpected(word)),
            Heard::Silence | Heard::End => Err(PredecessorError::Gone),
        }
    }

    /// Says that clients are served here, by a process that stands on its own: to be told to systemd by `announce`.
    pub(in crate::hub) fn serving(self, announce: impl FnOnce()) {
        let Self { link, keeper } = self;
        if let Err(error) = keeper.leave() {
            // It serves all the same; only a later stop is not waited for.
            tracing::warn!(%error, "the process in between does not end");
        }
        announce();
        say(&link, words::SERVING);
    }

    /// Says why nothing comes of it.
    pub(in crate::hub) fn failed(&self, reason: &str) {
        self.say(&format!("{}{reason}", words::FAILED));
    }

    fn say(&self, word: &str) {
        say(&self.link, word);
    }
}

/// A hub that has ended meanwhile need not be told.
fn say(link: &Link, word: &str) {
    if let Err(error) = link.send(word, None) {
        tracing::debug!(%error, word, "the hub that is taken over cannot be told");
    }
}

/// What came as standard input is the link, and must end with it.
fn close_stdin() -> io::Result<()> {
    let nothing = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    Ok(())
}
