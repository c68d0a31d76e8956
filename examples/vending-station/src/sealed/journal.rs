//! What a collector has begun: a file to which each command is written, durably, before its first byte reaches a bus. After a
//! crash a begun command is never begun again; that its outcome is unknown is its result, and the meter will show it.

use meter_protocol::seal::message::MessageId;
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The most commands that are remembered. With so many of them whose time is not over, no other is begun.
pub const KEPT: usize = 16_384;
/// A command is remembered for so long after the time until which it may be begun.
pub const KEPT_FOR_S: i64 = 86_400;
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

/// A command.
#[derive(Debug)]
struct Known {
    not_after_utc_s: i64,
    entry: Entry,
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
    /// The clock at the latest of its starts, seconds since 1970 UTC.
    started_utc_s: i64,
    entries: BTreeMap<MessageId, Known>,
    /// In the order in which they were begun.
    order: VecDeque<MessageId>,
    _lock: File,
}

impl Journal {
    /// Opens or creates the file, and counts this start at `now_utc_s`.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] for a line that was not torn by a crash, [`JournalError::TooLong`].
    pub fn open(path: &Path, now_utc_s: i64) -> Result<Self, JournalError> {
        let failed = |error| JournalError::File { path: path.into(), error };
        let lock_path = beside(path, ".lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse { path: path.into() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // What a crash has left at the end may be no text at all.
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => {
                file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
                if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
                    return Err(JournalError::TooLong { path: path.into() });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let (entries, order) = (BTreeMap::new(), VecDeque::new());
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        let mut journal = Self {
            path: path.into(),
            file,
            bytes: 0,
            rewrite_at: 0,
            starts: 0,
            started_utc_s: i64::MIN,
            entries,
            order,
            _lock: lock,
        };
        journal.read(&String::from_utf8_lossy(&text))?;
        journal.starts = journal.starts.saturating_add(1);
        journal.started_utc_s = journal.started_utc_s.max(now_utc_s);
        journal.rewrite(now_utc_s)?;
        Ok(journal)
    }

    /// How often the collector has started with this journal.
    pub fn starts(&self) -> u32 {
        self.starts
    }

    /// Whether the clock stands behind the last start, so that it can't be told what is over.
    pub fn clock_is_behind(&self, now_utc_s: i64) -> bool {
        now_utc_s < self.started_utc_s
    }

    /// What is known of a command.
    pub fn entry(&self, id: MessageId) -> Option<&Entry> {
        self.entries.get(&id).map(|known| &known.entry)
    }

    /// Whether as many commands are open, or remembered, as there may be: a station that takes no results gets nothing done.
    pub fn is_full(&mut self, now_utc_s: i64) -> bool {
        if self.order.len() >= KEPT {
            self.forget_what_is_over(now_utc_s);
        }
        let open = |known: &&Known| !matches!(known.entry, Entry::Ended { acknowledged: true, .. });
        self.order.len() >= KEPT || self.entries.values().filter(open).count() >= OPEN_MAX
    }

    /// Commands without a result.
    pub fn begun(&self) -> Vec<(MessageId, String)> {
        let begun = self.order.iter().filter_map(|id| match &self.entries.get(id)?.entry {
            Entry::Begun { meter } => Some((*id, meter.clone())),
            Entry::Ended { .. } => None,
        });
        begun.collect()
    }

    /// Results that the station does not have yet with their commands, oldest first.
    pub fn unacknowledged(&self) -> Vec<(MessageId, Vec<u8>)> {
        let open = self.order.iter().filter_map(|id| match &self.entries.get(id)?.entry {
            Entry::Ended { result, acknowledged: false } => Some((*id, result.clone())),
            _ => None,
        });
        open.collect()
    }

    /// Whether the station does not have the result of a command that is done.
    pub fn is_unacknowledged(&self, id: MessageId) -> bool {
        matches!(self.entry(id), Some(Entry::Ended { acknowledged: false, .. }))
    }

    /// A command that may be begun until `not_after_utc_s` is begun: durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`]; the command must not be begun then.
    pub fn begin(&mut self, id: MessageId, not_after_utc_s: i64, meter: &str) -> Result<(), JournalError> {
        self.append(&format!("begun {id} {not_after_utc_s} {meter}\n"))?;
        self.entries.insert(id, Known { not_after_utc_s, entry: Entry::Begun { meter: meter.into() } });
        self.order.push_back(id);
        Ok(())
    }

    /// A begun command is done: durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn end(&mut self, id: MessageId, result: &[u8]) -> Result<(), JournalError> {
        let Some(Known { not_after_utc_s, .. }) = self.entries.get(&id) else { return Ok(()) };
        let not_after_utc_s = *not_after_utc_s;
        self.append(&format!("ended {id} {not_after_utc_s} {}\n", hex(result)))?;
        let entry = Entry::Ended { result: result.into(), acknowledged: false };
        self.entries.insert(id, Known { not_after_utc_s, entry });
        Ok(())
    }

    /// The station has the result of a command: durable when this returns, so that only the last line can be torn by a crash.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn acknowledge(&mut self, id: MessageId, now_utc_s: i64) -> Result<(), JournalError> {
        let Some(Known { entry: Entry::Ended { acknowledged, .. }, .. }) = self.entries.get_mut(&id) else {
            return Ok(());
        };
        *acknowledged = true;
        self.append(&format!("acknowledged {id}\n"))?;
        if self.bytes > self.rewrite_at { self.rewrite(now_utc_s) } else { Ok(()) }
    }

