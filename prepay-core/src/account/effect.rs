//! What the outside has to do.

use serde::{Deserialize, Serialize};

use super::event::{Event, Fact};
use super::quarantine::QuarantineReason;
use crate::debt::DebtKind;
use crate::finding::Finding;
use crate::id::{DebtId, MeterNumber, RefundId, SaleId};
use crate::money::Money;
use crate::reading::Force;
use crate::refund::{MoneyWrite, RefundFence};
use crate::relay::Cause;
use crate::sale::{FencePurpose, Proof};
use crate::status::Credit;

/// An action for the driver. It is released when its events are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Take a bus slot, read the meter, and call `BeginSale` with the reading; send the frame in the same slot.
    StartSale {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
    },
    /// Send exactly this purchase, once, then report `SaleSent`.
    SendPurchase {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// How much, minor units.
        amount: Money,
        /// The count that the frame carries.
        new_count: u16,
        /// Which frame of the sale this is, from 1. All are identical.
        frame: u8,
    },
    /// Read the meter and report `SaleReadBack`.
    ReadBack {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// Not before this time of the monotonic clock, in milliseconds.
        not_before_mono_ms: u64,
    },
    /// Close the connection that carried the frames (so that nothing of it can be sent any more) and report
    /// `FenceClosed`.
    Fence {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// What for.
        purpose: FencePurpose,
    },
    /// Take a bus slot, read the meter, and call `BeginRefund` with the reading; the frame follows in the same slot once
    /// the supply is off.
    StartRefund {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// Not before this time of the monotonic clock, in milliseconds.
        not_before_mono_ms: u64,
    },
    /// Write exactly this remaining amount and count in one frame, once, then report `RefundSent`. Ask
    /// [`super::Account::may_overwrite`] right before the first byte.
    OverwriteBalance {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// What to write.
        write: MoneyWrite,
        /// Which frame of the refund this is, from 1. All are identical.
        frame: u8,
    },
    /// Read the meter and report `RefundReadBack`.
    ReadBackRefund {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// Not before this time of the monotonic clock, in milliseconds.
        not_before_mono_ms: u64,
    },
    /// Close the connection that carried the frames and report `RefundFenceClosed`.
    FenceRefund {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// What for.
        purpose: RefundFence,
    },
    /// Write the force word, report `RelayOrdered`, read back and report `RelayReported`. Ask
    /// [`super::Account::may_write`] right before the write: a newer order may have superseded this one.
    WriteForce {
        /// The meter.
        meter: MeterNumber,
        /// The order's version.
        version: u32,
        /// What to write.
        force: Force,
        /// By which rule.
        cause: Cause,
    },
    /// Tell people.
    Notify(Notice),
}

