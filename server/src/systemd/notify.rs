//! Notifications to the service manager (sd_notify(3)). They do nothing without `NOTIFY_SOCKET`.
//!
//! Not here: what is worth saying (`hub::status`), and when a hub is alive (`hub::watchdog`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// The service manager. All clones speak for the same process.
#[derive(Clone, Debug, Default)]
pub struct Service {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Whether another process speaks for the service: the one that this one has yet to take over from, or that took over
    /// from it.
    is_silent: AtomicBool,
    has_failed: AtomicBool,
}

impl Service {
    /// How long the service manager waits for a sign of life before it ends the hub; `None` if it does not.
    #[must_use]
    pub fn watchdog() -> Option<Duration> {
        sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero())
    }

    /// Another process speaks for the service from now on.
    pub fn be_silent(&self) {
        self.shared.is_silent.store(true, Ordering::SeqCst);
    }

    /// This process speaks for the service, and is its main process.
    pub fn take_over(&self) {
        self.shared.is_silent.store(false, Ordering::SeqCst);
        self.tell(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready]);
    }

    /// The hub serves, or does again after [`Service::reloading`].
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The hub reads its configuration anew; [`Service::ready`] says when it is done.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => {
                tracing::warn!(%error, "the clock cannot be read, systemd is not told of the reload")
            }
        }
    }

    /// The hub has begun to stop.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// The hub is alive.
    pub fn alive(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// How the hub is doing, for people: one line.
    pub fn status(&self, text: &str) {
        self.tell(&[NotifyState::Status(&one_line(text))]);
    }

    /// As [`Service::status`], and the start takes up to `more` from now, whatever its time-out.
    pub fn still_starting(&self, text: &str, more: Duration) {
        let more = u32::try_from(more.as_micros()).unwrap_or(u32::MAX);
        self.tell(&[NotifyState::Status(&one_line(text)), NotifyState::ExtendTimeoutUsec(more)]);
    }

    fn tell(&self, what: &[NotifyState<'_>]) {
        if self.shared.is_silent.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = sd_notify::notify(what)
            && !self.shared.has_failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the service manager cannot be told how the hub is doing (NOTIFY_SOCKET)");
        }
    }
}

/// A line break would begin another notification.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line_whatever_is_in_it() {
        assert_eq!(one_line("hub.listen: taken\nREADY=1\r"), "hub.listen: taken READY=1 ");
    }
}
