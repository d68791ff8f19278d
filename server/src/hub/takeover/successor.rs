//! The side of the hub that is taken over from.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc as wait};
use std::time::Duration;

use tokio::sync::mpsc;

use super::link::{Heard, Link};
use super::{VARIABLE, VERSION, words};
use crate::systemd::Sockets;
use crate::systemd::sockets::{ADMIN, HUB};

/// How long a process that takes over may be silent before it is prepared.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long it may take to open the log: 100 GiB on a good disk.
const OPEN_MAX: Duration = Duration::from_secs(300);

/// What this process was started by, so that the same can be started again.
#[derive(Clone, Debug)]
pub(in crate::hub) struct Executable {
    /// The path that was executed, not the file: an upgrade puts another file there.
    path: PathBuf,
    arguments: Vec<OsString>,
    /// What the environment must have besides.
    environment: Vec<(String, String)>,
}

/// What a process that takes over has said, or what is to be said of it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::hub) enum Said {
    /// It waits for the log.
    Prepared,
    /// It serves clients.
    Serving,
    /// Nothing will come of it, and it is gone.
    Failed(String),
}

/// A process that takes over.
#[derive(Debug)]
pub(in crate::hub) struct Successor {
    pid: u32,
    child: Arc<Mutex<Child>>,
    said: mpsc::Receiver<Said>,
    hand_over: wait::Sender<()>,
}

impl Executable {
    /// To be asked at the start: relative paths, and links on the way, may lead elsewhere later.
    pub(in crate::hub) fn of_this_process(environment: Vec<(String, String)>) -> io::Result<Self> {
        let executed = Path::new(OsStr::from_bytes(rustix::param::linux_execfn().to_bytes()));
        let path = std::path::absolute(executed)?;
        Ok(Self { path, arguments: std::env::args_os().skip(1).collect(), environment })
    }

    fn command(&self, stdin: OwnedFd) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.env(VARIABLE, format!("{VERSION}:{}", std::process::id()));
        // These are about the process that they were set for, by its id or by what it was started with.
        for other in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"] {
            command.env_remove(other);
        }
        command.stdin(Stdio::from(stdin));
        command
    }
}

impl Successor {
    /// Starts it and hands it the sockets. What it says comes by [`Successor::next`].
    pub(in crate::hub) fn start(executable: &Executable, sockets: Sockets) -> io::Result<Self> {
        let (link, other) = Link::pair()?;
        let path = executable.path.display().to_string();
        let child = executable.command(other).spawn();
        let child = child.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
        let pid = child.id();
        let child = Arc::new(Mutex::new(child));
        let (told, said) = mpsc::channel(2);
        let (hand_over, may_have_log) = wait::channel();
        let watched = child.clone();
        let watch = move || {
            let outcome = converse(&link, sockets, &told, &may_have_log);
            if let Err(reason) = outcome {
                let reason = format!("{reason}{}", end(&watched));
                // Nobody listens any more if this hub has stopped meanwhile.
                let _ = told.blocking_send(Said::Failed(reason));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("takeover".to_owned()).spawn(watch) {
            end(&child);
            return Err(error);
        }
        Ok(Self { pid, child, said, hand_over })
    }

    /// Its process.
    pub(in crate::hub) fn pid(&self) -> u32 {
        self.pid
    }

    /// What it says next.
    pub(in crate::hub) async fn next(&mut self) -> Said {
        let ended = || Said::Failed("its watch ended".to_owned());
        self.said.recv().await.unwrap_or_else(ended)
    }

    /// The log is closed: it may open it, as soon as it is prepared.
    pub(in crate::hub) fn hand_over(&self) {
        // A watch that has ended has said so.
        let _ = self.hand_over.send(());
    }

    /// Ends it.
    pub(in crate::hub) fn abandon(self) {
        end(&self.child);
    }
}

/// Ends the process unless it has ended by itself, and tells how in that case. One that is just ending is not disturbed: its
/// status is fixed by then.
fn end(child: &Mutex<Child>) -> String {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    match child.kill().and_then(|()| child.wait()) {
        Ok(status) if status.code().is_some() => format!(" ({status}); what it wrote says why"),
        Ok(_) => String::new(),
        Err(error) => {
            tracing::warn!(%error, "a process that was to take over cannot be ended");
            String::new()
        }
    }
}

/// All that is said, from the first word to the last; or why it was cut short.
fn converse(
    link: &Link,
    sockets: Sockets,
    told: &mpsc::Sender<Said>,
    may_have_log: &wait::Receiver<()>,
) -> Result<(), String> {
    hand_sockets(link, sockets).map_err(|error| format!("it cannot be handed the sockets: {error}"))?;
    expect(link, words::PREPARED, SILENCE_MAX)?;
    // Here and below: who is told has gone only if the hub has stopped, and then the new process is ended with this link.
    let _ = told.blocking_send(Said::Prepared);
    may_have_log.recv().map_err(|_| "this hub has stopped".to_owned())?;
    link.send(words::YOURS, None).map_err(|error| format!("it cannot be told: {error}"))?;
    expect(link, words::SERVING, OPEN_MAX)?;
    let _ = told.blocking_send(Said::Serving);
    Ok(())
}

fn hand_sockets(link: &Link, sockets: Sockets) -> io::Result<()> {
    use std::os::fd::AsFd as _;
    for socket in &sockets.hub {
        link.send(HUB, Some(socket.as_fd()))?;
    }
    if let Some(socket) = &sockets.admin {
        link.send(ADMIN, Some(socket.as_fd()))?;
    }
    link.send(words::SOCKETS_END, None)
}

fn expect(link: &Link, expected: &str, silence_max: Duration) -> Result<(), String> {
    loop {
        match link.receive(Some(silence_max)) {
            Ok(Heard::Word(word, _)) if word == expected => return Ok(()),
            Ok(Heard::Word(word, _)) if word == words::STILL_PREPARING => {}
            Ok(Heard::Word(word, _)) => {
                return Err(match word.strip_prefix(words::FAILED) {
                    Some(reason) => reason.to_owned(),
                    None => format!("it said {word:?} where {expected:?} was expected"),
                });
            }
            Ok(Heard::Silence) => return Err(format!("it said nothing for {silence_max:?}")),
            Ok(Heard::End) => return Err(format!("it ended before it was {expected}")),
            Err(error) => return Err(format!("the link to it failed: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Executable {
        let arguments = ["-c", script].map(OsString::from).to_vec();
        Executable { path: "/bin/sh".into(), arguments, environment: Vec::new() }
    }

    fn outcome(executable: &Executable) -> Said {
        let mut successor = Successor::start(executable, Sockets::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(successor.next())
    }

    #[test]
    fn a_process_that_ends_before_it_is_prepared_has_failed() {
        let Said::Failed(reason) = outcome(&shell("exit 3")) else { panic!("it has failed") };
        assert!(reason.contains("ended before it was prepared"), "{reason}");
    }

    #[test]
    fn a_binary_that_is_gone_is_named() {
        let executable = Executable { path: "/nowhere/corecast".into(), ..shell("") };
        let error = Successor::start(&executable, Sockets::default()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/corecast"), "{error}");
    }

    #[test]
    fn what_another_may_not_have_is_not_passed_on() {
        let (link, other) = Link::pair().unwrap();
        let command = shell("").command(other);
        let removed: Vec<_> =
            command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(removed.contains(&OsStr::new("LISTEN_FDS")) && removed.contains(&OsStr::new("WATCHDOG_PID")));
        drop(link);
    }
}
