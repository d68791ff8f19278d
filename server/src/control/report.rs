//! What came of a reload, for whoever asked for it.
//!
//! Not here: the reload itself (`hub::reload`), and how a report is shown.

use tokio::sync::oneshot;

use crate::config::Problems;

/// One setting that has another value now, or would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `section.key`
    pub setting: String,
    /// Its value before, as a TOML literal; a secret is not shown.
    pub from: String,
    /// Its value now.
    pub to: String,
}

/// What a reload changed, and what it could not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// In force since the reload.
    pub applied: Vec<Change>,
    /// In force after the next start.
    pub needs_restart: Vec<Change>,
}

/// Whoever asked for a reload, to be told what came of it. Dropped unused if nothing was read.
pub type ReloadReply = oneshot::Sender<Result<ReloadReport, Problems>>;
