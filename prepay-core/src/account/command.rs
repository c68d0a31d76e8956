//! What can be asked of an account, and what can be told to it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::event::{Payment, SaleResolution};
use super::terms::{MeterTerms, Terms};
use crate::id::{MeterNumber, OperatorId, Reason, RefundId, SaleId};
use crate::money::Money;
use crate::reading::MeterReading;
use crate::refund::RefundTake;
use crate::sale::SendOutcome;
use crate::settlement::MeterPrices;

/// A command. Facts from the outside (readings, send outcomes) are commands too: they are judged, not believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// Opens the account with running meters.
    Open {
        /// The terms.
        terms: Terms,
        /// Its meters, each with a reading of now.
        meters: Vec<MeterTakeOver>,
        /// Credit at the station that was there before these books, minor units; may be negative; 0 with purses in
        /// meters.
        station_credit: Money,
    },
    /// Other terms. The purse and the currency stay.
    ChangeTerms {
        /// The new terms.
        terms: Terms,
    },
    /// Other knowledge about a meter.
    ChangeMeterTerms {
        /// The new terms of that meter.
        terms: MeterTerms,
    },
    /// Prices that were read back from a meter.
    ConfirmPrices {
        /// The meter.
        meter: MeterNumber,
        /// Its prices.
        prices: MeterPrices,
    },
    /// A poll of a meter.
    Observe {
        /// The meter that was polled.
        meter: MeterNumber,
        /// What answered.
        reading: MeterReading,
    },
    /// A poll of a meter that is booked: consumption since the last booking goes to the ledger.
    SettleNow {
        /// The meter that was polled.
        meter: MeterNumber,
        /// What answered.
        reading: MeterReading,
    },
    /// The meter was not heard for longer than it should be.
    LinkStale {
        /// The meter.
        meter: MeterNumber,
    },
    /// The meter is not heard any more.
    LinkLost {
        /// The meter.
        meter: MeterNumber,
    },
    /// A customer has paid.
    RequestSale {
        /// The sale's number; above every earlier one of this account.
        sale: SaleId,
        /// Into which meter; `None` with the purse at the station.
        meter: Option<MeterNumber>,
        /// How much, minor units.
        amount: Money,
        /// How it was paid.
        payment: Payment,
        /// Who sold it.
        operator: OperatorId,
    },
    /// The meter was read in the bus slot in which the purchase frame shall leave.
    BeginSale {
        /// The sale.
        sale: SaleId,
        /// What answered.
        evidence: MeterReading,
    },
    /// What became of the transmission.
    SaleSent {
        /// The sale.
        sale: SaleId,
        /// What the sender knows.
        outcome: SendOutcome,
    },
    /// The meter was read back.
    SaleReadBack {
        /// The sale.
        sale: SaleId,
        /// What came back.
        read_back: ReadBack,
    },
    /// It is time to look after a sale again: answers with the next step.
    ProbeDue {
        /// The sale.
        sale: SaleId,
    },
    /// The connection that carried the frames of a sale is closed; no byte of it can be sent any more.
    FenceClosed {
        /// The sale.
        sale: SaleId,
    },
    /// An operator wants the money back.
    RequestVoid {
        /// The sale.
        sale: SaleId,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Credit is taken out of a meter (or out of the purse at the station) and given back to the customer.
    RequestRefund {
        /// The refund's number; above every earlier one of this account, reversals included.
        refund: RefundId,
        /// Out of which meter; `None` out of the money that the station holds.
        from: Option<MeterNumber>,
        /// How much.
        take: RefundTake,
        /// Where it goes.
        to: RefundTo,
        /// Who.
        operator: OperatorId,
        /// Why.
        why: Reason,
    },
    /// The last sale of a meter, or a sale of credit at the station, was a mistake: undone whole, at most once.
    RequestReversal {
        /// The reversal's number; above every earlier one of this account, refunds included.
        refund: RefundId,
        /// The sale.
        sale: SaleId,
        /// Who.
        operator: OperatorId,
        /// Why.
        why: Reason,
    },
    /// The meter was read in the bus slot in which the overwrite shall leave.
    BeginRefund {
        /// The refund.
        refund: RefundId,
        /// What answered.
        evidence: MeterReading,
    },
    /// What became of the transmission.
    RefundSent {
        /// The refund.
        refund: RefundId,
        /// What the sender knows.
        outcome: SendOutcome,
    },
    /// The meter was read back.
    RefundReadBack {
        /// The refund.
        refund: RefundId,
        /// What came back.
        read_back: ReadBack,
    },
    /// It is time to look after a refund again: answers with the next step.
    RefundProbeDue {
        /// The refund.
        refund: RefundId,
    },
    /// The connection that carried the frames of a refund is closed; no byte of it can be sent any more.
    RefundFenceClosed {
        /// The refund.
        refund: RefundId,
    },
    /// An operator gives a refund up.
    RequestRefundVoid {
        /// The refund.
        refund: RefundId,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// An operator explains what a quarantined meter shows.
    ReleaseQuarantine {
        /// The meter.
        meter: MeterNumber,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
        /// What the meter shows now: the new base of the books.
        reading: MeterReading,
        /// What became of the open sale or refund, if there is one that had begun.
        sale: Option<SaleResolution>,
    },
    /// An operator's order about supply.
    OrderSupply {
        /// The meter.
        meter: MeterNumber,
        /// What.
        order: SupplyOrder,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
        /// Until when (UTC seconds); `None` until it is lifted. Ignored by [`SupplyOrder::Prepaid`].
        until_utc_s: Option<i64>,
    },
    /// Puts a safety lock-out (work tag) on a meter.
    PlaceLockOut {
        /// The meter.
        meter: MeterNumber,
        /// Who works there.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Takes a safety lock-out off.
    LiftLockOut {
        /// The meter.
        meter: MeterNumber,
        /// Who.
        by: OperatorId,
        /// The caller has checked that this person is an administrator; else only the owner may lift it.
        administrator: bool,
        /// Why.
        why: Reason,
    },
    /// Sheds a meter to keep its group under a limit, or ends that.
    Shed {
        /// The meter.
        meter: MeterNumber,
        /// Off or not.
        shed: bool,
    },
    /// Friendly hours begin or end: nobody is cut for lack of credit while they last.
    FriendlyHours {
        /// The meter.
        meter: MeterNumber,
        /// Begin or end.
        on: bool,
    },
    /// A relay order was written to the meter.
    RelayOrdered {
        /// The meter.
        meter: MeterNumber,
        /// The order's version.
        version: u32,
    },
    /// The read-back after a relay order.
    RelayReported {
        /// The meter.
        meter: MeterNumber,
        /// The order's version.
        version: u32,
        /// What came back.
        read_back: ReadBack,
    },
    /// Time has passed: orders may have lapsed.
    Tick,
}

/// What became of a read-back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBack {
    /// The meter answered.
    Reading(MeterReading),
    /// It did not.
    Unreadable,
}

/// Where refunded credit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundTo {
    /// Back through the channels by which it was paid, the newest receipt first. Of
    /// [`RefundTake::Everything`], what no receipt explains stays in the customer's purse.
    OriginalChannel,
    /// Into the customer's purse at the station.
    Purse,
}

/// An operator's order about supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupplyOrder {
    /// On, whatever the credit.
    KeepPower,
    /// Off, whatever the credit.
    ForcedOff,
    /// Back to the prepaid rules: lifts the two others.
    Prepaid,
}

/// How an account begins on a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenMode {
    /// A new meter: no credit in it.
    Fresh,
    /// A running meter: the credit that it shows becomes an opening entry.
    TakeOver,
}

/// A meter at the opening of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterTakeOver {
    /// What is known about it.
    pub terms: MeterTerms,
    /// How it begins.
    pub mode: OpenMode,
    /// What it shows now.
    pub reading: MeterReading,
}
