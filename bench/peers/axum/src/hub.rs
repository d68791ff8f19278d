//! Who listens: one broadcast channel for all, and a channel for the stream of each user.
//!
//! Invariant: a user has one stream; a newer one ends the older. Whoever falls behind is disconnected.
//! Not here: HTTP, and tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{Stream, stream};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;

/// Events that a stream may be behind. Beyond it tokio's broadcast drops the oldest, so the stream has to end.
const BEHIND_MAX: usize = 1024;

/// Events to one user that wait for its stream. tokio allocates them in blocks of 32.
const OWN_BEHIND_MAX: usize = 256;

/// Data of an event, shared by all whom it is for.
pub(crate) type Data = Arc<str>;

#[derive(Debug)]
pub(crate) struct Hub {
    all: broadcast::Sender<Data>,
    users: Mutex<HashMap<Arc<str>, mpsc::Sender<Data>>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { all: broadcast::Sender::new(BEHIND_MAX), users: Mutex::default() }
    }

    /// To every stream. Nobody need be there.
    pub(crate) fn publish_all(&self, data: Data) {
        // It fails only if there is no stream.
        let _ = self.all.send(data);
    }

    /// To the stream of a user, if there is one. If that is too far behind, it ends.
    pub(crate) fn publish_user(&self, user: &str, data: Data) {
        let mut users = self.lock();
        if users.get(user).is_some_and(|own| own.try_send(data).is_err()) {
            users.remove(user);
        }
    }

    /// What a stream without a user is sent.
    pub(crate) fn subscribe(&self) -> impl Stream<Item = Data> + use<> {
        stream::unfold(self.all.subscribe(), |mut all| async move {
            match all.recv().await {
                Ok(data) => Some((data, all)),
                Err(RecvError::Lagged(_) | RecvError::Closed) => None,
            }
        })
    }

    /// What the stream of `user` is sent.
    pub(crate) fn subscribe_user(self: &Arc<Self>, user: &str) -> impl Stream<Item = Data> + use<> {
        let user: Arc<str> = user.into();
        let (own, receiver) = mpsc::channel(OWN_BEHIND_MAX);
        self.lock().insert(Arc::clone(&user), own.clone());
        let seat = Seat { hub: Arc::clone(self), user, own: own.downgrade() };
        stream::unfold((self.all.subscribe(), receiver, seat), |(mut all, mut own, seat)| async move {
            let data = tokio::select! {
                data = all.recv() => data.ok(),
                data = own.recv() => data,
            };
            data.map(|data| (data, (all, own, seat)))
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, mpsc::Sender<Data>>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user's place in the map, given up with the stream.
struct Seat {
    hub: Arc<Hub>,
    user: Arc<str>,
    own: mpsc::WeakSender<Data>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut users = self.hub.lock();
        // A newer stream of the user may have taken it.
        let is_own =
            |current: &mpsc::Sender<Data>| self.own.upgrade().is_some_and(|own| own.same_channel(current));
        if users.get(&self.user).is_some_and(is_own) {
            users.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_user_has_own_events_and_those_to_all() {
        let hub = Arc::new(Hub::new());
        let mut alice = Box::pin(hub.subscribe_user("alice"));
        let mut nobody = Box::pin(hub.subscribe());
        hub.publish_user("alice", "1".into());
        assert_eq!(alice.next().await.as_deref(), Some("1"));
        hub.publish_all("2".into());
        assert_eq!(alice.next().await.as_deref(), Some("2"));
        assert_eq!(nobody.next().await.as_deref(), Some("2"));
    }

    #[tokio::test]
    async fn a_newer_stream_ends_the_older_and_keeps_its_place() {
        let hub = Arc::new(Hub::new());
        let mut older = Box::pin(hub.subscribe_user("alice"));
        let mut newer = Box::pin(hub.subscribe_user("alice"));
        assert_eq!(older.next().await, None);
        drop(older);
        hub.publish_user("alice", "1".into());
        assert_eq!(newer.next().await.as_deref(), Some("1"));
        drop(newer);
        assert!(hub.lock().is_empty());
    }

    #[tokio::test]
    async fn who_is_too_far_behind_is_disconnected() {
        let hub = Arc::new(Hub::new());
        let mut alice = Box::pin(hub.subscribe_user("alice"));
        let bob = hub.subscribe_user("bob");
        for _ in 0..=OWN_BEHIND_MAX {
            hub.publish_user("bob", "own".into());
        }
        assert_eq!(bob.count().await, OWN_BEHIND_MAX);
        for _ in 0..=BEHIND_MAX {
            hub.publish_all("all".into());
        }
        assert_eq!(alice.next().await, None);
    }
}
