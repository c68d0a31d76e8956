//! What a customer owes at the station, and how purchases pay it back.
//!
//! Only debts of the station: what a meter itself nets off its overdraft is recovered by the meter. A debt of the station
//! never touches a meter's purse; it is taken from what a customer pays, before the rest becomes credit.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::DebtId;
use crate::money::{Money, MoneyError};

/// What a debt is for, in the order in which purchases pay it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DebtKind {
    /// Emergency credit that was put into a meter. Paid back first and whole, whatever the policy.
    Emergency,
    /// Owed from before these books.
    Arrears,
    /// A bill of a postpaid account.
    Bill,
    /// Minimum, demand, power factor and monthly charges at the end of a period, which no meter can deduct.
    PeriodEnd,
    /// A fee.
    Fee,
}

/// A debt is paid in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What was owed when it was agreed, minor units.
    pub agreed: Money,
    /// One part, minor units.
    pub part: Money,
    /// When the first part is due, UTC seconds.
    pub first_due_utc_s: i64,
    /// From part to part, in seconds.
    pub every_s: u32,
}

/// One debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// Its number.
    pub id: DebtId,
    /// What for.
    pub kind: DebtKind,
    /// What is still owed, minor units; above zero.
    pub rest: Money,
    /// Notice was given until this time (UTC seconds): before it the debt has no effect on supply.
    pub notice_until_utc_s: i64,
    /// Agreed parts, if any.
    pub plan: Option<Plan>,
}

/// How much of a purchase pays debts back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Everything that is owed, before anything becomes credit.
    #[default]
    Whole,
    /// At most this percentage of each purchase, 0 to 100, rounded down to the minor unit.
    Percent(u8),
}

/// A part of a purchase that pays a debt back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// The debt.
    pub debt: DebtId,
    /// How much, minor units.
    pub amount: Money,
    /// It is paid in agreed parts.
    pub instalment: bool,
}

/// The debts of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Debt>", into = "Vec<Debt>")]
pub struct Debts(Vec<Debt>);

impl TryFrom<Vec<Debt>> for Debts {
    type Error = DebtError;

    /// Takes stored debts, if they are what this crate stores: in their order, each once, each still owed.
    fn try_from(debts: Vec<Debt>) -> Result<Self, DebtError> {
        if debts.len() > Self::MAX {
            return Err(DebtError::TooMany { max: Self::MAX });
        }
        for (place, debt) in debts.iter().enumerate() {
            let Debt { id, kind, rest, plan, .. } = *debt;
            let in_order = debts.iter().take(place).all(|before| (before.kind, before.id) < (kind, id));
            let once = debts.iter().take(place).all(|before| before.id != id);
            let agreed = plan.map(|plan| plan.check().map(|()| plan.agreed)).transpose()?;
            if !in_order || !once || !rest.is_positive() || agreed.is_some_and(|agreed| rest > agreed) {
                return Err(DebtError::Stored { debt: id, rest });
            }
        }
        Ok(Self(debts))
    }
}

impl From<Debts> for Vec<Debt> {
    fn from(debts: Debts) -> Self {
        debts.0
    }
}

impl Plan {
    fn check(&self) -> Result<(), DebtError> {
        if !self.part.is_positive() || self.part > self.agreed {
            return Err(DebtError::Part { part: self.part, owed: self.agreed });
        }
        if self.every_s == 0 { Err(DebtError::Every) } else { Ok(()) }
    }

    /// What of the agreed amount is due at a time, minor units.
    fn due(&self, utc_s: i64) -> Money {
        if utc_s < self.first_due_utc_s {
            return Money::ZERO;
        }
        let since = utc_s.saturating_sub(self.first_due_utc_s);
        let parts = since.checked_div(i64::from(self.every_s)).unwrap_or(0).saturating_add(1);
        Money::from_minor(self.part.minor().saturating_mul(parts)).min(self.agreed)
    }
}

impl Debt {
    /// What a purchase at this time may take, minor units.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range.
    pub fn recoverable(&self, utc_s: i64) -> Result<Money, MoneyError> {
        let Some(plan) = self.plan else { return Ok(self.rest) };
        let paid = plan.agreed.minus(self.rest)?;
        Ok(plan.due(utc_s).minus(paid)?.max(Money::ZERO))
    }
}

impl Debts {
    /// The most debts of one account.
    pub const MAX: usize = 64;

    /// None.
    pub(crate) const NONE: Self = Self(Vec::new());

    /// In the order in which they are paid back.
    #[must_use]
    pub fn as_slice(&self) -> &[Debt] {
        &self.0
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: DebtId) -> Option<&Debt> {
        self.0.iter().find(|debt| debt.id == id)
    }

    /// All that is owed, minor units.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range.
    pub fn total(&self) -> Result<Money, MoneyError> {
        Money::sum(self.0.iter().map(|debt| debt.rest))
    }

