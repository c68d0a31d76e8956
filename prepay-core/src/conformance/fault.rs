//! Broken ledgers, and what each of them breaks.

use super::Property;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident => [$($property:ident),+];)+) => {
        /// One broken rule of the [`super::Reference`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Fault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// What it breaks: these properties and no others.
            #[must_use]
            pub const fn breaks(self) -> &'static [Property] {
                match self {
                    $(Self::$name => &[$(Property::$property),+],)+
                }
            }
        }
    };
}

faults! {
    /// A post books one side only.
    OneSided => [BooksBalance];
    /// Keys are forgotten: a repetition happens again.
    KeyForgotten => [CreditedOnce, OtherBodyRefused, RefusedIsBurned];
    /// A repetition is taken for a new request as long as it is a payment.
    PaymentRepeats => [CreditedOnce];
    /// The body of a key is not looked at.
    BodyIgnored => [OtherBodyRefused];
    /// A refused key may be tried again.
    RefusedRetried => [RefusedIsBurned];
    /// A refusal leaves a line in the journal.
    RefusalLeavesTrace => [RefusalChangesNothing];
    /// Money that is not there is set aside.
    NoLimit => [NoCreditWithoutMoney, HoldsCount];
    /// The first hold of a customer is not held against the purse.
    FirstHoldFree => [NoCreditWithoutMoney];
    /// Only posted money counts against the limit.
    HoldsIgnored => [HoldsCount];
    /// A hold can be posted again.
    PostedTwice => [PostedOnce];
    /// More than the hold is posted.
    PostedAbove => [PostedWithinHold];
    /// A void after a post gives the money back.
    VoidAfterPost => [NoVoidAfterPost];
    /// Each refund is held against the whole payment.
    RefundsNotSummed => [RefundsWithinPayment];
    /// A payment can be reversed again.
    ReversedTwice => [ReversedOnce, ReversedOnceUnderRace];
    /// What was judged is stored without looking whether the state is still the same.
    RaceLost => [ReversedOnceUnderRace];
    /// A replacement keeps a unit.
    ReplacementLoses => [ReplacementConserves];
    /// A replacement copies.
    ReplacementCopies => [ReplacementConserves];
    /// The audit does not look at the hashes.
    AuditBlind => [HistoryIsSealed];
    /// Keeping power beats a lock-out.
    LockOutYields => [LockOutDominates];
    /// Forcing off beats keeping power.
    KeepPowerYields => [KeepPowerDominates];
    /// Friendly hours are not written to a meter that cuts by itself.
    FriendlyNotWritten => [NoCutInFriendlyHours];
    /// Arrears beat friendly hours.
    FriendlyYields => [NoCutInFriendlyHours];
    /// A meter that must never be cut is shed.
    NeverCutShed => [NeverCutIsKept];
}
