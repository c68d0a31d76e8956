//! Key files: read only when nobody else can, and made so that nobody else can.

use meter_protocol::seal::{KeyBundle, KeyError, KeyFileError, MAX_KEY_FILE_LEN, Nonce, PeerId, PeerKeys};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Permissions of a key file for anybody but its owner.
const OTHERS: u32 = 0o077;
/// How often a made key may turn out to be a weak one.
const TRIES: u32 = 8;

/// Keys that can't be used. Nothing of a key is ever named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file.
    #[error("{}: {error}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no file.
    #[error("{} is no file", path.display())]
    NoFile {
        /// Its path.
        path: PathBuf,
    },
    /// Others than its owner may use it.
    #[error("{} has permissions {mode:03o}; a key file is for its owner alone (chmod 600)", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Somebody else's: who owns a file can read it, and put another key in its place.
    #[error("{} belongs to user {owner}, this process is user {own}; a key file is for its owner alone", path.display())]
    Owner {
        /// Its path.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user of this process.
        own: u32,
    },
    /// Its content.
    #[error("{}: {error}", path.display())]
    Content {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: KeyFileError,
    },
    /// The system's random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
    /// A key that was made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Reads a key file.
///
/// # Errors
/// [`KeysError::Open`] when others can read it, [`KeysError::Owner`] when it is somebody else's.
pub fn load(path: &Path) -> Result<PeerKeys, KeysError> {
    let failed = |error| KeysError::File { path: path.into(), error };
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, so that nobody exchanges it in between.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(KeysError::NoFile { path: path.into() });
    }
    let mode = metadata.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeysError::Open { path: path.into(), mode });
    }
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != own {
        return Err(KeysError::Owner { path: path.into(), owner, own });
    }
    let limit = u64::try_from(MAX_KEY_FILE_LEN).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE_LEN + 1));
    file.take(limit).read_to_string(&mut text).map_err(failed)?;
    PeerKeys::from_key_file(&text).map_err(|error| KeysError::Content { path: path.into(), error })
}

/// Makes a file with a new 3DES key for this peer. An existing file is left alone.
///
/// # Errors
/// [`KeysError`].
pub fn create(path: &Path, peer: u64) -> Result<(), KeysError> {
    let failed = |error| KeysError::File { path: path.into(), error };
    let mut keys = PeerKeys::new(PeerId(peer));
    keys.insert(1, new_key()?)?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE_LEN));
    keys.write_key_file(&mut *text).map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

fn new_key() -> Result<KeyBundle, KeysError> {
    let mut tries = 0;
    loop {
        let bytes = Zeroizing::new(random::<24>()?);
        match KeyBundle::tdes(&bytes) {
            Err(_) if tries < TRIES => tries += 1,
            made => return Ok(made?),
        }
    }
}

/// A fresh nonce.
///
/// # Errors
/// [`KeysError::Random`].
pub fn nonce() -> Result<Nonce, KeysError> {
    Ok(Nonce(random()?))
}

/// Random bytes of the operating system.
///
/// # Errors
/// [`KeysError::Random`].
pub fn random<const LEN: usize>() -> Result<[u8; LEN], KeysError> {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).map_err(|error| KeysError::Random(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_key_file_is_for_its_owner_alone_and_is_shown_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.keys");
        create(&path, 7).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let digits = text.lines().find_map(|line| line.strip_prefix("key 1 ")).unwrap();
        let keys = load(&path).unwrap();
        assert_eq!(keys.peer(), PeerId(7));
        assert!(!format!("{keys:?}").contains(&digits[..8]), "{keys:?}");
        for mode in [0o640, 0o604, 0o660, 0o666, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load(&path).unwrap_err();
            assert!(matches!(error, KeysError::Open { mode: shown, .. } if shown == mode), "{error}");
            assert!(!format!("{error} {error:?}").contains(&digits[..8]));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        load(&path).unwrap();
        assert!(matches!(create(&path, 7), Err(KeysError::File { .. })), "an existing key is not overwritten");
        assert!(matches!(load(folder.path()), Err(KeysError::NoFile { .. })));
    }

    /// Only the superuser can give a file away; others can't even open one that is somebody else's alone.
    #[test]
    fn a_key_file_of_somebody_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.keys");
        create(&path, 7).unwrap();
        let own = rustix::process::geteuid().as_raw();
        if own == 0 {
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            let error = load(&path).unwrap_err();
            assert!(matches!(error, KeysError::Owner { owner: 65_534, own: 0, .. }), "{error}");
        } else {
            let error = load(Path::new("/etc/shadow")).unwrap_err();
            assert!(matches!(error, KeysError::File { .. } | KeysError::NoFile { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_key_file_is_told_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k1.keys");
        create(&path, 7).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let digits = text.lines().find_map(|line| line.strip_prefix("key 1 ")).unwrap();
        fs::write(&path, text.replace(digits, &digits[1..])).unwrap();
        let error = load(&path).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&digits[2..10]), "{error}");
        assert!(error.to_string().contains("line 4"), "{error}");
    }
}
