//! The collector's own settings: one small TOML file. The site file says what hangs on its lines.

use crate::clock::WorldClock;
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// A collector's settings. Paths are relative to the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectorFile {
    /// Its code in the site file.
    pub code: String,
    /// `host:port` of the station.
    pub station: String,
    /// The site file.
    pub site: PathBuf,
    /// The folder of the key file that the site names.
    pub keys: PathBuf,
    /// The journal of commands; made if it is missing.
    pub journal: PathBuf,
    /// The time of a demonstration; none: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<World>,
}

/// A demonstration's time: its days pass in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// World time in milliseconds since 1970 UTC at `unix_ms`.
    pub utc_ms: i64,
    /// The system's time then, milliseconds since 1970 UTC.
    pub unix_ms: i64,
    /// World seconds a real second.
    pub speed: u32,
    /// Lines take the time that their baud rate needs.
    pub paced: bool,
}

/// A settings file that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectorFileError {
    /// The file.
    #[error("{}: {error}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Its content.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Its path.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl CollectorFile {
    /// Reads a settings file.
    ///
    /// # Errors
    /// [`CollectorFileError`].
    pub fn load(path: &Path) -> Result<Self, CollectorFileError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| CollectorFileError::File { path: path.into(), error })?;
        let mut settings: Self = toml::from_str(&text)
            .map_err(|error| CollectorFileError::Content { path: path.into(), reason: error.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for place in [&mut settings.site, &mut settings.keys, &mut settings.journal] {
            *place = folder.join(&*place);
        }
        Ok(settings)
    }

    /// The clock to work by.
    pub fn clock(&self) -> WorldClock {
        let now = now_unix_ms();
        match self.world {
            None => WorldClock::starting_at(now, 1),
            Some(World { utc_ms, unix_ms, speed, .. }) => {
                let passed = now.saturating_sub(unix_ms).max(0).saturating_mul(i64::from(speed));
                WorldClock::starting_at(utc_ms.saturating_add(passed), speed)
            }
        }
    }
}

/// The system's time, milliseconds since 1970 UTC.
pub fn now_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_a_collector_is_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/collector");
        let settings = CollectorFile::load(&folder.join("collector.toml")).unwrap();
        assert_eq!((settings.code.as_str(), &settings.site), ("K1", &folder.join("site.toml")));
        let site = crate::site::load(&settings.site).unwrap().site;
        assert_eq!(site.collectors[0].code, "K1");
        assert_eq!(site.gateways.iter().filter(|gateway| gateway.collector.is_some()).count(), 2);
        assert_eq!(settings.clock().speed(), 1);
    }

    #[test]
    fn a_gateway_of_an_unknown_collector_is_told_by_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/collector/site.toml");
        let text = std::fs::read_to_string(example).unwrap().replacen("collector = \"K1\"", "collector = \"K9\"", 1);
        let path = folder.path().join("site.toml");
        std::fs::write(&path, text).unwrap();
        let complaints = crate::site::load(&path).unwrap_err();
        assert!(complaints.iter().any(|complaint| complaint.to_string().contains("`K9`")), "{complaints:?}");
    }
}
