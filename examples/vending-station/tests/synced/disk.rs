//! A disk that holds only what was synced: what a power cut leaves at its worst.

use crate::trace::Step;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A change that is on its way to the disk.
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Cut { length: u64 },
}

/// The files of a store as the disk has them.
pub(crate) struct Disk {
    folder: PathBuf,
    files: BTreeMap<PathBuf, Vec<u8>>,
    pending: BTreeMap<PathBuf, Vec<Change>>,
    /// How many changes each running sync covers.
    covered: BTreeMap<(u32, PathBuf), usize>,
    pub(crate) syncs: u32,
}

impl Disk {
    /// With the files that are in a folder now. The traced program sees the folder by the same path.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let bytes = fs::read(&path).expect("readable");
                files.insert(path, bytes);
            }
        }
        let folder = folder.to_owned();
        Self { folder, files, pending: BTreeMap::new(), covered: BTreeMap::new(), syncs: 0 }
    }

    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Written { path, offset, bytes } => self.later(path, Change::Write { offset, bytes }),
            Step::Cut { path, length } => self.later(path, Change::Cut { length }),
            Step::Removed { path } => {
                self.pending.remove(&path);
                self.files.remove(&path);
            }
            Step::SyncBegun { path, thread } => {
                let covered = self.pending.get(&path).map_or(0, Vec::len);
                self.covered.insert((thread, path), covered);
            }
            Step::SyncDone { path, thread } => {
                let covered = self.covered.remove(&(thread, path.clone())).unwrap_or(0);
                let Some(pending) = self.pending.get_mut(&path) else { return };
                let file = self.files.entry(path).or_default();
                // Two syncs of a file at once would be counted twice; the store has one writer.
                for change in pending.drain(..covered.min(pending.len())) {
                    apply(file, change);
                }
                self.syncs += 1;
            }
            Step::Frame(_) => {}
        }
    }

    /// Writes of the shared-memory index are none of a disk's: it is made again from the log.
    fn later(&mut self, path: PathBuf, change: Change) {
        let name = path.to_string_lossy();
        if path.starts_with(&self.folder) && !name.ends_with("-shm") && !name.ends_with(".lock") {
            self.pending.entry(path).or_default().push(change);
        }
    }

    /// Puts the files into another folder, as after a power cut at this moment.
    pub(crate) fn copy_to(&self, folder: &Path) {
        for (path, bytes) in &self.files {
            let name = path.file_name().expect("a name");
            if !name.to_string_lossy().ends_with("-shm") {
                fs::write(folder.join(name), bytes).expect("written");
            }
        }
    }
}

fn apply(file: &mut Vec<u8>, change: Change) {
    match change {
        Change::Cut { length } => file.resize(usize::try_from(length).expect("small"), 0),
        Change::Write { offset, bytes } => {
            let begin = usize::try_from(offset).expect("small");
            let end = begin + bytes.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[begin..end].copy_from_slice(&bytes);
        }
    }
}
