//! Deliberately broken rules, so that the simulator can show that it would see each of them.
//!
//! Without the feature `sim` nothing here is ever broken: [`is`] answers no, and the compiler removes the question. With
//! it an account can carry one [`Bend`], which no event and no stored state ever holds.
#![cfg_attr(not(feature = "sim"), allow(unreachable_pub, reason = "public through `sim` only"))]

use crate::account::Account;
use crate::money::Money;
#[cfg(feature = "sim")]
use crate::reading::Force;
use crate::refund::{OverwriteVerdict, RefundNext};
#[cfg(feature = "sim")]
use crate::relay::Cause;
use crate::relay::{self, Cutter, Decided, Standing};
use crate::sale::{FencePurpose, Next, Proof, Verdict};

/// One broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bend {
    /// A count as before counts as applied.
    NotAppliedIsApplied,
    /// Our count and amount count as not applied.
    AppliedIsNotApplied,
    /// Another amount counts as ours.
    ForeignIsApplied,
    /// Another amount counts as not applied.
    ForeignIsNotApplied,
    /// Several writes count as ours.
    UnexplainedIsApplied,
    /// A lower count counts as ours.
    CountBackIsApplied,
    /// The meter's number is not looked at.
    OtherMeterIgnored,
    /// No answer to a read-back counts as applied.
    UnknownIsApplied,
    /// No answer to a read-back counts as not applied: the frame is sent again blindly.
    UnknownIsNotApplied,
    /// No answer to the purchase frame counts as failed: the money goes back at once.
    NoReplyIsFailure,
    /// An answer to the purchase frame counts as applied.
    ReplyIsSuccess,
    /// Counts are compared without their wrap.
    NoWrap,
    /// Energy used between the readings is not allowed for.
    UseIsIgnored,
    /// A void does not wait for the fence.
    VoidWithoutFence,
    /// A second frame goes to a meter that adds any count without waiting for the fence.
    ResendWithoutFence,
    /// The fence is passed as soon as the connection is closed.
    FenceWithoutWait,
    /// Each frame of a sale carries a new count.
    NewCountEachFrame,
    /// A write that nobody here sent is taken for granted.
    ForeignWriteIgnored,
    /// A balance that rose without a write is taken for granted.
    RiseIgnored,
    /// A relay order counts as obeyed without looking.
    ConfirmedUnseen,
    /// A meter that must never be cut is cut.
    NeverCutIsCut,
    /// Two rules of the relay have changed places.
    #[cfg(feature = "sim")]
    Precedence(Cause, Cause),
    /// Effects leave before their events are stored.
    #[cfg(feature = "sim")]
    EffectsLeaveEarly,
    /// After a restart the frame is sent again without reading back.
    #[cfg(feature = "sim")]
    RestartSendsBlindly,
    /// Payments are not booked.
    #[cfg(feature = "sim")]
    PaymentNotBooked,
    /// Consumption is not booked.
    #[cfg(feature = "sim")]
    ChargeNotBooked,
    /// An overwrite that was not applied counts as applied.
    RefundNotAppliedIsApplied,
    /// An overwrite whose count came without its balance counts as applied.
    RefundForeignIsApplied,
    /// An overwrite that was applied counts as not applied.
    RefundAppliedIsNotApplied,
    /// An overwrite that only the count shows counts as not applied.
    RefundCountOnlyIsNotApplied,
    /// An overwrite with further writes behind it counts as applied.
    RefundUnexplainedIsApplied,
    /// An overwrite behind which the count is lower counts as applied.
    RefundCountBackIsApplied,
    /// No answer to the read-back of an overwrite counts as applied.
    RefundUnknownIsApplied,
    /// No answer to the read-back of an overwrite counts as not applied: it is given up at once.
    RefundUnknownIsNotApplied,
    /// The number of the meter that answers to an overwrite is not looked at.
    RefundOtherMeterIgnored,
    /// An overwrite leaves before the supply is seen to be off.
    RefundWithoutForceOff,
    /// The supply stays off after a refund.
    RefundNotRestored,
    /// An overwrite whose balance came without its count is sent again.
    TornIsNotApplied,
    /// A refund is closed as soon as the meter shows it, without the fence.
    RefundClosedWithoutFence,
    /// A refund is given up without the fence.
    RefundVoidedWithoutFence,
    /// Relay orders that a newer one has superseded are written nevertheless.
    SupersededIsWritten,
    /// What a new meter shows before it has taken over is booked as its credit.
    NewMeterIsBooked,
    /// A little of an old meter's credit stays behind when it is replaced.
    CarryIsShort,
    /// A replacement is done as soon as the new meter has answered to the overwrite.
    CarryReplyIsDone,
    /// What the bench reads on a meter that was unreadable is not looked at: the estimate stands.
    BenchIsIgnored,
    /// Purchases pay no debts.
    DebtsNotRecovered,
    /// Of a debt with agreed parts a purchase pays all.
    InstalmentsAllDue,
    /// Emergency credit is given again before it is paid back.
    EmergencyTwice,
    /// A debt is not booked.
    #[cfg(feature = "sim")]
    DebtNotBooked,
    /// A debt that is given up is not booked.
    #[cfg(feature = "sim")]
    WriteOffNotBooked,
}

