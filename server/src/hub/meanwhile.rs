//! Saying again and again how far something has come that holds up the thread it runs on.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Works, and says something each `interval` until it is done.
pub(super) fn meanwhile<T>(interval: Duration, say: impl Fn() + Sync, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = channel::<()>();
    std::thread::scope(|scope| {
        // Without a thread nothing is said; the work is what counts.
        let _ = std::thread::Builder::new().name("progress".to_owned()).spawn_scoped(scope, || {
            // Moved here, so that the other end closes when the work is done, however it ends.
            let is_done = is_done;
            while is_done.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                say();
            }
        });
        let worked = work();
        drop(done);
        worked
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn it_is_said_until_the_work_is_done() {
        let said = AtomicU32::new(0);
        let (say, heard) = channel();
        let say = || {
            said.fetch_add(1, Ordering::SeqCst);
            // Nobody listens after the third.
            let _ = say.send(());
        };
        let worked =
            meanwhile(Duration::from_millis(1), say, || (0..3).map(|_| heard.recv().unwrap()).count());
        assert!(worked == 3 && said.load(Ordering::SeqCst) >= 3);
        assert_eq!(meanwhile(Duration::from_secs(60), || panic!("too early"), || 7), 7);
    }
}
