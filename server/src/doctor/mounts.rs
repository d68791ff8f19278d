//! Which file system a folder is on.

use std::path::Path;

use super::machine::{Machine, Unread, garbage};

const MOUNTINFO: &str = "proc/self/mountinfo";

/// A file system where it is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// As the kernel names it: `ext4`.
    pub(super) kind: String,
    /// Its own options, such as `nobarrier`.
    pub(super) options: String,
}

/// The mount that `folder`, an absolute path without symbolic links, is on.
pub(super) fn mount_of(machine: &Machine, folder: &Path) -> Result<Mount, Unread> {
    let text = machine.text(MOUNTINFO)?;
    let mounts = text.lines().filter_map(parse).filter(|(point, _)| folder.starts_with(point));
    // Of two on the same folder, the later one covers the other: the last of the longest, which is what this returns.
    let mount = mounts.max_by_key(|(point, _)| point.len()).map(|(_, mount)| mount);
    mount.ok_or_else(|| garbage(MOUNTINFO, &format!("no mount for {}", folder.display())))
}

/// Where one line's mount is, and what (proc(5), `/proc/pid/mountinfo`).
fn parse(line: &str) -> Option<(String, Mount)> {
    // A blank in a path is written as an octal escape, so this is the one separator.
    let (place, system) = line.split_once(" - ")?;
    let point = unescape(place.split_whitespace().nth(4)?);
    let mut words = system.split_whitespace();
    let kind = words.next()?.to_owned();
    let options = words.nth(1).unwrap_or_default().to_owned();
    point.starts_with('/').then_some((point, Mount { kind, options }))
}

/// `\040` and the like.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOUNTS: &str = r"22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard
30 27 259:2 / /var/lib rw - xfs /dev/sdb rw
31 27 259:3 / /var/lib rw - btrfs /dev/sdc rw,nobarrier
32 27 0:30 / /srv/a\040b rw master:2 propagate_from:1 - tmpfs tmpfs rw,size=1k
nonsense
33 27
";

    fn machine(mounts: &str) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("proc/self")).unwrap();
        std::fs::write(root.path().join(MOUNTINFO), mounts).unwrap();
        let machine = Machine::at(root.path());
        (root, machine)
    }

    #[test]
    fn the_nearest_mount_is_found_and_the_later_one_covers() {
        let (_root, machine) = machine(MOUNTS);
        for (folder, kind) in [
            ("/var/lib/corecast", "btrfs"),
            ("/var/lib", "btrfs"),
            ("/var/library", "ext4"),
            ("/", "ext4"),
            ("/srv/a b/c", "tmpfs"),
        ] {
            assert_eq!(mount_of(&machine, Path::new(folder)).unwrap().kind, kind, "{folder}");
        }
        assert_eq!(mount_of(&machine, Path::new("/var/lib")).unwrap().options, "rw,nobarrier");
    }

    #[test]
    fn a_list_without_a_root_is_said_to_make_no_sense() {
        let (_root, machine) = machine("");
        assert!(matches!(mount_of(&machine, Path::new("/x")), Err(Unread::Garbage(..))));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "\\PC{0,60}", escaped in "(\\\\[0-9é]{0,4}){0,4}") {
            let _ = (parse(&line), unescape(&escaped), parse(&format!("1 2 3 / /{escaped} rw - {line}")));
        }
    }
}
