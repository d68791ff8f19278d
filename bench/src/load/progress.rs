//! How far events to all have come: which is the first that somebody still waits for, and how late each was complete.
//!
//! Invariant: each counted subscriber is counted once, at the number it waits for, so removing one is exact and costs as
//! little as a delivery. Not here: who is counted (connected and not stalled), that is `Crowd`'s affair.

use hdrhistogram::Histogram;

use super::latencies::histogram;

/// The numbers between the subscriber that is furthest behind and the one that is furthest ahead.
pub(super) struct Progress {
    /// The number `n` is at `n & (len - 1)`; the length is a power of two and more than `last - first`.
    places: Vec<Place>,
    /// The lowest number somebody waits for, and the highest. Meaningless while nobody is counted.
    first: u32,
    last: u32,
    counted: u32,
    /// All before it were complete at some time. Subscribers that come back may wait for less.
    frontier: u32,
    last_byte_times: Histogram<u64>,
}

/// What is known of one number.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Subscribers that wait for it.
    waiting: u32,
    /// When it was meant to be sent, from its first delivery on.
    intended_ns: Option<u64>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            places: vec![Place::default(); 64],
            first: 0,
            last: 0,
            counted: 0,
            frontier: 0,
            last_byte_times: histogram(),
        }
    }

    /// The lowest number that a counted subscriber waits for; with none, the highest there was.
    pub(super) fn due(&self) -> u32 {
        if self.counted == 0 { self.frontier } else { self.first }
    }

    /// Counts a subscriber that waits for `number`.
    pub(super) fn join(&mut self, number: u32) {
        if self.counted == 0 {
            (self.first, self.last) = (number, number);
            self.frontier = self.frontier.max(number);
            *self.place(number) = Place::default();
        }
        self.counted += 1;
        let (first, last) = (self.first.min(number), self.last.max(number));
        self.make_room(first, last);
        (number..self.first).for_each(|fresh| *self.place(fresh) = Place::default());
        (self.last..number).for_each(|before| *self.place(before + 1) = Place::default());
        (self.first, self.last) = (first, last);
        self.place(number).waiting += 1;
    }

    /// Counts a subscriber that waits for `number` no longer.
    pub(super) fn leave(&mut self, number: u32) {
        self.counted -= 1;
        self.place(number).waiting -= 1;
        if self.counted > 0 && number == self.first {
            self.advance(None);
        }
    }

    /// A counted subscriber that waited for `number` has it.
    #[inline]
    pub(super) fn deliver(&mut self, number: u32, intended_ns: u64, now_ns: u64) {
        if number == self.last {
            self.make_room(self.first, number + 1);
            *self.place(number + 1) = Place::default();
            self.last = number + 1;
        }
        self.place(number + 1).waiting += 1;
        let place = self.place(number);
        place.waiting -= 1;
        place.intended_ns = Some(intended_ns);
        if place.waiting == 0 && number == self.first {
            self.advance(Some(now_ns));
        }
    }

    pub(super) fn take_last_byte_times(&mut self) -> Histogram<u64> {
        std::mem::replace(&mut self.last_byte_times, histogram())
    }

    /// Moves on to the next number that somebody waits for. Those passed for the first time are complete, at `now_ns`; if
    /// they are because somebody left, when they were is not known.
    fn advance(&mut self, now_ns: Option<u64>) {
        while self.first < self.last && self.place(self.first).waiting == 0 {
            let intended_ns = self.place(self.first).intended_ns;
            if let (Some(now), Some(intended)) = (now_ns, intended_ns)
                && self.first >= self.frontier
            {
                self.last_byte_times.saturating_record(now.saturating_sub(intended));
            }
            self.first += 1;
        }
        self.frontier = self.frontier.max(self.first);
    }

    /// Makes sure that the numbers from `first` to `last` have a place each.
    #[inline]
    fn make_room(&mut self, first: u32, last: u32) {
        if (last - first) as usize >= self.places.len() {
            self.grow(((last - first) as usize + 1).next_power_of_two());
        }
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        let mut places = vec![Place::default(); len];
        for number in self.first..=self.last {
            places[number as usize & (len - 1)] = *self.place(number);
        }
        self.places = places;
    }

    #[inline]
    fn place(&mut self, number: u32) -> &mut Place {
        let mask = self.places.len() - 1;
        &mut self.places[number as usize & mask]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_complete_when_the_last_has_it() {
        let mut progress = Progress::new();
        progress.join(5);
        progress.join(5);
        assert_eq!(progress.due(), 5);
        progress.deliver(5, 1_000, 1_500);
        assert_eq!(progress.due(), 5);
        progress.deliver(5, 1_000, 3_000);
        assert_eq!(progress.due(), 6);
        let times = progress.take_last_byte_times();
        assert_eq!((times.len(), times.max()), (1, histogram_value(2_000)));
        assert_eq!(progress.take_last_byte_times().len(), 0, "taken is taken");
    }

    /// A value as a histogram gives it back.
    fn histogram_value(value: u64) -> u64 {
        let mut one = histogram();
        one.saturating_record(value);
        one.max()
    }

    #[test]
    fn who_comes_back_holds_up_and_is_not_timed_twice() {
        let mut progress = Progress::new();
        progress.join(0);
        (0..200).for_each(|number| progress.deliver(number, 0, 1));
        assert_eq!((progress.due(), progress.take_last_byte_times().len()), (200, 200));
        progress.join(100);
        assert_eq!(progress.due(), 100);
        (100..200).for_each(|number| progress.deliver(number, 0, 1));
        assert_eq!((progress.due(), progress.take_last_byte_times().len()), (200, 0));
    }

    #[test]
    fn who_leaves_holds_nobody_up() {
        let mut progress = Progress::new();
        progress.join(3);
        progress.join(0);
        assert_eq!(progress.due(), 0);
        progress.leave(0);
        assert_eq!((progress.due(), progress.take_last_byte_times().len()), (3, 0));
        progress.leave(3);
        assert_eq!(progress.due(), 3, "nobody is left, and all before 3 is done");
        progress.join(1);
        assert_eq!(progress.due(), 1);
    }

    #[test]
    fn it_agrees_with_a_list_of_all_subscribers() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut progress, mut waits) = (Progress::new(), Vec::new());
        for _ in 0..20_000 {
            match random.u32(..20) {
                0 => {
                    let number = random.u32(..500);
                    progress.join(number);
                    waits.push(number);
                }
                1 if !waits.is_empty() => {
                    let index = random.usize(..waits.len());
                    progress.leave(waits.swap_remove(index));
                }
                _ if !waits.is_empty() => {
                    let index = random.usize(..waits.len());
                    progress.deliver(waits[index], 0, 0);
                    waits[index] += 1;
                }
                _ => {}
            }
            if let Some(&expected) = waits.iter().min() {
                assert_eq!(progress.due(), expected);
            }
        }
    }
}
