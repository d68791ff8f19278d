//! The hub's own messages: lines on standard error, for people or for machines.
//!
//! Not here: what is written. Standard output belongs to what a command was asked for (a token, events).

use std::sync::{Mutex, OnceLock, PoisonError};

use thiserror::Error;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

use crate::config::{LogFormat, LoggingConfig};

/// What is written at present, and where that can be changed. Of the process, as its standard error is.
static IN_FORCE: OnceLock<InForce> = OnceLock::new();

struct InForce {
    filter: reload::Handle<Targets, Registry>,
    /// The directives as they were given.
    level: Mutex<String>,
}

/// Why a level cannot be set.
#[derive(Debug, Error)]
pub enum LevelError {
    /// No directives.
    #[error("is empty: write a level such as \"info\", or a list such as \"info,corecast=debug\"")]
    Empty,
    /// No directives either.
    #[error("is no list of levels: {0}")]
    Malformed(#[from] ParseError),
    /// This process writes no messages.
    #[error("has no effect: messages were not set up in this process")]
    NotStarted,
}

/// Writes messages as `logging` says from now on. Later calls in the same process have no effect.
pub fn start(logging: &LoggingConfig) -> Result<(), ParseError> {
    let targets: Targets = logging.level.parse()?;
    let (filter, handle) = reload::Layer::new(targets);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let started = match logging.format {
        LogFormat::Text => {
            // Colours are for a terminal; the journal and files get plain text.
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let lines = lines.with_ansi(is_terminal).with_target(false);
            tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()
        }
    };
    if started.is_ok() {
        let in_force = InForce { filter: handle, level: Mutex::new(logging.level.clone()) };
        // Whoever initialised the registry is the only one who comes here.
        let _ = IN_FORCE.set(in_force);
    } else {
        tracing::debug!("messages were already set up in this process");
    }
    Ok(())
}

/// The directives in force; `None` if [`start`] has not been called.
#[must_use]
pub fn level() -> Option<String> {
    let level = &IN_FORCE.get()?.level;
    Some(level.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Writes messages of this level from now on: directives as in `logging.level`.
///
/// # Errors
/// Why not; then everything stays as it was.
pub fn set_level(level: &str) -> Result<(), LevelError> {
    if level.trim().is_empty() {
        return Err(LevelError::Empty);
    }
    let targets: Targets = level.parse()?;
    let in_force = IN_FORCE.get().ok_or(LevelError::NotStarted)?;
    in_force.filter.reload(targets).map_err(|_gone| LevelError::NotStarted)?;
    level.clone_into(&mut in_force.level.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(())
}
