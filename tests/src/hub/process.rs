//! The process of a hub, and what it says.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::wait::{PATIENCE, eventually};

/// A hub in trouble repeats itself; the end of its log says why it ended.
const LOG_LINES_SHOWN: usize = 200;

/// The process of a hub. It is gone with this.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) log: Log,
    /// Whether its end is no surprise: it was told to end, or has not come up.
    pub(super) expected_to_end: bool,
    /// Whether others of its group may outlive it.
    pub(super) kills_group: bool,
}

impl Process {
    pub(super) fn kill9(&mut self) {
        let ended = self.child.try_wait().expect("a child can be waited for");
        if let Some(status) = ended.filter(|_| !self.expected_to_end) {
            panic!("the hub ended on its own: {status}\n{}", self.log.text());
        }
        self.expected_to_end = true;
        self.child.kill().expect("a child of ours, not waited for before its end");
        self.child.wait().expect("a child can be waited for");
    }

    pub(super) fn wait_for_exit(&mut self, within: Duration) -> ExitStatus {
        let child = &mut self.child;
        let status =
            eventually(within, "the hub's exit", || child.try_wait().expect("a child can be waited for"));
        self.expected_to_end = true;
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        // None of it can fail in a way that matters: the process may be gone already.
        if self.kills_group {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let pid = self.child.id();
            eprintln!("--- log of the hub with pid {pid} ---\n{}--- end of the log ---", self.log.text());
        } else if let Some(status) = ended.filter(|_| !self.expected_to_end) {
            panic!("the hub ended on its own: {status}\n{}", self.log.text());
        }
    }
}

/// What a hub wrote to stderr, line by line.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<(Mutex<Written>, Condvar)>);

#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    /// Whether nobody can write any more.
    is_over: bool,
}

impl Log {
    pub(super) fn follow(stderr: ChildStderr) -> Self {
        let log = Self(Arc::default());
        let shared = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                shared.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
                shared.0.1.notify_all();
            }
            shared.lock().is_over = true;
            shared.0.1.notify_all();
        });
        log
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn text(&self) -> String {
        let written = self.lock();
        let shown = &written.lines[written.lines.len().saturating_sub(LOG_LINES_SHOWN)..];
        shown.iter().map(|line| format!("{line}\n")).collect()
    }

    pub(super) fn find(&self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        self.lock().lines.iter().find(|line| is_it(line)).cloned()
    }

    pub(super) fn count(&self, is_it: impl Fn(&str) -> bool) -> usize {
        self.lock().lines.iter().filter(|line| is_it(line)).count()
    }

    /// Waits for the last line of a process that has ended.
    pub(super) fn wait_for_end(&self) {
        eventually(PATIENCE, "the end of the log", || self.lock().is_over.then_some(()));
    }

    /// The fields of every line that says so, one for each process.
    pub(super) fn listening(&self) -> Vec<Value> {
        self.lock().lines.iter().filter_map(|line| listening(line)).collect()
    }

    /// The fields of the line that says which addresses were bound.
    pub(super) fn wait_for_listening(&self, child: &mut Child) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut written = self.lock();
        loop {
            if let Some(fields) = written.lines.iter().find_map(|line| listening(line)) {
                return fields;
            }
            let ended = child.try_wait().expect("a child can be waited for");
            if ended.is_some() || Instant::now() > deadline {
                drop(written);
                let _ = child.kill();
                self.wait_for_end();
                panic!("the hub does not listen (ended: {ended:?}):\n{}", self.text());
            }
            let woken = self.0.1.wait_timeout(written, Duration::from_millis(100));
            written = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn listening(line: &str) -> Option<Value> {
    let record: Value = serde_json::from_str(line).ok()?;
    // Structured loggers put an event's own fields either beside the level or below `fields`.
    let fields = record.get("fields").unwrap_or(&record);
    (fields["message"] == "listening").then(|| fields.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listening_line_is_found_in_both_shapes() {
        let flat = r#"{"level":"INFO","message":"listening","hub":"127.0.0.1:1","admin":"127.0.0.1:2"}"#;
        let nested =
            r#"{"level":"INFO","fields":{"message":"listening","hub":"127.0.0.1:1","admin":"127.0.0.1:2"}}"#;
        for line in [flat, nested] {
            assert_eq!(listening(line).unwrap()["hub"], "127.0.0.1:1");
        }
        assert_eq!(listening("not JSON"), None);
        assert_eq!(listening(r#"{"message":"draining"}"#), None);
    }
}
