//! What a collector has begun: a file to which each command is written, durably, before its first byte reaches a bus. After a
//! crash a begun command is never begun again; that its outcome is unknown is its result, and the meter will show it.

use meter_protocol::seal::message::MessageId;
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Commands that are remembered after their result was acknowledged.
pub const KEPT: usize = 4096;
/// Commands without a result that the station has. No other is begun then.
pub const OPEN_MAX: usize = 1024;
/// The file is written anew when it is longer than this, and than twice what was left the last time.
const REWRITE_BYTES: u64 = 4 << 20;
/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A journal that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file.
    #[error("{}: {error}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process has it.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// Its path.
        path: PathBuf,
    },
    /// Longer than a journal gets. Read in part it would forget commands.
    #[error("{} has more than {FILE_BYTES_MAX} bytes", path.display())]
    TooLong {
        /// Its path.
        path: PathBuf,
    },
    /// A line that is none.
    #[error("{} line {line} is damaged", path.display())]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

/// How far a command is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It may have reached the bus.
    Begun {
        /// The meter, as the writer named it.
        meter: String,
    },
    /// It is done.
    Ended {
        /// The message that says so.
        result: Vec<u8>,
        /// The station has it.
        acknowledged: bool,
    },
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Length at which it is written anew.
    rewrite_at: u64,
    starts: u32,
    entries: BTreeMap<MessageId, Entry>,
    /// In the order in which they were begun.
    order: VecDeque<MessageId>,
    _lock: File,
}

impl Journal {
    /// Opens or creates the file, and counts this start.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] for a line that was not torn by a crash, [`JournalError::TooLong`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::File { path: path.into(), error };
        let lock_path = beside(path, ".lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse { path: path.into() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut text = String::new();
        match File::open(path) {
            Ok(file) => {
                file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
                if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
                    return Err(JournalError::TooLong { path: path.into() });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let (entries, order) = (BTreeMap::new(), VecDeque::new());
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        let mut journal =
            Self { path: path.into(), file, bytes: 0, rewrite_at: 0, starts: 0, entries, order, _lock: lock };
        journal.read(&text)?;
        journal.starts = journal.starts.saturating_add(1);
        journal.rewrite()?;
        Ok(journal)
    }

    /// How often the collector has started with this journal.
    pub fn starts(&self) -> u32 {
        self.starts
    }

    /// What is known of a command.
    pub fn entry(&self, id: MessageId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Whether as many commands are open as there may be: a station that takes no results gets nothing done.
    pub fn is_full(&self) -> bool {
        let open = |entry: &&Entry| !matches!(entry, Entry::Ended { acknowledged: true, .. });
        self.entries.values().filter(open).count() >= OPEN_MAX
    }

    /// Commands without a result.
    pub fn begun(&self) -> Vec<(MessageId, String)> {
        let begun = self.order.iter().filter_map(|id| match self.entries.get(id)? {
            Entry::Begun { meter } => Some((*id, meter.clone())),
            Entry::Ended { .. } => None,
        });
        begun.collect()
    }

    /// Results that the station does not have yet, oldest first.
    pub fn unacknowledged(&self) -> Vec<Vec<u8>> {
        let open = self.order.iter().filter_map(|id| match self.entries.get(id)? {
            Entry::Ended { result, acknowledged: false } => Some(result.clone()),
            _ => None,
        });
        open.collect()
    }

    /// A command is begun: durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`]; the command must not be begun then.
    pub fn begin(&mut self, id: MessageId, meter: &str) -> Result<(), JournalError> {
        self.append(&format!("begun {id} {meter}\n"))?;
        self.entries.insert(id, Entry::Begun { meter: meter.into() });
        self.order.push_back(id);
        Ok(())
    }

    /// A command is done: durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn end(&mut self, id: MessageId, result: &[u8]) -> Result<(), JournalError> {
        self.append(&format!("ended {id} {}\n", hex(result)))?;
        if self.entries.insert(id, Entry::Ended { result: result.into(), acknowledged: false }).is_none() {
            self.order.push_back(id);
        }
        Ok(())
    }

    /// The station has the result of a command. A crash may forget this; the result is then sent once more.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn acknowledge(&mut self, id: MessageId) -> Result<(), JournalError> {
        let Some(Entry::Ended { acknowledged, .. }) = self.entries.get_mut(&id) else { return Ok(()) };
        *acknowledged = true;
        let line = format!("acknowledged {id}\n");
        self.bytes = self.bytes.saturating_add(line.len().try_into().unwrap_or(u64::MAX));
        self.file.write_all(line.as_bytes()).map_err(|error| self.failed(error))?;
        while self.order.len() > KEPT && self.forget_oldest() {}
        if self.bytes > self.rewrite_at { self.rewrite() } else { Ok(()) }
    }

    /// Forgets the oldest command whose result the station has.
    fn forget_oldest(&mut self) -> bool {
        let settled = |id: &MessageId| matches!(self.entries.get(id), Some(Entry::Ended { acknowledged: true, .. }));
        let Some(id) = self.order.iter().position(settled).and_then(|place| self.order.remove(place)) else {
            return false;
        };
        self.entries.remove(&id).is_some()
    }

    fn append(&mut self, line: &str) -> Result<(), JournalError> {
        self.bytes = self.bytes.saturating_add(line.len().try_into().unwrap_or(u64::MAX));
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> JournalError {
        JournalError::File { path: self.path.clone(), error }
    }

    fn read(&mut self, text: &str) -> Result<(), JournalError> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for (index, line) in lines.iter().enumerate() {
            // A record is durable before the next one is written, so that only the last one can be torn.
            let torn = index + 1 == lines.len();
            if self.take(line).is_none() && !torn {
                return Err(JournalError::Damaged { path: self.path.clone(), line: index + 1 });
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.strip_suffix('\n')?.split_once(' ')?;
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        if word == "starts" {
            self.starts = first.parse().ok()?;
            return Some(());
        }
        let id = MessageId(bytes(first)?.try_into().ok()?);
        match word {
            "begun" => {
                self.order.push_back(id);
                self.entries.insert(id, Entry::Begun { meter: second.into() });
            }
            "ended" => {
                let entry = Entry::Ended { result: bytes(second)?, acknowledged: false };
                if self.entries.insert(id, entry).is_none() {
                    self.order.push_back(id);
                }
            }
            "acknowledged" => {
                if let Some(Entry::Ended { acknowledged, .. }) = self.entries.get_mut(&id) {
                    *acknowledged = true;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Writes what is known into a new file that takes the place of the old one.
    fn rewrite(&mut self) -> Result<(), JournalError> {
        while self.order.len() > KEPT && self.forget_oldest() {}
        let mut text = format!("starts {}\n", self.starts);
        for id in &self.order {
            match self.entries.get(id) {
                Some(Entry::Begun { meter }) => text.push_str(&format!("begun {id} {meter}\n")),
                Some(Entry::Ended { result, acknowledged }) => {
                    text.push_str(&format!("ended {id} {}\n", hex(result)));
                    if *acknowledged {
                        text.push_str(&format!("acknowledged {id}\n"));
                    }
                }
                None => {}
            }
        }
        let new = beside(&self.path, ".new");
        let written = || -> io::Result<File> {
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(file)
        };
        self.file = written().map_err(|error| self.failed(error))?;
        self.bytes = text.len().try_into().unwrap_or(u64::MAX);
        self.rewrite_at = self.bytes.saturating_mul(2).max(REWRITE_BYTES);
        Ok(())
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> MessageId {
        MessageId([number; 16])
    }

    #[test]
    fn what_was_begun_is_known_after_a_crash_wherever_the_file_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.begin(id(1), "0 7 202611000001").unwrap();
        journal.end(id(1), b"result 1").unwrap();
        journal.begin(id(2), "0 8 202611000002").unwrap();
        journal.acknowledge(id(1)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let begun_2 = whole.windows(6).rposition(|window| window == b"begun ").unwrap();
        for cut in begun_2..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let journal = Journal::open(&path).unwrap();
            assert!(matches!(journal.entry(id(1)), Some(Entry::Ended { result, .. }) if result == b"result 1"));
            let line = whole[begun_2..].iter().position(|byte| *byte == b'\n').unwrap();
            // A record counts when it is whole.
            assert_eq!(journal.begun().len(), usize::from(cut > begun_2 + line), "cut at {cut}");
            assert_eq!(journal.starts(), 2);
        }
    }

    #[test]
    fn a_damaged_line_and_a_second_process_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let journal = Journal::open(&path).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::InUse { .. })));
        drop(journal);
        std::fs::write(&path, "starts 1\nbegun 12\nstarts 2\n").unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Damaged { line: 2, .. })));
    }

