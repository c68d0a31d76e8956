//! Broken cores, and what each of them breaks.

use super::{Bend, Report};
use crate::relay::Cause;

/// A property that the auditor watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// A verdict is what the meter did.
    RightVerdict,
    /// A sale is credited once.
    CreditedOnce,
    /// A sale that is closed as applied was credited.
    CreditNotLost,
    /// Every sale is closed when the links have healed.
    Resolved,
    /// A meter is quarantined only when somebody else was there.
    QuarantineHasReason,
    /// The relay is what people and credit want.
    Supply,
    /// Operators see the strongest rule that stands.
    Display,
    /// The books balance and agree with account, payments and meter.
    Books,
}

impl Property {
    /// Every property.
    pub const ALL: [Self; 8] = [
        Self::RightVerdict,
        Self::CreditedOnce,
        Self::CreditNotLost,
        Self::Resolved,
        Self::QuarantineHasReason,
        Self::Supply,
        Self::Display,
        Self::Books,
    ];

    /// How often it was broken in a run.
    #[must_use]
    pub const fn broken(self, report: &Report) -> u64 {
        match self {
            Self::RightVerdict => report.wrong_verdicts,
            Self::CreditedOnce => report.double_credits,
            Self::CreditNotLost => report.lost_credits,
            Self::Resolved => report.unresolved,
            Self::QuarantineHasReason => report.false_quarantines,
            Self::Supply => report.supply_errors,
            Self::Display => report.wrong_displays,
            Self::Books => report.ledger_imbalance,
        }
    }
}

/// A broken core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutant {
    /// Its name on the command line.
    pub name: &'static str,
    /// The rule that is broken.
    pub bend: Bend,
    /// The properties that it breaks first in some cell, and no others. What breaks later in a cell follows from that.
    pub breaks: &'static [Property],
}

/// The mutant of this name.
#[must_use]
pub fn mutant(name: &str) -> Option<&'static Mutant> {
    MUTANTS.iter().find(|mutant| mutant.name == name)
}

macro_rules! mutants {
    ($($name:literal => $bend:expr; breaks $($property:ident)+),* $(,)?) => {
        &[$(Mutant { name: $name, bend: $bend, breaks: &[$(Property::$property),+] }),*]
    };
}

