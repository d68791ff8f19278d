//! What the reader says of damage and failures: each once, since every client that comes back meets them again.
//!
//! Not here: counting them (`stats`).

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::log::file::{Damage, Run};

/// Damaged runs that are told apart. A disk with more of them has been reported often enough.
const DAMAGE_REPORTS_MAX: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Reports {
    folder: PathBuf,
    damaged: BTreeSet<(Arc<str>, u64)>,
    /// Whether the last read failed.
    is_failing: bool,
}

impl Reports {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, damaged: BTreeSet::new(), is_failing: false }
    }

    pub(super) fn on_damage(&mut self, run: &Run, damage: &Damage) {
        if self.damaged.len() >= DAMAGE_REPORTS_MAX || !self.damaged.insert((run.segment.clone(), run.offset))
        {
            return;
        }
        let path = self.folder.display();
        tracing::error!(
            %damage,
            from = run.after.next().0,
            to = run.upto.0,
            "the log is damaged, and clients that ask for these positions are told of a gap; stop the hub, then `corecast \
             log verify --path {path}` lists all damage and `corecast log repair --path {path}` keeps what can be read"
        );
    }

    pub(super) fn on_failure(&mut self, run: &Run, error: &io::Error) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(
                segment = %self.folder.join(&*run.segment).display(),
                offset = run.offset,
                %error,
                "the log cannot be read; streams that need old events are closed, and come back"
            );
        }
    }

    pub(super) fn on_readable(&mut self) {
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("the log can be read again");
        }
    }
}
