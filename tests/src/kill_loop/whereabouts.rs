//! Where the hub is at present, as its clients would learn it from a name service, and how far they have come.
//!
//! Invariant: a hub is called gone before it is killed. Who finds it unreachable and asks here is not sent back to it.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A start, and a drain with everybody connected, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    hub: Option<SocketAddr>,
    lives: u32,
    acknowledged: u64,
    turned_away: Vec<String>,
    reopened: u64,
    publishers_may_end: bool,
    seen_enough: bool,
    is_over: bool,
}

/// Ends everybody's waiting when it is dropped.
pub(super) struct EndWithThis<'a>(&'a Whereabouts);

impl Drop for EndWithThis<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.is_over = true);
    }
}

impl Whereabouts {
    pub(super) fn end_with_this(&self) -> EndWithThis<'_> {
        EndWithThis(self)
    }

    /// The hub is here from now on.
    pub(super) fn hub_is_at(&self, addr: SocketAddr) {
        self.change(|state| {
            state.hub = Some(addr);
            state.lives += 1;
        });
    }

    /// The hub is about to be gone.
    pub(super) fn hub_goes(&self) {
        self.change(|state| state.hub = None);
    }

    /// Where the hub is, once it is anywhere after `lives_away` more lives, or in its last; `None` if all is over.
    pub(super) fn find_hub(&self, lives_away: u32) -> Option<SocketAddr> {
        let lives = self.lock().lives + lives_away;
        self.wait("the hub", |state| {
            let is_time = state.lives >= lives || state.publishers_may_end;
            if state.is_over { Some(None) } else { state.hub.filter(|_| is_time).map(Some) }
        })
    }

    /// Publishers have been told `count` times more that an event was taken.
    pub(super) fn acknowledge(&self, count: usize) {
        self.change(|state| state.acknowledged += count as u64);
    }

    /// Somebody was turned away.
    pub(super) fn turn_away(&self, how: String) {
        self.change(|state| state.turned_away.push(how));
    }

    /// Somebody found a kept connection closed.
    pub(super) fn reopen(&self) {
        self.change(|state| state.reopened += 1);
    }

    /// Who was turned away, and how many connections were reopened.
    pub(super) fn into_complaints(self) -> (Vec<String>, u64) {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        (state.turned_away, state.reopened)
    }

    /// Waits for that to have happened so often more.
    pub(super) fn wait_for_acknowledged(&self, more: u64) {
        let enough = self.lock().acknowledged + more;
        self.wait(&format!("{more} acknowledged events"), |state| {
            (state.acknowledged >= enough || state.seen_enough || state.is_over).then_some(())
        });
    }

    /// The hub will stay: publishers end once nothing of theirs is open.
    pub(super) fn let_publishers_end(&self) {
        self.change(|state| state.publishers_may_end = true);
    }

    pub(super) fn may_publishers_end(&self) -> bool {
        let state = self.lock();
        state.publishers_may_end || state.is_over
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Something is wrong already: more lives would only bury it.
    pub(super) fn stop_early(&self) {
        self.change(|state| state.seen_enough = true);
    }

    pub(super) fn has_seen_enough(&self) -> bool {
        self.lock().seen_enough
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&self, what: &str, condition: impl Fn(&State) -> Option<T>) -> T {
        let waiting = |state: &mut State| condition(state).is_none();
        let (state, waited) = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "not within {PATIENCE:?}: {what}");
        condition(&state).expect("the condition ended the wait, and the lock was kept")
    }
}