    /// Bills that are not paid, minor units: energy that was used on credit.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range.
    pub fn billed(&self) -> Result<Money, MoneyError> {
        Money::sum(self.0.iter().filter(|debt| debt.kind == DebtKind::Bill).map(|debt| debt.rest))
    }

    /// Whether a bill's due date has passed.
    #[must_use]
    pub fn overdue(&self, utc_s: i64) -> bool {
        self.0.iter().any(|debt| {
            debt.kind == DebtKind::Bill
                && debt.notice_until_utc_s <= utc_s
                && debt.recoverable(utc_s).is_ok_and(Money::is_positive)
        })
    }

    /// How a purchase is divided: what pays which debt. The rest becomes credit.
    ///
    /// Emergency credit comes first and whole. Of what is left, the policy says how much pays the other debts, in the
    /// order of their kinds and then of their numbers; of a debt with agreed parts only what is due.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range.
    pub fn divide(&self, purchase: Money, policy: Recovery, utc_s: i64) -> Result<Vec<Recovered>, MoneyError> {
        let mut left = purchase;
        let mut budget = match policy {
            Recovery::Whole => purchase,
            Recovery::Percent(percent) => {
                let share = i128::from(purchase.minor()).saturating_mul(i128::from(percent.min(100)));
                Money::from_minor(i64::try_from(share.checked_div(100).unwrap_or(0)).unwrap_or(i64::MAX))
            }
        };
        let mut parts = Vec::new();
        for debt in &self.0 {
            let first = debt.kind == DebtKind::Emergency;
            let limit = if first { left } else { left.min(budget) };
            let amount = debt.recoverable(utc_s)?.min(limit);
            if amount.is_positive() {
                left = left.minus(amount)?;
                if !first {
                    budget = budget.minus(amount)?;
                }
                parts.push(Recovered { debt: debt.id, amount, instalment: debt.plan.is_some() });
            }
        }
        Ok(parts)
    }

    /// Everything, whatever was agreed: for a final settlement.
    pub(crate) fn all(&self) -> Vec<Recovered> {
        let whole = |debt: &Debt| Recovered { debt: debt.id, amount: debt.rest, instalment: debt.plan.is_some() };
        self.0.iter().map(whole).collect()
    }

    /// Debts whose notice has passed, except bills, which have due dates of their own.
    pub(crate) fn after_notice(&self, utc_s: i64) -> Result<Vec<Recovered>, MoneyError> {
        let mut parts = Vec::new();
        for debt in self.0.iter().filter(|debt| debt.kind != DebtKind::Bill && debt.notice_until_utc_s <= utc_s) {
            let amount = debt.recoverable(utc_s)?;
            if amount.is_positive() {
                parts.push(Recovered { debt: debt.id, amount, instalment: debt.plan.is_some() });
            }
        }
        Ok(parts)
    }

    pub(crate) fn check_room(&self) -> Result<(), DebtError> {
        if self.0.len() >= Self::MAX { Err(DebtError::TooMany { max: Self::MAX }) } else { Ok(()) }
    }

    pub(crate) fn check_plan(&self, id: DebtId, plan: &Plan) -> Result<(), DebtError> {
        let debt = self.get(id).ok_or(DebtError::NoSuchDebt { debt: id })?;
        if debt.plan.is_some() {
            return Err(DebtError::PlanStands { debt: id });
        }
        plan.check()
    }

    pub(crate) fn add(&mut self, debt: Debt) {
        let place = self.0.partition_point(|known| (known.kind, known.id) <= (debt.kind, debt.id));
        self.0.insert(place, debt);
    }

    pub(crate) fn agree(&mut self, id: DebtId, plan: Plan) {
        if let Some(debt) = self.0.iter_mut().find(|debt| debt.id == id) {
            debt.plan = Some(plan);
        }
    }

    /// Takes what was paid back; a debt that is paid is gone.
    pub(crate) fn pay(&mut self, parts: &[Recovered]) -> Result<(), MoneyError> {
        let mut kept = self.0.clone();
        for part in parts {
            if let Some(debt) = kept.iter_mut().find(|debt| debt.id == part.debt) {
                debt.rest = debt.rest.minus(part.amount)?;
            }
        }
        kept.retain(|debt| debt.rest.is_positive());
        self.0 = kept;
        Ok(())
    }
}

