//! The folder of a file log: there and ours, on what, with how much room, and how long a sync takes.
//!
//! The folder is never made. Syncs are measured on a file without a name, so nothing can be left behind. Not here:
//! whether the log that is in it is whole, which the hub finds out when it starts.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access, access, statvfs};

use super::LogPlan;
use super::machine::Machine;
use super::mounts::mount_of;
use super::report::{Check, Finding, Place, Step, Verdict};
use super::text::size;
use crate::config::units::show_bytes;

/// What a sync means for publishers.
const SYNC_MEANING: &str = "A publish is acknowledged after a sync; one sync serves all that wait, so this is latency and not throughput.";

/// Above this a publisher notices.
const SYNC_SLOW: Duration = Duration::from_millis(20);

/// Syncs that are measured, of this many bytes each; fewer where they take long.
const SYNCS: usize = 8;
const SYNC_BYTES: usize = 4096;
const SYNC_PATIENCE: Duration = Duration::from_secs(2);

/// The log reserves room by segments, which are a sixteenth of it and no larger than this.
const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// File systems whose syncs reach the disk, and which stay.
const DURABLE: [&str; 8] = ["ext4", "ext3", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs"];

/// Those that end with the machine, or with the container.
const FLEETING: [&str; 4] = ["tmpfs", "ramfs", "overlay", "aufs"];

/// The rows of the log.
pub(super) fn checks(log: &LogPlan, machine: &Machine) -> Vec<Check> {
    let near = nearest(&log.path);
    let folder = folder(&log.path);
    // What cannot be written to cannot be measured; the first row says why.
    let is_usable = folder.is_usable();
    let mut checks = vec![Check::named("log_folder", "log: folder", folder)];
    if let Some(near) = near {
        checks.push(Check::named("log_file_system", "log: file system", file_system(&near, machine)));
        checks.push(Check::named("log_space", "log: free space", space(log, &near)));
        if is_usable {
            checks.push(Check::named("log_sync", "log: sync", sync(&near)));
        }
    }
    checks
}

/// `path` without symbolic links, or what is there of it.
fn nearest(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    absolute.ancestors().find_map(|path| fs::canonicalize(path).ok().filter(|path| path.is_dir()))
}

fn folder(path: &Path) -> Finding {
    let meaning = "The hub's user must be able to read, write and make files in it.";
    let shown = path.display();
    let finding = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => {
            Finding::new(format!("{shown} is not a folder"), meaning).at_least(Verdict::Fail, true)
        }
        Ok(metadata) => {
            let is_ours = access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_ok();
            let is_open = metadata.permissions().mode() & 0o002 != 0;
            Finding::new(format!("{shown}, {}", rights(&metadata)), meaning)
                .at_least(Verdict::Warn, is_open)
                .at_least(Verdict::Fail, !is_ours)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let can_be_made =
                access(parent.unwrap_or(Path::new(".")), Access::WRITE_OK | Access::EXEC_OK).is_ok();
            let found = if can_be_made { "is not there, the hub makes it" } else { "is not there" };
            Finding::new(format!("{shown} {found}"), meaning).at_least(Verdict::Fail, !can_be_made)
        }
        Err(error) => Finding::new(format!("{shown}: {error}"), meaning).at_least(Verdict::Fail, true),
    };
    let state = path.strip_prefix("/var/lib").ok().filter(|name| name.components().count() > 0);
    let state = state.map(|name| Step::new(Place::Unit, format!("StateDirectory={}", name.display())));
    let install = format!("install -d -m 0750 -o \"$HUB_USER\" {}", quoted(path));
    finding.remedy(state).remedy([Step::new(Place::Shell, install)])
}

fn rights(metadata: &Metadata) -> String {
    let mode = metadata.permissions().mode() & 0o7777;
    format!("owner {}:{}, mode {mode:04o}", metadata.uid(), metadata.gid())
}

