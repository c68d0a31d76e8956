//! What accounts are called in other tools: five classes, as both tools want them.

use core::fmt;

use crate::ledger::{AccountKey, AccountKind};

/// An account's name: `Liabilities:CustomerPurse:7`. What is set aside stands below `Equity:Held`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    pub(super) key: AccountKey,
    pub(super) held: bool,
}

const fn class(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Cash | AccountKind::ProviderClearing | AccountKind::Arrears | AccountKind::Instalments => "Assets",
        AccountKind::CustomerPurse
        | AccountKind::MeterPurse
        | AccountKind::Tax
        | AccountKind::Deposits
        | AccountKind::Suspense => "Liabilities",
        AccountKind::Revenue | AccountKind::Fees | AccountKind::MeterRounding | AccountKind::PriceLag => "Income",
        AccountKind::Goodwill | AccountKind::WriteOff | AccountKind::OverwriteDrift => "Expenses",
        AccountKind::TakeOver => "Equity",
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.held { "Equity:Held" } else { class(self.key.kind) })?;
        f.write_str(":")?;
        for word in self.key.kind.name().split('_') {
            let mut letters = word.chars();
            if let Some(first) = letters.next() {
                write!(f, "{}{}", first.to_ascii_uppercase(), letters.as_str())?;
            }
        }
        write!(f, ":{}", self.key.owner)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_are_distinct_and_fit_both_tools() {
        let all = AccountKind::ALL.into_iter().flat_map(|kind| {
            [false, true].map(|held| Name { key: AccountKey::new(kind, 202_603_050_012), held }.to_string())
        });
        let all: BTreeSet<_> = all.collect();
        assert_eq!(all.len(), 2 * AccountKind::ALL.len());
        for name in &all {
            let mut parts = name.split(':');
            let root = parts.next().unwrap();
            assert!(["Assets", "Liabilities", "Equity", "Income", "Expenses"].contains(&root), "{name}");
            for part in parts {
                assert!(part.starts_with(|first: char| first.is_ascii_uppercase() || first.is_ascii_digit()), "{name}");
                assert!(part.chars().all(|letter| letter.is_ascii_alphanumeric()), "{name}");
            }
        }
        assert!(all.contains("Liabilities:CustomerPurse:202603050012"));
    }
}
