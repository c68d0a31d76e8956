//! Wireless settings: places typed from the register documents, writes applied to a memory of registers, and nothing of a
//! secret in what is printed.
#![cfg(feature = "wireless")]
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

use meter_protocol::acrel::*;
use meter_protocol::wire::{Registers, Request};
use proptest::prelude::*;

const SECRETS: [&str; 4] = ["alice", "hunter2", "private.apn", "4490"];

/// Registers of a meter, written by 10H.
struct Memory {
    first: u16,
    bytes: Vec<u8>,
    writes: Vec<(u16, u16)>,
}

impl Memory {
    fn block<B: Block>(&self) -> B {
        B::from_registers(&Registers::holding(self.first, &self.bytes).unwrap()).unwrap()
    }

    fn take(&mut self, request: &Request<'_>) {
        let Request::WriteMultiple(write) = request else { panic!("{request:?}") };
        let at = usize::from(write.address() - self.first) * 2;
        self.bytes[at..at + write.data().len()].clone_from_slice(write.data());
        self.writes.push((write.address(), write.count()));
    }
}

fn settled(how: WirelessWrites) -> Profile {
    let mut profile = Profile::unsettled();
    profile.wireless_writes = Some(how);
    profile
}

fn put(bytes: &mut [u8], first: u16, address: u16, value: &[u8]) {
    let at = usize::from(address - first) * 2;
    bytes[at..at + value.len()].clone_from_slice(value);
}

fn cloud() -> Memory {
    let mut bytes = vec![0; 246];
    let mut put = |address, value: &[u8]| put(&mut bytes, 0x1950, address, value);
    put(0x1950, &[1, 2]);
    put(0x1951, b"mqtt.example");
    put(0x1965, &1883_u16.to_be_bytes());
    put(0x1966, &[0, 15]);
    put(0x1967, b"alice");
    put(0x197B, b"hunter2");
    put(0x198F, b"20260305");
    put(0x1997, b"debug.example");
    put(0x19AB, &[0x1F, 0x90]);
    put(0x19AC, b"register.example");
    put(0x19C0, &[0x1F, 0x91]);
    put(0x19C1, b"DTSY1352-4G");
    Memory { first: 0x1950, bytes, writes: vec![] }
}

fn access_point() -> Memory {
    let mut bytes = vec![0; 34];
    put(&mut bytes, 0x1338, 0x1338, b"private.apn");
    put(&mut bytes, 0x1338, 0x1347, &[0, 60]);
    put(&mut bytes, 0x1338, 0x1348, &[0, 1]);
    Memory { first: 0x1338, bytes, writes: vec![] }
}

fn radio_status() -> Memory {
    let mut bytes = vec![0; 88];
    put(&mut bytes, 0x1700, 0x1700, &[1, 2, 3, 4, 5, 6, 7, 8]);
    put(&mut bytes, 0x1700, 0x1704, b"89860000004490000031");
    put(&mut bytes, 0x1700, 0x1712, &[1, 0]);
    put(&mut bytes, 0x1700, 0x1713, &[0, 9]);
    put(&mut bytes, 0x1700, 0x1714, b"860000044900000");
    Memory { first: 0x1700, bytes, writes: vec![] }
}

