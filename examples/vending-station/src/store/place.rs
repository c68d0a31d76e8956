//! Where a store is: a file of its own, or a PostgreSQL database.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};
use url::Url;

/// A file for SQLite, or the address of a PostgreSQL database.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// One SQLite file; it is made if it isn't there.
    File(PathBuf),
    /// A PostgreSQL database, as `postgres://USER@HOST:PORT/NAME`.
    Postgres(Url),
}

/// The text names no place for a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{scheme}` stores are not supported; expected a file or postgres://USER@HOST:PORT/NAME")]
pub struct PlaceError {
    scheme: String,
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, _)) = text.split_once("://") else { return Ok(Self::File(text.into())) };
        match (scheme, Url::parse(text)) {
            ("postgres" | "postgresql", Ok(url)) => Ok(Self::Postgres(url)),
            _ => Err(PlaceError { scheme: scheme.to_owned() }),
        }
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

/// A password in the address stays hidden.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => {
                let (host, name) = (url.host_str().unwrap_or_default(), url.path().trim_start_matches('/'));
                write!(f, "the PostgreSQL database `{name}` on {host}")
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_path_or_an_address_whose_password_stays_hidden() {
        let file: Place = "data/station.sqlite".parse().expect("a file");
        assert_eq!(file.to_string(), "data/station.sqlite");
        let server: Place = "postgres://till:s3cret@db.local:5432/mall".parse().expect("an address");
        assert_eq!(server.to_string(), "the PostgreSQL database `mall` on db.local");
        assert!(!format!("{server:?}").contains("s3cret"));
        let other = "mysql://x/y".parse::<Place>().expect_err("not supported").to_string();
        assert_eq!(other, "`mysql` stores are not supported; expected a file or postgres://USER@HOST:PORT/NAME");
    }
}
