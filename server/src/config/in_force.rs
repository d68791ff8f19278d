//! The configuration in force: what was read at the start, and then what each reload has come to.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Config, Loaded};

/// All clones show the same hub.
#[derive(Clone, Debug)]
pub struct InForce {
    last: Arc<RwLock<Arc<Loaded>>>,
}

impl InForce {
    /// Of a hub that starts with this.
    #[must_use]
    pub fn new(loaded: Loaded) -> Self {
        Self { last: Arc::new(RwLock::new(Arc::new(loaded))) }
    }

    /// At this moment.
    #[must_use]
    pub fn now(&self) -> Arc<Loaded> {
        Arc::clone(&self.last.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The values at this moment.
    #[must_use]
    pub fn config(&self) -> Config {
        self.now().config.clone()
    }

    /// This is in force from now on.
    pub(crate) fn replace(&self, loaded: Loaded) {
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
    }
}
