//! Who sends next: a line of connections per kind of work, and the order in which the lines take turns.
//!
//! A connection may stand in a line that no longer concerns it; whoever takes it out looks.
//! Not here: what is sent.

use std::collections::VecDeque;

/// The lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Answers, greetings, goodbyes, rests of cut frames.
    Outgoing,
    /// Events for few: they do not stand behind an event for all.
    Few,
    /// Events for many.
    Many,
    /// From history.
    Feed,
    Heartbeat,
}

/// The order of taking turns: fan-out has half of the places, and nobody waits for more than eight sends.
const ROTA: [Source; 8] = [
    Source::Outgoing,
    Source::Many,
    Source::Few,
    Source::Many,
    Source::Feed,
    Source::Many,
    Source::Heartbeat,
    Source::Many,
];

/// One line for each `Source`.
const SOURCES: usize = Source::Heartbeat as usize + 1;

#[derive(Debug, Default)]
pub(super) struct Queues {
    lines: [VecDeque<u32>; SOURCES],
    /// Which lines have anybody, a bit each: an empty one costs a fan-out a bit test per send.
    occupied: u8,
    /// Who has had its send this turn and wants another.
    next_turn: Vec<(Source, u32)>,
    rota: u8,
}

impl Source {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Queues {
    /// `index` stands in line.
    #[inline]
    pub(super) fn push(&mut self, source: Source, index: u32) {
        self.occupied |= source.bit();
        self.lines[source as usize].push_back(index);
    }

    /// `index` stands in line from the next turn on.
    pub(super) fn push_next_turn(&mut self, source: Source, index: u32) {
        self.next_turn.push((source, index));
    }

    /// Whose turn it is.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Source, u32)> {
        if self.occupied == 0 {
            return None;
        }
        let source = loop {
            let source = ROTA[self.rota as usize % ROTA.len()];
            self.rota = self.rota.wrapping_add(1);
            if self.occupied & source.bit() != 0 {
                break source;
            }
        };
        let line = &mut self.lines[source as usize];
        let index = line.pop_front()?;
        if line.is_empty() {
            self.occupied &= !source.bit();
        }
        Some((source, index))
    }

    /// Who wanted another send stands in line again.
    pub(super) fn begin_turn(&mut self) {
        let mut next_turn = std::mem::take(&mut self.next_turn);
        for (source, index) in next_turn.drain(..) {
            self.push(source, index);
        }
        self.next_turn = next_turn;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.occupied == 0 && self.next_turn.is_empty()
    }
}
