//! The truth tables and the steps of sales and refunds under arbitrary evidence.
//!
//! Input: which machine, then its state, what was used, and what the meter shows.
//!
//! It must hold that an honest meter is judged as it is, whatever it used: a frame that arrived was applied, one that
//! did not was not; that another meter's reading, another writer's and none are called so; that a verdict of applied
//! means amounts within the tolerance, counted in wide numbers; that every machine ends within a bounded number of
//! steps, sends no more frames than allowed, and gives up what may have left only behind a fence.
#![no_main]

use fuzz::Tape;
use libfuzzer_sys::fuzz_target;
use prepay_core::id::{MeterNumber, OperatorId, Reason, RefundId, SaleId};
use prepay_core::ledger::TransferId;
use prepay_core::money::Money;
use prepay_core::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use prepay_core::refund::{
    self, OpenRefund, Overwrite, OverwriteVerdict, RefundFence, RefundKind, RefundNext, RefundPhase, RefundTake, Seen,
};
use prepay_core::sale::{
    self, EqualCountRule, Evidence, FencePurpose, Next, OpenSale, Phase, Proof, SalePolicy, Verdict, VoidRequest,
};
use prepay_core::time::Now;

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    match tape.byte() % 4 {
        0 => judge_sale(&mut tape),
        1 => judge_overwrite(&mut tape),
        2 => run_sale(&mut tape),
        _ => run_refund(&mut tape),
    }
});

fn meter(number: u64) -> MeterNumber {
    MeterNumber::new(number).expect("few digits")
}

/// Small amounts, and any.
fn money(tape: &mut Tape<'_>) -> Money {
    Money::from_minor(if tape.flag() { i64::from_be_bytes(tape.array()) } else { tape.word().cast_signed().into() })
}

fn positive(tape: &mut Tape<'_>) -> Money {
    Money::from_minor(money(tape).minor().saturating_abs())
}

fn evidence(balance: Money, purchase_count: u16) -> Evidence {
    let energy = Registers { total_centi_kwh: 100, rates: Rates::new(&[100]).expect("one rate") };
    Evidence { purchase_count, balance, energy, taken: Now::new(1_000, 1_772_719_650) }
}

fn reading(number: MeterNumber, balance: Money, purchase_count: u16) -> MeterReading {
    let Evidence { energy, taken, .. } = evidence(balance, purchase_count);
    MeterReading {
        meter: number,
        purchase_count,
        balance,
        energy,
        relay_closed: true,
        force: Force::Automatic,
        flags: MeterFlags::default(),
        prepaid_enabled: true,
        taken,
    }
}

fn wide(money: Money) -> i128 {
    money.minor().into()
}

fn judge_sale(tape: &mut Tape<'_>) {
    let before = evidence(money(tape), tape.word());
    let (amount, used, tolerance) = (positive(tape), tape.flag().then(|| positive(tape)), positive(tape));
    let judge = |shown: Option<&MeterReading>| sale::verdict(meter(7), &before, amount, used, tolerance, shown);
    assert_eq!(judge(None), Verdict::Unknown);
    let other = reading(meter(8), before.balance, before.purchase_count);
    assert_eq!(judge(Some(&other)), Verdict::OtherMeter { shown: meter(8) });
    assert_eq!(judge(Some(&reading(meter(7), money(tape), before.purchase_count))), Verdict::NotApplied);

    // The frame arrived once, and the meter used what is said.
    let count = before.purchase_count.wrapping_add(1);
    let after = wide(before.balance) + wide(amount) - used.map_or(0, wide);
    if let Ok(after) = i64::try_from(after) {
        let applied = judge(Some(&reading(meter(7), Money::from_minor(after), count)));
        let proof = if used.is_some() && tolerance < amount { Proof::Amount } else { Proof::CountOnly };
        assert_eq!(applied, Verdict::Applied(proof));
    }

    // Whatever it shows.
    let shown = reading(meter(7), money(tape), tape.word());
    let distance = i128::from(shown.purchase_count) - i128::from(before.purchase_count);
    let off = wide(shown.balance) - wide(before.balance) - wide(amount) + used.map_or(0, wide);
    match judge(Some(&shown)) {
        Verdict::NotApplied => assert_eq!(distance, 0),
        Verdict::Applied(proof) => {
            assert_eq!(distance.rem_euclid(0x1_0000), 1);
            assert!(off <= wide(tolerance) && (used.is_none() || off >= -wide(tolerance)));
            assert!(proof == Proof::CountOnly || (used.is_some() && tolerance < amount));
        }
        Verdict::Foreign { off_by } => {
            assert_eq!(distance.rem_euclid(0x1_0000), 1);
            assert_eq!(wide(off_by), off.clamp(i64::MIN.into(), i64::MAX.into()));
            assert!(off > wide(tolerance) || off < -wide(tolerance));
        }
        Verdict::Unexplained { writes } => {
            assert!(writes >= 2 && i128::from(writes) == distance.rem_euclid(0x1_0000));
        }
        Verdict::CountWentBack { shown: count } => {
            assert!(count == shown.purchase_count && distance.rem_euclid(0x1_0000) >= 0x8000);
        }
        other => panic!("{other:?} of a reading of its own meter"),
    }
}

