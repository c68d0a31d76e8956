//! What is wrong with a tariff, and where.

use alloc::string::{String, ToString};
use core::fmt;

/// The first thing that is wrong with a tariff.
///
/// ```
/// let text = r#"{"schema": 1, "name": "t", "zone": "+08:00", "versions": [
///     {"from": "2025-01-01", "energy": {"rates": [{"name": "all", "price": 0.83}]}}]}"#;
/// let tariff: tariff_engine::Tariff = serde_json::from_str(text).unwrap();
/// let error = tariff.compile().unwrap_err();
/// assert_eq!(error.path, "versions[0].energy.rates[0].price");
/// assert_eq!(error.value, "0.83");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {value}: {rule}")]
#[non_exhaustive]
pub struct CompileError {
    /// Where it stands in the document, such as `versions[2].energy.periods[3].from`.
    pub path: String,
    /// What stands there.
    pub value: String,
    /// The rule that it breaks.
    pub rule: String,
}

/// A place in the document. Text is made of it only when something is wrong.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'static str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(super) const fn key(&'a self, key: &'static str) -> Self {
        Path::Key(self, key)
    }

    pub(super) const fn index(&'a self, index: usize) -> Self {
        Path::Index(self, index)
    }

    pub(super) fn error(&self, value: impl ToString, rule: impl ToString) -> CompileError {
        CompileError { path: self.to_string(), value: value.to_string(), rule: rule.to_string() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_document() {
        let root = Path::Root;
        let versions = root.key("versions");
        let version = versions.index(2);
        let energy = version.key("energy");
        let periods = energy.key("periods");
        let period = periods.index(3);
        assert_eq!(period.key("from").to_string(), "versions[2].energy.periods[3].from");
    }
}
