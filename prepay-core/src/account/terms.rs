//! What was agreed for an account and what is known about its meters.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::credit::Levels;
use crate::debt::Recovery;
use crate::id::MeterNumber;
use crate::money::{Currency, Money};
use crate::relay::Cutter;
use crate::sale::{EqualCountRule, SalePolicy};
use crate::settlement::{MeterPrices, RegisterLimits};

/// Where a customer's credit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purse {
    /// In each meter. The meter deducts by its own rules and cuts by itself; the books follow it.
    InMeter,
    /// At the station. The meter's own prepaid function is off; the station prices and cuts.
    AtStation,
}

impl Purse {
    /// Who cuts for lack of credit.
    #[must_use]
    pub const fn cutter(self) -> Cutter {
        match self {
            Self::InMeter => Cutter::Meter,
            Self::AtStation => Cutter::Station,
        }
    }
}

/// The terms of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Currency of all amounts; the ledger's.
    pub currency: Currency,
    /// Where the credit stands.
    pub purse: Purse,
    /// Alarm levels, overdraft and hysteresis. With the purse in the meter they hold for each meter.
    pub levels: Levels,
    /// The most credit that may be stored in one purse, minor units (a limit against hoarding).
    pub max_stored: Option<Money>,
    /// The most of one sale, minor units.
    pub max_sale: Option<Money>,
    /// How sales wait and repeat.
    pub sale: SalePolicy,
    /// How long a disagreement has to last before it is a finding, in seconds. Meters take a moment to obey.
    pub grace_s: u32,
    /// Wait before a relay order that the meter does not show is written again, in seconds; doubles up to an hour.
    pub relay_retry_s: u32,
    /// How far the differences between a meter and the tariff beyond rounding may add up before it is a finding, minor
    /// units; `None` without a limit.
    #[serde(default)]
    pub price_lag_limit: Option<Money>,
    /// The same for differences within rounding.
    #[serde(default)]
    pub rounding_limit: Option<Money>,
    /// How supply comes back after a cut for lack of credit, with the purse at the station. A meter that holds the purse
    /// restores by itself.
    #[serde(default)]
    pub restore: Restore,
    /// What happens to a shop with the purse at the station while its meter is not heard.
    #[serde(default)]
    pub lost_contact: LostContact,
    /// Friendly hours are written this long before they begin, in seconds, so that a link that fails meanwhile does not
    /// spoil them.
    #[serde(default = "quarter_hour")]
    pub friendly_ahead_s: u32,
    /// The first poll after this second of the UTC day is booked; `None` leaves the daily booking to the caller.
    #[serde(default)]
    pub post_daily_at_s: Option<u32>,
    /// How much of a purchase pays debts at the station.
    #[serde(default)]
    pub recovery: Recovery,
    /// Emergency credit that may be taken once credit is low, minor units.
    #[serde(default)]
    pub emergency: Option<Money>,
    /// Credit for nothing in each period, minor units.
    #[serde(default)]
    pub free_amount: Option<Money>,
    /// Postpaid: what was used on credit becomes bills that are due after this many seconds. The overdraft of the levels is
    /// then the credit limit, and an overdue bill counts as arrears. With the purse at the station only.
    #[serde(default)]
    pub bill_due_s: Option<u32>,
}

