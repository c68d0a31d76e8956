//! A gateway in the test talks to the station's side.

use super::*;
use crate::acrel::{Clock, LinkId, Realtime};
use crate::map::Number;
use crate::session::{NoReply, Outcome};
use crate::uplink::ForwardError;
use crate::wire::Reply;
use crate::wire::crc::crc16;
use proptest::prelude::*;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

const SECRET: &str = "0123456789abcdef";
const REPORT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<root>
  <common><building_id>B1</building_id><gateway_id>GW-7</gateway_id><type>report</type></common>
  <data operation="report">
    <time>20260305140730</time>
    <meter id="01005">
      <function id="WPP" error="">12345.67</function><function id="PowerHigher" error="">1000.00</function>
      <function id="PowerHigh" error="">4000.00</function><function id="powerflat" error="">4345.67</function>
      <function id="PowerLow" error="1">3000.00</function><function id="Ua" error=""/>
    </meter>
    <meter id="01006"/>
  </data>
</root>"#;

fn secret() -> GatewaySecret {
    GatewaySecret::new(SECRET).unwrap()
}

fn packet(packet: PacketType, data: &[u8]) -> Vec<u8> {
    GatewayFrame::encode(packet, data).unwrap()
}

fn validate(step: Validation) -> Vec<u8> {
    let document = Document::new("B1".into(), "GW-7".into(), Content::Validation(step));
    packet(PacketType::Authentication, document.to_xml().unwrap().as_bytes())
}

/// Feeds bytes; what happened, in words, and what was sent. A gateway that asks is challenged with `sequence`.
fn drive(station: &mut GatewayStation, now_us: u64, mut bytes: &[u8]) -> (Vec<String>, Vec<GatewayFrame>) {
    let (mut seen, mut sent) = (Vec::new(), Vec::new());
    station.handle_timeout(now_us);
    loop {
        let before = (seen.len(), sent.len(), bytes.len());
        while let Some(event) = station.poll_event() {
            let asks = matches!(event, GatewayEvent::Authenticating { .. });
            let beats = event == GatewayEvent::Heartbeat;
            seen.push(format!("{event:?}"));
            if asks {
                station.challenge(secret(), "20260305001").unwrap();
            }
            if beats {
                station.answer_heartbeat(Clock::new(2026, 3, 5, 14, 7, 30).unwrap()).unwrap();
            }
        }
        while let Some(frame) = station.poll_transmit(now_us) {
            let (taken, cut) = GatewayCutter::new().feed(&frame).unwrap();
            assert_eq!(taken, frame.len());
            sent.extend(cut);
            station.transmitted(now_us);
        }
        bytes = &bytes[station.receive(now_us, bytes)..];
        if bytes.is_empty() && before == (seen.len(), sent.len(), 0) {
            return (seen, sent);
        }
    }
}

fn authenticated() -> GatewayStation {
    let mut station = GatewayStation::new(0, GatewayConfig::default(), LinkId::first(0));
    let (_, sent) = drive(&mut station, 0, &validate(Validation::Request));
    let Content::Validation(Validation::Sequence(sequence)) =
        Document::parse(core::str::from_utf8(&sent[0].data).unwrap()).unwrap().content
    else {
        panic!("{sent:?}")
    };
    let (seen, sent) = drive(&mut station, 1, &validate(Validation::Md5(secret().digest(&sequence))));
    assert_eq!(seen, ["Authenticated { passed: true }"]);
    assert!(core::str::from_utf8(&sent[0].data).unwrap().contains("<result>pass</result>"));
    assert!(station.is_authenticated());
    station
}

#[test]
fn a_wrong_digest_is_refused_and_the_sequence_is_spent() {
    let mut station = GatewayStation::new(0, GatewayConfig::default(), LinkId::first(0));
    drive(&mut station, 0, &validate(Validation::Request));
    let (seen, sent) = drive(&mut station, 1, &validate(Validation::Md5("0".repeat(32))));
    assert_eq!(seen, ["Authenticated { passed: false }"]);
    assert!(core::str::from_utf8(&sent[0].data).unwrap().contains("<result>fail</result>"));
    let (seen, _) = drive(&mut station, 2, &validate(Validation::Md5(secret().digest("20260305001"))));
    assert_eq!(seen, ["Odd(NotAuthenticated)"]);
    let report = packet(PacketType::Data, &secret().encipher(REPORT.as_bytes()));
    assert_eq!(drive(&mut station, 3, &report).0, ["Odd(NotAuthenticated)"]);
    assert_eq!(drive(&mut station, 60_000_000, &[]).0, ["Closed"]);
}

