//! The names of users, each in a cell of its length: no allocation of its own, so none that the allocator rounds up.
//!
//! Invariants: a name is where its id says until it is removed; cells of one size lie side by side in pages that never
//! move, and vacant ones are used again.
//! Not here: which names there are. The same name twice is two names.

use crate::limits::NAME_BYTES_MAX;

/// Cells are a multiple of this: names of a few bytes lose little, and there are few sizes.
const CELL_STEP: usize = 8;

/// A cell begins with its name's length, in one byte.
const CELL_BYTES_MAX: usize = (1 + NAME_BYTES_MAX).next_multiple_of(CELL_STEP);
const SIZES: usize = CELL_BYTES_MAX / CELL_STEP;
const _: () = assert!(NAME_BYTES_MAX <= u8::MAX as usize);

/// So many cells make a page: enough that pages are few, and at most 16 KiB.
const PAGE_CELLS: u32 = 64;

/// Stands for a name: the number of its cell, and which size of cell that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameId(u32);

const SIZE_BITS: u32 = SIZES.next_power_of_two().trailing_zeros();

impl NameId {
    /// Stands for no name.
    pub(super) const NOTHING: Self = Self(u32::MAX);

    fn of(size: usize, number: u32) -> Self {
        assert!(number < u32::MAX >> SIZE_BITS, "there are fewer names than connections of a shard");
        Self(number << SIZE_BITS | size as u32)
    }

    const fn size(self) -> usize {
        self.0 as usize & ((1 << SIZE_BITS) - 1)
    }

    const fn number(self) -> u32 {
        self.0 >> SIZE_BITS
    }
}

/// A name of 7 bytes costs 8, one of 36 costs 40.
#[derive(Debug)]
pub(super) struct Names {
    sizes: [Cells; SIZES],
}

/// The cells of one size.
#[derive(Debug, Default)]
struct Cells {
    pages: Vec<Box<[u8]>>,
    /// Cells that were ever taken.
    end: u32,
    vacant: Vec<u32>,
}

impl Default for Names {
    fn default() -> Self {
        Self { sizes: std::array::from_fn(|_| Cells::default()) }
    }
}

impl Names {
    /// Keeps a name of at most `NAME_BYTES_MAX` bytes.
    ///
    /// # Panics
    /// If it is longer: nobody gets in with such a name.
    pub(super) fn insert(&mut self, name: &str) -> NameId {
        assert!(name.len() <= NAME_BYTES_MAX, "a name of {} bytes", name.len());
        let size = name.len() / CELL_STEP;
        let number = self.sizes[size].take(cell_bytes(size));
        let id = NameId::of(size, number);
        let cell = self.cell_mut(id);
        cell[0] = name.len() as u8;
        cell[1..=name.len()].copy_from_slice(name.as_bytes());
        id
    }

    pub(super) fn remove(&mut self, id: NameId) {
        self.sizes[id.size()].vacant.push(id.number());
    }

    /// The name; an id whose name has been removed finds something else, or nothing.
    pub(super) fn name(&self, id: NameId) -> &str {
        let place = place(id);
        let cell = &self.sizes[id.size()].pages[place.page][place.bytes];
        std::str::from_utf8(&cell[1..=usize::from(cell[0])]).expect("`insert` has copied it from a `str`")
    }

    fn cell_mut(&mut self, id: NameId) -> &mut [u8] {
        let place = place(id);
        &mut self.sizes[id.size()].pages[place.page][place.bytes]
    }
}

impl Cells {
    fn take(&mut self, cell_bytes: usize) -> u32 {
        if let Some(number) = self.vacant.pop() {
            return number;
        }
        if self.end.is_multiple_of(PAGE_CELLS) {
            self.pages.push(vec![0; cell_bytes * PAGE_CELLS as usize].into_boxed_slice());
        }
        self.end += 1;
        self.end - 1
    }
}

/// Where a cell is.
struct Place {
    page: usize,
    bytes: std::ops::Range<usize>,
}

fn place(id: NameId) -> Place {
    let (page, cell) = (id.number() / PAGE_CELLS, id.number() % PAGE_CELLS);
    let begin = cell as usize * cell_bytes(id.size());
    Place { page: page as usize, bytes: begin..begin + cell_bytes(id.size()) }
}

const fn cell_bytes(size: usize) -> usize {
    (size + 1) * CELL_STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_length_are_kept_while_others_come_and_go() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut names, mut model): (Names, Vec<(NameId, String)>) = (Names::default(), Vec::new());
        for _ in 0..5000 {
            if random.bool() && !model.is_empty() {
                let (id, _) = model.swap_remove(random.usize(..model.len()));
                names.remove(id);
            } else {
                let name: String =
                    (0..random.usize(..=NAME_BYTES_MAX)).map(|_| random.alphanumeric()).collect();
                model.push((names.insert(&name), name));
            }
            if let Some((id, name)) = random.choice(&model) {
                assert_eq!(names.name(*id), name);
            }
        }
        assert!(model.iter().all(|(id, name)| names.name(*id) == name));
    }

    #[test]
    fn a_vacant_cell_is_used_again() {
        let mut names = Names::default();
        let first = names.insert("alice");
        names.remove(first);
        assert_eq!(names.insert("carol"), first);
        assert_ne!(names.insert("alice"), first);
    }
}
