//! What can be asked of an account, and what can be told to it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::debts::DebtCharge;
use super::life::FinalSettlement;
use super::opening::{MeterTakeOver, OpenMode};
use super::orders::SupplyOrder;
use super::quarantine::SaleResolution;
use super::receipts::{Payment, RefundTo};
use super::replacing::OldMeter;
use super::terms::{MeterTerms, Terms};
use crate::debt::Plan;
use crate::id::{ChannelId, DebtId, MeterNumber, OperatorId, Reason, RefundId, SaleId};
use crate::money::Money;
use crate::reading::{MeterReading, Registers};
use crate::refund::RefundTake;
use crate::sale::SendOutcome;
use crate::settlement::{MeterPrices, Usage};

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
    /// Enters everything that an account needs, so that readings alone open it. May be repeated until then.
    Prepare {
        /// The terms.
        terms: Terms,
        /// Its meters.
        meters: Vec<MeterTerms>,
        /// How they begin.
        mode: OpenMode,
    },
    /// Opens a prepared account.
    OpenPrepared {
        /// One reading of each of its meters.
        readings: Vec<MeterReading>,
    },
    /// No more sales for now; supply goes on by its rules, and what is open is brought to its end.
    Pause {
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Sales again.
    Resume {
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Closes the account for good, with its final settlement. No meter may hold credit: refund it first.
    Close {
        /// The last reading of each meter.
        readings: Vec<MeterReading>,
        /// What becomes of the money that remains.
        settlement: FinalSettlement,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// One more meter: a further shop of the same tenant, or the shop into which a tenant moves.
    AttachMeter {
        /// The meter.
        meter: MeterTakeOver,
    },
    /// A meter leaves the account. It may hold no credit: refund it into the purse first.
    DetachMeter {
        /// The meter.
        meter: MeterNumber,
        /// Its last reading.
        reading: MeterReading,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A new meter takes the place of an old one: balance, ladder position, purchase count and energy go with it.
    ReplaceMeter {
        /// The number of the write, of the series of refunds.
        refund: RefundId,
        /// The old meter.
        old: MeterNumber,
        /// How it was read last.
        last: OldMeter,
        /// The new meter with a reading of now; its mode and what it shows as credit do not matter.
        new: MeterTakeOver,
        /// Who.
        operator: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A replaced meter that could not be read is read on the bench, or its estimate is accepted.
    ReadOnBench {
        /// The old meter.
        meter: MeterNumber,
        /// What it shows; `None` accepts the estimate.
        reading: Option<MeterReading>,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A reading that was taken before the last one that is booked: from a store of the collector, or by hand.
    LateReading {
        /// The meter.
        meter: MeterNumber,
        /// What its registers showed.
        energy: Registers,
        /// When, UTC seconds.
        taken_utc_s: i64,
    },
    /// A booked reading was wrong and is put right.
    CorrectReading {
        /// The meter.
        meter: MeterNumber,
        /// What its registers really showed.
        energy: Registers,
        /// The time of the reading, UTC seconds.
        taken_utc_s: i64,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A gap is bridged by an estimate, with the purse at the station. The next measured reading takes its place.
    EstimateUse {
        /// The meter.
        meter: MeterNumber,
        /// What was used up to `to_utc_s`, in register units; `from_utc_s` is ignored.
        usage: Usage,
    },
    /// Other current or voltage transformers, whose ratio the registers do not contain.
    ChangeRatio {
        /// The meter.
        meter: MeterNumber,
        /// The last reading at the old ratio.
        reading: MeterReading,
        /// How many times the registers' energy is used from now on.
        ratio: u32,
    },
    /// A debt at the station: fees, arrears from before, charges at the end of a period.
    ChargeDebt {
        /// Its number; above every earlier one of this account.
        debt: DebtId,
        /// What for, and how much.
        charge: DebtCharge,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Turns what a postpaid account has used on credit into a bill.
    IssueBill {
        /// The bill's number as a debt; above every earlier one of this account.
        debt: DebtId,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A debt is paid in parts from now on.
    AgreeInstalments {
        /// The debt.
        debt: DebtId,
        /// The parts; `agreed` is ignored and taken from the debt.
        plan: Plan,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A debt is given up.
    WriteOffDebt {
        /// The debt.
        debt: DebtId,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Somebody pays debts and nothing else.
    PayDebts {
        /// The payment's number, of the series of sales.
        sale: SaleId,
        /// How much, minor units; at most what is owed.
        amount: Money,
        /// How it was paid.
        channel: ChannelId,
        /// Who took it.
        operator: OperatorId,
    },
    /// A deposit is handed in. It comes back at closing.
    TakeDeposit {
        /// How much, minor units.
        amount: Money,
        /// How it was paid.
        channel: ChannelId,
        /// Who took it.
        operator: OperatorId,
    },
    /// Credit for nothing, into the customer's purse.
    GiveGoodwill {
        /// How much, minor units.
        amount: Money,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// The base free amount of a period, into the customer's purse; once a period.
    GiveFreeAmount {
        /// The period, by any number that rises (202603).
        period: u32,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// The customer takes the emergency credit that is offered.
    TakeEmergency {
        /// The debt's number, with the purse in a meter.
        debt: DebtId,
        /// With the purse in a meter: the number of the sale that carries it there, and the meter.
        sale: Option<(SaleId, MeterNumber)>,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
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
    /// The next friendly hours of a meter: written ahead, released after. Takes the place of what was planned and has not
    /// begun; hours that last go on to their end first, unless these have begun too.
    PlanFriendlyHours {
        /// The meter.
        meter: MeterNumber,
        /// When they begin, UTC seconds.
        from_utc_s: i64,
        /// When they end, UTC seconds.
        to_utc_s: i64,
    },
    /// Supply may come back after a cut for lack of credit.
    Restore {
        /// The meter.
        meter: MeterNumber,
        /// Somebody on site says that it is safe.
        on_site: bool,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
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
