//! What the publishers publish: events that say who made them, the how many-th, and can be checked to the last byte.

use serde_json::{Value, json};

/// The topic and data of the last event of a run.
pub(super) const END: &str = "end";

/// Bytes of the longest padding: with a few hundred on average, some thousand events fill several segments.
const PADDING_BYTES_MAX: u64 = 1200;

/// Names one event: which publisher's, and the how many-th of it, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Label {
    pub(super) publisher: usize,
    pub(super) number: u32,
}

/// An event as somebody was shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) label: Label,
    pub(super) id: Box<str>,
}

impl Label {
    /// Its topic, one for each publisher.
    pub(super) fn topic(self) -> String {
        topic_of(self.publisher)
    }

    /// What a publisher says that names its own events.
    pub(super) fn own_id(self) -> String {
        format!("own_{}_{}", self.publisher, self.number)
    }

    /// Its data.
    pub(super) fn data(self) -> String {
        let Self { publisher, number } = self;
        let mut random = fastrand::Rng::with_seed((publisher as u64) << 32 | u64::from(number));
        let padding = random.u64(0..PADDING_BYTES_MAX) as usize;
        let letters = std::iter::repeat_with(|| random.lowercase()).take(padding);
        format!("{publisher} {number} {}", letters.collect::<String>())
    }

    /// The event to publish.
    pub(super) fn event(self) -> Value {
        json!({"topics": [self.topic()], "data": self.data()})
    }

    /// The event that `data` is of; `None` if it is not, byte for byte, what was published.
    pub(super) fn of(data: &str) -> Option<Self> {
        let mut words = data.splitn(3, ' ');
        let mut number = || words.next()?.parse().ok();
        let (publisher, number): (u32, u32) = (number()?, number()?);
        let label = Self { publisher: publisher as usize, number };
        (label.data() == data).then_some(label)
    }
}

/// The topic of a publisher.
pub(super) fn topic_of(publisher: usize) -> String {
    format!("load/{publisher}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_known_again_to_the_last_byte() {
        for number in 0..100 {
            let label = Label { publisher: 3, number };
            let data = label.data();
            assert_eq!(Label::of(&data), Some(label));
            assert_eq!(Label::of(&format!("{data}x")), None);
        }
        assert_eq!(Label::of("nonsense"), None);
    }
}
