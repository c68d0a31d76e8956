//! Sales to a meter that has dialled in, settled by what it shows: lost requests, lost replies, lost connections, somebody
//! else with its serial, and frames by the vendor's cipher.

use crate::rig::{Dialer, Fate, serial, wait_for};
use meter_protocol::acrel::{Purchase, PurseReading, SaleContradiction, SaleVerdict};
use meter_protocol::client::tokio::TransactError;
use meter_protocol::client::tokio::dial_in::{DialedMeter, Hub, HubConfig, HubEvent, HubEvents, RefusalReason};
use meter_protocol::session::NoReply;
use meter_protocol::virtual_meter as vm;

/// 0.01 account units for a kWh; the meters here use nothing.
const PRICE_CEILING: u32 = 1_50;

fn hub() -> (Hub, HubEvents) {
    Hub::new([serial()], HubConfig::default()).unwrap()
}

async fn purse(meter: &DialedMeter) -> PurseReading {
    PurseReading::from(&meter.read_realtime(1).await.unwrap())
}

fn taken(verdict: SaleVerdict) -> bool {
    matches!(verdict, SaleVerdict::Taken { used_minor: 0 })
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_and_a_lost_reply_are_told_apart_by_reading_back() {
    for (fate, is_taken) in [(Fate::Carried, true), (Fate::ReplyLost, true), (Fate::RequestLost, false)] {
        let (hub, mut events) = hub();
        let dialer = Dialer::new(vm::Model::Ddsy1352, None);
        let meter = dialer.dial(&hub, &mut events).await;
        let before = purse(&meter).await;
        let sale = Purchase::new(100_00, before.purchase_count).unwrap();
        let frames = dialer.behind().frames;
        dialer.suffer(fate);
        let sent = meter.sell(1, &sale).await;
        match (fate, &sent) {
            (Fate::Carried, Ok(())) => {}
            (_, Err(error @ TransactError::NoReply { reason: NoReply::TimedOut, .. })) => {
                assert!(error.may_have_acted(), "{fate:?}");
            }
            _ => panic!("{fate:?}: {sent:?}"),
        }
        dialer.suffer(Fate::Carried);
        let verdict = sale.verdict(&before, &purse(&meter).await, PRICE_CEILING);
        assert_eq!(taken(verdict), is_taken, "{fate:?}: {verdict:?}");
        assert_eq!(verdict == SaleVerdict::NotTaken, !is_taken, "{fate:?}: {verdict:?}");
        // One sale and one read at most: a money frame is never repeated by itself.
        let sales = usize::from(fate != Fate::RequestLost);
        assert_eq!(dialer.behind().frames, frames + sales + 1, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sale_on_a_connection_that_ended_is_settled_on_the_next_one() {
    let (hub, mut events) = hub();
    let dialer = Dialer::new(vm::Model::Ddsy1352, None);
    let meter = dialer.dial(&hub, &mut events).await;
    let before = purse(&meter).await;
    let sale = Purchase::new(100_00, before.purchase_count).unwrap();
    dialer.suffer(Fate::HangUp);
    let error = meter.sell(1, &sale).await.unwrap_err();
    assert!(matches!(error, TransactError::NoReply { reason: NoReply::LinkDown, .. }), "{error:?}");
    wait_for(&mut events, |event| matches!(event, HubEvent::Closed { .. })).await;
    assert!(!meter.is_connected() && hub.meter(serial()).is_none());

    dialer.suffer(Fate::Carried);
    let again = dialer.dial(&hub, &mut events).await;
    assert_ne!(again.link(), meter.link());
    assert!(taken(sale.verdict(&before, &purse(&again).await, PRICE_CEILING)));
}

#[tokio::test(start_paused = true)]
async fn somebody_else_with_the_serial_neither_gets_the_sale_nor_disturbs_it() {
    let (hub, mut events) = hub();
    let dialer = Dialer::new(vm::Model::Ddsy1352, None);
    let meter = dialer.dial(&hub, &mut events).await;
    let before = purse(&meter).await;
    let sale = Purchase::new(100_00, before.purchase_count).unwrap();
    // The sale is under way, its reply lost, when another meter registers with the same serial.
    dialer.suffer(Fate::ReplyLost);
    let selling = {
        let meter = meter.clone();
        tokio::spawn(async move { meter.sell(1, &Purchase::new(100_00, 7).unwrap()).await })
    };
    let impostor = Dialer::new(vm::Model::Ddsy1352, None);
    let never_registered = impostor.connect(&hub);
    let refused = wait_for(&mut events, |event| matches!(event, HubEvent::Refused { .. })).await;
    assert_eq!(refused, HubEvent::Refused { serial: Some(serial()), reason: RefusalReason::AlreadyConnected });
    assert!(!never_registered.await.unwrap(), "it was never acknowledged");
    assert_eq!(impostor.behind().frames, 0, "it was sent nothing");

    assert!(selling.await.unwrap().unwrap_err().may_have_acted());
    dialer.suffer(Fate::Carried);
    assert!(taken(sale.verdict(&before, &purse(&meter).await, PRICE_CEILING)));
    assert_eq!(impostor.behind().meter.remaining_cents(), 20_00);
}

#[tokio::test(start_paused = true)]
async fn a_count_that_somebody_else_used_is_a_contradiction() {
    let (hub, mut events) = hub();
    let dialer = Dialer::new(vm::Model::Ddsy1352, None);
    let meter = dialer.dial(&hub, &mut events).await;
    let before = purse(&meter).await;
    let sale = Purchase::new(100_00, before.purchase_count).unwrap();
    dialer.suffer(Fate::RequestLost);
    meter.sell(1, &sale).await.unwrap_err();
    dialer.suffer(Fate::Carried);
    for count in [7, 8] {
        meter.sell(1, &Purchase::new(1_00, count).unwrap()).await.unwrap();
    }
    let verdict = sale.verdict(&before, &purse(&meter).await, PRICE_CEILING);
    assert!(matches!(verdict, SaleVerdict::Contradicted(SaleContradiction::Count { shown: 9, .. })), "{verdict:?}");
}

#[cfg(feature = "frame-cipher")]
mod enciphered {
    use super::*;
    use meter_protocol::acrel::{ForceMode, FrameKey, Settings};
    use meter_protocol::wire::EncodeError;

    /// Invented, like the one of the published vector.
    const KEY: [u16; 4] = [0x1111, 0x2222, 0x3333, 0x4444];

    #[tokio::test(start_paused = true)]
    async fn sales_and_settings_go_through_the_tunnel_enciphered() {
        for model in [vm::Model::Ddsy1352, vm::Model::Dtsy1352] {
            let (hub, mut events) = hub();
            let dialer = Dialer::new(model, Some(KEY));
            let meter = dialer.dial(&hub, &mut events).await;
            let key = FrameKey::new(KEY);
            let before = purse(&meter).await;
            let sale = Purchase::new(100_00, before.purchase_count).unwrap();
            meter.write_enciphered(1, &sale.request(), &key).await.unwrap();
            assert!(taken(sale.verdict(&before, &purse(&meter).await, PRICE_CEILING)));
            let settings = Settings::new().alarms(20_00, 5_00);
            meter.write_enciphered(1, &settings.request().unwrap(), &key).await.unwrap();
            settings.shown_by(&meter.read_prepay(1).await.unwrap()).unwrap();
            // Everything else goes clear, and only clear.
            let frames = dialer.behind().frames;
            let refused = meter.write_enciphered(1, &ForceMode::SupplyOff.request(), &key).await.unwrap_err();
            assert_eq!(
                (
                    matches!(refused, TransactError::Encode(EncodeError::NotEnciphered { function: 0x10 })),
                    refused.may_have_acted()
                ),
                (true, false)
            );
            assert_eq!(dialer.behind().frames, frames);
            meter.write_force(1, ForceMode::SupplyOff).await.unwrap();
            assert!(!dialer.behind().meter.relay_closed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_key_sells_nothing_and_a_lost_reply_is_read_back() {
        let (hub, mut events) = hub();
        let dialer = Dialer::new(vm::Model::Ddsy1352, Some(KEY));
        let meter = dialer.dial(&hub, &mut events).await;
        let before = purse(&meter).await;
        let sale = Purchase::new(100_00, before.purchase_count).unwrap();
        let wrong = FrameKey::new([1, 2, 3, 4]);
        let error = meter.write_enciphered(1, &sale.request(), &wrong).await.unwrap_err();
        assert!(error.may_have_acted(), "silence says nothing");
        assert_eq!(sale.verdict(&before, &purse(&meter).await, PRICE_CEILING), SaleVerdict::NotTaken);

        dialer.suffer(Fate::ReplyLost);
        let key = FrameKey::new(KEY);
        assert!(meter.write_enciphered(1, &sale.request(), &key).await.unwrap_err().may_have_acted());
        dialer.suffer(Fate::Carried);
        assert!(taken(sale.verdict(&before, &purse(&meter).await, PRICE_CEILING)));
        assert!(!format!("{key:?} {meter:?} {error:?}").contains("4369"), "the key is hidden");
    }
}
