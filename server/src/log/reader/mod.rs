//! The reader: answers what shards ask of a file log, from its catalog and its segments.
//!
//! Here is what is read for whom: each run once, however many shards wait for it, a bounded number of runs at a time, and
//! what was decoded is kept for those who come a little later. `uring` and `plain` carry the reads out, each on the
//! reader's thread.
//!
//! Invariant: every request is answered. Not here: what the log has where (its catalog), and who is fed from a page
//! (the engines).

mod files;
mod pages;
mod plain;
mod reports;
mod stats;
mod uring;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use corecast_core::engine::output::ShardId;
use corecast_core::id::Position;
use corecast_core::replay::{Page, PageRead};
use tokio::sync::mpsc;

pub use stats::{ReaderSnapshot, ReaderStats};

use self::pages::Pages;
use self::reports::Reports;
use super::file::{Catalog, Located, Run};
use super::replay::ReplayRequest;
use crate::shard::inbox::{Inbox, Mail, hand_in};

/// Runs that are read at the same time: enough for a disk to work on several, and few enough that their bytes (up to
/// 1 MiB each, or an event that is larger) are little beside the pages kept.
const READS_MAX: usize = 8;

/// See the module.
pub struct Reader {
    catalog: Arc<Catalog>,
    folder: PathBuf,
    inboxes: Vec<Inbox>,
    stats: Arc<ReaderStats>,
    /// Pages that no read has been begun for. As many as there are shards, since each waits for one.
    asked: VecDeque<Asked>,
    /// At most `READS_MAX`.
    under_way: Vec<UnderWay>,
    pages: Pages,
    reports: Reports,
}

/// A shard waits for the page with this position.
#[derive(Clone, Copy, Debug)]
struct Asked {
    shard: ShardId,
    at: Position,
}

/// A run that is being read, and for whom.
struct UnderWay {
    run: Run,
    asked: Vec<Asked>,
}

impl Reader {
    /// A reader of the log in `folder`, whose catalog this is, for the shards with these inboxes.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, folder: PathBuf, inboxes: Vec<Inbox>, stats: Arc<ReaderStats>) -> Self {
        Self {
            reports: Reports::new(folder.clone()),
            catalog,
            folder,
            inboxes,
            stats,
            asked: VecDeque::new(),
            under_way: Vec::new(),
            pages: Pages::default(),
        }
    }

    /// Answers requests until nobody is left to make one. The calling thread is the reader's from here on.
    pub fn run(self, requests: mpsc::Receiver<ReplayRequest>) {
        match uring::Runtime::new() {
            Ok(runtime) => runtime.run(self, requests),
            Err(error) => {
                tracing::warn!(%error, "old events are read one run at a time, since io_uring cannot be had for them");
                plain::run(self, requests);
            }
        }
    }

    fn on_request(&mut self, request: ReplayRequest) {
        match request {
            ReplayRequest::Seek { shard, connection, last_event_id } => {
                self.stats.count_seek();
                let sought = self.catalog.seek(&last_event_id);
                self.answer(shard, Mail::Sought { connection, sought });
            }
            ReplayRequest::Page { shard, at } => self.asked.push_back(Asked { shard, at }),
            ReplayRequest::Turn(turned) => turned.store(true, Ordering::SeqCst),
        }
    }

    /// The next run to read, unless enough are being read. `on_read` must follow for each.
    fn next_read(&mut self) -> Option<Run> {
        while self.under_way.len() < READS_MAX {
            let asked = self.asked.pop_front()?;
            if let Some(run) = self.find(asked) {
                self.under_way.push(UnderWay { run: run.clone(), asked: vec![asked] });
                return Some(run);
            }
        }
        None
    }

    /// Whether nothing is left to read or to wait for.
    fn is_idle(&self) -> bool {
        self.asked.is_empty() && self.under_way.is_empty()
    }

    /// Answers from what is here, or adds to who waits for a read; else the run that must be read.
    fn find(&mut self, asked: Asked) -> Option<Run> {
        let Asked { shard, at } = asked;
        let run = match self.catalog.locate(at) {
            Located::Run(run) => run,
            Located::Gone { upto } => {
                self.answer(shard, Mail::Page(PageRead::Gone { upto }));
                return None;
            }
            // No engine asks for what its history has yet to see.
            Located::Beyond => {
                self.answer(shard, Mail::Page(PageRead::Failed { at }));
                return None;
            }
        };
        if let Some(page) = self.pages.find(at) {
            self.stats.count_hit();
            self.answer(shard, Mail::Page(PageRead::Page(page)));
            return None;
        }
        let is_in = |under_way: &&mut UnderWay| under_way.run.after < at && at <= under_way.run.upto;
        if let Some(under_way) = self.under_way.iter_mut().find(is_in) {
            self.stats.count_hit();
            under_way.asked.push(asked);
            return None;
        }
        Some(run)
    }

    /// What became of a read: the bytes that the file has there, which may be fewer than the run's.
    fn on_read(&mut self, run: &Run, bytes: io::Result<Vec<u8>>) {
        let Some(index) = self.under_way.iter().position(|under_way| under_way.run == *run) else { return };
        let UnderWay { asked, .. } = self.under_way.swap_remove(index);
        let (page, otherwise) = match bytes {
            Ok(bytes) => self.decode(run, bytes),
            Err(error) => (None, self.on_failure(run, &error)),
        };
        for Asked { shard, at } in asked {
            let read = match (&page, otherwise) {
                (Some(page), _) if at <= page.upto => PageRead::Page(page.clone()),
                (_, NoPage::Gone) => PageRead::Gone { upto: run.upto },
                (_, NoPage::Failed) => PageRead::Failed { at },
            };
            self.answer(shard, Mail::Page(read));
        }
    }

    /// The page, up to where the run is damaged if it is; and what to say of what is not in it.
    fn decode(&mut self, run: &Run, bytes: Vec<u8>) -> (Option<Page>, NoPage) {
        self.stats.count_read(bytes.len());
        self.reports.on_readable();
        // With an owner of its own, so that a shard which clones a part of it allocates nothing.
        let bytes = Bytes::from_owner(bytes);
        let page = match run.decode(bytes.clone()) {
            Ok(page) => {
                self.pages.keep(&page, run.len);
                Some(page)
            }
            Err(damage) => {
                self.stats.count_damage();
                self.reports.on_damage(run, &damage);
                run.before(&damage).and_then(|sound| sound.decode(bytes).ok())
            }
        };
        (page, NoPage::Gone)
    }

    fn on_failure(&mut self, run: &Run, error: &io::Error) -> NoPage {
        let is_removed = matches!(self.catalog.locate(run.upto), Located::Gone { .. });
        if error.kind() == io::ErrorKind::NotFound && is_removed {
            return NoPage::Gone;
        }
        self.stats.count_failure();
        self.reports.on_failure(run, error);
        NoPage::Failed
    }

    /// A shard has few requests under way, so its inbox has room for their answers unless it is far behind, and then its
    /// turn is what everybody waits for. Reads under way go on in the kernel meanwhile.
    fn answer(&self, shard: ShardId, mail: Mail) {
        let inbox = &self.inboxes[usize::from(shard.0)];
        hand_in(mail, |mail| inbox.try_send(mail));
    }
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoPage {
    /// Retention was faster, or it is damaged.
    Gone,
    /// It cannot be read at present.
    Failed,
}
