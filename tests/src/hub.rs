//! The real binary as a test's own process: configured, started, watched, and gone with its handle.
//!
//! Invariant: a hub that ends without being told to fails its test, and a failed test shows the hub's log.

mod process;

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::{Errno, FdFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use self::process::{Log, Process};
use crate::binary;
use crate::exchange;
use crate::netns::Namespace;
use crate::refused_calls::{RefusedCall, io_uring, refusing};
use crate::token::HMAC_KEY;
use crate::wait::{PATIENCE, eventually};

/// How a hub is to be configured. Starts from: ports from the OS, two shards, the harness's key, anonymous
/// subscribers allowed, everything else as the hub's defaults.
#[derive(Clone, Debug)]
pub struct HubBuilder {
    settings: Vec<(String, Value)>,
    nofile: Option<u64>,
    namespace: Option<Namespace>,
    faults: Vec<String>,
    refused: Vec<RefusedCall>,
    environment: Vec<(String, String)>,
    /// Sockets that it is started with, and their names.
    sockets: Vec<(&'static str, Arc<OwnedFd>)>,
}

impl HubBuilder {
    /// Sets one setting, such as `limits.per_user`. A later value replaces an earlier one.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.retain(|(k, _)| k != key);
        self.settings.push((key.to_owned(), value.into()));
        self
    }

    /// Leaves a setting to the hub's default.
    #[must_use]
    pub fn unset(mut self, key: &str) -> Self {
        self.settings.retain(|(k, _)| k != key);
        self
    }

    /// Gives it a durable log in this folder, which outlives it: a hub started later on the same folder goes on where
    /// this one ended.
    #[must_use]
    pub fn log_in(self, folder: &Path) -> Self {
        self.set("log.kind", "file").set("log.path", folder.display().to_string())
    }

    /// Starts it under this `RLIMIT_NOFILE`, soft and hard.
    #[must_use]
    pub fn nofile(mut self, limit: u64) -> Self {
        self.nofile = Some(limit);
        self
    }

    /// Lets a system call fail or take its time, as strace(1) spells it behind `inject=`, such as
    /// `fdatasync:error=EIO:when=5`. Calls made through io_uring are not seen.
    #[must_use]
    pub fn fault(mut self, fault: &str) -> Self {
        self.faults.push(fault.to_owned());
        self
    }

    /// Answers these system calls with an error, by a seccomp filter. A later list replaces an earlier one.
    #[must_use]
    pub fn refuse(mut self, calls: Vec<RefusedCall>) -> Self {
        self.refused = calls;
        self
    }

    /// Starts it with this in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Hands it a socket as a service manager does, which keeps it as well.
    #[must_use]
    pub fn socket(mut self, name: &'static str, socket: &Arc<OwnedFd>) -> Self {
        self.sockets.push((name, socket.clone()));
        self
    }

    /// Starts it inside a network namespace.
    #[must_use]
    pub fn inside(mut self, namespace: &Namespace) -> Self {
        self.namespace = Some(namespace.clone());
        self
    }

    /// The configuration as TOML. JSON spells strings, numbers, booleans and arrays of them the same way.
    #[must_use]
    pub fn toml(&self) -> String {
        self.settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start(self) -> Hub {
        self.launch().listening()
    }

    /// Starts it and waits for nothing.
    ///
    /// # Panics
    /// If the binary cannot be run.
    #[must_use]
    pub fn launch(self) -> Launch {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("corecast.toml");
        std::fs::write(&config, self.toml()).expect("the temporary folder can be written");
        let mut command = self.command(&config);
        let mut child = refusing(&self.refused, || command.spawn())
            .unwrap_or_else(|e| panic!("{:?}: {e}", binary::corecast()));
        let log = Log::follow(child.stderr.take().expect("stderr is piped"));
        let process = Process { child, log, expected_to_end: true, kills_group: false };
        Launch { process, config, namespace: self.namespace, folder }
    }

    fn command(&self, config: &Path) -> Command {
        let mut words: Vec<String> = Vec::new();
        if let Some(namespace) = &self.namespace {
            words.extend(["ip", "netns", "exec", namespace.name()].map(str::to_owned));
        }
        if let Some(limit) = self.nofile {
            words.extend(["prlimit".to_owned(), format!("--nofile={limit}:{limit}")]);
        }
        if !self.faults.is_empty() {
            // The hub stays a child of the test, and its tracer ends with it.
            words.extend(["strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null"].map(str::to_owned));
            for fault in &self.faults {
                let call = fault.split(':').next().unwrap_or_default();
                words.extend(["-e".to_owned(), format!("trace={call}")]);
                words.extend(["-e".to_owned(), format!("inject={fault}")]);
            }
        }
        if !self.sockets.is_empty() {
            words.extend(["bash".to_owned(), "-c".to_owned(), self.pass_sockets(), "bash".to_owned()]);
        }
        words.push(binary::corecast().display().to_string());
        words.extend(["serve", "--log-format", "json", "--config"].map(str::to_owned));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(config);
        // A group of its own: an interrupt from the terminal ends the test, and the test ends the hub.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        // Not a setting; the hub need not know what it means.
        command.env_remove("CORECAST_BIN");
        command.envs(self.environment.iter().cloned());
        command
    }

    /// What a shell does to hand sockets on: descriptors from 3 on, and the id of the process that they are for.
    fn pass_sockets(&self) -> String {
        let mut script = String::new();
        for (number, (_, socket)) in self.sockets.iter().enumerate() {
            // The shell must find it under its number, and with the hub's own number nothing may be in the way.
            rustix::io::fcntl_setfd(socket, FdFlags::empty()).expect("an open socket");
            script += &format!("exec {}<&{}; ", SPARE_DESCRIPTOR + number, socket.as_raw_fd());
        }
        for number in 0..self.sockets.len() {
            script +=
                &format!("exec {}<&{spare} {spare}<&-; ", 3 + number, spare = SPARE_DESCRIPTOR + number);
        }
        let names: Vec<&str> = self.sockets.iter().map(|(name, _)| *name).collect();
        let (count, names) = (self.sockets.len(), names.join(":"));
        script + &format!("LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES={names} exec \"$@\"")
    }
}

/// Above what a test process has open.
const SPARE_DESCRIPTOR: usize = 900;

/// A hub that was started and need not have come up: it may be killed, or give up, before it listens.
#[derive(Debug)]
pub struct Launch {
    process: Process,
    config: PathBuf,
    namespace: Option<Namespace>,
    folder: tempfile::TempDir,
}

impl Launch {
    /// Waits until it listens.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn listening(mut self) -> Hub {
        let listening = self.process.log.wait_for_listening(&mut self.process.child);
        let address = |field: &str| {
            listening[field]
                .as_str()
                .and_then(|a| a.parse().ok())
                .unwrap_or_else(|| panic!("{field}: {listening}"))
        };
        let (hub, admin) = (address("hub"), address("admin"));
        self.process.expected_to_end = false;
        let Self { process, config, namespace, folder } = self;
        Hub { process, hub, admin, config, namespace, folder, generations: Vec::new() }
    }

    /// Ends it without a chance to tidy up, wherever it is in its start.
    pub fn kill9(mut self) {
        self.process.kill9();
    }

    /// Waits until it has given up, and gives its exit status and what it said.
    ///
    /// # Panics
    /// If it goes on.
    #[must_use]
    pub fn refusal(mut self) -> (ExitStatus, String) {
        let status = self.process.wait_for_exit(PATIENCE);
        self.process.log.wait_for_end();
        (status, self.process.log.text())
    }
}

/// A running hub.
#[derive(Debug)]
pub struct Hub {
    process: Process,
    hub: SocketAddr,
    admin: SocketAddr,
    config: PathBuf,
    namespace: Option<Namespace>,
    /// The processes that took over, one after the other.
    generations: Vec<Pid>,
    // Last: the files go when the process is gone.
    folder: tempfile::TempDir,
}

/// Whether all hubs of this run are to be without io_uring, as in a container with the usual profile: `scripts/test` runs
/// the suite once more like that.
#[must_use]
pub fn is_without_io_uring() -> bool {
    std::env::var_os("CORECAST_TESTS_WITHOUT_IO_URING").is_some()
}

impl Hub {
    /// A hub with the harness's usual configuration.
    #[must_use]
    pub fn builder() -> HubBuilder {
        let (settings, faults, environment, sockets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let refused = if is_without_io_uring() { io_uring(Errno::PERM) } else { Vec::new() };
        HubBuilder { settings, nofile: None, namespace: None, faults, refused, environment, sockets }
            .set("hub.listen", "127.0.0.1:0")
            .set("hub.shards", 2)
            .set("admin.listen", "127.0.0.1:0")
            .set("auth.hmac_key", HMAC_KEY)
            .set("auth.anonymous", true)
    }

    /// Starts a hub with the harness's usual configuration.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.hub
    }

    /// Where operators look.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The configuration it was started with.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Its own folder, removed with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Resident memory in bytes.
    ///
    /// # Panics
    /// If the kernel does not say.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.child.id()))
            .expect("the hub runs");
        let line =
            status.lines().find(|l| l.starts_with("VmRSS:")).expect("the kernel counts resident memory");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("VmRSS is in KiB");
        kib * 1024
    }

    /// The sum of a metric over all its labels; 0 while it has not been seen yet.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        self.metric_where(name, "")
    }

    /// The sum of a metric over the series whose labels contain `label`, such as `reason="evicted"`.
    ///
    /// # Panics
    /// If the page is not what Prometheus reads.
    #[must_use]
    pub fn metric_where(&self, name: &str, label: &str) -> f64 {
        let page = self.metrics();
        let samples = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("metrics line {line:?}"));
            let (metric, labels) = series.split_once('{').unwrap_or((series, ""));
            (metric, labels, value.parse::<f64>().unwrap_or_else(|e| panic!("metrics line {line:?}: {e}")))
        });
        samples
            .filter(|(metric, labels, _)| *metric == name && labels.contains(label))
            .map(|(_, _, v)| v)
            .sum()
    }

    /// The metrics page.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn metrics(&self) -> String {
        let ask = || exchange::get(self.admin, "/metrics");
        let answer = match &self.namespace {
            Some(namespace) => namespace.run(ask),
            None => ask(),
        };
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer.text().to_owned()
    }

    /// Waits until this many streams are open, no more and no fewer.
    pub fn wait_for_connections(&self, count: usize) {
        let expected = count as f64;
        eventually(PATIENCE, &format!("sse_active_connections {count}"), || {
            (self.metric("sse_active_connections") == expected).then_some(())
        });
    }

    /// Asks it to drain and end.
    ///
    /// # Panics
    /// If it is gone already.
    pub fn sigterm(&mut self) {
        self.process.expected_to_end = true;
        self.signal(Signal::TERM);
    }

    /// Sends the process that serves at present a signal.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the hub runs");
    }

    /// The process that serves at present.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.generations.last().copied().unwrap_or_else(|| Pid::from_child(&self.process.child))
    }

    /// Lets a new process of it take over, and waits until that serves.
    ///
    /// # Panics
    /// If it does not.
    pub fn take_over(&mut self) {
        self.signal(Signal::USR2);
        self.expect_takeover();
    }

    /// Waits until a new process serves that was told to take over.
    ///
    /// # Panics
    /// If none does.
    pub fn expect_takeover(&mut self) {
        self.process.expected_to_end = true;
        self.process.kills_group = true;
        let known = self.generations.len() + 1;
        let listening = eventually(PATIENCE, "a new process listens", || {
            self.process.log.listening().into_iter().nth(known)
        });
        let pid = listening["pid"].as_i64().and_then(|pid| Pid::from_raw(pid as i32));
        self.generations.push(pid.unwrap_or_else(|| panic!("pid: {listening}")));
    }

    /// Waits for the end of the process that serves at present, which need not be the one that was started.
    ///
    /// # Panics
    /// If it goes on.
    pub fn wait_until_gone(&mut self, within: Duration) {
        let Some(pid) = self.generations.last() else {
            self.wait_for_exit(within);
            return;
        };
        let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
        // A process of somebody else's child is a zombie for as long as that does not wait for it.
        let is_gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        eventually(within, "the end of a process that took over", || is_gone().then_some(()));
    }

    /// Asks it to read its configuration again.
    ///
    /// # Panics
    /// If it is gone already.
    pub fn sighup(&self) {
        kill_process(Pid::from_child(&self.process.child), Signal::HUP).expect("the hub runs");
    }

    /// Ends it without a chance to tidy up.
    ///
    /// # Panics
    /// If it has ended by itself before.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end `within` this time.
    pub fn wait_for_exit(&mut self, within: Duration) -> ExitStatus {
        self.process.wait_for_exit(within)
    }

    /// The last lines of what it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log.text()
    }

    /// How many lines of its log contain all these words.
    #[must_use]
    pub fn count_in_log(&self, words: &[&str]) -> usize {
        self.process.log.count(|line| words.iter().all(|word| line.contains(word)))
    }

    /// Waits until one line of its log contains all these words, and gives that line.
    ///
    /// # Panics
    /// If none comes.
    pub fn wait_for_log(&self, words: &[&str]) -> String {
        eventually(PATIENCE, &format!("a line with {words:?} in the log"), || {
            self.process.log.find(|line| words.iter().all(|word| line.contains(word)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_toml() {
        let builder =
            Hub::builder().set("limits.per_user", 2).set("limits.per_user", 3).unset("auth.hmac_key");
        let toml: toml::Table = builder.set("cors.origins", vec!["https://app.test"]).toml().parse().unwrap();
        assert_eq!(toml["limits"]["per_user"].as_integer(), Some(3));
        assert_eq!(toml["cors"]["origins"][0].as_str(), Some("https://app.test"));
        assert_eq!(toml["auth"].as_table().unwrap().len(), 1);
    }
}
