//! Until when 3DES is taken. The latest time that the station has seen is on disk, so that a clock that was set back does not
//! open the door again, not even after a restart.

use meter_protocol::seal::{Suite, SuitePolicy};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The file in the folder of keys.
const FILE: &str = "latest-utc-s";
/// It is written again when so much time has passed, world seconds.
const WRITE_EVERY_S: i64 = 60;

/// A latest time that can't be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The file.
    #[error("{}: {error}; the latest time has to be kept where 3DES ends on a day", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Its content.
    #[error("{} holds no time (seconds since 1970)", path.display())]
    Content {
        /// Its path.
        path: PathBuf,
    },
}

#[derive(Debug)]
struct Kept {
    policy: SuitePolicy,
    /// What the file says.
    written_utc_s: i64,
}

/// The policy, shared by all who ask.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    path: Arc<Path>,
    kept: Arc<Mutex<Kept>>,
}

impl Guard {
    /// Reads what was seen before and adds the present. Without a day from which 3DES is refused nothing is kept.
    pub(super) fn open(mut policy: SuitePolicy, keys: &Path, now_utc_s: i64) -> Result<Self, GuardError> {
        let path = keys.join(FILE);
        let mut written_utc_s = i64::MIN;
        if policy.tdes_refused_from_utc_s().is_some() {
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    written_utc_s = text.trim().parse().map_err(|_| GuardError::Content { path: path.clone() })?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(GuardError::File { path, error }),
            }
            policy.allows(Suite::Tdes, written_utc_s);
            policy.allows(Suite::Tdes, now_utc_s);
            write(&path, policy.latest_utc_s()).map_err(|error| GuardError::File { path: path.clone(), error })?;
            written_utc_s = policy.latest_utc_s();
        }
        Ok(Self { path: path.into(), kept: Arc::new(Mutex::new(Kept { policy, written_utc_s })) })
    }

    /// Whether a session of this suite may begin, or go on.
    pub(super) fn allows(&self, suite: Suite, now_utc_s: i64) -> bool {
        self.kept().policy.allows(suite, now_utc_s)
    }

    /// Takes note of the time, now and then on disk.
    pub(super) fn note(&self, now_utc_s: i64) {
        let mut kept = self.kept();
        let Some(from_utc_s) = kept.policy.tdes_refused_from_utc_s() else { return };
        kept.policy.allows(Suite::Tdes, now_utc_s);
        let latest_utc_s = kept.policy.latest_utc_s();
        let over = kept.written_utc_s < from_utc_s && latest_utc_s >= from_utc_s;
        if !over && latest_utc_s.saturating_sub(kept.written_utc_s) < WRITE_EVERY_S {
            return;
        }
        match write(&self.path, latest_utc_s) {
            Ok(()) => kept.written_utc_s = latest_utc_s,
            Err(error) => tracing::error!(path = %self.path.display(), %error, "the latest time could not be kept"),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole or not at all.
fn write(path: &Path, utc_s: i64) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&new)?;
    writeln!(file, "{utc_s}")?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 1_800_000_000;

    #[test]
    fn a_clock_that_was_set_back_opens_nothing_even_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let policy = SuitePolicy::refuse_tdes_from(DAY);
        let guard = Guard::open(policy, folder.path(), DAY - 10).unwrap();
        assert!(guard.allows(Suite::Tdes, DAY - 10));
        guard.note(DAY - 1);
        assert!(guard.allows(Suite::Tdes, DAY - 1));
        guard.note(DAY);
        assert!(!guard.allows(Suite::Tdes, DAY) && guard.allows(Suite::AesCcm, DAY));
        assert!(!guard.allows(Suite::Tdes, DAY - 1_000_000), "the clock was set back");
        drop(guard);
        let guard = Guard::open(policy, folder.path(), DAY - 1_000_000).unwrap();
        assert!(!guard.allows(Suite::Tdes, DAY - 1_000_000), "and the station started again");
        assert!(guard.allows(Suite::Sm4Ccm, DAY - 1_000_000));
    }

    #[test]
    fn a_latest_time_that_can_not_be_kept_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none");
        assert!(Guard::open(SuitePolicy::any(), &missing, DAY).is_ok(), "nothing to keep");
        let policy = SuitePolicy::refuse_tdes_from(DAY);
        assert!(matches!(Guard::open(policy, &missing, DAY), Err(GuardError::File { .. })));
        std::fs::write(folder.path().join(FILE), "tomorrow").unwrap();
        assert!(matches!(Guard::open(policy, folder.path(), DAY), Err(GuardError::Content { .. })));
    }
}