/// For a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn file_system(near: &Path, machine: &Machine) -> Finding {
    let meaning = "What is acknowledged survives the machine's power only where a sync reaches the disk.";
    let mount = match mount_of(machine, near) {
        Ok(mount) => mount,
        Err(unread) => return Finding::new(unread.to_string(), meaning).at_least(Verdict::Warn, true),
    };
    let has_no_barrier = mount.options.split(',').any(|option| ["nobarrier", "barrier=0"].contains(&option));
    let kind = super::machine::plain(&mount.kind);
    let found = if has_no_barrier {
        format!("{kind}, without barriers: a sync does not reach the disk")
    } else if FLEETING.contains(&kind.as_str()) {
        format!("{kind}: gone with the machine or the container")
    } else if DURABLE.contains(&kind.as_str()) {
        kind.clone()
    } else {
        format!("{kind}: not known to keep what was synced")
    };
    let is_good = !has_no_barrier && DURABLE.contains(&kind.as_str());
    let step = Step::new(
        Place::Config,
        "[log] path = a folder of a local ext4, xfs, btrfs or zfs, or a volume of it",
    );
    Finding::new(found, meaning).at_least(Verdict::Warn, !is_good).remedy((!is_good).then_some(step))
}

fn space(log: &LogPlan, near: &Path) -> Finding {
    let meaning = "Without room to write the hub refuses publishes.";
    let free = match statvfs(near) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => return Finding::new(error.to_string(), meaning).at_least(Verdict::Warn, true),
    };
    // A segment is begun before the oldest is taken away.
    let one_segment = (log.bytes / 16).min(SEGMENT_BYTES_MAX);
    let used = if log.path.is_dir() { bytes_in(&log.path) } else { 0 };
    let found = format!("{} free, {} of log.bytes = {} used", size(free), size(used), show_bytes(log.bytes));
    let is_short = free < log.bytes.saturating_add(one_segment).saturating_sub(used);
    let lower = Step::new(
        Place::Config,
        format!("[log] bytes = \"{}MiB\"", (free.saturating_add(used) >> 20) * 9 / 10),
    );
    let add = Step::new(Place::Hand, "or make room on that file system");
    Finding::new(found, meaning)
        .at_least(Verdict::Warn, is_short)
        .remedy(is_short.then_some([lower, add]).into_iter().flatten())
}

/// Bytes that the files in `folder` take.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // Blocks are of 512 bytes (stat(2)).
    entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.blocks() * 512).sum()
}

fn sync(near: &Path) -> Finding {
    match measure(near) {
        Ok(times) => judge_sync(&times),
        Err(error) => Finding::new(format!("cannot write and sync a file: {error}"), SYNC_MEANING)
            .at_least(Verdict::Fail, true),
    }
}

/// How long each of some syncs took, sorted.
fn measure(folder: &Path) -> io::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(folder)?;
    let begun = Instant::now();
    let mut times = Vec::with_capacity(SYNCS);
    while times.len() < SYNCS && (times.is_empty() || begun.elapsed() < SYNC_PATIENCE) {
        let before = Instant::now();
        file.write_all(&[0; SYNC_BYTES])?;
        file.sync_data()?;
        times.push(before.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// Judges sorted times.
fn judge_sync(times: &[Duration]) -> Finding {
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let longest = times.last().copied().unwrap_or_default();
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let found = format!("{} (median of {}, longest {})", ms(median), times.len(), ms(longest));
    let step =
        Step::new(Place::Config, "[log] path = a folder on a faster disk, one with a protected write cache");
    let is_slow = median > SYNC_SLOW;
    Finding::new(found, SYNC_MEANING).at_least(Verdict::Warn, is_slow).remedy(is_slow.then_some(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_is_a_warning_and_one_slow_sync_is_not() {
        let ms = |times: &[u64]| times.iter().map(|&ms| Duration::from_millis(ms)).collect::<Vec<_>>();
        for (times, expected) in [
            (ms(&[]), Verdict::Ok),
            (ms(&[1]), Verdict::Ok),
            (ms(&[1, 1, 2, 90]), Verdict::Ok),
            (ms(&[21]), Verdict::Warn),
            (ms(&[1, 30, 30]), Verdict::Warn),
        ] {
            let check = Check::named("log_sync", "log: sync", judge_sync(&times));
            assert_eq!(check.verdict, expected, "{}", check.found);
        }
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("/srv/it's here")), r"'/srv/it'\''s here'");
    }
}
