//! The accounts of the books.

use alloc::format;
use core::fmt;

use serde::{Deserialize, Serialize};

/// What an account of the ledger is for. The code is part of the journal's canonical encoding and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[repr(u8)]
pub enum AccountKind {
    /// Money received by a channel. Owner: the channel.
    Cash = 1,
    /// Money that a payment provider holds for us. Owner: the provider. Only the caller's own transfers touch it.
    ProviderClearing = 2,
    /// What a customer paid and has not used. Owner: the account.
    CustomerPurse = 3,
    /// Credit that stands in a meter. Owner: the meter's number.
    MeterPurse = 4,
    /// Energy sold, without tax. Owner: 0.
    Revenue = 5,
    /// Tax that is owed to the state. Owner: 0.
    Tax = 6,
    /// Service fees. Owner: 0.
    Fees = 7,
    /// Deposits held. Owner: the account.
    Deposits = 8,
    /// Debts of a customer. Owner: the account.
    Arrears = 9,
    /// Debts that are paid in parts. Owner: the account.
    Instalments = 10,
    /// Credit given for nothing. Owner: 0.
    Goodwill = 11,
    /// Differences between a meter's rounding and the tariff's. Owner: 0.
    MeterRounding = 12,
    /// Differences because a meter deducts by another price than the tariff. Owner: 0.
    PriceLag = 13,
    /// Money whose place is not known yet. Owner: the meter's number.
    Suspense = 14,
    /// Credit that was there before these books began. Owner: 0.
    TakeOver = 15,
    /// Debts given up. Owner: 0.
    WriteOff = 16,
    /// Energy that an overwrite of a meter's balance gave back unpaid. Owner: 0.
    OverwriteDrift = 17,
}

impl AccountKind {
    /// Every kind, in the order of its code.
    pub const ALL: [Self; 17] = [
        Self::Cash,
        Self::ProviderClearing,
        Self::CustomerPurse,
        Self::MeterPurse,
        Self::Revenue,
        Self::Tax,
        Self::Fees,
        Self::Deposits,
        Self::Arrears,
        Self::Instalments,
        Self::Goodwill,
        Self::MeterRounding,
        Self::PriceLag,
        Self::Suspense,
        Self::TakeOver,
        Self::WriteOff,
        Self::OverwriteDrift,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::ProviderClearing => "provider_clearing",
            Self::CustomerPurse => "customer_purse",
            Self::MeterPurse => "meter_purse",
            Self::Revenue => "revenue",
            Self::Tax => "tax",
            Self::Fees => "fees",
            Self::Deposits => "deposits",
            Self::Arrears => "arrears",
            Self::Instalments => "instalments",
            Self::Goodwill => "goodwill",
            Self::MeterRounding => "meter_rounding",
            Self::PriceLag => "price_lag",
            Self::Suspense => "suspense",
            Self::TakeOver => "take_over",
            Self::WriteOff => "write_off",
            Self::OverwriteDrift => "overwrite_drift",
        }
    }
}

/// One account of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountKey {
    /// What it is for.
    pub kind: AccountKind,
    /// Whose it is; see [`AccountKind`]. 0 for the accounts of the house.
    pub owner: u64,
}

impl AccountKey {
    /// The account of `kind` that belongs to `owner`.
    #[must_use]
    pub const fn new(kind: AccountKind, owner: u64) -> Self {
        Self { kind, owner }
    }

    /// The house's own account of `kind`.
    #[must_use]
    pub const fn house(kind: AccountKind) -> Self {
        Self { kind, owner: 0 }
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.kind.name(), self.owner))
    }
}
