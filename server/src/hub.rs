//! The running hub.

use std::net::SocketAddr;

use thiserror::Error;

use crate::config::Config;

/// What a hub is started with.
#[derive(Debug)]
pub struct HubOptions {
    /// Every setting, checked.
    pub config: Config,
    /// Set for `corecast dev`.
    pub dev: Option<DevOptions>,
}

/// What a demo hub does besides.
pub struct DevOptions {
    /// The HTML page to serve at `/`, with its token filled in.
    pub page: String,
    /// What to print on standard output once both listeners are up, from the addresses they really have.
    pub banner: Box<dyn FnOnce(SocketAddr, SocketAddr) -> String + Send>,
}

impl std::fmt::Debug for DevOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The page holds a token.
        f.debug_struct("DevOptions").finish_non_exhaustive()
    }
}

/// Why a hub did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// This build has no hub in it.
    #[error("this build has no hub in it")]
    Missing,
}

/// Runs a hub until it is told to stop and has drained.
pub fn run(options: HubOptions) -> Result<(), StartError> {
    let _ = options;
    Err(StartError::Missing)
}
