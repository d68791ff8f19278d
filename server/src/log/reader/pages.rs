//! Pages that were read lately, so that shards which ask one after the other share one read.
//!
//! Not here: whether the log still keeps what is in them (its catalog is asked first).

use std::collections::VecDeque;

use corecast_core::event::SequencedEvent;
use corecast_core::id::Position;
use corecast_core::replay::Page;

/// Bytes of all pages together, but never less than one page: some 200 pages of 64 KiB. Shards keep their own besides.
const PAGES_BYTES_MAX: usize = 16 << 20;

/// What an event of a page takes beside its frame: itself, its counts, and a short topic.
const EVENT_BYTES: usize = size_of::<SequencedEvent>() + 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// The one used last is at the back.
    kept: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    page: Page,
    bytes: usize,
}

impl Pages {
    /// The page with the event at this position.
    pub(super) fn find(&mut self, at: Position) -> Option<Page> {
        let index = self.kept.iter().rposition(|Kept { page, .. }| page.after < at && at <= page.upto)?;
        let kept = self.kept.remove(index)?;
        let page = kept.page.clone();
        self.kept.push_back(kept);
        Some(page)
    }

    /// Keeps a page that was decoded from so many bytes.
    pub(super) fn keep(&mut self, page: &Page, run_bytes: usize) {
        // The last run of a log grows: the page that was made of it earlier is a part of this one.
        if let Some(index) = self.kept.iter().position(|kept| kept.page.after == page.after) {
            self.remove(index);
        }
        let bytes = run_bytes + page.events.len() * EVENT_BYTES;
        self.bytes += bytes;
        self.kept.push_back(Kept { page: page.clone(), bytes });
        while self.bytes > PAGES_BYTES_MAX && self.kept.len() > 1 {
            self.remove(0);
        }
    }

    fn remove(&mut self, index: usize) {
        if let Some(kept) = self.kept.remove(index) {
            self.bytes -= kept.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(after: u64, upto: u64) -> Page {
        Page { after: Position(after), upto: Position(upto), events: [].into() }
    }

    fn found(pages: &mut Pages, at: u64) -> Option<(u64, u64)> {
        pages.find(Position(at)).map(|page| (page.after.0, page.upto.0))
    }

    #[test]
    fn a_page_is_found_by_every_position_in_it() {
        let mut pages = Pages::default();
        pages.keep(&page(10, 20), 1);
        pages.keep(&page(20, 21), 1);
        for (at, expected) in
            [(10, None), (11, Some((10, 20))), (20, Some((10, 20))), (21, Some((20, 21))), (22, None)]
        {
            assert_eq!(found(&mut pages, at), expected, "{at}");
        }
    }

    #[test]
    fn a_run_that_has_grown_replaces_its_page() {
        let mut pages = Pages::default();
        pages.keep(&page(10, 20), PAGES_BYTES_MAX / 2);
        pages.keep(&page(10, 25), PAGES_BYTES_MAX / 2);
        assert_eq!(found(&mut pages, 15), Some((10, 25)));
        assert_eq!(pages.bytes, PAGES_BYTES_MAX / 2);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_one_page_always_stays() {
        let mut pages = Pages::default();
        for after in 0..4 {
            pages.keep(&page(after, after + 1), PAGES_BYTES_MAX / 4);
        }
        assert_eq!(found(&mut pages, 1), Some((0, 1)));
        pages.keep(&page(4, 5), 1);
        assert_eq!((found(&mut pages, 1), found(&mut pages, 2)), (Some((0, 1)), None));
        pages.keep(&page(5, 6), 2 * PAGES_BYTES_MAX);
        assert_eq!((found(&mut pages, 1), found(&mut pages, 6)), (None, Some((5, 6))));
    }
}
