//! A small file system of its own, which can be full or read-only.
//!
//! Mounting is root's. `scripts/test faults` runs in a mount namespace, so that nothing stays behind
//! however the tests end.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder, which is a tmpfs where one can be mounted. It is unmounted when this goes.
pub struct Disk {
    folder: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Mounts one of some MiB at a folder that is there.
    pub fn mount(folder: &Path, size: u32) -> Self {
        let mounted = run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}m,mode=755"), "none"])
            .arg(folder));
        if !mounted {
            println!("    no tmpfs can be mounted (not root?): faults of this disk are left out");
        }
        Self { folder: folder.to_owned(), mounted }
    }

    /// Whether it can be made full and read-only.
    pub fn is_own(&self) -> bool {
        self.mounted
    }

    /// Leaves so many bytes of room.
    pub fn leave(&self, bytes: u64) {
        self.fill();
        let filler = File::options().write(true).open(self.filler()).unwrap();
        filler.set_len(filler.metadata().unwrap().len().saturating_sub(bytes)).unwrap();
    }

    /// Leaves no byte of room.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        for size in [1 << 20, 4 << 10, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    /// Lets nobody write, or everybody again. `false` while something is open for writing.
    pub fn set_read_only(&self, read_only: bool) -> bool {
        let how = if read_only { "remount,ro" } else { "remount,rw" };
        run(Command::new("mount").args(["-o", how]).arg(&self.folder))
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            run(Command::new("umount").arg("--lazy").arg(&self.folder));
        }
    }
}

fn run(command: &mut Command) -> bool {
    command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
