//! The engine's invariants as a check that costs O(connections): for tests and the simulator.

use crate::connection::state::{Phase, State};

use super::Engine;

impl Engine {
    /// Panics if an invariant is broken.
    ///
    /// # Panics
    /// With the invariant.
    pub fn assert_invariants(&self) {
        self.arena.assert_invariants();
        self.topics.assert_invariants();
        self.users.assert_invariants();
        self.history.assert_invariants();
        self.wheel.assert_invariants();
        let mut streams = 0;
        let mut behind = 0;
        let mut intake_bytes = 0;
        let mut phases = [0; Phase::COUNT];
        for (id, connection) in self.arena.iter() {
            let row = &self.hot[id.index as usize];
            phases[connection.state.phase().index()] += 1;
            assert_eq!(row.generation, id.generation, "the hot row is of the same owner");
            let stream = connection.state.stream();
            assert!(row.live || row.pending == 0, "only live streams wait for events");
            assert!(
                !row.live || stream.is_some_and(|stream| stream.cursor().is_none()),
                "a live stream has no cursor"
            );
            if let Some(stream) = stream {
                streams += 1;
                assert_eq!(row.live, stream.cursor().is_none(), "a stream is live or fed");
                if let Some(cursor) = stream.cursor() {
                    behind += 1;
                    assert!(
                        self.behind.contains(&(cursor, id.index)),
                        "who is fed stands in line by its cursor"
                    );
                }
                assert!(!row.live || !self.outgoing.contains_key(&id.index), "what is cut is finished first");
                let is_fed = !row.live && !self.ahead.iter().any(|&(_, index)| index == id.index);
                let is_to_be_armed = is_fed || self.to_rearm.contains(&id.index);
                assert!(
                    self.wheel.is_armed(id.index)
                        || self.settings.stream.heartbeat.is_none()
                        || is_to_be_armed,
                    "a stream that waits has a timer"
                );
            }
            if let State::Head(intake) | State::Publishing(intake) | State::Answering(intake) =
                &connection.state
            {
                intake_bytes += intake.accounted();
            }
        }
        assert!(self.ahead.is_subset(&self.behind), "who is ahead waits with a cursor");
        self.assert_replay_invariants();
        assert_eq!(streams, self.streams, "streams");
        assert_eq!(phases, self.phases, "connections in each phase");
        assert_eq!(behind, self.behind.len(), "streams that are fed");
        assert_eq!(intake_bytes, self.intake_bytes, "bytes of incomplete requests");
        for (slot, waiting) in self.window.waiting() {
            let pending = self.hot.iter().filter(|row| row.pending & (1 << slot) != 0).count();
            assert_eq!(pending, waiting as usize, "slot {slot} of the window is waited for");
        }
    }
}
