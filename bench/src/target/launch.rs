//! Starting a program on its core, and waiting until it serves.
//!
//! Not here: its processes once they run (`process`), and what each target wants to be told at start.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

use super::ProcessTree;

/// Long enough for a slow machine; whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks. Peers open their ports within milliseconds, and a look costs them next to nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The head of an answer that says whether a server is ready.
const ANSWER_BYTES_MAX: usize = 4096;

/// A command whose process is asked to end when the calling thread does, however that ends: an interrupted measurement
/// must not leave a server behind that disturbs the next.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    // setpriv sets PR_SET_PDEATHSIG, which survives its exec; the standard library can do so only with unsafe code.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// Starts `command` with all its threads on `core`, in a process group of its own; what it writes is kept.
pub(super) fn start(command: &mut Command, core: usize) -> anyhow::Result<ProcessTree> {
    // Some servers tell on stdout what is wrong.
    let (output, input) = io::pipe().context("a pipe")?;
    command.process_group(0).stdin(Stdio::null()).stderr(input.try_clone().context("a pipe")?).stdout(input);
    // A child has the affinity of the thread that starts it.
    let before = sched_getaffinity(None).context("the cores of this thread")?;
    let mut only = CpuSet::new();
    if core >= CpuSet::MAX_CPU {
        bail!("core {core} is beyond {}, the last that can be named", CpuSet::MAX_CPU - 1);
    }
    only.set(core);
    sched_setaffinity(None, &only).with_context(|| format!("core {core} cannot be used"))?;
    let child = command.spawn();
    sched_setaffinity(None, &before).context("the cores of this thread")?;
    // The command has ends of the pipe too; as long as it has, the output seems not to end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = child.context("setpriv, of the package util-linux, cannot be started")?;
    Ok(ProcessTree::with_output(child, output))
}

/// Waits until `look` finds what it looks for.
pub(super) fn wait_for<T>(
    tree: &ProcessTree,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        tree.check()?;
        if Instant::now() > deadline {
            bail!("no {what} within {PATIENCE:?}; it wrote: {}", tree.said());
        }
        thread::park_timeout(LOOK_AGAIN);
    }
}

/// Waits until somebody accepts connections at `address`.
pub(super) fn wait_for_port(tree: &ProcessTree, address: SocketAddr) -> anyhow::Result<()> {
    wait_for(tree, &format!("server on {address}"), || TcpStream::connect(reachable(address)).ok().map(drop))
}

/// Sends `request` and returns the status of the answer, if there is one.
pub(super) fn status_of(address: SocketAddr, request: &[u8]) -> io::Result<u16> {
    let head = answer_of(address, request, |answer| answer.contains(&b'\n'))?;
    let status = head.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no HTTP answer"))
}

/// Sends `request` and returns the head of the answer.
pub(super) fn head_of(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    answer_of(address, request, |answer| memchr::memmem::find(answer, b"\r\n\r\n").is_some())
}

