//! A note of each frame that wrote something to a meter: evidence beside the station's own words.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::FleetError;

/// The file that all lines share.
#[derive(Debug, Clone)]
pub(super) struct Writes {
    path: Arc<PathBuf>,
    file: Arc<Mutex<File>>,
}

impl Writes {
    /// Adds to a file, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, FleetError> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|source| FleetError::Writes { path: path.to_owned(), source })?;
        Ok(Self { path: Arc::new(path.to_owned()), file: Arc::new(Mutex::new(file)) })
    }

    /// Notes a frame before its reply leaves. A fleet that is killed has noted what its meters have done.
    pub(super) fn note(&self, now_ms: i64, bus: &str, frame: &[u8]) -> Result<(), FleetError> {
        let bytes: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = format!("{now_ms} {bus} {bytes}\n");
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|source| FleetError::Writes { path: self.path.to_path_buf(), source })
    }
}
