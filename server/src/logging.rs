//! The hub's own messages: lines on standard error, for people or for machines.
//!
//! Not here: what is written. Standard output belongs to what a command was asked for (a token, events).

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::config::{LogFormat, LoggingConfig};

/// Writes messages as `logging` says from now on. Later calls in the same process have no effect.
pub fn start(logging: &LoggingConfig) -> Result<(), ParseError> {
    let targets: Targets = logging.level.parse()?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let started = match logging.format {
        LogFormat::Text => {
            // Colours are for a terminal; the journal and files get plain text.
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let lines = lines.with_ansi(is_terminal).with_target(false);
            tracing_subscriber::registry().with(lines.with_filter(targets)).try_init()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            tracing_subscriber::registry().with(lines.with_filter(targets)).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("messages were already set up in this process");
    }
    Ok(())
}