    #[test]
    fn the_file_does_not_grow_for_ever_and_forgets_nothing_that_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let mut journal = Journal::open(&path).unwrap();
        let number = |index: u32| {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&index.to_be_bytes());
            MessageId(bytes)
        };
        journal.begin(number(0), "open").unwrap();
        journal.acknowledge(number(0)).unwrap();
        assert_eq!(journal.begun().len(), 1, "what has no result is not acknowledged");
        let kept = u32::try_from(KEPT).unwrap();
        // Lines without the wait for the disk, as an earlier run may have left them.
        let mut text = std::fs::read_to_string(&path).unwrap();
        for index in 1..=2 * kept {
            text.push_str(&format!("ended {} 00\nacknowledged {}\n", number(index), number(index)));
        }
        drop(journal);
        std::fs::write(&path, text).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.begun().len(), 1);
        assert!(journal.entry(number(1)).is_none() && journal.entry(number(2 * kept)).is_some());
        assert_eq!(journal.order.len(), KEPT);
    }

    /// A station that takes no results must not make a file that is read only in part: what stands behind would be forgotten,
    /// and could be begun a second time.
    #[test]
    fn a_file_that_is_too_long_is_refused_and_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let line = format!("ended {} {}\n", id(1), "00".repeat(600));
        let lines = usize::try_from(FILE_BYTES_MAX).unwrap() / line.len() + 1;
        std::fs::write(&path, line.repeat(lines) + &format!("begun {} 0 8 202611000002\n", id(2))).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::TooLong { .. })));
    }

    #[test]
    fn results_that_nobody_takes_fill_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let number = |index: usize| MessageId(u128::try_from(index).unwrap().to_be_bytes());
        std::fs::write(&path, (1..OPEN_MAX).map(|index| format!("ended {} 00\n", number(index))).collect::<String>())
            .unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert!(!journal.is_full());
        journal.begin(number(OPEN_MAX), "0 7 202611000001").unwrap();
        assert!(journal.is_full());
        journal.acknowledge(number(1)).unwrap();
        assert!(!journal.is_full());
    }

    #[test]
    fn a_full_journal_is_not_written_anew_for_each_acknowledgement() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let number = |index: usize| MessageId(u128::try_from(index).unwrap().to_be_bytes());
        let ended = |index| format!("ended {} {}\nacknowledged {}\n", number(index), "00".repeat(575), number(index));
        std::fs::write(&path, (1..=KEPT).map(ended).collect::<String>()).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        // A second name keeps the number of the file from being given out again.
        std::fs::hard_link(&path, folder.path().join("first")).unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        for index in KEPT + 1..KEPT + 4 {
            journal.end(number(index), &[0; 575]).unwrap();
            journal.acknowledge(number(index)).unwrap();
        }
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode, "written anew");
    }
}
