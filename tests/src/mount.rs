//! Mounting file systems for tests.

use std::path::Path;
use std::process::Command;

const REMEDY: &str = "file systems are mounted by root (or with CAP_SYS_ADMIN) and need tmpfs, loop devices and e2fsprogs: \
                      run the tests as root, in a container with --privileged";

/// Runs a command that makes, mounts or unmounts a file system.
///
/// # Panics
/// With the remedy, where the machine does not allow it.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; {REMEDY}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}; {REMEDY}");
}

/// Unmounts lazily: a hub of a failed test may still be in it, and the kernel gives the files of a killed one back a
/// little later.
pub(crate) fn unmount(path: &Path) {
    // It fails if nothing is mounted there any more, which is what is wanted.
    let _ = Command::new("umount").arg("--lazy").arg(path).status();
}