/// Whether this rule is broken.
#[cfg(not(feature = "sim"))]
pub(crate) const fn is(_: &Account, _: Bend) -> bool {
    false
}

/// Whether this rule is broken.
#[cfg(feature = "sim")]
pub(crate) fn is(account: &Account, bend: Bend) -> bool {
    account.bend == Some(bend)
}

/// The truth table as this account reads it.
pub(crate) fn verdict(account: &Account, verdict: Verdict, before: u16, shown: u16) -> Verdict {
    match verdict {
        _ if shown < before && is(account, Bend::NoWrap) => Verdict::CountWentBack { shown },
        Verdict::Applied(_) if is(account, Bend::AppliedIsNotApplied) => Verdict::NotApplied,
        Verdict::Foreign { .. } if is(account, Bend::ForeignIsApplied) => Verdict::Applied(Proof::Amount),
        Verdict::Foreign { .. } if is(account, Bend::ForeignIsNotApplied) => Verdict::NotApplied,
        Verdict::Unexplained { .. } if is(account, Bend::UnexplainedIsApplied) => Verdict::Applied(Proof::Amount),
        Verdict::OtherMeter { .. } if is(account, Bend::OtherMeterIgnored) => Verdict::Applied(Proof::CountOnly),
        Verdict::CountWentBack { .. } if is(account, Bend::CountBackIsApplied) => Verdict::Applied(Proof::Amount),
        other => other,
    }
}

/// What follows when nothing was applied, as this account sees it.
pub(crate) fn next(account: &Account, next: Next) -> Next {
    match next {
        Next::Fence { purpose: FencePurpose::Void } if is(account, Bend::VoidWithoutFence) => Next::Void,
        Next::Fence { purpose: FencePurpose::Resend } if is(account, Bend::ResendWithoutFence) => Next::SendAgain,
        other => other,
    }
}

/// The truth table of overwrites as this account reads it.
pub(crate) fn overwrite_verdict(account: &Account, verdict: OverwriteVerdict) -> OverwriteVerdict {
    use OverwriteVerdict::{Applied, CountWentBack, Foreign, NotApplied, OtherMeter, Torn, Unexplained};
    match verdict {
        NotApplied if is(account, Bend::RefundNotAppliedIsApplied) => Applied(Proof::Amount),
        Foreign { .. } if is(account, Bend::RefundForeignIsApplied) => Applied(Proof::Amount),
        Torn { .. } if is(account, Bend::TornIsNotApplied) => NotApplied,
        Applied(Proof::Amount) if is(account, Bend::RefundAppliedIsNotApplied) => NotApplied,
        Applied(Proof::CountOnly) if is(account, Bend::RefundCountOnlyIsNotApplied) => NotApplied,
        Unexplained { .. } if is(account, Bend::RefundUnexplainedIsApplied) => Applied(Proof::Amount),
        CountWentBack { .. } if is(account, Bend::RefundCountBackIsApplied) => Applied(Proof::Amount),
        OtherMeter { .. } if is(account, Bend::RefundOtherMeterIgnored) => Applied(Proof::CountOnly),
        other => other,
    }
}

