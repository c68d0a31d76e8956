//! Why a command or an event is refused. The state is then as it was.

use thiserror::Error;

use super::apply_error::ApplyError;
use super::terms::TermsError;
use crate::debt::{DebtError, DebtKind};
use crate::id::{DebtId, MeterNumber, OperatorId, RefundId, SaleId};
use crate::money::{Money, MoneyError};
use crate::series::SeriesError;
use crate::settlement::{BadRegister, PricerRefusal};
use crate::status::{Credit, Service};

/// A command that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The account is not in the state of life that the command needs.
    #[error("the account is {found:?}, needed is {needed:?}")]
    Service {
        /// Where it is.
        found: Service,
        /// Where it would have to be.
        needed: Service,
    },
    /// The account has no such meter.
    #[error("meter {meter} does not belong to this account")]
    UnknownMeter {
        /// The number.
        meter: MeterNumber,
    },
    /// A meter is listed twice, or no meter at all, or more than an account may have.
    #[error("{meters} meters, of which {distinct} are distinct; 1 to {max} are allowed")]
    Meters {
        /// How many were given.
        meters: usize,
        /// How many of them are distinct.
        distinct: usize,
        /// The most.
        max: usize,
    },
    /// The reading is of another meter.
    #[error("the reading is of meter {shown}, not of {meter}")]
    OtherMeter {
        /// The expected one.
        meter: MeterNumber,
        /// The one that answered.
        shown: MeterNumber,
    },
    /// A fresh meter that has credit, or credit at the station of an account whose purses are in the meters.
    #[error("{field} is {} minor units, it must be 0", value.minor())]
    OpeningCredit {
        /// What.
        field: &'static str,
        /// How much.
        value: Money,
    },
    /// A register above its own range.
    #[error("register {register} shows {value} (0.01 kWh), which is not below {modulus}")]
    OpeningRegister {
        /// 0 for the total, 1… for the rates.
        register: u8,
        /// What it shows.
        value: u64,
        /// Its range.
        modulus: u64,
    },
    /// Terms that make no sense.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The purse or the currency of an open account can't change.
    #[error("{field} can't change while the account is open")]
    Fixed {
        /// What.
        field: &'static str,
    },
    /// A reading older than one that was used already.
    #[error("the reading was taken at {taken_mono_ms} ms, one of {latest_mono_ms} ms was used already")]
    ReadingOlder {
        /// When this one was taken.
        taken_mono_ms: u64,
        /// When the latest was.
        latest_mono_ms: u64,
    },
    /// A reading from the future.
    #[error("the reading was taken at {taken_mono_ms} ms, it is {now_mono_ms} ms now")]
    ReadingFromFuture {
        /// When it was taken.
        taken_mono_ms: u64,
        /// Now.
        now_mono_ms: u64,
    },
    /// No money moves while a meter is quarantined.
    #[error("meter {meter} is quarantined")]
    Quarantined {
        /// The meter.
        meter: MeterNumber,
    },
    /// The meter is not quarantined.
    #[error("meter {meter} is not quarantined")]
    NotQuarantined {
        /// The meter.
        meter: MeterNumber,
    },
    /// One money-relevant write at a time.
    #[error("sale {} is open on meter {meter}", open.0)]
    SaleOpen {
        /// The meter.
        meter: MeterNumber,
        /// The open sale.
        open: SaleId,
    },
    /// No such open sale: unknown, or closed already.
    #[error("sale {} is not open", sale.0)]
    NoSuchSale {
        /// The number.
        sale: SaleId,
    },
    /// The number is not above every earlier one.
    #[error("sale {} is not above {}, the latest of this account", sale.0, latest.0)]
    SaleNotNew {
        /// The number.
        sale: SaleId,
        /// The latest.
        latest: SaleId,
    },
    /// The command does not fit the step at which the sale is.
    #[error("sale {}: {command} does not fit, it is {phase}", sale.0)]
    SaleStep {
        /// The sale.
        sale: SaleId,
        /// The command.
        command: &'static str,
        /// The step.
        phase: &'static str,
    },
    /// A meter is needed with purses in meters, and none with the purse at the station.
    #[error("{given} for an account whose purse is {purse}")]
    SaleMeter {
        /// What was given.
        given: &'static str,
        /// Where the purse is.
        purse: &'static str,
    },
    /// A sale is above zero.
    #[error("a sale of {} minor units; it must be above 0", amount.minor())]
    AmountNotPositive {
        /// What was given.
        amount: Money,
    },
    /// More than one sale may be.
    #[error("a sale of {} minor units, at most {}", amount.minor(), max.minor())]
    AmountAboveSale {
        /// What was given.
        amount: Money,
        /// The most.
        max: Money,
    },
    /// More than may be stored.
    #[error("{} minor units would be stored, at most {}", stored.minor(), max.minor())]
    AmountAboveStored {
        /// What would be stored.
        stored: Money,
        /// The most.
        max: Money,
    },
    /// More than the meter's purchase frame can carry.
    #[error("a sale of {} minor units, the frame carries at most {}", amount.minor(), max.minor())]
    AmountAboveFrame {
        /// What was given.
        amount: Money,
        /// The most.
        max: Money,
    },
    /// Not enough money of the customer at the station.
    #[error("{} minor units wanted, {} are there", amount.minor(), available.minor())]
    NotEnough {
        /// Wanted.
        amount: Money,
        /// There.
        available: Money,
    },
    /// One money-relevant write at a time.
    #[error("refund {} is open on meter {meter}", open.0)]
    RefundOpen {
        /// The meter.
        meter: MeterNumber,
        /// The open refund.
        open: RefundId,
    },
    /// A reading of this meter is needed.
    #[error("no reading of meter {meter} was given")]
    NoReading {
        /// The meter.
        meter: MeterNumber,
    },
    /// A new meter is taking its place.
    #[error("meter {meter} is being replaced by {new}")]
    BeingReplaced {
        /// The meter.
        meter: MeterNumber,
        /// The new one.
        new: MeterNumber,
    },
    /// More meters on the bench than are kept.
    #[error("at most {max} meters of one account wait for the bench")]
    BenchFull {
        /// The most.
        max: usize,
    },
    /// What is in suspense for it has to find its place first: read it on the bench, or accept the estimate.
    #[error("meter {meter} waits for the bench")]
    WaitsForBench {
        /// The meter.
        meter: MeterNumber,
    },
    /// The meter on the bench shows writes that the books do not: what became of an open sale was judged wrongly.
    #[error("meter {meter} shows count {shown}, the books expect {expected}")]
    BenchCount {
        /// The meter.
        meter: MeterNumber,
        /// What it shows.
        shown: u16,
        /// What the books explain.
        expected: u16,
    },
    /// A register that can't be believed.
    #[error(transparent)]
    Register(#[from] BadRegister),
    /// It is not older than the last one that is booked, or from the future.
    #[error("the reading is of {taken_utc_s}, the last one is of {last_utc_s} (UTC seconds)")]
    ReadingNotLate {
        /// When it was taken.
        taken_utc_s: i64,
        /// When the last one was.
        last_utc_s: i64,
    },
    /// Older than what can still be corrected.
    #[error("the reading is of {taken_utc_s}; up to {base_utc_s} nothing changes any more (UTC seconds)")]
    ReadingTooOld {
        /// When it was taken.
        taken_utc_s: i64,
        /// The fixed point.
        base_utc_s: i64,
    },
    /// A reading of this time is booked; correct it if it is wrong.
    #[error("a reading of {taken_utc_s} (UTC seconds) is booked already")]
    ReadingKnown {
        /// When.
        taken_utc_s: i64,
    },
    /// Nothing to correct.
    #[error("no reading of {taken_utc_s} (UTC seconds) is known")]
    NoSuchReading {
        /// When.
        taken_utc_s: i64,
    },
    /// What a meter takes from its own purse is not estimated.
    #[error("the purse is in meter {meter}, which is not estimated")]
    EstimateInMeter {
        /// The meter.
        meter: MeterNumber,
    },
    /// An estimate for another number of rates.
    #[error("an estimate for {given} rates, the meter has {rates}")]
    EstimateRates {
        /// What was given.
        given: usize,
        /// What the meter has.
        rates: usize,
    },
    /// Friendly hours that end before they begin, or are over.
    #[error("friendly hours from {from_utc_s} to {to_utc_s}, it is {now_utc_s} now (UTC seconds)")]
    FriendlySpan {
        /// From.
        from_utc_s: i64,
        /// To.
        to_utc_s: i64,
        /// Now.
        now_utc_s: i64,
    },
    /// Nothing waits to be restored.
    #[error("meter {meter} does not wait to be restored")]
    NothingToRestore {
        /// The meter.
        meter: MeterNumber,
    },
    /// Whoever is cut pays first.
    #[error("the account of meter {meter} is still in arrears")]
    StillInArrears {
        /// The meter.
        meter: MeterNumber,
    },
    /// Somebody has to be there.
    #[error("meter {meter} is restored on site only")]
    NotOnSite {
        /// The meter.
        meter: MeterNumber,
    },
    /// An account keeps one meter at least; close it instead.
    #[error("meter {meter} is the last one; close the account")]
    LastMeter {
        /// The meter.
        meter: MeterNumber,
    },
    /// What the meter holds, or is overdrawn by, would be the next tenant's.
    #[error("meter {meter} holds {} minor units; refund them first", balance.minor())]
    CreditInMeter {
        /// The meter.
        meter: MeterNumber,
        /// What it holds, minor units.
        balance: Money,
    },
    /// The final settlement does not fit what remains.
    #[error("{} minor units remain: {problem}", rest.minor())]
    FinalSettlement {
        /// What remains: the customer's above zero, ours below.
        rest: Money,
        /// Why it does not fit.
        problem: &'static str,
    },
    /// The terms do not provide for it.
    #[error("{what} are not agreed for this account")]
    NotAgreed {
        /// What.
        what: &'static str,
    },
    /// Emergency credit is offered when credit is low, not before.
    #[error("emergency credit is not offered while credit is {credit:?}")]
    EmergencyNotOffered {
        /// The credit.
        credit: Credit,
    },
    /// It was taken and is not paid back.
    #[error("emergency credit is taken and not paid back yet")]
    EmergencyTaken,
    /// The free amount of a period is given once.
    #[error("period {period} is not above {latest}, the latest that was given")]
    PeriodNotNew {
        /// The period.
        period: u32,
        /// The latest.
        latest: u32,
    },
    /// A kind of debt that has a command of its own.
    #[error("a debt of kind {kind:?} is not charged by hand")]
    DebtKind {
        /// The kind.
        kind: DebtKind,
    },
    /// The number is not above every earlier one.
    #[error("debt {} is not above {}, the latest of this account", debt.0, latest.0)]
    DebtNotNew {
        /// The number.
        debt: DebtId,
        /// The latest.
        latest: DebtId,
    },
    /// A sale of which a part has paid debts is not reversed; refund its credit.
    #[error("{} minor units of sale {} have paid debts; refund its credit instead", recovered.minor(), sale.0)]
    PaidDebts {
        /// The sale.
        sale: SaleId,
        /// How much.
        recovered: Money,
    },
    /// A debt or plan that makes no sense.
    #[error(transparent)]
    Debt(#[from] DebtError),
    /// No such open refund: unknown, or closed already.
    #[error("refund {} is not open", refund.0)]
    NoSuchRefund {
        /// The number.
        refund: RefundId,
    },
    /// The number is not above every earlier one.
    #[error("refund {} is not above {}, the latest of this account", refund.0, latest.0)]
    RefundNotNew {
        /// The number.
        refund: RefundId,
        /// The latest.
        latest: RefundId,
    },
    /// The command does not fit the step at which the refund is.
    #[error("refund {}: {command} does not fit, it is {phase}", refund.0)]
    RefundStep {
        /// The refund.
        refund: RefundId,
        /// The command.
        command: &'static str,
        /// The step.
        phase: &'static str,
    },
    /// The place does not fit the account.
    #[error("{problem}")]
    RefundPlace {
        /// Why not.
        problem: &'static str,
    },
    /// More than was paid through the channels and not given back yet.
    #[error("{} minor units wanted, {} of what was paid can still be given back", amount.minor(), refundable.minor())]
    AboveRefundable {
        /// Wanted.
        amount: Money,
        /// What can be given back.
        refundable: Money,
    },
    /// Only the last sale that a meter has taken, or a sale at the station, can be reversed.
    #[error("sale {} is not the last sale of a meter, nor a sale at the station that is still known", sale.0)]
    NotReversible {
        /// The sale.
        sale: SaleId,
    },
    /// A sale is reversed at most once.
    #[error("sale {} is reversed already, or is being reversed", sale.0)]
    AlreadyReversed {
        /// The sale.
        sale: SaleId,
    },
    /// A sale of which something was refunded is not reversed.
    #[error("of sale {} {} minor units are refunded already", sale.0, refunded.minor())]
    AlreadyRefunded {
        /// The sale.
        sale: SaleId,
        /// How much, open refunds included.
        refunded: Money,
    },
    /// An operator has to say what became of the open sale, and only then.
    #[error("meter {meter}: {problem}")]
    Resolution {
        /// The meter.
        meter: MeterNumber,
        /// What is missing or too much.
        problem: &'static str,
    },
    /// The meter must never be cut.
    #[error("meter {meter} must never be cut; {order} is refused")]
    NeverCut {
        /// The meter.
        meter: MeterNumber,
        /// The order.
        order: &'static str,
    },
    /// Nothing to lift or lifted already.
    #[error("no {order} stands on meter {meter}")]
    NoSuchOrder {
        /// The meter.
        meter: MeterNumber,
        /// The order.
        order: &'static str,
    },
    /// It stands already.
    #[error("{order} stands on meter {meter} already")]
    OrderStands {
        /// The meter.
        meter: MeterNumber,
        /// The order.
        order: &'static str,
    },
    /// A lock-out belongs to the person who placed it.
    #[error("the lock-out of meter {meter} belongs to operator {}, not to {}", owner.0, by.0)]
    NotOwner {
        /// The meter.
        meter: MeterNumber,
        /// Whose it is.
        owner: OperatorId,
        /// Who tried.
        by: OperatorId,
    },
    /// An end that is over already.
    #[error("the order would end at {until_utc_s}, it is {now_utc_s} now (UTC seconds)")]
    UntilPast {
        /// When it would end.
        until_utc_s: i64,
        /// Now.
        now_utc_s: i64,
    },
    /// A newer relay order has taken its place.
    #[error("relay order {version} of meter {meter} is superseded by {current}")]
    Superseded {
        /// The meter.
        meter: MeterNumber,
        /// The order.
        version: u32,
        /// The current one.
        current: u32,
    },
    /// No price.
    #[error(transparent)]
    Pricer(#[from] PricerRefusal),
    /// An amount out of range.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The account's events do not fit together. This is a defect of the crate or of the store, never of the caller's
    /// data.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<SeriesError> for Refusal {
    fn from(error: SeriesError) -> Self {
        match error {
            SeriesError::Register(bad) => Self::Register(bad),
            SeriesError::Pricer(refusal) => Self::Pricer(refusal),
        }
    }
}
