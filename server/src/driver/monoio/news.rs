//! What the watches have told since the last turn.

use std::cell::RefCell;
use std::task::Waker;

use corecast_core::connection::ConnectionId;

use crate::driver::sockets::Watch;

/// What a watch tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The watch of a connection has ended.
    Ready(ConnectionId, Watch),
    /// Connections wait at the listener with this number.
    Acceptable(usize),
    /// Another thread has something for the shard.
    Woken,
}

/// All of it, in order; whoever tells something wakes the shard. At most one entry for each watch, of which a connection
/// has two, and one for each wake.
pub(super) struct News {
    told: RefCell<Vec<Told>>,
    shard: Waker,
}

impl News {
    /// None yet, and who is to be woken.
    pub(super) fn new(shard: Waker) -> Self {
        Self { told: RefCell::default(), shard }
    }

    pub(super) fn tell(&self, told: Told) {
        self.told.borrow_mut().push(told);
        self.shard.wake_by_ref();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.told.borrow().is_empty()
    }

    /// Gives what there is for `taken`, which is empty, to keep the room of both.
    pub(super) fn swap(&self, taken: &mut Vec<Told>) {
        std::mem::swap(&mut *self.told.borrow_mut(), taken);
    }
}