/// What follows from a reading of an overwrite, as this account sees it.
pub(crate) fn refund_next(account: &Account, next: RefundNext) -> RefundNext {
    use crate::refund::RefundFence::{Close, Void};
    match next {
        RefundNext::Fence { purpose: Close } if is(account, Bend::RefundClosedWithoutFence) => RefundNext::Close,
        RefundNext::Fence { purpose: Void } if is(account, Bend::RefundVoidedWithoutFence) => RefundNext::Void,
        other => other,
    }
}

/// How much of an old meter's credit goes into the new one, as this account sees it.
pub(crate) fn carried(account: &Account, credit: Money) -> Money {
    let short = if is(account, Bend::CarryIsShort) { Money::from_minor(100) } else { Money::ZERO };
    credit.minus(short).unwrap_or(credit).max(Money::ZERO)
}

/// How far a count has advanced, as this account counts.
pub(crate) fn advanced(account: &Account, from: u16, to: u16) -> u16 {
    if is(account, Bend::NoWrap) && to < from { u16::MAX } else { to.wrapping_sub(from) }
}

/// Whether a newer order about supply leaves the older one standing, so that the two can be held against each other.
#[cfg(not(feature = "sim"))]
pub(crate) const fn orders_stack(_: &Account) -> bool {
    false
}

/// Whether a newer order about supply leaves the older one standing, so that the two can be held against each other.
#[cfg(feature = "sim")]
pub(crate) fn orders_stack(account: &Account) -> bool {
    is(account, Bend::Precedence(Cause::KeepPower, Cause::ForcedOff))
}

/// What the relay should do, by this account's precedence.
pub(crate) fn decided(account: &Account, standing: &Standing, cutter: Cutter) -> Decided {
    let standing = Standing { never_cut: standing.never_cut && !is(account, Bend::NeverCutIsCut), ..*standing };
    #[cfg(feature = "sim")]
    if let Some(Bend::Precedence(one, other)) = account.bend {
        return decide_swapped(&standing, cutter, one, other);
    }
    relay::decide(&standing, cutter)
}

/// The precedence with two rules swapped: the first rule that stands decides as if it stood alone.
#[cfg(feature = "sim")]
fn decide_swapped(standing: &Standing, cutter: Cutter, one: Cause, other: Cause) -> Decided {
    let swapped = |cause: Cause| match cause {
        cause if cause == one => other,
        cause if cause == other => one,
        cause => cause,
    };
    let alone = |cause: Cause| {
        let never_cut = standing.never_cut;
        let mut alone = Standing { never_cut, ..Standing::default() };
        match cause {
            Cause::LockOut => alone.lock_out = standing.lock_out,
            Cause::KeepPower => alone.keep_power = standing.keep_power,
            Cause::ForcedOff => alone.forced_off = standing.forced_off,
            Cause::LoadLimit => alone.load_limit = standing.load_limit,
            Cause::FriendlyHours => alone.friendly_hours = standing.friendly_hours,
            Cause::Arrears => alone.arrears = standing.arrears,
            // A meter that must never be cut but would cut itself is held on.
            Cause::Prepaid => alone.arrears = standing.arrears && never_cut,
        }
        relay::decide(&alone, cutter)
    };
    Cause::ALL
        .into_iter()
        .map(swapped)
        .map(|cause| (cause, alone(cause)))
        .find(|(cause, decided)| decided.cause == *cause)
        .map_or(Decided { force: Force::Automatic, cause: Cause::Prepaid }, |(_, decided)| decided)
}

#[cfg(feature = "sim")]
impl Account {
    /// Breaks a rule of this account, or mends it. For simulations that show that they would see it.
    pub const fn set_bend(&mut self, bend: Option<Bend>) {
        self.bend = bend;
    }
}