/// Every mutant. While credit is taken out of a meter the station's own order to be off stands like an operator's: a mutant
/// of the precedence that leaves the supply on then lets the overwrite erase use, which breaks the books.
pub const MUTANTS: &[Mutant] = mutants! {
    "not-applied-is-applied" => Bend::NotAppliedIsApplied; breaks RightVerdict CreditNotLost,
    "applied-is-not-applied" => Bend::AppliedIsNotApplied; breaks RightVerdict CreditedOnce QuarantineHasReason,
    "foreign-is-applied" => Bend::ForeignIsApplied; breaks RightVerdict CreditNotLost Books,
    "foreign-is-not-applied" => Bend::ForeignIsNotApplied; breaks RightVerdict CreditedOnce,
    "unexplained-is-applied" => Bend::UnexplainedIsApplied; breaks RightVerdict CreditNotLost Books,
    "count-back-is-applied" => Bend::CountBackIsApplied; breaks RightVerdict CreditNotLost Books,
    "other-meter-ignored" => Bend::OtherMeterIgnored; breaks RightVerdict CreditNotLost Books,
    "unknown-is-applied" => Bend::UnknownIsApplied; breaks RightVerdict CreditNotLost,
    "unknown-is-not-applied" => Bend::UnknownIsNotApplied; breaks CreditedOnce QuarantineHasReason,
    "no-reply-is-failure" => Bend::NoReplyIsFailure; breaks RightVerdict,
    "reply-is-success" => Bend::ReplyIsSuccess; breaks RightVerdict CreditNotLost Books,
    "no-wrap" => Bend::NoWrap; breaks QuarantineHasReason,
    "use-is-ignored" => Bend::UseIsIgnored; breaks QuarantineHasReason,
    "void-without-fence" => Bend::VoidWithoutFence; breaks RightVerdict,
    "resend-without-fence" => Bend::ResendWithoutFence; breaks CreditedOnce QuarantineHasReason Books,
    "fence-without-wait" => Bend::FenceWithoutWait; breaks RightVerdict CreditNotLost Books,
    "new-count-each-frame" => Bend::NewCountEachFrame; breaks CreditedOnce QuarantineHasReason,
    "foreign-write-ignored" => Bend::ForeignWriteIgnored; breaks RightVerdict CreditedOnce Books,
    "rise-ignored" => Bend::RiseIgnored; breaks RightVerdict CreditedOnce Books,
    "confirmed-unseen" => Bend::ConfirmedUnseen; breaks Supply,
    "never-cut-is-cut" => Bend::NeverCutIsCut; breaks Supply,
    "effects-leave-early" => Bend::EffectsLeaveEarly; breaks RightVerdict CreditedOnce QuarantineHasReason,
    "restart-sends-blindly" => Bend::RestartSendsBlindly; breaks RightVerdict CreditedOnce QuarantineHasReason,
    "payment-not-booked" => Bend::PaymentNotBooked; breaks Books,
    "charge-not-booked" => Bend::ChargeNotBooked; breaks Books,
    "superseded-is-written" => Bend::SupersededIsWritten; breaks Supply,
    "refund-not-applied-is-applied" => Bend::RefundNotAppliedIsApplied; breaks RightVerdict CreditNotLost QuarantineHasReason Books,
    "refund-torn-is-not-applied" => Bend::TornIsNotApplied; breaks RightVerdict Books,
    "refund-applied-is-not-applied" => Bend::RefundAppliedIsNotApplied; breaks RightVerdict Resolved QuarantineHasReason Supply Display Books,
    "refund-count-only-is-not-applied" => Bend::RefundCountOnlyIsNotApplied; breaks RightVerdict QuarantineHasReason,
    "refund-foreign-is-applied" => Bend::RefundForeignIsApplied; breaks RightVerdict CreditNotLost Books,
    "refund-unexplained-is-applied" => Bend::RefundUnexplainedIsApplied; breaks RightVerdict CreditNotLost Books,
    "refund-unknown-is-applied" => Bend::RefundUnknownIsApplied; breaks RightVerdict CreditedOnce CreditNotLost QuarantineHasReason Books,
    "refund-unknown-is-not-applied" => Bend::RefundUnknownIsNotApplied; breaks RightVerdict CreditNotLost QuarantineHasReason Books,
    "refund-count-back-is-applied" => Bend::RefundCountBackIsApplied; breaks RightVerdict CreditNotLost Books,
    "refund-other-meter-ignored" => Bend::RefundOtherMeterIgnored; breaks RightVerdict CreditNotLost Books,
    "refund-closed-without-fence" => Bend::RefundClosedWithoutFence; breaks RightVerdict CreditedOnce CreditNotLost Books,
    "refund-voided-without-fence" => Bend::RefundVoidedWithoutFence; breaks RightVerdict CreditNotLost Books,
    "refund-without-force-off" => Bend::RefundWithoutForceOff; breaks Books,
    "refund-not-restored" => Bend::RefundNotRestored; breaks Supply Display,
    "new-meter-is-booked" => Bend::NewMeterIsBooked; breaks Resolved Supply Display Books,
    "carry-is-short" => Bend::CarryIsShort; breaks Books,
    "carry-reply-is-done" => Bend::CarryReplyIsDone; breaks RightVerdict CreditedOnce CreditNotLost Books,
    "bench-is-ignored" => Bend::BenchIsIgnored; breaks RightVerdict CreditNotLost Books,
    "debt-not-booked" => Bend::DebtNotBooked; breaks Books,
    "write-off-not-booked" => Bend::WriteOffNotBooked; breaks Books,
    "debts-not-recovered" => Bend::DebtsNotRecovered; breaks Books,
    "instalments-all-due" => Bend::InstalmentsAllDue; breaks Books,
    "emergency-twice" => Bend::EmergencyTwice; breaks Books,
    "lock-out-below-keep-power" => Bend::Precedence(Cause::LockOut, Cause::KeepPower); breaks Supply Display Books,
    "lock-out-below-forced-off" => Bend::Precedence(Cause::LockOut, Cause::ForcedOff); breaks Supply Display Books,
    "lock-out-below-load-limit" => Bend::Precedence(Cause::LockOut, Cause::LoadLimit); breaks Supply Display Books,
    "lock-out-below-friendly-hours" => Bend::Precedence(Cause::LockOut, Cause::FriendlyHours); breaks Supply Display Books,
    "lock-out-below-arrears" => Bend::Precedence(Cause::LockOut, Cause::Arrears); breaks Supply Display Books,
    "lock-out-below-prepaid" => Bend::Precedence(Cause::LockOut, Cause::Prepaid); breaks Supply Display Books,
    "keep-power-below-load-limit" => Bend::Precedence(Cause::KeepPower, Cause::LoadLimit); breaks Supply Display,
    "keep-power-below-friendly-hours" => Bend::Precedence(Cause::KeepPower, Cause::FriendlyHours); breaks Supply Display Books,
    "keep-power-below-arrears" => Bend::Precedence(Cause::KeepPower, Cause::Arrears); breaks Supply Display,
    "keep-power-below-prepaid" => Bend::Precedence(Cause::KeepPower, Cause::Prepaid); breaks Supply Display Books,
    "keep-power-below-forced-off" => Bend::Precedence(Cause::KeepPower, Cause::ForcedOff); breaks Supply Display,
    "forced-off-below-load-limit" => Bend::Precedence(Cause::ForcedOff, Cause::LoadLimit); breaks Display,
    "forced-off-below-friendly-hours" => Bend::Precedence(Cause::ForcedOff, Cause::FriendlyHours); breaks Supply Display Books,
    "forced-off-below-arrears" => Bend::Precedence(Cause::ForcedOff, Cause::Arrears); breaks Supply Display Books,
    "forced-off-below-prepaid" => Bend::Precedence(Cause::ForcedOff, Cause::Prepaid); breaks Supply Display Books,
    "load-limit-below-friendly-hours" => Bend::Precedence(Cause::LoadLimit, Cause::FriendlyHours); breaks Supply Display,
    "load-limit-below-arrears" => Bend::Precedence(Cause::LoadLimit, Cause::Arrears); breaks Supply Display,
    "load-limit-below-prepaid" => Bend::Precedence(Cause::LoadLimit, Cause::Prepaid); breaks Supply Display,
    "friendly-hours-below-arrears" => Bend::Precedence(Cause::FriendlyHours, Cause::Arrears); breaks Supply Display,
    "friendly-hours-below-prepaid" => Bend::Precedence(Cause::FriendlyHours, Cause::Prepaid); breaks Supply Display,
    "arrears-below-prepaid" => Bend::Precedence(Cause::Arrears, Cause::Prepaid); breaks Supply,
};
