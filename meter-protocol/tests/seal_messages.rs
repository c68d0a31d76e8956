//! Messages there and back, and arbitrary bytes.
#![cfg(feature = "seal")]

use meter_protocol::acrel::{ForceMode, MeterNumber, MicroPrices, PriceDecimals, Profile, Purchase};
use meter_protocol::seal::message::{
    Ack, Command, CommandResult, Envelope, LineStatus, MAX_ACK_IDS, MAX_BLOCK_LEN, Message, MessageError, MessageId,
    MeterLink, MeterRef, MeterStatus, Online, Order, Outcome, RefusalReason, RegisterBlock, SettingsOrder, Snapshot,
};
use meter_protocol::seal::{Deframer, Header, HelloRequest, MAX_PAYLOAD_LEN};
use proptest::prelude::*;

fn meter() -> impl Strategy<Value = MeterRef> {
    (any::<u8>(), 1_u8..=247, prop::array::uniform12(0_u8..10)).prop_map(|(line, unit, digits)| {
        let text: String = digits.iter().map(ToString::to_string).collect();
        MeterRef { line, unit, number: text.parse::<MeterNumber>().unwrap() }
    })
}

fn settings() -> impl Strategy<Value = SettingsOrder> {
    let prices = any::<[u64; 4]>().prop_map(|[spike, peak, flat, valley]| MicroPrices { spike, peak, flat, valley });
    let fields = (any::<Option<bool>>(), any::<Option<u32>>(), any::<Option<(u32, u32)>>(), any::<Option<u32>>());
    let order = (fields, prop::option::of(prices)).prop_map(|(fields, prices)| {
        let (enable, base_free_minor, alarms_minor, overdraft_minor) = fields;
        SettingsOrder { enable, base_free_minor, alarms_minor, overdraft_minor, prices }
    });
    order.prop_filter("nothing set", |order| *order != SettingsOrder::default())
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        (any::<u16>(), 1_u8..=125).prop_map(|(address, count)| Order::Read { address, count }),
        (1_u32..1 << 31, any::<u16>())
            .prop_map(|(amount_minor, count_before)| Order::Sale { amount_minor, count_before }),
        any::<(u16, i32, u16)>().prop_map(|(count_before, remaining_minor, count)| Order::Overwrite {
            count_before,
            remaining_minor,
            count
        }),
        settings().prop_map(Order::Settings),
        prop::sample::select(vec![ForceMode::Prepaid, ForceMode::SupplyOn, ForceMode::SupplyOff])
            .prop_map(Order::Force),
        Just(Order::SetClock),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let reasons = vec![
        RefusalReason::Expired,
        RefusalReason::UnknownMeter,
        RefusalReason::OtherMeter,
        RefusalReason::OtherCount,
        RefusalReason::Unsupported,
        RefusalReason::Unsettled,
        RefusalReason::Busy,
        RefusalReason::Clock,
    ];
    prop_oneof![
        Just(Outcome::Answered),
        Just(Outcome::NotTransmitted),
        Just(Outcome::NoReply),
        any::<u8>().prop_map(|code| Outcome::Exception { code }),
        prop::sample::select(reasons).prop_map(Outcome::Refused),
    ]
}

fn there_and_back(id: [u8; 16], message: Message<'_>) {
    let mut out = [0; MAX_PAYLOAD_LEN];
    let envelope = Envelope { id: MessageId(id), message };
    let payload = envelope.emit(&mut out).unwrap();
    assert_eq!(Envelope::parse(payload), Ok(envelope));
    for len in 0..payload.len() {
        assert!(Envelope::parse(&payload[..len]).is_err(), "cut at {len}");
    }
    let mut longer = payload.to_vec();
    longer.push(0);
    assert_eq!(Envelope::parse(&longer), Err(MessageError::Trailing { len: 1 }));
    let mut small = vec![0; payload.len() - 1];
    let available = small.len();
    assert_eq!(envelope.emit(&mut small), Err(MessageError::BufferTooSmall { available }));
}

