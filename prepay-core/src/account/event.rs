//! What has happened to an account. Names and fields are stable: stored events are read for ever.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::life::FinalSettlement;
use super::opening::{MeterOpening, OpenMode};
use super::orders::{Lifted, SupplyOrder};
use super::quarantine::QuarantineReason;
use super::receipts::{Payback, Payment};
use super::refund_facts::RefundVoidCause;
use super::replacing::Carry;
use super::settled::{DifferenceKind, Settled};
use super::terms::{MeterTerms, Terms};
use crate::debt::{DebtKind, Plan, Recovered};
use crate::finding::{Finding, FindingKind};
use crate::id::{AccountId, ChannelId, DebtId, MeterNumber, OperatorId, Reason, RefundId, SaleId};
use crate::ledger::TransferId;
use crate::money::Money;
use crate::refund::{RefundBegun, RefundKind, RefundNext, RefundTake};
use crate::relay::{Decided, StandingOrder};
use crate::sale::{Evidence, Next, Proof, SendOutcome, VoidCause, VoidRequest};
use crate::series::{Point, Series};
use crate::settlement::{MeterPrices, PricerState};
use crate::status::{Credit, Link, Load};

/// One stored event of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Whose.
    pub account: AccountId,
    /// Its place in the account's stream, from 1.
    pub seq: u64,
    /// When it was decided, UTC seconds.
    pub utc_s: i64,
    /// What happened.
    pub fact: Fact,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// The account was opened.
    Opened {
        /// The terms.
        terms: Terms,
        /// Its meters.
        meters: Vec<MeterOpening>,
        /// Credit at the station from before, minor units.
        station_credit: Money,
    },
    /// Everything is entered; readings open it.
    Prepared {
        /// The terms.
        terms: Terms,
        /// Its meters.
        meters: Vec<MeterTerms>,
        /// How they begin.
        mode: OpenMode,
    },
    /// No more sales for now.
    Paused {
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Sales again.
    Resumed {
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// The account is settled and closed.
    Closed {
        /// What was asked for.
        settlement: FinalSettlement,
        /// What goes back to which receipt.
        payback: Vec<Payback>,
        /// What no receipt explains and is paid out, minor units.
        paid: Money,
        /// What the customer pays, minor units.
        collected: Money,
        /// What is given up, minor units: by the customer above zero, by us below.
        written_off: Money,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// One more meter.
    MeterAttached {
        /// As it was then.
        opening: Box<MeterOpening>,
        /// The credit in it that becomes the customer's, minor units; 0 with the purse at the station.
        credit: Money,
    },
    /// A meter has left the account.
    MeterDetached {
        /// The meter.
        meter: MeterNumber,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A payment of which at least a part pays debts.
    PaymentReceived {
        /// The sale that it belongs to.
        sale: SaleId,
        /// How much, minor units.
        amount: Money,
        /// How it was paid.
        channel: ChannelId,
        /// Who took it.
        operator: OperatorId,
    },
    /// The customer owes something at the station.
    DebtIncurred {
        /// Its number.
        debt: DebtId,
        /// What for.
        kind: DebtKind,
        /// How much, tax included, minor units.
        amount: Money,
        /// The tax in it, minor units.
        tax: Money,
        /// No effect on supply before this time, UTC seconds; a bill is due then.
        notice_until_utc_s: i64,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Debts were paid from the customer's purse.
    DebtRecovered {
        /// By which purchase; `None` without one.
        sale: Option<SaleId>,
        /// What pays which.
        parts: Vec<Recovered>,
    },
    /// A debt is paid in parts from now on.
    InstalmentsAgreed {
        /// The debt.
        debt: DebtId,
        /// The parts.
        plan: Plan,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A debt is given up.
    DebtWrittenOff {
        /// The debt, and what was left of it.
        part: Recovered,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// A deposit was handed in.
    DepositTaken {
        /// How much, minor units.
        amount: Money,
        /// How it was paid.
        channel: ChannelId,
        /// Who took it.
        operator: OperatorId,
    },
    /// The deposit went into the customer's purse.
    DepositReturned {
        /// How much, minor units.
        amount: Money,
    },
    /// Credit for nothing.
    GoodwillGiven {
        /// How much, minor units.
        amount: Money,
        /// The period of which it is the free amount.
        period: Option<u32>,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Emergency credit at the station was taken: supply goes on until this much is used.
    EmergencyTaken {
        /// How much, minor units.
        amount: Money,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Other terms.
    TermsChanged {
        /// The new terms.
        terms: Terms,
    },
    /// Other knowledge about a meter.
    MeterTermsChanged {
        /// The new terms.
        terms: MeterTerms,
    },
    /// The prices of a meter were read back.
    PricesConfirmed {
        /// The meter.
        meter: MeterNumber,
        /// Its prices.
        prices: MeterPrices,
    },
    /// A meter is heard, or not.
    LinkChanged {
        /// The meter.
        meter: MeterNumber,
        /// Before.
        from: Link,
        /// Now.
        to: Link,
    },
    /// Consumption was booked.
    Settled(Settled),
    /// A reading came late or was put right: what the ordered readings cost, less what was posted.
    ChargeCorrected {
        /// The meter.
        meter: MeterNumber,
        /// The purse is in the meter: it took what it took, and only the tariff's part of it changes.
        in_meter: bool,
        /// The reading.
        point: Point,
        /// The correction of the charge, tax included, minor units.
        charge: Money,
        /// The correction of the tax, minor units.
        tax: Money,
        /// The version of the tariff.
        tariff_version: u32,
        /// Where pricing stands now.
        pricer: PricerState,
        /// Who put it right, and why; `None` for a late reading.
        by: Option<(OperatorId, Reason)>,
    },
    /// The readings after the fixed point are full: it moves on, and what is before it can't change any more.
    SeriesMovedOn {
        /// The meter.
        meter: MeterNumber,
        /// From the new fixed point on.
        series: Box<Series>,
    },
    /// Credit has crossed a level.
    CreditChanged {
        /// The meter whose reading showed it; with the purse in the meter also whose purse it is. `None` when no
        /// reading did (a payment).
        meter: Option<MeterNumber>,
        /// Before.
        from: Credit,
        /// Now.
        to: Credit,
        /// Credit at that moment, minor units.
        available: Money,
        /// Of that, charges of this meter that were not booked yet, minor units.
        accrued: Money,
    },
    /// A customer has paid for credit that goes into a meter.
    SaleRequested {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// How much, minor units.
        amount: Money,
        /// How it was paid.
        payment: Payment,
        /// Who sold it.
        operator: OperatorId,
    },
    /// A customer has paid for credit that the station keeps: done at once.
    StationSaleMade {
        /// The sale.
        sale: SaleId,
        /// How much, minor units.
        amount: Money,
        /// How it was paid.
        channel: ChannelId,
        /// Who sold it.
        operator: OperatorId,
    },
    /// The intent: from here on a purchase frame may leave.
    SaleBegun {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// How much, minor units.
        amount: Money,
        /// What the meter showed in the same bus slot.
        before: Evidence,
        /// The count that the frame writes.
        new_count: u16,
        /// The hold on the customer's money.
        hold: TransferId,
    },
    /// What the sender knows about a frame.
    SaleSent {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// What it knows.
        outcome: SendOutcome,
    },
    /// A read-back failed.
    SaleUnknown {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// How many in a row, this one included.
        failures: u16,
    },
    /// The meter shows the count as before.
    SaleNotApplied {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// What follows. Sending again counts as one more frame from here on.
        next: Next,
        /// The meter may add the frame a second time if the frame life was underestimated.
        residual_risk: bool,
    },
    /// The connection is closed, the wait runs.
    SaleFenceClosed {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// When, on the monotonic clock of that run of the process.
        mono_ms: u64,
    },
    /// An operator wants the money back.
    SaleVoidRequested {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// Who and why.
        request: VoidRequest,
    },
    /// The meter has the credit.
    SaleApplied {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// How much, minor units.
        amount: Money,
        /// The hold that is posted.
        hold: TransferId,
        /// The count that the meter shows.
        count: u16,
        /// How sure it is.
        proof: Proof,
    },
    /// The meter does not have the credit and will not get it; the money is the customer's again.
    SaleVoided {
        /// The sale.
        sale: SaleId,
        /// The meter.
        meter: MeterNumber,
        /// How much, minor units.
        amount: Money,
        /// The hold that is freed; `None` when the sale had not begun.
        hold: Option<TransferId>,
        /// Why.
        cause: VoidCause,
    },
    /// Credit is to be taken out of a meter: held in the books, and the supply is to be forced off.
    RefundRequested {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// Why.
        kind: RefundKind,
        /// How much is asked for.
        take: RefundTake,
        /// What is held, minor units.
        held: Money,
        /// The hold on the meter's purse.
        hold: TransferId,
        /// What is set aside of which receipt.
        payback: Vec<Payback>,
        /// Who ordered it.
        operator: OperatorId,
        /// Why.
        why: Reason,
    },
    /// The intent: from here on a frame that overwrites the balance may leave.
    RefundBegun {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// What is written over what.
        begun: RefundBegun,
    },
    /// What the sender knows about a frame.
    RefundSent {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// What it knows.
        outcome: SendOutcome,
    },
    /// A read-back failed.
    RefundUnknown {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// How many in a row, this one included.
        failures: u16,
    },
    /// A reading was judged.
    RefundJudged {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// What follows. Writing again counts as one more frame from here on.
        next: RefundNext,
        /// The meter shows what was written, this surely.
        proof: Option<Proof>,
    },
    /// The connection is closed, the wait runs.
    RefundFenceClosed {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// When, on the monotonic clock of that run of the process.
        mono_ms: u64,
    },
    /// An operator gives it up.
    RefundVoidRequested {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// Who and why.
        request: VoidRequest,
    },
    /// The meter has less credit, and no late frame can change that.
    RefundApplied {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// Why.
        kind: RefundKind,
        /// What was taken, minor units.
        amount: Money,
        /// What was held, minor units: never less than taken.
        held: Money,
        /// The hold that is posted.
        hold: TransferId,
        /// What goes back to which channel; the rest stays in the customer's purse.
        payback: Vec<Payback>,
        /// The count that the meter shows.
        count: u16,
        /// How sure it is.
        proof: Proof,
        /// Who ordered it.
        operator: OperatorId,
    },
    /// Nothing was taken, and nothing can be any more.
    RefundVoided {
        /// The refund.
        refund: RefundId,
        /// The meter.
        meter: MeterNumber,
        /// What was held, minor units.
        held: Money,
        /// The hold that is freed.
        hold: TransferId,
        /// Why.
        cause: RefundVoidCause,
    },
    /// A new meter is to take the place of an old one.
    ReplacementRequested {
        /// The write.
        refund: RefundId,
        /// The old meter.
        old: MeterNumber,
        /// The new meter as it was then.
        opening: Box<MeterOpening>,
        /// How money moves.
        carry: Box<Carry>,
        /// The count that the new meter gets.
        count: u16,
        /// Who ordered it.
        operator: OperatorId,
        /// Why.
        why: Reason,
    },
    /// The new meter has taken the old one's place.
    ReplacementDone {
        /// The write.
        refund: RefundId,
        /// The old meter.
        old: MeterNumber,
        /// The new meter.
        new: MeterNumber,
        /// How money moved.
        carry: Box<Carry>,
        /// The count that the new meter shows.
        count: u16,
        /// How sure it is.
        proof: Proof,
    },
    /// The new meter has taken nothing; the old one goes on.
    ReplacementRolledBack {
        /// The write.
        refund: RefundId,
        /// The old meter.
        old: MeterNumber,
        /// The new meter.
        new: MeterNumber,
        /// What is undone.
        carry: Box<Carry>,
        /// Why.
        cause: RefundVoidCause,
    },
    /// A replaced meter was read on the bench, or its estimate was accepted.
    BenchRead {
        /// The old meter.
        meter: MeterNumber,
        /// What it showed; `None` for an accepted estimate.
        shown: Option<Evidence>,
        /// What was in suspense, minor units.
        estimated: Money,
        /// The tariff's charge, tax included, minor units.
        charge: Money,
        /// The tax in it, minor units.
        tax: Money,
        /// What left the meter's purse, minor units. What was estimated above it is the customer's.
        booked: Money,
        /// Where `booked − charge` goes.
        difference: DifferenceKind,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Money that the station held went back to its channels.
    PaidBack {
        /// The refund.
        refund: RefundId,
        /// Why.
        kind: RefundKind,
        /// What goes back to which channel.
        payback: Vec<Payback>,
        /// Who ordered it.
        operator: OperatorId,
        /// Why.
        why: Reason,
    },
    /// The meter shows what nobody here did.
    MeterQuarantined {
        /// The meter.
        meter: MeterNumber,
        /// What was seen.
        reason: QuarantineReason,
        /// What the meter showed.
        shown: Evidence,
    },
    /// An operator has explained it.
    QuarantineReleased {
        /// The meter.
        meter: MeterNumber,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
        /// The new base.
        accepted: Evidence,
        /// Writes that were not ours, as far as the count tells.
        foreign_writes: u16,
        /// What the meter holds above what the books explain, minor units: goes to suspense. May be negative.
        to_suspense: Money,
    },
    /// An operator gave an order about supply.
    SupplyOrdered {
        /// The meter.
        meter: MeterNumber,
        /// What.
        order: SupplyOrder,
        /// Who, why, until when.
        standing: StandingOrder,
    },
    /// An order about supply has ended.
    SupplyOrderLifted {
        /// The meter.
        meter: MeterNumber,
        /// Which.
        order: SupplyOrder,
        /// How.
        lifted: Lifted,
    },
    /// People work here.
    LockOutPlaced {
        /// The meter.
        meter: MeterNumber,
        /// Who and why.
        standing: StandingOrder,
    },
    /// They are done.
    LockOutLifted {
        /// The meter.
        meter: MeterNumber,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// Shed, or not any more.
    ShedChanged {
        /// The meter.
        meter: MeterNumber,
        /// Now.
        shed: bool,
    },
    /// Friendly hours have begun or ended.
    FriendlyHoursChanged {
        /// The meter.
        meter: MeterNumber,
        /// Now.
        on: bool,
    },
    /// The next friendly hours are known.
    FriendlyHoursPlanned {
        /// The meter.
        meter: MeterNumber,
        /// When they begin, UTC seconds.
        from_utc_s: i64,
        /// When they end, UTC seconds.
        to_utc_s: i64,
    },
    /// Supply was cut for lack of credit and waits for somebody, also when there is credit again.
    RestoreAwaited {
        /// The meter.
        meter: MeterNumber,
    },
    /// Supply may come back.
    RestoreAllowed {
        /// The meter.
        meter: MeterNumber,
        /// Somebody on site said that it is safe.
        on_site: bool,
        /// Who.
        by: OperatorId,
        /// Why.
        why: Reason,
    },
    /// While a meter was not heard, more may have been used beyond the credit than is to be risked; or it was heard again.
    ExposureChanged {
        /// The meter.
        meter: MeterNumber,
        /// What may have been used beyond the credit, minor units; 0 when it is over.
        exposure: Money,
    },
    /// Another rule decides on the relay. A new version is to be written to the meter; the same version only has
    /// another cause.
    RelayDesired {
        /// The meter.
        meter: MeterNumber,
        /// The order's version.
        version: u32,
        /// What, and by which rule.
        decided: Decided,
        /// Written again at the earliest at this time, UTC seconds.
        retry_at_utc_s: i64,
    },
    /// The order was written.
    RelayWritten {
        /// The meter.
        meter: MeterNumber,
        /// The order's version.
        version: u32,
    },
    /// The order is not shown and is written again.
    RelayRetried {
        /// The meter.
        meter: MeterNumber,
        /// The order's version.
        version: u32,
        /// How often it was written again.
        attempts: u16,
        /// Again at the earliest at this time, UTC seconds.
        retry_at_utc_s: i64,
    },
    /// A read-back shows the order.
    RelayConfirmed {
        /// The meter.
        meter: MeterNumber,
        /// The order's version.
        version: u32,
    },
    /// The relay has moved.
    RelayMoved {
        /// The meter.
        meter: MeterNumber,
        /// Whether it passes current now.
        closed: bool,
    },
    /// The supply is cut for lack of credit, seen on the meter.
    CutVerified {
        /// The meter.
        meter: MeterNumber,
        /// The meter did it by itself while it could not be heard.
        autonomous: bool,
    },
    /// The supply is back after a cut, seen on the meter.
    RestoreVerified {
        /// The meter.
        meter: MeterNumber,
        /// The meter did it by itself while it could not be heard.
        autonomous: bool,
    },
    /// The meter tripped on overload, or is back.
    LoadChanged {
        /// The meter.
        meter: MeterNumber,
        /// Now.
        to: Load,
    },
    /// A disagreement was seen; it becomes a finding if it lasts.
    DisagreementSeen {
        /// The meter.
        meter: MeterNumber,
        /// What kind.
        kind: FindingKind,
    },
    /// It has lasted.
    FindingRaised {
        /// The meter.
        meter: MeterNumber,
        /// What.
        finding: Finding,
    },
    /// It is over.
    FindingCleared {
        /// The meter.
        meter: MeterNumber,
        /// What kind.
        kind: FindingKind,
    },
}