/// A debt or plan that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DebtError {
    /// More debts than an account may have.
    #[error("an account has at most {max} debts")]
    TooMany {
        /// The most.
        max: usize,
    },
    /// Unknown, or paid already.
    #[error("debt {} is not open", debt.0)]
    NoSuchDebt {
        /// The number.
        debt: DebtId,
    },
    /// Parts are agreed already.
    #[error("parts are agreed for debt {} already", debt.0)]
    PlanStands {
        /// The debt.
        debt: DebtId,
    },
    /// A part of nothing, or above what is owed.
    #[error("parts of {} minor units for {} that are owed", part.minor(), owed.minor())]
    Part {
        /// One part.
        part: Money,
        /// What is owed.
        owed: Money,
    },
    /// A stored debt that is doubled, out of order, or not owed.
    #[error("stored debt {} of {} minor units can't be", debt.0, rest.minor())]
    Stored {
        /// The debt.
        debt: DebtId,
        /// What is stored as owed.
        rest: Money,
    },
    /// No time between two parts.
    #[error("0 seconds from part to part")]
    Every,
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn fen(minor: i64) -> Money {
        Money::from_minor(minor)
    }

    fn debts(list: &[(DebtKind, i64)]) -> Debts {
        let mut debts = Debts::NONE;
        for (id, (kind, rest)) in (1_u64..).zip(list) {
            debts.add(Debt { id: DebtId(id), kind: *kind, rest: fen(*rest), notice_until_utc_s: 0, plan: None });
        }
        debts
    }

    fn amounts(debts: &Debts, purchase: i64, policy: Recovery) -> Vec<(u64, i64)> {
        let parts = debts.divide(fen(purchase), policy, 0).unwrap();
        parts.iter().map(|part| (part.debt.0, part.amount.minor())).collect()
    }

    #[test]
    fn emergency_first_then_arrears_then_fees_then_credit() {
        let debts = debts(&[(DebtKind::Fee, 50), (DebtKind::Arrears, 300), (DebtKind::Emergency, 200)]);
        assert_eq!(amounts(&debts, 1_000, Recovery::Whole), vec![(3, 200), (2, 300), (1, 50)]);
        assert_eq!(amounts(&debts, 400, Recovery::Whole), vec![(3, 200), (2, 200)], "consumed whole");
        assert_eq!(amounts(&debts, 1_000, Recovery::Percent(32)), vec![(3, 200), (2, 300), (1, 20)]);
        assert_eq!(amounts(&debts, 150, Recovery::Percent(0)), vec![(3, 150)], "emergency whatever the policy");
    }

    #[test]
    fn of_agreed_parts_only_what_is_due_is_taken() {
        let mut debts = debts(&[(DebtKind::Arrears, 1_000)]);
        let plan = Plan { agreed: fen(1_000), part: fen(300), first_due_utc_s: 100, every_s: 50 };
        debts.check_plan(DebtId(1), &plan).unwrap();
        debts.agree(DebtId(1), plan);
        let due = |utc_s| debts.get(DebtId(1)).unwrap().recoverable(utc_s).unwrap().minor();
        assert_eq!([99, 100, 149, 150, 200, 250, 9_999].map(due), [0, 300, 300, 600, 900, 1_000, 1_000]);
        let parts = debts.divide(fen(5_000), Recovery::Whole, 150).unwrap();
        debts.pay(&parts).unwrap();
        assert_eq!(debts.get(DebtId(1)).unwrap().recoverable(150), Ok(fen(0)));
        assert_eq!(debts.get(DebtId(1)).unwrap().recoverable(200), Ok(fen(300)));
        assert_eq!(debts.check_plan(DebtId(1), &plan), Err(DebtError::PlanStands { debt: DebtId(1) }));
        assert_eq!(Plan { part: fen(0), ..plan }.check(), Err(DebtError::Part { part: fen(0), owed: fen(1_000) }));
        assert_eq!(Plan { every_s: 0, ..plan }.check(), Err(DebtError::Every));
    }

    proptest! {
        /// A purchase is never divided into more than it is, no debt is paid more than it is, and a percentage holds.
        #[test]
        fn a_purchase_is_divided_and_never_multiplied(
            rests in prop::collection::vec((0_usize..5, 1_i64..100_000), 0..12),
            purchase in 1_i64..200_000,
            percent in prop::option::of(0_u8..=100),
        ) {
            const KINDS: [DebtKind; 5] =
                [DebtKind::Emergency, DebtKind::Arrears, DebtKind::Bill, DebtKind::PeriodEnd, DebtKind::Fee];
            let list: Vec<_> = rests.iter().map(|(kind, rest)| (KINDS[*kind], *rest)).collect();
            let debts = debts(&list);
            let policy = percent.map_or(Recovery::Whole, Recovery::Percent);
            let parts = debts.divide(fen(purchase), policy, 0).unwrap();
            let sum: i64 = parts.iter().map(|part| part.amount.minor()).sum();
            prop_assert!(sum <= purchase);
            let emergency: i64 = list.iter().filter(|(kind, _)| *kind == DebtKind::Emergency).map(|(_, rest)| rest).sum();
            prop_assert!(sum >= emergency.min(purchase));
            if let Some(percent) = percent {
                prop_assert!(sum <= emergency.min(purchase) + purchase * i64::from(percent) / 100);
            }
            let mut after = debts.clone();
            after.pay(&parts).unwrap();
            prop_assert_eq!(after.total().unwrap().minor() + sum, debts.total().unwrap().minor());
        }
    }
}
