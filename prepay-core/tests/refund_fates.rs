//! One refund under every row of moves: frames lost and late, crashes, energy used. Money is conserved to the unit.

mod common;

use common::refunds::{FIRST, desk, frame, read_back, request, sent, to_the_frame};
use common::{METER, OPERATOR, why};
use prepay_core::account::{Command, Effect, ReadBack, RefundTo};
use prepay_core::ledger::AccountKind;
use prepay_core::reading::Force;
use prepay_core::sale::SendOutcome;
use proptest::prelude::*;

/// What the world can do to a refund.
#[derive(Debug, Clone, Copy)]
enum Move {
    Arrives,
    Sent(bool),
    ReadsBack,
    Unreadable,
    FenceClosed,
    Wait(u64),
    Use(u64),
    Crash,
    GiveUp,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => Just(Move::Arrives),
        3 => any::<bool>().prop_map(Move::Sent),
        4 => Just(Move::ReadsBack),
        1 => Just(Move::Unreadable),
        2 => Just(Move::FenceClosed),
        2 => (1_u64..8).prop_map(Move::Wait),
        1 => (1_u64..40).prop_map(Move::Use),
        1 => Just(Move::Crash),
        1 => Just(Move::GiveUp),
    ];
    prop::collection::vec(one, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whatever happens, in whatever order: a refund ends, money is conserved to the unit, books and meter agree, and the
    /// supply comes back. A frame lives five seconds at most and is not delivered after that.
    #[test]
    fn money_is_conserved_whatever_happens(moves in moves(), minor in 1_i64..9_000) {
        let mut desk = desk();
        let paid = 13_000_i64;
        let effects = request(&mut desk, 1, minor, RefundTo::OriginalChannel).unwrap();
        let write = to_the_frame(&mut desk, FIRST, effects);
        let mut in_the_air = Some((write, desk.now.utc_s));
        for one in moves {
            if desk.state().refund().is_none() {
                break;
            }
            desk.wait_s(1);
            let told = match one {
                Move::Arrives => {
                    if let Some((write, _)) = in_the_air.filter(|(_, sent)| desk.now.utc_s - sent < 5) {
                        desk.meter.overwrite(write.remaining(), write.purchase_count());
                    }
                    continue;
                }
                Move::Sent(seen) => desk.tell(Command::RefundSent {
                    refund: FIRST,
                    outcome: if seen { SendOutcome::ReplySeen } else { SendOutcome::NoReply },
                }),
                Move::ReadsBack => {
                    let read_back = ReadBack::Reading(desk.reading());
                    desk.tell(Command::RefundReadBack { refund: FIRST, read_back })
                }
                Move::Unreadable => {
                    desk.tell(Command::RefundReadBack { refund: FIRST, read_back: ReadBack::Unreadable })
                }
                Move::FenceClosed => desk.tell(Command::RefundFenceClosed { refund: FIRST }),
                Move::Wait(seconds) => {
                    desk.wait_s(seconds);
                    continue;
                }
                Move::Use(energy) => {
                    // A relay that is off lets a little through: the worst case for an overwrite.
                    desk.meter.use_energy(1, energy);
                    continue;
                }
                Move::Crash => Ok(desk.restart()),
                Move::GiveUp => {
                    desk.tell(Command::RequestRefundVoid { refund: FIRST, by: OPERATOR, why: why("enough") })
                }
            };
            if let Some((write, _)) = told.ok().and_then(|effects| frame(&effects)) {
                in_the_air = Some((write, desk.now.utc_s));
            }
        }
        // The links have healed: whatever is open is driven to its end.
        for _ in 0..40 {
            if desk.state().refund().is_none() || desk.state().quarantine().is_some() {
                break;
            }
            let effects = desk.restart();
            for effect in effects {
                desk.wait_s(1);
                match effect {
                    Effect::FenceRefund { .. } => {
                        desk.tell(Command::RefundFenceClosed { refund: FIRST }).unwrap();
                        desk.wait_s(6);
                        read_back(&mut desk, FIRST);
                    }
                    Effect::ReadBackRefund { .. } => {
                        if let Some((write, _)) = frame(&read_back(&mut desk, FIRST)) {
                            desk.meter.overwrite(write.remaining(), write.purchase_count());
                            sent(&mut desk, FIRST, SendOutcome::ReplySeen);
                        }
                    }
                    other => drop(desk.obey(vec![other])),
                }
            }
        }
        prop_assert_eq!(desk.state().quarantine(), None);
        prop_assert_eq!(desk.state().refund(), None);
        desk.settle();
        let pending = desk.restart();
        desk.obey(pending);
        prop_assert_eq!(desk.meter.force, Force::Automatic);
        prop_assert_eq!(desk.posted(AccountKind::MeterPurse, METER), desk.meter.balance());
        let given_back = 10_000 + desk.posted(AccountKind::Cash, 1);
        prop_assert!(given_back == 0 || given_back == minor);
        let charged = desk.posted(AccountKind::Revenue, 0) + desk.posted(AccountKind::Tax, 0);
        let differences = desk.posted(AccountKind::MeterRounding, 0)
            + desk.posted(AccountKind::PriceLag, 0)
            + desk.posted(AccountKind::OverwriteDrift, 0);
        let everything = desk.meter.balance() + given_back + charged + differences;
        prop_assert_eq!(everything, paid);
        prop_assert_eq!(desk.posted(AccountKind::PriceLag, 0), 0);
    }
}