    /// Forgets commands whose result the station has and whose time is long over.
    fn forget_what_is_over(&mut self, now_utc_s: i64) {
        let is_over = |known: &Known| {
            let settled = matches!(known.entry, Entry::Ended { acknowledged: true, .. });
            settled && now_utc_s > known.not_after_utc_s.saturating_add(KEPT_FOR_S)
        };
        self.entries.retain(|_, known| !is_over(known));
        self.order.retain(|id| self.entries.contains_key(id));
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
        let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if word == "starts" {
            (self.starts, self.started_utc_s) = (first.parse().ok()?, rest.parse().ok()?);
            return Some(());
        }
        let id = MessageId(bytes(first)?.try_into().ok()?);
        if word == "acknowledged" {
            if let Some(Known { entry: Entry::Ended { acknowledged, .. }, .. }) = self.entries.get_mut(&id) {
                *acknowledged = true;
            }
            return Some(());
        }
        let (not_after, what) = rest.split_once(' ')?;
        let not_after_utc_s = not_after.parse().ok()?;
        let entry = match word {
            "begun" => Entry::Begun { meter: what.into() },
            "ended" => Entry::Ended { result: bytes(what)?, acknowledged: false },
            _ => return None,
        };
        if self.entries.insert(id, Known { not_after_utc_s, entry }).is_none() {
            self.order.push_back(id);
        }
        Some(())
    }

    /// Writes what is known into a new file that takes the place of the old one.
    fn rewrite(&mut self, now_utc_s: i64) -> Result<(), JournalError> {
        self.forget_what_is_over(now_utc_s);
        let mut text = format!("starts {} {}\n", self.starts, self.started_utc_s);
        for id in &self.order {
            let Some(Known { not_after_utc_s, entry }) = self.entries.get(id) else { continue };
            match entry {
                Entry::Begun { meter } => text.push_str(&format!("begun {id} {not_after_utc_s} {meter}\n")),
                Entry::Ended { result, acknowledged } => {
                    text.push_str(&format!("ended {id} {not_after_utc_s} {}\n", hex(result)));
                    if *acknowledged {
                        text.push_str(&format!("acknowledged {id}\n"));
                    }
                }
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

    const NOW: i64 = 1_793_577_600;
    const UNTIL: i64 = NOW + 60;

    fn open(path: &Path) -> Result<Journal, JournalError> {
        Journal::open(path, NOW)
    }

    fn number(index: usize) -> MessageId {
        MessageId(u128::try_from(index).unwrap().to_be_bytes())
    }

    #[test]
    fn what_was_begun_is_known_after_a_crash_wherever_the_file_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let mut journal = open(&path).unwrap();
        journal.begin(id(1), UNTIL, "0 7 202611000001").unwrap();
        journal.end(id(1), b"result 1").unwrap();
        journal.begin(id(2), UNTIL, "0 8 202611000002").unwrap();
        journal.acknowledge(id(1), NOW).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let begun_2 = whole.windows(6).rposition(|window| window == b"begun ").unwrap();
        for cut in begun_2..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let journal = open(&path).unwrap();
            assert!(matches!(journal.entry(id(1)), Some(Entry::Ended { result, .. }) if result == b"result 1"));
            let line = whole[begun_2..].iter().position(|byte| *byte == b'\n').unwrap();
            // A record counts when it is whole.
            assert_eq!(journal.begun().len(), usize::from(cut > begun_2 + line), "cut at {cut}");
            assert_eq!(journal.starts(), 2);
        }
    }

    /// A power cut may leave the length of the last line and not its bytes.
    #[test]
    fn the_last_line_may_hold_anything_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let mut journal = open(&path).unwrap();
        for n in 1..4 {
            journal.begin(id(n), UNTIL, "0 7 202611000001").unwrap();
            journal.end(id(n), b"result").unwrap();
        }
        (1..4).for_each(|n| journal.acknowledge(id(n), NOW).unwrap());
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let last = whole.windows(13).rposition(|window| window == b"acknowledged ").unwrap();
        for fill in [0, 0xFF, b'7'] {
            for from in last..whole.len() {
                let mut torn = whole.clone();
                torn[from..].fill(fill);
                std::fs::write(&path, torn).unwrap();
                let journal = open(&path).unwrap_or_else(|error| panic!("{fill} from {from}: {error}"));
                assert_eq!(journal.unacknowledged(), [(id(3), b"result".to_vec())], "it is sent once more");
            }
        }
    }