proptest! {
    #[test]
    fn commands(id: [u8; 16], meter in meter(), not_after_utc_s: i64, order in order()) {
        there_and_back(id, Message::Command(Command { meter, not_after_utc_s, order }));
    }

    #[test]
    fn results_and_snapshots(
        ids: [[u8; 16]; 2],
        meter in meter(),
        outcome in outcome(),
        times: [i64; 3],
        address: u16,
        blocks in prop::array::uniform2(prop::option::of(prop::collection::vec(any::<[u8; 2]>(), 1..=125))),
    ) {
        let [before, after] = [0, 1].map(|n| {
            let data = blocks[n].as_ref()?.as_flattened();
            Some(RegisterBlock { read_at_utc_s: times[n], address, data })
        });
        let result = CommandResult {
            command: MessageId(ids[0]), meter, ended_at_utc_s: times[2], outcome, before, after,
        };
        there_and_back(ids[1], Message::Result(result));
        if let Some(block) = before {
            there_and_back(ids[1], Message::Snapshot(Snapshot { meter, response_ms: address, block }));
        }
    }

    #[test]
    fn status_and_acknowledgements(
        id: [u8; 16],
        meter in meter(),
        counts: [u32; 4],
        since_utc_s: i64,
        software in "[a-z0-9 .]{0,64}",
        ids in prop::collection::vec(any::<[u8; 16]>(), 1..=MAX_ACK_IDS),
        link in 0..4_usize,
        line: u8,
        up: bool,
    ) {
        let link = [MeterLink::Unknown, MeterLink::Answering, MeterLink::Silent, MeterLink::Lost][link];
        there_and_back(id, Message::MeterStatus(MeterStatus { meter, link, since_utc_s, missed: counts[0] }));
        let [transmitted, replies, timeouts, broken_frames] = counts;
        let status = LineStatus { line, up, since_utc_s, transmitted, replies, timeouts, broken_frames };
        there_and_back(id, Message::LineStatus(status));
        let online = Online {
            boot_count: counts[0], now_utc_s: since_utc_s, lines: line, meters: 240, backlog: counts[1], software: &software,
        };
        there_and_back(id, Message::Online(online));
        there_and_back(id, Message::Ack(Ack { ids: &ids }));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic_and_what_parses_is_canonical(
        bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u8..10,
    ) {
        let mut shaped = bytes.clone();
        if let [version, second, ..] = &mut shaped[..] {
            (*version, *second) = (1, kind);
        }
        for payload in [&bytes, &shaped] {
            if let Ok(envelope) = Envelope::parse(payload) {
                let mut out = [0; MAX_PAYLOAD_LEN];
                prop_assert_eq!(envelope.emit(&mut out), Ok(&payload[..]));
            }
        }
        let _ = (Header::parse(&bytes), HelloRequest::read(&bytes).map(|_| ()));
        let mut deframer = Deframer::new();
        deframer.push(&bytes);
        let _ = deframer.frame();
    }
}

#[test]
fn the_largest_message_fits_a_frame() {
    let meter = MeterRef { line: 255, unit: 247, number: "999999999999".parse().unwrap() };
    let block = RegisterBlock { read_at_utc_s: 0, address: 0, data: &[0xFF; MAX_BLOCK_LEN] };
    let result = CommandResult {
        command: MessageId([1; 16]),
        meter,
        ended_at_utc_s: 0,
        outcome: Outcome::Answered,
        before: Some(block),
        after: Some(block),
    };
    let mut out = [0; MAX_PAYLOAD_LEN];
    let len = Envelope { id: MessageId([2; 16]), message: Message::Result(result) }.emit(&mut out).unwrap().len();
    assert_eq!(len, 18 + 16 + 8 + 8 + 3 + 2 * (11 + MAX_BLOCK_LEN));
}

#[test]
fn unknown_versions_and_kinds_are_named() {
    let mut payload = [0; 18];
    assert_eq!(Envelope::parse(&payload), Err(MessageError::Version { version: 0 }));
    (payload[0], payload[1]) = (1, 200);
    assert_eq!(Envelope::parse(&payload), Err(MessageError::Kind { kind: 200, id: MessageId([0; 16]) }));
}

/// So that a collector can say that it does not do this, and the station need not wait in vain.
#[test]
fn a_command_with_an_unknown_order_names_itself_and_its_meter() {
    let id = MessageId([9; 16]);
    let meter = MeterRef { line: 1, unit: 7, number: "202603050012".parse().unwrap() };
    let command = Command { meter, not_after_utc_s: 5, order: Order::SetClock };
    let mut out = [0; MAX_PAYLOAD_LEN];
    let len = Envelope { id, message: Message::Command(command) }.emit(&mut out).unwrap().len();
    for order in [0, 7, 255] {
        out[len - 1] = order;
        assert_eq!(Envelope::parse(&out[..len]), Err(MessageError::Order { order, id, meter }));
        // What follows belongs to an order that nobody here knows.
        assert_eq!(Envelope::parse(&out[..len + 30]), Err(MessageError::Order { order, id, meter }));
    }
}

#[test]
fn orders_become_writes() {
    let prices = MicroPrices { spike: 1_200_000, peak: 1_000_000, flat: 800_000, valley: 400_000 };
    let order = SettingsOrder { alarms_minor: Some((2_000, 500)), prices: Some(prices), ..SettingsOrder::default() };
    let mut profile = Profile::unsettled();
    assert!(order.settings(&profile).is_err(), "no price without a scale");
    profile.price_decimals = PriceDecimals::new(4);
    assert!(order.settings(&profile).unwrap().request().is_ok());
    assert!(!Order::Settings(order).moves_money());
    let overwrite = Order::Overwrite { count_before: 1, remaining_minor: -5, count: 2 };
    assert!(overwrite.moves_money() && overwrite.overwrite().unwrap().request().is_ok());
    assert!(Order::Sale { amount_minor: 1, count_before: 0 }.moves_money());
    assert!(Purchase::new(1, 0).is_ok());
}
