//! The drawings of `docs/machines.md` against the code: every edge is there, and no other.

mod common;

use std::collections::BTreeSet;

use common::{Desk, METER, Meter, OPERATOR, fen, meter_terms, terms, why};
use prepay_core::account::{Command, FinalSettlement, MeterTakeOver, OpenMode, Purse};
use prepay_core::id::{RefundId, SaleId};
use prepay_core::ledger::TransferId;
use prepay_core::refund::{OpenRefund, RefundFence, RefundKind, RefundNext, RefundPhase, RefundTake, Seen};
use prepay_core::relay::Cause;
use prepay_core::sale::{EqualCountRule, FencePurpose, Next, OpenSale, Phase, SalePolicy, VoidRequest};
use prepay_core::status::Service;

type Edge = (String, String, String);
type Way = Box<dyn Fn(&Desk) -> Command>;

/// The lines `from --> to : label` of one drawing.
fn drawn(heading: &str) -> BTreeSet<Edge> {
    let text = include_str!("../docs/machines.md");
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).expect(heading);
    let edges = section.lines().filter_map(|line| {
        let (from, rest) = line.trim().split_once(" --> ")?;
        let (to, label) = rest.split_once(" : ")?;
        Some((from.to_owned(), to.to_owned(), label.to_owned()))
    });
    edges.collect()
}

fn edge(from: &str, to: &str, label: &str) -> Edge {
    (from.replace(' ', "_"), to.replace(' ', "_"), label.to_owned())
}

fn asked(asked: bool) -> Option<VoidRequest> {
    asked.then(|| VoidRequest { by: OPERATOR, why: why("asked") })
}

const POLICY: SalePolicy = SalePolicy { max_frames: 2, ..SalePolicy::DEFAULT };

#[test]
fn a_sale_whose_count_is_as_before() {
    let phases = [
        ("sending", Phase::Sending),
        ("reading back", Phase::ReadingBack),
        ("fence to void", Phase::Fencing { purpose: FencePurpose::Void }),
        ("fence to send again", Phase::Fencing { purpose: FencePurpose::Resend }),
    ];
    let rules = [EqualCountRule::EqualAcknowledged, EqualCountRule::EqualRefused, EqualCountRule::AnyCountAdds];
    let mut edges = BTreeSet::new();
    for (name, phase) in phases {
        for frames in 0..=2 {
            for wish in [false, true] {
                for (rule, behind) in rules.iter().flat_map(|rule| [(*rule, false), (*rule, true)]) {
                    let open = OpenSale {
                        id: SaleId(1),
                        amount: fen(1),
                        operator: OPERATOR,
                        phase,
                        begun: None,
                        frames,
                        failures: 0,
                        void: asked(wish),
                    };
                    edges.insert(match open.next_when_not_applied(rule, &POLICY, behind) {
                        Next::SendAgain => edge(name, "sending", "identical frame"),
                        Next::Fence { purpose: FencePurpose::Void } => edge(name, "fence to void", "fence"),
                        Next::Fence { purpose: FencePurpose::Resend } => edge(name, "fence to send again", "fence"),
                        Next::Void => edge(name, "voided", "nothing can come"),
                    });
                }
            }
        }
    }
    assert_eq!(edges, drawn("A sale"));
}