    #[test]
    fn a_clock_that_stands_behind_the_last_start_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        drop(Journal::open(&path, NOW).unwrap());
        let journal = Journal::open(&path, NOW - 5).unwrap();
        assert!(journal.clock_is_behind(NOW - 5) && !journal.clock_is_behind(NOW));
        drop(journal);
        let journal = Journal::open(&path, NOW - 4).unwrap();
        assert!(journal.clock_is_behind(NOW - 1), "a second start with the wrong clock does not make it right");
    }

    #[test]
    fn ids_are_kept_a_day_beyond_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let line = |index| format!("ended {} {UNTIL} 00\nacknowledged {}\n", number(index), number(index));
        std::fs::write(&path, (1..=KEPT).map(line).collect::<String>()).unwrap();
        let mut journal = open(&path).unwrap();
        assert!(journal.is_full(UNTIL + KEPT_FOR_S), "rather nothing is begun than something twice");
        assert!(journal.entry(number(1)).is_some());
        assert!(!journal.is_full(UNTIL + KEPT_FOR_S + 1));
        assert!(journal.entry(number(1)).is_none());
    }

    #[test]
    fn a_damaged_line_and_a_second_process_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let journal = open(&path).unwrap();
        assert!(matches!(open(&path), Err(JournalError::InUse { .. })));
        drop(journal);
        std::fs::write(&path, "starts 1 5\nbegun 12\nstarts 2 5\n").unwrap();
        assert!(matches!(open(&path), Err(JournalError::Damaged { line: 2, .. })));
    }

    #[test]
    fn the_file_does_not_grow_for_ever_and_forgets_nothing_that_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let mut journal = open(&path).unwrap();
        journal.begin(number(0), UNTIL, "open").unwrap();
        journal.acknowledge(number(0), NOW).unwrap();
        assert_eq!(journal.begun().len(), 1, "what has no result is not acknowledged");
        // Lines without the wait for the disk, as an earlier run may have left them.
        let mut text = std::fs::read_to_string(&path).unwrap();
        for index in 1..=2 * KEPT {
            text.push_str(&format!("ended {} {UNTIL} 00\nacknowledged {}\n", number(index), number(index)));
        }
        drop(journal);
        std::fs::write(&path, text).unwrap();
        let later = UNTIL + KEPT_FOR_S + 1;
        let journal = Journal::open(&path, later).unwrap();
        assert_eq!((journal.begun().len(), journal.order.len()), (1, 1));
        assert!(std::fs::metadata(&path).unwrap().len() < 200);
    }

    /// A station that takes no results must not make a file that is read only in part: what stands behind would be forgotten,
    /// and could be begun a second time.
    #[test]
    fn a_file_that_is_too_long_is_refused_and_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        let line = format!("ended {} {UNTIL} {}\n", id(1), "00".repeat(600));
        let lines = usize::try_from(FILE_BYTES_MAX).unwrap() / line.len() + 1;
        std::fs::write(&path, line.repeat(lines) + &format!("begun {} {UNTIL} 0 8 202611000002\n", id(2))).unwrap();
        assert!(matches!(open(&path), Err(JournalError::TooLong { .. })));
    }

    #[test]
    fn results_that_nobody_takes_fill_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        std::fs::write(
            &path,
            (1..OPEN_MAX).map(|index| format!("ended {} {UNTIL} 00\n", number(index))).collect::<String>(),
        )
        .unwrap();
        let mut journal = open(&path).unwrap();
        assert!(!journal.is_full(NOW));
        journal.begin(number(OPEN_MAX), UNTIL, "0 7 202611000001").unwrap();
        assert!(journal.is_full(NOW));
        journal.acknowledge(number(1), NOW).unwrap();
        assert!(!journal.is_full(NOW));
    }

    #[test]
    fn a_full_journal_is_not_written_anew_for_each_acknowledgement() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.journal");
        const LONG: usize = 4096;
        let long = "00".repeat(575);
        let ended = |index| format!("ended {} {UNTIL} {long}\nacknowledged {}\n", number(index), number(index));
        std::fs::write(&path, (1..=LONG).map(ended).collect::<String>()).unwrap();
        let mut journal = open(&path).unwrap();
        // A second name keeps the number of the file from being given out again.
        std::fs::hard_link(&path, folder.path().join("first")).unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        for index in LONG + 1..LONG + 4 {
            journal.begin(number(index), UNTIL, "0 7 202611000001").unwrap();
            journal.end(number(index), &[0; 575]).unwrap();
            journal.acknowledge(number(index), NOW).unwrap();
        }
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode, "written anew");
    }
}
