//! A disk of a test's own whose power can be lost: what was not synced is gone.
//!
//! It is an ext4 file system in a file, mounted so that the kernel writes to it only what somebody asks it to sync
//! (a journal commit every 5 min, and dirty pages stay in memory for 30 s by default, vm.dirty_expire_centisecs).
//! Once all who write are dead, the file is what a machine would find after its power came back.
//! Not here: writes that are torn or in another order. Those need a disk that lies; the simulator has one.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use crate::mount::{run, unmount};

/// See the module. It is unmounted with its handle.
#[derive(Debug)]
pub struct CrashDisk {
    folder: tempfile::TempDir,
    losses: u32,
}

impl CrashDisk {
    /// Makes and mounts one of so many bytes.
    ///
    /// # Panics
    /// With the remedy, where the machine does not allow it.
    #[must_use]
    pub fn mount(bytes: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Self { folder, losses: 0 };
        fs::create_dir(disk.path()).expect("a new folder");
        let image = File::create_new(disk.image()).expect("a new file");
        image.set_len(bytes).expect("a sparse file");
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()));
        disk.mount_image();
        // What mkfs and mount have done is not what is to be lost.
        run(Command::new("sync").arg("--file-system").arg(disk.path()));
        disk
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// Loses power and gets it back. Who had files open here must be dead.
    ///
    /// # Panics
    /// If what is left cannot be mounted.
    pub fn lose_power(&mut self) {
        let before = self.image();
        self.losses += 1;
        fs::copy(&before, self.image()).unwrap_or_else(|e| panic!("{}: {e}", self.image().display()));
        unmount(&self.path());
        self.mount_image();
        fs::remove_file(before).expect("a file of ours");
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join(format!("image-{}", self.losses))
    }

    fn mount_image(&self) {
        run(Command::new("mount").args(["-o", "loop,commit=300"]).arg(self.image()).arg(self.path()));
    }
}

impl Drop for CrashDisk {
    fn drop(&mut self) {
        unmount(&self.path());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_what_was_synced_outlives_a_loss_of_power() {
        let mut disk = CrashDisk::mount(16 << 20);
        for round in 0..3 {
            let [kept, half, lost] =
                ["kept", "half", "lost"].map(|name| disk.path().join(format!("{name}-{round}")));
            let mut file = File::create(&kept).unwrap();
            file.write_all(b"kept").unwrap();
            file.sync_all().unwrap();
            let mut file = File::create(&half).unwrap();
            file.write_all(b"kept").unwrap();
            file.sync_all().unwrap();
            file.write_all(b" and lost").unwrap();
            fs::write(&lost, "lost").unwrap();
            drop(file);
            disk.lose_power();
            for path in [kept, half] {
                assert_eq!(fs::read_to_string(path).unwrap(), "kept", "what was synced is there");
            }
            assert!(!lost.exists(), "what was not synced is gone");
        }
    }
}