/// What people are told. Each is a pure function of one event, so a notifier that keeps a cursor over the stored events
/// tells each exactly once, also across restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// Credit fell to a worse level.
    CreditFell {
        /// The meter, if one showed it.
        meter: Option<MeterNumber>,
        /// Before.
        from: Credit,
        /// Now: alarm 1, alarm 2 or arrears.
        to: Credit,
        /// Credit left, minor units.
        available: Money,
    },
    /// Credit is better again.
    CreditRose {
        /// The meter, if one showed it.
        meter: Option<MeterNumber>,
        /// Before.
        from: Credit,
        /// Now.
        to: Credit,
        /// Credit, minor units.
        available: Money,
    },
    /// Supply was cut for lack of credit.
    Cut {
        /// The meter.
        meter: MeterNumber,
    },
    /// Supply is back.
    Restored {
        /// The meter.
        meter: MeterNumber,
    },
    /// A sale is done: a receipt can be printed.
    SaleDone {
        /// The sale.
        sale: SaleId,
        /// How much, minor units.
        amount: Money,
        /// How sure; `None` for credit at the station.
        proof: Option<Proof>,
    },
    /// A sale was voided: the money is in the customer's purse.
    SaleVoided {
        /// The sale.
        sale: SaleId,
        /// How much, minor units.
        amount: Money,
    },
    /// Credit was given back: a receipt can be printed.
    RefundDone {
        /// The refund.
        refund: RefundId,
        /// How much, minor units.
        amount: Money,
        /// How sure; `None` for money that the station held.
        proof: Option<Proof>,
    },
    /// A refund was given up: the credit stays where it was.
    RefundVoided {
        /// The refund.
        refund: RefundId,
    },
    /// The customer owes something; before `notice_until_utc_s` it has no effect on supply.
    DebtIncurred {
        /// The debt.
        debt: DebtId,
        /// What for.
        kind: DebtKind,
        /// How much, minor units.
        amount: Money,
        /// Until when the notice runs, or a bill is due, UTC seconds.
        notice_until_utc_s: i64,
    },
    /// Debts were paid back by a purchase: they stand on its receipt.
    DebtRecovered {
        /// The purchase, if there was one.
        sale: Option<SaleId>,
        /// How much, minor units.
        amount: Money,
    },
    /// A meter shows what nobody here did.
    Quarantined {
        /// The meter.
        meter: MeterNumber,
        /// What was seen.
        reason: QuarantineReason,
    },
    /// Something disagrees.
    Finding {
        /// The meter.
        meter: MeterNumber,
        /// What.
        finding: Finding,
    },
    /// A meter was not heard for so long that more than the bound may have been used beyond the credit: send somebody.
    Exposed {
        /// The meter.
        meter: MeterNumber,
        /// How much, minor units.
        exposure: Money,
    },
    /// The meter is not heard any more.
    LostContact {
        /// The meter.
        meter: MeterNumber,
    },
}

impl Notice {
    /// What people are told about an event, if anything.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        use super::settled::DifferenceKind;
        use crate::status::Link;
        Some(match event.fact {
            Fact::CreditChanged { meter, from, to, available, .. } if to > from => {
                Self::CreditFell { meter, from, to, available }
            }
            Fact::CreditChanged { meter, from, to, available, .. } => Self::CreditRose { meter, from, to, available },
            Fact::CutVerified { meter, .. } => Self::Cut { meter },
            Fact::RestoreVerified { meter, .. } => Self::Restored { meter },
            Fact::SaleApplied { sale, amount, proof, .. } => Self::SaleDone { sale, amount, proof: Some(proof) },
            Fact::StationSaleMade { sale, amount, .. } => Self::SaleDone { sale, amount, proof: None },
            Fact::SaleVoided { sale, amount, .. } => Self::SaleVoided { sale, amount },
            Fact::RefundApplied { refund, amount, proof, .. } => {
                Self::RefundDone { refund, amount, proof: Some(proof) }
            }
            Fact::PaidBack { refund, ref payback, .. } => {
                let amount = super::receipts::sum(payback).unwrap_or(Money::MAX);
                Self::RefundDone { refund, amount, proof: None }
            }
            Fact::RefundVoided { refund, .. } => Self::RefundVoided { refund },
            Fact::DebtIncurred { debt, kind, amount, notice_until_utc_s, .. } => {
                Self::DebtIncurred { debt, kind, amount, notice_until_utc_s }
            }
            Fact::DebtRecovered { sale, ref parts } => {
                let amount = Money::sum(parts.iter().map(|part| part.amount)).unwrap_or(Money::MAX);
                Self::DebtRecovered { sale, amount }
            }
            Fact::ExposureChanged { meter, exposure } if exposure.is_positive() => Self::Exposed { meter, exposure },
            Fact::MeterQuarantined { meter, reason, .. } => Self::Quarantined { meter, reason },
            Fact::FindingRaised { meter, finding } => Self::Finding { meter, finding },
            Fact::LinkChanged { meter, to: Link::Lost, .. } => Self::LostContact { meter },
            Fact::Settled(ref settled) if settled.difference == DifferenceKind::PriceLag => Self::Finding {
                meter: settled.meter,
                finding: Finding::PriceDrift {
                    fall: settled.booked,
                    charge: settled.charge,
                    limit: Money::from_minor(i64::from(settled.usage.priced_registers())),
                },
            },
            _ => return None,
        })
    }
}
