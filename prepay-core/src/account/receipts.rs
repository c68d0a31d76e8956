//! What customers paid, by receipt, so that money goes back the way it came and never twice.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::snapshot::SnapshotError;
use crate::id::{ChannelId, SaleId};
use crate::ledger::TransferId;
use crate::money::{Money, MoneyError};

/// How a customer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// Now, through a channel.
    Channel(ChannelId),
    /// With money that the station holds for the customer already (after a voided sale).
    Purse,
}

/// Where refunded credit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundTo {
    /// Back through the channels by which it was paid, the newest receipt first. Of
    /// [`RefundTake::Everything`](crate::refund::RefundTake::Everything), what no receipt explains stays in the customer's purse.
    OriginalChannel,
    /// Into the customer's purse at the station.
    Purse,
}

/// One payment through a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The sale that it paid.
    pub sale: SaleId,
    /// The transfer in the ledger.
    pub transfer: TransferId,
    /// The channel.
    pub channel: ChannelId,
    /// How much, minor units.
    pub amount: Money,
    /// What of it has paid debts, minor units.
    pub recovered: Money,
    /// Given back by refunds, minor units.
    pub refunded: Money,
    /// Set aside for refunds that are not closed, minor units.
    pub set_aside: Money,
    /// Reversed, or being reversed.
    pub reversed: bool,
}

/// A part of a receipt that goes back to its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payback {
    /// The receipt's sale.
    pub sale: SaleId,
    /// The receipt.
    pub receipt: TransferId,
    /// Its channel.
    pub channel: ChannelId,
    /// How much, minor units.
    pub amount: Money,
    /// The receipt is undone whole: a reversal, not a refund.
    pub whole: bool,
}

/// The receipts of an account that can still be given back, the newest [`Receipts::MAX`] of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Receipt>", into = "Vec<Receipt>")]
pub struct Receipts(pub(super) Vec<Receipt>);

impl TryFrom<Vec<Receipt>> for Receipts {
    type Error = SnapshotError;

    /// Takes stored receipts, if nothing of them was given back that was not paid.
    fn try_from(receipts: Vec<Receipt>) -> Result<Self, SnapshotError> {
        for (place, receipt) in receipts.iter().enumerate() {
            let Receipt { amount, recovered, refunded, set_aside, .. } = *receipt;
            let rest = amount.minus(recovered)?.minus(refunded)?.minus(set_aside)?;
            let wrong = [recovered, refunded, set_aside, rest].into_iter().find(|value| value.is_negative());
            if let Some(value) = wrong {
                return Err(SnapshotError::Amount { field: "receipts", value });
            }
            if receipts.iter().take(place).any(|before| before.transfer == receipt.transfer) {
                return Err(SnapshotError::Field { field: "receipts", problem: "one stands there twice" });
            }
        }
        Ok(Self(receipts))
    }
}

impl From<Receipts> for Vec<Receipt> {
    fn from(receipts: Receipts) -> Self {
        receipts.0
    }
}

impl Receipt {
    /// What can still be given back, minor units.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for amounts that no receipt of this crate holds.
    pub fn refundable(&self) -> Result<Money, MoneyError> {
        if self.reversed {
            Ok(Money::ZERO)
        } else {
            self.amount.minus(self.recovered)?.minus(self.refunded)?.minus(self.set_aside)
        }
    }
}

impl Receipts {
    /// How many are kept. What was paid before goes back by an operator's payout.
    pub const MAX: usize = 64;

    /// In the order in which they were paid.
    #[must_use]
    pub fn as_slice(&self) -> &[Receipt] {
        &self.0
    }

    /// The receipt of a sale.
    #[must_use]
    pub fn of(&self, sale: SaleId) -> Option<&Receipt> {
        self.0.iter().find(|receipt| receipt.sale == sale)
    }

    /// All that can still be given back, minor units.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range.
    pub fn refundable(&self) -> Result<Money, MoneyError> {
        self.0.iter().try_fold(Money::ZERO, |sum, receipt| sum.plus(receipt.refundable()?))
    }