fn judge_overwrite(tape: &mut Tape<'_>) {
    let before = evidence(money(tape), tape.word());
    let new_count = before.purchase_count.wrapping_add(1 + u16::from(tape.byte()));
    let overwrite = Overwrite { before, remaining: money(tape), new_count };
    let (used, tolerance) = (tape.flag().then(|| positive(tape)), positive(tape));
    let judge = |shown: Option<&MeterReading>| refund::verdict(meter(7), &overwrite, used, tolerance, shown);
    assert_eq!(judge(None), OverwriteVerdict::Unknown);
    let other = reading(meter(8), before.balance, before.purchase_count);
    assert_eq!(judge(Some(&other)), OverwriteVerdict::OtherMeter { shown: meter(8) });

    // It never arrived, and the meter used what is said.
    if let Ok(rest) = i64::try_from(wide(before.balance) - used.map_or(0, wide)) {
        let untouched = reading(meter(7), Money::from_minor(rest), before.purchase_count);
        assert_eq!(judge(Some(&untouched)), OverwriteVerdict::NotApplied);
    }
    // It arrived now: nothing was used since.
    let written = reading(meter(7), overwrite.remaining, new_count);
    assert!(matches!(judge(Some(&written)), OverwriteVerdict::Applied(_)));

    // Whatever it shows.
    let shown = reading(meter(7), money(tape), tape.word());
    let back = i128::from(shown.purchase_count) - i128::from(before.purchase_count);
    match judge(Some(&shown)) {
        OverwriteVerdict::NotApplied => assert_eq!(back, 0),
        OverwriteVerdict::Torn { .. } => assert!(back == 0 && used.is_some()),
        OverwriteVerdict::Applied(proof) => {
            assert_eq!(shown.purchase_count, new_count);
            assert!(wide(shown.balance) <= wide(overwrite.remaining) + wide(tolerance));
            assert!(proof == Proof::CountOnly || used.is_some());
        }
        OverwriteVerdict::Foreign { .. } => assert_eq!(shown.purchase_count, new_count),
        OverwriteVerdict::Unexplained { writes } => assert_eq!(i128::from(writes), back.rem_euclid(0x1_0000)),
        OverwriteVerdict::CountWentBack { .. } => assert!(back.rem_euclid(0x1_0000) >= 0x8000),
        other => panic!("{other:?} of a reading of its own meter"),
    }
}

fn asked(asked: bool) -> Option<VoidRequest> {
    asked.then(|| VoidRequest { by: OperatorId(3), why: Reason::new("told so").expect("it says something") })
}

fn policy(tape: &mut Tape<'_>) -> SalePolicy {
    SalePolicy { max_frames: 1 + tape.byte() % 8, ..SalePolicy::DEFAULT }
}