#[test]
fn reports_are_read_exactly_plain_and_compressed() {
    let compressed = miniz_oxide::deflate::compress_to_vec_zlib(REPORT.as_bytes(), 6);
    let packets = [
        packet(PacketType::Data, &secret().encipher(REPORT.as_bytes())),
        packet(PacketType::CompressedData, &secret().encipher(&compressed)),
    ];
    for (index, bytes) in packets.iter().enumerate() {
        let mut station = authenticated();
        assert_eq!(station.receive(2, bytes), bytes.len());
        let Some(GatewayEvent::Report(report)) = station.poll_event() else { panic!("packet {index}") };
        assert_eq!(report.time, Clock::new(2026, 3, 5, 14, 7, 30).unwrap());
        assert_eq!(GatewayMeter::parse(&report.meters[0].id), GatewayMeter::new(1, 5));
        let energies = report.meters[0].energies(&EnergyNames::default());
        assert_eq!(energies.total_kwh, Some(Number::new(1_234_567, -2)));
        assert_eq!(energies.flat_kwh, Some(Number::new(434_567, -2)));
        assert_eq!(energies.valley_kwh, None, "it came with an error");
        assert_eq!((report.meters[0].value("Ua"), report.meters[1].values.len()), (None, 0));
    }
}

#[test]
fn documents_that_are_not_taken() {
    let refused = |text: &str| Document::parse(text).unwrap_err();
    let entity = r#"<!DOCTYPE r [<!ENTITY a "b">]><root><common><gateway_id>&a;</gateway_id></common></root>"#;
    assert_eq!(refused(entity), GatewayError::Xml("document type"));
    let unknown = "<root><common><gateway_id>&a;</gateway_id></common></root>";
    assert_eq!(refused(unknown), GatewayError::Xml("unknown entity"));
    assert_eq!(refused("<root><common></root>"), GatewayError::Xml("not well formed"));
    assert_eq!(refused("<root><common/>"), GatewayError::Xml("not closed"));
    assert_eq!(refused("<root><common/></root>"), GatewayError::Missing("gateway_id"));
    assert_eq!(refused(&"<a>".repeat(9)), GatewayError::TooLarge { what: "levels", max: 8 });
    assert_eq!(refused(&"<a/>".repeat(50_001)), GatewayError::TooLarge { what: "elements", max: 50_000 });
    let reading = REPORT.replace("12345.67", "1.2e4");
    assert!(matches!(refused(&reading), GatewayError::Reading { id, .. } if id == "WPP"));
    assert!(matches!(refused(&REPORT.replace("20260305140730", "20260305146030")), GatewayError::Clock(_)));
    let time = GatewayError::Value { field: "time", value: "2026030514073".to_string() };
    assert_eq!(refused(&REPORT.replace("20260305140730", "2026030514073")), time);
    let escaped = Document::new("<&>".into(), "\"'".into(), Content::HeartBeat { time: None });
    assert_eq!(Document::parse(&escaped.to_xml().unwrap()), Ok(escaped));
}

#[test]
fn a_meter_behind_the_gateway_is_read_by_the_session() {
    let mut station = authenticated();
    let meter = GatewayMeter::new(2, 1).unwrap();
    let request = crate::wire::Request::read_holding(0x0043, 3).unwrap();
    station.submit(2, meter, &request).unwrap();
    let (_, sent) = drive(&mut station, 2, &[]);
    assert_eq!(sent[0].packet, PacketType::Downlink);
    assert_eq!(secret().decipher(&sent[0].data).unwrap(), b"02001|010300430003F41F");
    // A heartbeat, the same reply from another port, a broken one, and the right one in small letters.
    let beat = Document::new("B1".into(), "GW-7".into(), Content::HeartBeat { time: None }).to_xml().unwrap();
    let reply = |text: &str| packet(PacketType::DownlinkReply, &secret().encipher(text.as_bytes()));
    let stream = [
        packet(PacketType::Heartbeat, beat.as_bytes()),
        reply("01001|010306202603050012BF9A"),
        reply("02001|010306202603050013BF9A"),
    ]
    .concat();
    let (seen, sent) = drive(&mut station, 3, &stream);
    assert_eq!((seen.len(), &seen[0][..]), (2, "Heartbeat"));
    assert!(core::str::from_utf8(&sent[0].data).unwrap().contains("<time>20260305140730</time>"));
    station.receive(4, &reply("02001|010306202603050012bf9a"));
    let Some(GatewayEvent::Transaction(event)) = station.poll_event() else { panic!() };
    assert!(matches!(event.outcome, Outcome::Reply(Reply::Registers(r)) if r.bytes() == [0x20, 0x26, 3, 5, 0, 0x12]));

    station.submit(5, meter, &Realtime::READ).unwrap();
    drive(&mut station, 5, &[]);
    assert_eq!(station.poll_timeout(), Some(10_000_005));
    station.handle_timeout(10_000_005);
    let Some(GatewayEvent::Transaction(event)) = station.poll_event() else { panic!() };
    assert_eq!(event.outcome, Outcome::NoReply(NoReply::TimedOut));
}