    pub(super) fn record(&mut self, sale: SaleId, transfer: TransferId, channel: ChannelId, amount: Money) {
        if self.0.len() >= Self::MAX {
            // The oldest that nothing is set aside of; one open refund a meter keeps at most that many busy.
            if let Some(oldest) = self.0.iter().position(|receipt| receipt.set_aside.is_zero()) {
                self.0.remove(oldest);
            }
        }
        let (recovered, refunded, set_aside, reversed) = (Money::ZERO, Money::ZERO, Money::ZERO, false);
        self.0.push(Receipt { sale, transfer, channel, amount, recovered, refunded, set_aside, reversed });
    }

    /// A part of a payment has paid debts.
    pub(super) fn recover(&mut self, sale: SaleId, amount: Money) -> Result<(), MoneyError> {
        if let Some(receipt) = self.0.iter_mut().find(|receipt| receipt.sale == sale) {
            receipt.recovered = receipt.recovered.plus(amount)?;
        }
        Ok(())
    }

    /// Spreads an amount over the receipts, the newest first.
    pub(super) fn spread(&self, amount: Money) -> Result<Vec<Payback>, Refusal> {
        let mut rest = amount;
        let mut parts = Vec::new();
        for receipt in self.0.iter().rev() {
            let part = rest.min(receipt.refundable()?);
            if part.is_positive() {
                rest = rest.minus(part)?;
                let Receipt { sale, transfer, channel, .. } = *receipt;
                parts.push(Payback { sale, receipt: transfer, channel, amount: part, whole: false });
            }
        }
        Ok(parts)
    }

    /// The whole of one receipt.
    pub(super) fn whole(&self, sale: SaleId) -> Result<Option<Payback>, Refusal> {
        let Some(receipt) = self.of(sale) else { return Ok(None) };
        if receipt.reversed {
            return Err(Refusal::AlreadyReversed { sale });
        }
        let refunded = receipt.refunded.plus(receipt.set_aside)?;
        if refunded.is_positive() {
            return Err(Refusal::AlreadyRefunded { sale, refunded });
        }
        let Receipt { sale, transfer, channel, amount, recovered, .. } = *receipt;
        if recovered.is_positive() {
            return Err(Refusal::PaidDebts { sale, recovered });
        }
        Ok(Some(Payback { sale, receipt: transfer, channel, amount, whole: true }))
    }

    pub(super) fn set_aside(&mut self, parts: &[Payback]) -> Result<(), MoneyError> {
        self.each(parts, |receipt, part| {
            receipt.reversed |= part.whole;
            receipt.set_aside = receipt.set_aside.plus(part.amount)?;
            Ok(())
        })
    }

    pub(super) fn release(&mut self, parts: &[Payback]) -> Result<(), MoneyError> {
        self.each(parts, |receipt, part| {
            receipt.reversed &= !part.whole;
            receipt.set_aside = receipt.set_aside.minus(part.amount)?;
            Ok(())
        })
    }

    pub(super) fn give_back(&mut self, parts: &[Payback]) -> Result<(), MoneyError> {
        self.each(parts, |receipt, part| {
            receipt.reversed |= part.whole;
            receipt.refunded = receipt.refunded.plus(part.amount)?;
            Ok(())
        })
    }

    fn each(
        &mut self,
        parts: &[Payback],
        mut change: impl FnMut(&mut Receipt, &Payback) -> Result<(), MoneyError>,
    ) -> Result<(), MoneyError> {
        for part in parts {
            if let Some(receipt) = self.0.iter_mut().find(|receipt| receipt.transfer == part.receipt) {
                change(receipt, part)?;
            }
        }
        Ok(())
    }
}

/// As much of the parts as `amount` covers, in their order.
pub(super) fn trim(parts: &[Payback], amount: Money) -> Result<Vec<Payback>, MoneyError> {
    let mut rest = amount;
    let mut kept = Vec::new();
    for part in parts {
        let amount = rest.min(part.amount);
        if amount.is_positive() {
            rest = rest.minus(amount)?;
            kept.push(Payback { amount, ..*part });
        }
    }
    Ok(kept)
}

/// The sum of the parts, minor units.
pub(super) fn sum(parts: &[Payback]) -> Result<Money, MoneyError> {
    Money::sum(parts.iter().map(|part| part.amount))
}
