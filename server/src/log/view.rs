//! A file log as others see it while it is written: what it and its reader count.
//!
//! Not here: counting (each where it happens).

use std::sync::Arc;

use super::file::LogStats;
use super::reader::ReaderStats;
use super::timed::AppendTimes;

/// What a file log, and its reader, count. All clones show the same log.
#[derive(Clone, Debug)]
pub struct FileLogView {
    /// The log itself.
    pub log: Arc<LogStats>,
    /// How long its appends take.
    pub times: Arc<AppendTimes>,
    /// Its reader.
    pub reader: Arc<ReaderStats>,
}