#[test]
fn a_refund_and_what_a_reading_shows() {
    let phases = [
        ("writing", RefundPhase::Writing),
        ("reading back", RefundPhase::ReadingBack),
        ("fence to close", RefundPhase::Fencing { purpose: RefundFence::Close }),
        ("fence to void", RefundPhase::Fencing { purpose: RefundFence::Void }),
    ];
    let seen = [Seen::Applied, Seen::NotApplied { used: false }, Seen::NotApplied { used: true }];
    let mut edges = BTreeSet::new();
    for (name, phase) in phases {
        for frames in 0..=2 {
            for (wish, behind) in [(false, false), (false, true), (true, false), (true, true)] {
                for seen in seen {
                    let open = OpenRefund {
                        id: RefundId(1),
                        kind: RefundKind::Refund,
                        take: RefundTake::Everything,
                        held: fen(1),
                        hold: TransferId::new(1, 1, 0),
                        payback: vec![],
                        operator: OPERATOR,
                        phase,
                        begun: None,
                        frames,
                        failures: 0,
                        proof: None,
                        void: asked(wish),
                    };
                    edges.insert(match open.next(seen, &POLICY, behind) {
                        RefundNext::Restart => edge(name, "requested", "nothing has left"),
                        RefundNext::Write => edge(name, "writing", "identical frame"),
                        RefundNext::Fence { purpose: RefundFence::Close } => edge(name, "fence to close", "fence"),
                        RefundNext::Fence { purpose: RefundFence::Void } => edge(name, "fence to void", "fence"),
                        RefundNext::Close => edge(name, "applied", "shown behind the fence"),
                        RefundNext::Void => edge(name, "voided", "nothing can come"),
                        RefundNext::Contradiction => edge(name, "quarantined", "shown and gone"),
                    });
                }
            }
        }
    }
    assert_eq!(edges, drawn("A refund"));
}

fn name(service: Service) -> String {
    serde_json::to_value(service).unwrap().as_str().unwrap().to_owned()
}

/// Every command of an account's life in every state, by trying.
#[test]
fn the_life_of_an_account() {
    let prepare =
        || Command::Prepare { terms: terms(Purse::AtStation), meters: vec![meter_terms(METER)], mode: OpenMode::Fresh };
    let pause = || Command::Pause { by: OPERATOR, why: why("renovation") };
    let fresh = || Desk::new(Meter { prepaid: false, ..Meter::new(METER, 0, 0) });
    let ways: [(&str, Way); 6] = [
        ("prepare", Box::new(move |_| prepare())),
        (
            "open",
            Box::new(|desk| {
                let meter = MeterTakeOver { terms: meter_terms(METER), mode: OpenMode::Fresh, reading: desk.reading() };
                Command::Open { terms: terms(Purse::AtStation), meters: vec![meter], station_credit: fen(0) }
            }),
        ),
        ("open prepared", Box::new(|desk| Command::OpenPrepared { readings: vec![desk.reading()] })),
        ("pause", Box::new(move |_| pause())),
        ("resume", Box::new(|_| Command::Resume { by: OPERATOR, why: why("ready") })),
        (
            "close",
            Box::new(|desk| Command::Close {
                readings: vec![desk.reading()],
                settlement: FinalSettlement::WriteOff,
                by: OPERATOR,
                why: why("lease ended"),
            }),
        ),
    ];
    // How each state is reached.
    let reach: [&[usize]; 5] = [&[], &[0], &[1], &[1, 3], &[1, 5]];
    let mut edges = BTreeSet::new();
    for path in reach {
        for (label, way) in &ways {
            let mut desk = fresh();
            for step in path {
                desk.wait_s(1);
                let command = ways[*step].1(&desk);
                desk.tell(command).unwrap();
            }
            desk.wait_s(1);
            let from = desk.account.service();
            let command = way(&desk);
            if desk.tell(command).is_ok() && desk.account.service() != from {
                edges.insert((name(from), name(desk.account.service()), (*label).to_owned()));
            }
        }
    }
    assert_eq!(edges, drawn("The life of an account"));
}

#[test]
fn the_precedence_of_supply() {
    let text = include_str!("../docs/machines.md");
    let section = text.split("\n## ").find(|section| section.starts_with("Who decides on the relay")).unwrap();
    let listed: Vec<_> = section
        .lines()
        .filter_map(|line| line.split_once(". `"))
        .filter_map(|(_, rest)| rest.split_once('`'))
        .map(|(cause, _)| cause.to_owned())
        .collect();
    let code: Vec<_> =
        Cause::ALL.iter().map(|cause| serde_json::to_value(cause).unwrap().as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, code);
}