#[test]
fn factory_functions_are_not_forwarded() {
    let mut station = authenticated();
    for body in [&[1, 0x99, 0, 0][..], &[1, 0x20, 9, 0xFF, 0, 1, 2, 0, 0]] {
        let mut frame = body.to_vec();
        frame.extend(crc16(body).to_le_bytes());
        let refused = station.submit_frame(0, 1, &frame).unwrap_err();
        assert!(matches!(refused, GatewayError::Forward(ForwardError::Factory(_))), "{refused}");
    }
    assert!(drive(&mut station, 0, &[]).1.is_empty(), "nothing was sent");
}

#[test]
fn streams_are_bounded() {
    let mut station = authenticated();
    let long = [0x1F, 0x1F, 0x03, 0, 0x10, 0, 1];
    assert_eq!(drive(&mut station, 2, &long).0, ["Odd(TooLong { len: 1048577 })", "Closed"]);
    assert_eq!(
        station.submit(3, GatewayMeter::new(0, 1).unwrap(), &Realtime::READ),
        Err(GatewayError::NotAuthenticated)
    );
    let mut other = GatewayStation::new(0, GatewayConfig::default(), LinkId::first(0));
    assert_eq!(drive(&mut other, 0, b"GET / HTTP/1.1").0.len(), 2);
}

#[test]
fn meters_have_five_digits() {
    assert_eq!(GatewayMeter::parse("07247").map(|meter| meter.to_string()), Ok("07247".to_string()));
    assert_eq!(GatewayMeter::parse("07248"), Err(GatewayError::Meter { port: 7, unit: 248 }));
    for text in ["1|00", "01001", "01001|0", "01001|0G", "+1001|00", "01+01|00"] {
        assert_eq!(parse_forwarding(text), Err(GatewayError::Forwarding), "{text}");
    }
    let request = crate::wire::Request::read_holding(0x0043, 3).unwrap();
    let text = encode_forwarding(GatewayMeter::new(1, 1).unwrap(), &request).unwrap();
    assert_eq!(text, "01001|010300430003F41F");
    assert!(matches!(parse_forwarding("01001|010300430003F41E"), Err(GatewayError::Inner(_))));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(pieces in proptest::collection::vec((0_usize..5, proptest::collection::vec(any::<u8>(), 0..80)), 0..20)) {
        let mut station = authenticated();
        for (now_us, (kind, bytes)) in pieces.iter().enumerate() {
            let framed = match kind {
                0 => bytes.clone(),
                1 => packet(PacketType::Data, &secret().encipher(bytes)),
                2 => packet(PacketType::CompressedData, bytes),
                3 => packet(PacketType::DownlinkReply, &secret().encipher(bytes)),
                _ => packet(PacketType::Authentication, bytes),
            };
            drive(&mut station, now_us as u64, &framed);
        }
        let text = String::from_utf8_lossy(&vec![b'<'; pieces.len()]).into_owned();
        prop_assert!(Document::parse(&text).is_err());
    }

    #[test]
    fn damaged_documents_never_panic(at in 0_usize..REPORT.len(), with in "[<>&;/\"a-z0-9]{0,3}") {
        let damaged = format!("{}{with}{}", &REPORT[..at], &REPORT[at..]);
        let _ = Document::parse(&damaged);
    }
}
