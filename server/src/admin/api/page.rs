//! Pages of sorted lists: the best rows of all that are looked at, and where the next page begins.
//!
//! Invariants: a page holds at most its limit of rows, however many are looked at; the next page begins behind the last row,
//! by that row's own place, so that rows which come or go meanwhile move nothing else from page to page.
//! Not here: how places are made from rows (each resource).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::input::Order;
use crate::admin::problem::Problem;

/// Where a row stands in its list: by what it is sorted, and what it is, so that no two rows have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) key: u64,
    pub(super) id: Box<[u8]>,
}

/// A place as the sort order has it: the least comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ranked {
    place: Place,
    order: Order,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let ordering = self.place.cmp(&other.place);
        match self.order {
            Order::Asc => ordering,
            Order::Desc => ordering.reverse(),
        }
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Which page is asked for.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    sort: u8,
    order: Order,
    limit: usize,
    after: Option<Place>,
}

impl Turn {
    /// `sort` tells orders apart, so that a cursor is not used for another.
    pub(super) fn new(sort: u8, order: Order, limit: usize, cursor: Option<&str>) -> Result<Self, Problem> {
        let after = cursor.map(|cursor| Self::read(sort, order, cursor)).transpose()?;
        Ok(Self { sort, order, limit, after })
    }

    fn read(sort: u8, order: Order, cursor: &str) -> Result<Place, Problem> {
        let refused = |detail| Problem::bad("cursor", detail);
        let not_ours = || refused("cursor is none that an answer gave");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_malformed| not_ours())?;
        let (&[sorted, ordered], rest) = bytes.split_first_chunk().ok_or_else(not_ours)?;
        let (key, id) = rest.split_first_chunk().ok_or_else(not_ours)?;
        if (sorted, ordered) != (sort, order as u8) {
            return Err(refused("cursor is of a list with another sort or order; begin again without it"));
        }
        Ok(Place { key: u64::from_be_bytes(*key), id: id.into() })
    }

    fn write(&self, place: &Place) -> String {
        let mut bytes = vec![self.sort, self.order as u8];
        bytes.extend_from_slice(&place.key.to_be_bytes());
        bytes.extend_from_slice(&place.id);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// An empty page to be filled.
    pub(super) fn begin<T>(&self) -> Best<T> {
        let after = self.after.clone().map(|place| Ranked { place, order: self.order });
        Best {
            order: self.order,
            limit: self.limit,
            after,
            rows: BTreeMap::new(),
            matched: 0,
            has_more: false,
        }
    }

    /// Makes one page of those of several shards.
    pub(super) fn merge<T>(&self, parts: Vec<Best<T>>) -> Page<T> {
        let mut best = self.begin();
        for part in parts {
            best.matched += part.matched;
            best.has_more |= part.has_more;
            part.rows.into_iter().for_each(|(ranked, row)| best.keep(ranked, row));
        }
        let last = best.rows.last_key_value().filter(|_| best.has_more);
        let next = last.map(|(ranked, _)| self.write(&ranked.place));
        Page { rows: best.rows.into_values().collect(), matched: best.matched, next }
    }
}

/// The best rows of those seen so far.
#[derive(Debug)]
pub(super) struct Best<T> {
    order: Order,
    limit: usize,
    /// The page begins behind this.
    after: Option<Ranked>,
    rows: BTreeMap<Ranked, T>,
    matched: u64,
    has_more: bool,
}

impl<T> Best<T> {
    /// Looks at a row. It is made only if it is among the best so far.
    pub(super) fn offer(&mut self, place: Place, row: impl FnOnce() -> T) {
        self.matched += 1;
        let ranked = Ranked { place, order: self.order };
        if self.after.as_ref().is_some_and(|after| ranked <= *after) {
            return;
        }
        let is_last = self.rows.last_key_value().is_some_and(|(last, _)| *last < ranked);
        if self.rows.len() == self.limit && is_last {
            self.has_more = true;
        } else {
            self.keep(ranked, row());
        }
    }

    fn keep(&mut self, ranked: Ranked, row: T) {
        self.rows.insert(ranked, row);
        if self.rows.len() > self.limit {
            self.rows.pop_last();
            self.has_more = true;
        }
    }
}

/// One page.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    /// Rows on all pages, as far as they were seen.
    pub(super) matched: u64,
    /// The cursor of the next page, if there is one.
    pub(super) next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(key: u64) -> Place {
        Place { key, id: key.to_be_bytes().into() }
    }

    /// All pages of `keys`, spread over two shards.
    fn walk(order: Order, limit: usize, keys: &[u64]) -> Vec<Vec<u64>> {
        let (mut pages, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let turn = Turn::new(1, order, limit, cursor.as_deref()).unwrap();
            let mut parts = [turn.begin(), turn.begin()];
            keys.iter().enumerate().for_each(|(i, &key)| parts[i % 2].offer(place(key), || key));
            let page = turn.merge(parts.into());
            assert_eq!(page.matched, keys.len() as u64);
            pages.push(page.rows);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return pages,
            }
        }
    }

    #[test]
    fn pages_have_every_row_once_and_in_order() {
        for count in 0..12_u64 {
            let keys: Vec<u64> = (0..count).map(|key| key * 7 % 13).collect();
            for limit in 1..6 {
                for order in [Order::Asc, Order::Desc] {
                    let pages = walk(order, limit, &keys);
                    let mut sorted = keys.clone();
                    sorted.sort_unstable();
                    if order == Order::Desc {
                        sorted.reverse();
                    }
                    assert_eq!(pages.concat(), sorted, "{count} {limit} {order:?}");
                    assert!(pages.iter().all(|page| page.len() <= limit), "{pages:?}");
                    assert!(count == 0 || pages.iter().all(|page| !page.is_empty()), "{pages:?}");
                }
            }
        }
    }

    #[test]
    fn a_row_that_comes_meanwhile_moves_no_other() {
        let first = Turn::new(1, Order::Asc, 2, None).unwrap();
        let mut best = first.begin();
        [10, 20, 30].into_iter().for_each(|key| best.offer(place(key), || key));
        let page = first.merge(vec![best]);
        let second = Turn::new(1, Order::Asc, 2, page.next.as_deref()).unwrap();
        let mut best = second.begin();
        [5, 10, 15, 20, 30].into_iter().for_each(|key| best.offer(place(key), || key));
        assert_eq!(second.merge(vec![best]).rows, [30]);
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let turn = Turn::new(1, Order::Asc, 2, None).unwrap();
        let cursor = turn.write(&place(3));
        assert!(Turn::new(1, Order::Asc, 9, Some(&cursor)).is_ok());
        for (sort, order, cursor) in [
            (2, Order::Asc, cursor.as_str()),
            (1, Order::Desc, &cursor),
            (1, Order::Asc, ""),
            (1, Order::Asc, "AQ"),
            (1, Order::Asc, "not base64!"),
        ] {
            let problem = serde_json::to_value(Turn::new(sort, order, 1, Some(cursor)).unwrap_err()).unwrap();
            assert_eq!((&problem["status"], &problem["field"]), (&400.into(), &"cursor".into()), "{cursor}");
        }
    }
}