/// Sends `request` on a connection of its own and returns the answer once `is_whole`, or all there is.
pub(super) fn answer_of(
    address: SocketAddr,
    request: &[u8],
    is_whole: impl Fn(&[u8]) -> bool,
) -> io::Result<String> {
    let mut stream = TcpStream::connect(reachable(address))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    while answer.len() < ANSWER_BYTES_MAX {
        let mut bytes = [0; 512];
        let read = match stream.read(&mut bytes) {
            // A read with a timeout is not begun again by the kernel when a process is stopped and goes on (signal(7)).
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        answer.extend_from_slice(&bytes[..read]);
        if read == 0 || is_whole(&answer) {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A port that nobody has. Somebody may take it before the program does, which then says so and ends.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).context("a free port")?;
    Ok(listener.local_addr().context("a free port")?.port())
}

/// Where a listener on `address` can be reached.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    }
    address
}

/// A folder for a target's files, which goes with it: below `data`, or among temporary ones.
pub(super) fn folder(data: Option<&Path>) -> anyhow::Result<TempDir> {
    let parent = data.map_or_else(std::env::temp_dir, Path::to_owned);
    let made = tempfile::Builder::new().prefix("corecast-bench-").tempdir_in(&parent);
    made.with_context(|| format!("no folder can be made in {}", parent.display()))
}

/// Where programs are that `scripts/bench-peers` gets: beside the folder of this program.
pub(super) fn peers_folder() -> anyhow::Result<PathBuf> {
    Ok(release_folder()?.with_file_name("peers"))
}

/// Finds a program that is named by a path or stands in one of `folders` or of `PATH`.
pub(super) fn find_program(
    given: Option<&Path>,
    name: &str,
    folders: &[PathBuf],
    remedy: &str,
) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        if path.is_file() {
            return Ok(path.to_owned());
        }
        bail!("{} is no file", path.display());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons of distributions are where only root looks.
    let system = ["/usr/sbin", "/usr/bin"].map(PathBuf::from);
    let mut places = folders.iter().cloned().chain(std::env::split_paths(&path)).chain(system);
    let found = places.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()));
    found.with_context(|| format!("the program {name} is not installed: {remedy}"))
}

/// Where cargo puts what is measured, which is optimised whatever this program is: beside the folder of this program.
pub(super) fn release_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let folder = own.parent().context("the path of this program")?;
    // A test is a folder deeper.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.with_file_name("release"))
}

/// Why a server that needs a descriptor for each connection cannot have `count` of them here.
pub(super) fn beyond_nofile(count: u32) -> Option<&'static str> {
    // Beside connections: files, listeners, polls.
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX).saturating_sub(64);
    (u64::from(count) > most).then_some("each connection needs a descriptor: more than RLIMIT_NOFILE allows")
}

/// What a program prints of itself, on whichever of the two outputs.
pub(super) fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    if !output.status.success() {
        bail!("{command:?} failed: {text}");
    }
    Ok(text)
}

/// A core that this thread may use.
#[cfg(test)]
pub(super) fn first_core() -> usize {
    let cores = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).find(|&core| cores.is_set(core)).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> ProcessTree {
        start(command("sh").args(["-c", script]), first_core()).unwrap()
    }

    #[test]
    fn a_program_runs_on_its_core_alone_and_this_thread_where_it_did() {
        let before = sched_getaffinity(None).unwrap();
        let tree = shell("grep Cpus_allowed_list /proc/self/status >&2; sleep 1000");
        let line = wait_for(&tree, "answer", || tree.find_said(|line| Some(line.to_owned()))).unwrap();
        assert_eq!(line.split_whitespace().nth(1), Some(first_core().to_string().as_str()));
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }

    #[test]
    fn a_program_ends_with_the_thread_that_started_it() {
        let id = thread::spawn(|| {
            let tree = shell("echo up >&2; exec sleep 1000");
            wait_for(&tree, "line", || tree.find_said(|line| (line == "up").then_some(()))).unwrap();
            let id = tree.root();
            // Nobody ends it: as if this thread had been killed.
            std::mem::forget(tree);
            id
        });
        let id = id.join().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let is_running = || {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z"))
        };
        while is_running() {
            assert!(Instant::now() < deadline, "it still runs");
            thread::park_timeout(LOOK_AGAIN);
        }
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        let cases = [
            (start(command("/no/such").arg("x"), first_core()).unwrap().wait_for_end(), "/no/such"),
            (start(&mut command("sh"), 100_000).unwrap_err().to_string(), "core 100000 is beyond"),
            (find_program(Some(Path::new("/no/such")), "x", &[], "").unwrap_err().to_string(), "is no file"),
            (
                find_program(None, "no-such-program", &[], "apt-get install it").unwrap_err().to_string(),
                "not installed: apt-get install it",
            ),
        ];
        for (error, expected) in cases {
            assert!(error.contains(expected), "{error} does not tell of {expected}");
        }
    }

    impl ProcessTree {
        fn wait_for_end(self) -> String {
            wait_for(&self, "end", || self.check().err()).unwrap().to_string()
        }
    }
}
