//! The steps of a refund at the desk.

use prepay_core::account::{Command, Effect, Purse, ReadBack, RefundTo, Refusal};
use prepay_core::id::{RefundId, SaleId};
use prepay_core::refund::{MoneyWrite, RefundTake};
use prepay_core::sale::SendOutcome;

use super::{Desk, METER, OPERATOR, fen, number, why};

pub const FIRST: RefundId = RefundId(1);

pub fn desk() -> Desk {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.sell(10_000);
    desk
}

pub fn request(desk: &mut Desk, refund: u64, minor: i64, to: RefundTo) -> Result<Vec<Effect>, Refusal> {
    desk.wait_s(1);
    desk.tell(Command::RequestRefund {
        refund: RefundId(refund),
        from: Some(number(METER)),
        take: RefundTake::Exactly(fen(minor)),
        to,
        operator: OPERATOR,
        why: why("moves out"),
    })
}

pub fn reverse(desk: &mut Desk, refund: u64, sale: SaleId) -> Result<Vec<Effect>, Refusal> {
    desk.wait_s(1);
    desk.tell(Command::RequestReversal { refund: RefundId(refund), sale, operator: OPERATOR, why: why("mistyped") })
}

pub fn begin(desk: &mut Desk, refund: RefundId) -> Vec<Effect> {
    desk.wait_s(1);
    desk.tell(Command::BeginRefund { refund, evidence: desk.reading() }).unwrap()
}

pub fn frame(effects: &[Effect]) -> Option<(MoneyWrite, u8)> {
    effects.iter().find_map(|effect| match effect {
        Effect::OverwriteBalance { write, frame, .. } => Some((*write, *frame)),
        _ => None,
    })
}

pub fn fences(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::FenceRefund { .. }))
}

pub fn sent(desk: &mut Desk, refund: RefundId, outcome: SendOutcome) -> Vec<Effect> {
    desk.wait_s(1);
    desk.tell(Command::RefundSent { refund, outcome }).unwrap()
}

pub fn read_back(desk: &mut Desk, refund: RefundId) -> Vec<Effect> {
    desk.wait_s(1);
    let read_back = ReadBack::Reading(desk.reading());
    desk.tell(Command::RefundReadBack { refund, read_back }).unwrap()
}

/// From the order to the frame: the supply is off, the frame is released but has not left.
pub fn to_the_frame(desk: &mut Desk, refund: RefundId, effects: Vec<Effect>) -> MoneyWrite {
    let rest = desk.obey(effects);
    assert!(rest.iter().any(|effect| matches!(effect, Effect::StartRefund { .. })), "{rest:?}");
    frame(&begin(desk, refund)).unwrap().0
}

/// From a frame that has arrived to the end.
pub fn finish(desk: &mut Desk, refund: RefundId) {
    assert!(fences(&read_back(desk, refund)));
    let effects = desk.tell(Command::RefundFenceClosed { refund }).unwrap();
    assert!(matches!(effects[..], [Effect::ReadBackRefund { .. }]), "{effects:?}");
    desk.wait_s(5);
    let effects = read_back(desk, refund);
    assert!(desk.state().refund().is_none());
    assert!(desk.obey(effects).iter().all(|effect| matches!(effect, Effect::Notify(_))));
}

pub fn whole(desk: &mut Desk, refund: RefundId, effects: Vec<Effect>) {
    let write = to_the_frame(desk, refund, effects);
    desk.meter.overwrite(write.remaining(), write.purchase_count());
    sent(desk, refund, SendOutcome::ReplySeen);
    finish(desk, refund);
}