/// A sale of which nothing ever arrives.
fn run_sale(tape: &mut Tape<'_>) {
    let (policy, rules) =
        (policy(tape), [EqualCountRule::AnyCountAdds, EqualCountRule::EqualAcknowledged, EqualCountRule::EqualRefused]);
    let rule = tape.pick(&rules);
    let mut open = OpenSale {
        id: SaleId(1),
        amount: Money::from_minor(100),
        operator: OperatorId(3),
        phase: Phase::Sending,
        begun: None,
        frames: tape.byte() % 2,
        failures: 0,
        void: None,
    };
    let mut behind_fence = false;
    let mut steps = 0;
    while steps < 4 * usize::from(policy.max_frames) + 8 {
        steps += 1;
        if tape.byte() % 8 == 7 {
            open.void = asked(true);
        }
        let next = open.next_when_not_applied(rule, &policy, behind_fence);
        let was_behind = core::mem::take(&mut behind_fence);
        match next {
            Next::SendAgain => {
                open.frames += 1;
                open.phase = Phase::ReadingBack;
                assert!(open.frames <= policy.max_frames, "too many frames");
                let twice = open.frames > 1 && rule == EqualCountRule::AnyCountAdds;
                assert!(!twice || was_behind, "a second copy where any count adds");
            }
            Next::Fence { purpose } => {
                assert!(open.frames > 0, "a fence for what never left");
                assert!(
                    purpose == FencePurpose::Resend
                        || open.void.is_some()
                        || open.frames >= policy.max_frames
                        || open.phase == Phase::Fencing { purpose }
                );
                open.phase = Phase::Fencing { purpose };
                behind_fence = tape.byte() % 4 != 3;
                // A fence that can't be closed yet is tried again; that is no step.
                steps -= usize::from(!behind_fence);
            }
            Next::Void => return assert!(was_behind || open.frames == 0, "given up while it may arrive"),
        }
        open.failures = open.failures.saturating_add(tape.word());
        let wait_ms = policy.probe_wait_ms(open.failures);
        assert!((policy.probe_first_ms..=policy.probe_max_ms).contains(&wait_ms));
    }
    panic!("the sale does not end");
}

/// A refund whose frame arrives at some time, or never.
fn run_refund(tape: &mut Tape<'_>) {
    let policy = policy(tape);
    let mut open = OpenRefund {
        id: RefundId(1),
        kind: RefundKind::Refund,
        take: RefundTake::Everything,
        held: Money::from_minor(100),
        hold: TransferId::new(1, 1, 0),
        payback: Vec::new(),
        operator: OperatorId(3),
        phase: RefundPhase::Writing,
        begun: None,
        frames: tape.byte() % 2,
        failures: 0,
        proof: None,
        void: None,
    };
    let (mut arrived, mut behind_fence) = (false, false);
    let mut steps = 0;
    while steps < 4 * usize::from(policy.max_frames) + 8 {
        steps += 1;
        if tape.byte() % 8 == 7 {
            open.void = asked(true);
        }
        arrived |= open.frames > 0 && !behind_fence && tape.byte() % 4 == 3;
        let seen = if arrived { Seen::Applied } else { Seen::NotApplied { used: tape.byte() % 8 == 7 } };
        let next = open.next(seen, &policy, behind_fence);
        let was_behind = core::mem::take(&mut behind_fence);
        match next {
            RefundNext::Restart => return assert!(open.frames == 0 && open.void.is_none()),
            RefundNext::Write => {
                open.frames += 1;
                open.phase = RefundPhase::ReadingBack;
                assert!(open.frames <= policy.max_frames && seen == Seen::NotApplied { used: false });
            }
            RefundNext::Fence { purpose } => {
                assert!(open.frames > 0, "a fence for what never left");
                assert!(purpose == RefundFence::Void || arrived);
                open.phase = RefundPhase::Fencing { purpose };
                behind_fence = tape.byte() % 4 != 3;
                // A fence that can't be closed yet is tried again; that is no step.
                steps -= usize::from(!behind_fence);
            }
            RefundNext::Close => return assert!(arrived && was_behind),
            RefundNext::Void => return assert!(!arrived && (was_behind || open.frames == 0)),
            RefundNext::Contradiction => panic!("it was shown and stays shown"),
        }
    }
    panic!("the refund does not end");
}