#[test]
fn parts_stand_where_the_documents_say() {
    let cloud: CloudSettings = cloud().block();
    assert_eq!((cloud.protocol, cloud.platform, cloud.port, cloud.report_period_raw), (1, 2, 1883, 15));
    assert_eq!(cloud.domain.as_str(), Some("mqtt.example"));
    assert_eq!((cloud.user.reveal(), cloud.password.reveal()), (&b"alice"[..], &b"hunter2"[..]));
    let sites = cloud.sites();
    assert_eq!((sites.serial.as_str(), sites.model.as_str()), (Some("20260305"), Some("DTSY1352-4G")));
    assert_eq!((sites.debug_site.as_str(), sites.debug_port), (Some("debug.example"), 8080));
    assert_eq!((sites.registration_site.as_str(), sites.registration_port), (Some("register.example"), 8081));

    let point: AccessPoint = access_point().block();
    assert_eq!((point.name.reveal(), point.heartbeat_interval_raw, point.enable_raw), (&b"private.apn"[..], 60, 1));

    let status: RadioStatus = radio_status().block();
    assert_eq!((status.sent_count, status.received_count, status.head_raw[7]), (256, 9, 8));
    assert_eq!(status.ccid.reveal(), b"89860000004490000031");
    assert_eq!(status.imei.reveal(), b"860000044900000");

    let zone = TimeZone::from_registers(&Registers::holding(0x19CB, &[7, 0xA5, 0xFB, 30]).unwrap()).unwrap();
    assert_eq!((zone.index, zone.flag, zone.hour, zone.minute), (7, 0xA5, -5, 30));

    let mut bytes = vec![0; 104];
    for (address, value) in [
        (0x1300, &[0, 2][..]),
        (0x1301, &[0, 30]),
        (0x1302, b"0001"),
        (0x130A, &[192, 0, 2, 1]),
        (0x130C, &[0x1F, 0x90]),
        (0x130D, &[3, 4]),
        (0x130E, b"host"),
        (0x131A, &[1, 2]),
        (0x131B, &[3, 1]),
        (0x131C, &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]),
        (0x1324, &[0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25]),
        (0x132C, &[0, 9]),
    ] {
        put(&mut bytes, 0x1300, address, value);
    }
    let radio: RadioSettings = Memory { first: 0x1300, bytes, writes: vec![] }.block();
    assert_eq!(
        (radio.mode, radio.upload_interval_min, radio.server_ip, radio.server_port),
        (2, 30, [192, 0, 2, 1], 8080)
    );
    assert_eq!((radio.serial.as_str(), radio.server_domain.as_str()), (Some("0001"), Some("host")));
    assert_eq!((radio.protocol_mode, radio.domain_length, radio.device_count, radio.segment_count), (3, 4, 1, 2));
    assert_eq!((radio.alarm_segment_count, radio.tcp_flag, radio.alarm_segments[0]), (3, 1, 9));
    assert_eq!((radio.segment_starts[0], radio.segment_starts[7]), (0x0200, 0x0400));
    assert_eq!((radio.segment_lengths[0], radio.segment_lengths[7]), (48, 25));
}

#[test]
fn what_changes_is_written_and_nothing_else() {
    for (how, writes) in [
        (WirelessWrites::PartByPart, vec![(0x1965, 1), (0x197B, 20)]),
        (WirelessWrites::WholeBlock, vec![(0x1950, 123)]),
    ] {
        let mut meter = cloud();
        let shown: CloudSettings = meter.block();
        let mut wanted = shown.clone();
        wanted.port = 8883;
        wanted.password = Secret::new("password", "another").unwrap();
        let change = wanted.change_from(&shown);
        change.requests(&settled(how)).unwrap().for_each(|request| meter.take(&request));
        assert_eq!(meter.writes, writes);
        assert_eq!(meter.block::<CloudSettings>(), wanted);
        assert_eq!(wanted.sites().model.as_str(), Some("DTSY1352-4G"));
    }
}

#[test]
fn writes_are_refused_until_the_bench_test_has_settled_them() {
    let shown: AccessPoint = access_point().block();
    let mut wanted = shown.clone();
    wanted.heartbeat_interval_raw = 90;
    let refusal = wanted.change_from(&shown).requests(&Profile::unsettled()).map(|_| ()).unwrap_err();
    assert!(refusal.to_string().contains("bench test 17"), "{refusal}");
    let nothing = shown.change_from(&shown);
    let nothing = nothing.requests(&settled(WirelessWrites::WholeBlock)).map(|_| ());
    assert_eq!(nothing, Err(BuildError::Empty { block: "access point" }));
}