impl Terms {
    /// Terms with the given purse and levels, and everything else at its default: no caps, [`SalePolicy::DEFAULT`],
    /// three minutes of grace, relay orders repeated after a minute.
    #[must_use]
    pub const fn new(currency: Currency, purse: Purse, levels: Levels) -> Self {
        Self {
            currency,
            purse,
            levels,
            max_stored: None,
            max_sale: None,
            sale: SalePolicy::DEFAULT,
            grace_s: 180,
            relay_retry_s: 60,
            price_lag_limit: None,
            rounding_limit: None,
            restore: Restore::Automatic,
            lost_contact: LostContact::KEEP,
            friendly_ahead_s: quarter_hour(),
            post_daily_at_s: None,
            recovery: Recovery::Whole,
            emergency: None,
            free_amount: None,
            bill_due_s: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), TermsError> {
        let positive = |field, value: Option<Money>| match value {
            Some(value) if !value.is_positive() => Err(TermsError::NotPositive { field, value }),
            _ => Ok(()),
        };
        positive("max_stored", self.max_stored)?;
        positive("max_sale", self.max_sale)?;
        positive("price_lag_limit", self.price_lag_limit)?;
        positive("rounding_limit", self.rounding_limit)?;
        positive("emergency", self.emergency)?;
        positive("free_amount", self.free_amount)?;
        if let Recovery::Percent(percent) = self.recovery
            && percent > 100
        {
            return Err(TermsError::AbovePercent { field: "recovery", percent });
        }
        if self.lost_contact.per_hour.is_negative() {
            return Err(TermsError::NotPositive { field: "lost_contact.per_hour", value: self.lost_contact.per_hour });
        }
        if self.restore != Restore::Automatic && self.purse == Purse::InMeter {
            return Err(TermsError::PurseInMeter { field: "restore" });
        }
        if self.lost_contact != LostContact::KEEP && self.purse == Purse::InMeter {
            return Err(TermsError::PurseInMeter { field: "lost_contact" });
        }
        if self.bill_due_s.is_some() && self.purse == Purse::InMeter {
            return Err(TermsError::PurseInMeter { field: "bill_due_s" });
        }
        if self.sale.max_frames == 0 {
            return Err(TermsError::Zero { field: "sale.max_frames" });
        }
        if self.sale.frame_life_ms == 0 {
            return Err(TermsError::Zero { field: "sale.frame_life_ms" });
        }
        if self.sale.probe_first_ms == 0 {
            return Err(TermsError::Zero { field: "sale.probe_first_ms" });
        }
        Ok(())
    }
}

/// What is known about one meter. A value that no source states is settled on the bench; see each field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterTerms {
    /// Its number.
    pub meter: MeterNumber,
    /// Fire pumps, lifts: refuses force-off, cuts for arrears and shedding.
    pub never_cut: bool,
    /// What it does with a count that it has seen. The default assumes the worst.
    pub equal_count: EqualCountRule,
    /// How far the balance after a sale may be off from what prices and registers explain, minor units.
    pub tolerance: Money,
    /// What its registers can do.
    pub registers: RegisterLimits,
    /// How many times the registers' energy is used: the ratio of transformers that the registers do not contain. With the
    /// purse at the station only; 1 otherwise.
    #[serde(default = "one")]
    pub ratio: u32,
    /// Its prices as last read back; without them the amount of a sale can't always be checked.
    pub confirmed_prices: Option<MeterPrices>,
}

impl MeterTerms {
    /// A meter with careful defaults: any count adds, no confirmed prices, a tolerance of one minor unit.
    #[must_use]
    pub const fn new(meter: MeterNumber, registers: RegisterLimits) -> Self {
        Self {
            meter,
            never_cut: false,
            equal_count: EqualCountRule::AnyCountAdds,
            tolerance: Money::from_minor(1),
            registers,
            ratio: 1,
            confirmed_prices: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), TermsError> {
        if self.tolerance.is_negative() {
            return Err(TermsError::NotPositive { field: "tolerance", value: self.tolerance });
        }
        if self.ratio == 0 {
            return Err(TermsError::Zero { field: "ratio" });
        }
        if self.registers.modulus_centi_kwh == 0 {
            return Err(TermsError::Zero { field: "registers.modulus_centi_kwh" });
        }
        if self.registers.max_centi_kwh_per_hour == 0 {
            return Err(TermsError::Zero { field: "registers.max_centi_kwh_per_hour" });
        }
        Ok(())
    }

    /// The checks that depend on where the credit stands.
    pub(super) fn check_for(&self, purse: Purse) -> Result<(), TermsError> {
        self.check()?;
        if self.ratio != 1 && purse == Purse::InMeter {
            return Err(TermsError::PurseInMeter { field: "ratio" });
        }
        Ok(())
    }
}

/// How supply comes back after a cut for lack of credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restore {
    /// As soon as there is credit.
    #[default]
    Automatic,
    /// When somebody asks for it.
    OnRequest,
    /// When somebody on site says that it is safe.
    OnSite,
}

/// What a shop may use unseen while its meter is not heard, and what follows.
///
/// A meter whose prepaid function is off does not cut by itself. So the bound is on what is risked before somebody has to
/// act, not on what can be used: it is shown, it is notified once, and with `cut` the order to cut waits for the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LostContact {
    /// What the shop can use in an hour at the most, minor units.
    pub per_hour: Money,
    /// How far that may go beyond the credit, minor units; `None` without a bound.
    pub bound: Option<Money>,
    /// Beyond the bound the meter is to be cut as soon as it is heard, unless its reading shows credit.
    pub cut: bool,
}

impl LostContact {
    /// Supply stays as it is; no bound.
    pub const KEEP: Self = Self { per_hour: Money::ZERO, bound: None, cut: false };
}

const fn quarter_hour() -> u32 {
    900
}

const fn one() -> u32 {
    1
}

/// Terms that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TermsError {
    /// An amount out of its range.
    #[error("{field} is {} minor units", value.minor())]
    NotPositive {
        /// Which one.
        field: &'static str,
        /// What was given.
        value: Money,
    },
    /// A percentage above a hundred.
    #[error("{field} is {percent} %, at most 100")]
    AbovePercent {
        /// Which one.
        field: &'static str,
        /// What was given.
        percent: u8,
    },
    /// Only with the purse at the station.
    #[error("{field} needs the purse at the station")]
    PurseInMeter {
        /// Which one.
        field: &'static str,
    },
    /// A size that must not be zero.
    #[error("{field} is 0")]
    Zero {
        /// Which one.
        field: &'static str,
    },
}