#[test]
fn texts_that_do_not_fit_are_refused_without_a_word_about_them() {
    let long = "hunter2".repeat(20);
    for text in [&long, "hunter2\n", "hunter2\u{e9}"] {
        let error = Secret::<40>::new("password", text).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains("password") && !told.contains("hunter"), "{told}");
    }
    assert_eq!(Secret::<4>::new("pin", "1234").unwrap().reveal(), b"1234");
    let mut bytes = vec![0; 104];
    bytes[26] = 3;
    let mut radio: RadioSettings = Memory { first: 0x1300, bytes, writes: vec![] }.block();
    radio.set_server_domain("meters.example").unwrap();
    assert_eq!((radio.domain_length, radio.server_domain.len()), (14, 14));
    assert!(radio.set_server_domain("a name of more than 24 characters").is_err());
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let (cloud, point, status) = (cloud(), access_point(), radio_status());
    let shown: CloudSettings = cloud.block();
    let mut wanted = shown.clone();
    wanted.user = Secret::new("user", "hunter2").unwrap();
    let change = wanted.change_from(&shown);
    let mut told =
        format!("{wanted:?} {change:?} {:?} {:?}", point.block::<AccessPoint>(), status.block::<RadioStatus>());
    for how in [WirelessWrites::PartByPart, WirelessWrites::WholeBlock] {
        told += &change.requests(&settled(how)).unwrap().map(|request| format!("{request:?}")).collect::<String>();
    }
    for memory in [&cloud, &point, &status] {
        let registers = Registers::holding(memory.first, &memory.bytes).unwrap();
        told += &format!("{registers:?}");
        let error = MeterNumber::from_registers(&registers).unwrap_err();
        told += &format!("{error} {error:?}");
        for field in fields::wireless::ALL {
            told += &format!("{:?}", field.value(&registers));
        }
    }
    let wifi = vec![b'x'; 102];
    let wifi = WifiSettings::from_registers(&Registers::holding(0x1910, &wifi).unwrap()).unwrap();
    told += &format!("{wifi:?}");
    #[cfg(feature = "serde")]
    {
        told += &serde_json::to_string(&wanted).unwrap();
        told += &serde_json::to_string(&point.block::<AccessPoint>()).unwrap();
        told += &serde_json::to_string(&status.block::<RadioStatus>()).unwrap();
        told += &serde_json::to_string(&wifi).unwrap();
        assert!(told.contains("\"password\":\"hidden\""), "{told}");
    }
    assert!(told.contains("mqtt.example") && told.contains("Secret(hidden)"), "{told}");
    for secret in SECRETS {
        let numbers = format!("{:?}", secret.as_bytes());
        let numbers = numbers.trim_matches(['[', ']']);
        assert!(!told.contains(secret) && !told.contains(numbers), "{secret} in {told}");
    }
    assert!(!told.contains("xxx"), "{told}");
}

/// A block of `LEN` bytes from any bytes, put together again.
fn round_trip<B: Block>(first: u16, bytes: &[u8], put: impl Fn(&B) -> Vec<u8>) {
    let block = B::from_registers(&Registers::holding(first, bytes).unwrap()).unwrap();
    assert_eq!(put(&block), bytes);
    // Inside a longer reply it is found as well; in a shorter one it is missing.
    let longer = [&[0xEE, 0xEE], bytes].concat();
    let inside = B::from_registers(&Registers::holding(first - 1, &longer[..longer.len().min(250)]).unwrap());
    assert_eq!(inside.map(|block| put(&block)).ok(), (longer.len() <= 250).then(|| bytes.to_vec()));
    if bytes.len() > 2 {
        let shorter = Registers::holding(first, &bytes[..bytes.len() - 2]).unwrap();
        assert!(matches!(B::from_registers(&shorter), Err(BlockError::Missing { .. })));
    }
    let of_inputs = Registers::input(first, bytes).unwrap();
    assert!(B::from_registers(&of_inputs).is_err(), "04H is another space");
}

proptest! {
    #[test]
    fn blocks_are_put_together_as_they_came(bytes in proptest::collection::vec(any::<u8>(), 246)) {
        round_trip(0x1300, &bytes[..104], |block: &RadioSettings| block.to_bytes().to_vec());
        round_trip(0x1338, &bytes[..34], |block: &AccessPoint| block.to_bytes().to_vec());
        round_trip(0x1700, &bytes[..88], |block: &RadioStatus| block.to_bytes().to_vec());
        round_trip(0x1910, &bytes[..102], |block: &WifiSettings| block.to_bytes().to_vec());
        round_trip(0x1950, &bytes, |block: &CloudSettings| block.to_bytes().to_vec());
        round_trip(0x19CB, &bytes[..4], |block: &TimeZone| block.to_bytes().to_vec());
    }

    #[test]
    fn any_change_of_the_radio_reads_back(
        before in proptest::collection::vec(any::<u8>(), 104),
        after in proptest::collection::vec(any::<u8>(), 104),
        keep in proptest::collection::vec(any::<bool>(), 104),
    ) {
        let mixed: Vec<u8> = before.iter().zip(&after).zip(&keep).map(|((a, b), keep)| if *keep { *a } else { *b }).collect();
        for how in [WirelessWrites::PartByPart, WirelessWrites::WholeBlock] {
            let mut meter = Memory { first: 0x1300, bytes: before.clone(), writes: vec![] };
            let shown: RadioSettings = meter.block();
            let wanted: RadioSettings = Memory { first: 0x1300, bytes: mixed.clone(), writes: vec![] }.block();
            let change = wanted.change_from(&shown);
            match change.requests(&settled(how)) {
                Ok(requests) => requests.for_each(|request| meter.take(&request)),
                Err(error) => prop_assert!(before == mixed, "{error}"),
            }
            prop_assert_eq!(&meter.bytes, &mixed);
            prop_assert!(meter.writes.iter().all(|(_, count)| *count <= 52));
        }
    }
}
