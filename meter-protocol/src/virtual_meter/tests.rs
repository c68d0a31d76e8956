//! Published frames and the behaviour of the whole meter, from outside through frames.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// 2026-03-05 14:07:30, a Thursday, as if local time were UTC.
pub(super) const NOTED_MS: i64 = 1_772_719_650_000;
const HOUR_MS: i64 = 3_600_000;
const NUMBER: [u8; 12] = [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn setup(model: Model, unit: u8) -> MeterSetup {
    MeterSetup {
        prepay_enabled: true,
        remaining_cents: 8_875,
        purchase_count: 12,
        ..MeterSetup::new(model, unit, NUMBER, NOTED_MS)
    }
}

pub(super) fn meter(model: Model, unit: u8, options: MeterOptions) -> VirtualMeter {
    VirtualMeter::new(&setup(model, unit), options).unwrap()
}

fn ddsy() -> VirtualMeter {
    meter(Model::Ddsy1352, 1, MeterOptions::default())
}

/// Sends a body at the meter's own time and gives the reply without its check sum.
pub(super) fn ask(meter: &mut VirtualMeter, body: &[u8]) -> Option<Vec<u8>> {
    let now_ms = meter.time_ms();
    let reply = meter.serve(now_ms, &frame::sealed(body.to_vec()))?;
    Some(frame::checked(&reply).unwrap().to_vec())
}

pub(super) fn sale(unit: u8, cents: u32, count: u16) -> Vec<u8> {
    let ([a, b, c, d], [e, f]) = (cents.to_be_bytes(), count.to_be_bytes());
    vec![unit, 0x20, 1, 0, 0, 4, 8, a, b, c, d, e, f, 0, 0]
}

/// A parameter frame with these data bytes set.
pub(super) fn parameters(unit: u8, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut body = vec![unit, 0x20, 2, 0, 0, 30, 60];
    body.resize(67, 0);
    for (at, value) in fields {
        body[7 + at] = 1;
        body[8 + at..8 + at + value.len()].copy_from_slice(value);
    }
    body
}

/// A load-control frame of line 1 with these data bytes set.
pub(super) fn load_settings(unit: u8, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut body = vec![unit, 0x20, 4, 0, 0, 13, 26];
    body.resize(33, 0);
    for (at, value) in fields {
        body[7 + at..7 + at + value.len()].copy_from_slice(value);
    }
    body
}

pub(super) fn prices(unit: u8, prices: [u32; 4]) -> Vec<u8> {
    let values: Vec<u8> = prices.iter().flat_map(|price| price.to_be_bytes()).collect();
    parameters(unit, &[(29, &values)])
}

pub(super) fn word(meter: &VirtualMeter, address: u16) -> u16 {
    meter.register(address).unwrap()
}

fn double(meter: &VirtualMeter, address: u16) -> u32 {
    u32::from(word(meter, address)) << 16 | u32::from(word(meter, address + 1))
}

#[test]
fn the_realtime_block_of_the_documents() {
    let expected = bytes(
        "01 03 60
         00 07 08 FD 00 00 00 00 02 0B 00 00 00 00 04 A3 00 00 00 00 04 A3 00 78 00 00 00 00 00 78 03 DB
         00 00 00 00 03 DB 00 01 00 01 00 12 D6 87 00 01 86 A0 00 06 1A 80 00 06 A1 87 00 04 93 E0 FF FF
         DF 2F 00 0C 00 00 00 03 E0 EF 00 00 00 00 00 00 1A 03 05 04 0E 07 1E 04 D2 0F 12 04 03 00 00 00
         F5 42",
    );
    let mut setup = setup(Model::Ddsy1352, 1);
    setup.prepay_enabled = false;
    setup.remaining_cents = -8_401;
    setup.energies_centi_kwh = [100_000, 400_000, 434_567, 300_000];
    let mut meter = VirtualMeter::new(&setup, MeterOptions::default()).unwrap();
    meter.set_load(Load { watts: [1_187, 0, 0], vars: [120, 0, 0], power_factor_milli: 987, decivolts: [2_301; 3] });
    meter.demand.max_w = 0x04D2;
    meter.demand.max_at = [15, 18, 4, 3];
    // The frame shows a meter that is forced on although both alarms have passed.
    ask(&mut meter, &parameters(1, &[(20, &[0, 0, 7, 0xD0, 0, 0, 1, 0xF4])])).unwrap();
    ask(&mut meter, &[1, 0x10, 0, 0x57, 0, 2, 4, 0, 1, 0, 0]).unwrap();
    // Three trips allowed.
    ask(&mut meter, &load_settings(1, &[(11, &[1, 0, 3])])).unwrap();

    let reply = meter.serve(NOTED_MS, &bytes("01 03 02 00 00 30 44 66")).unwrap();
    assert_eq!(reply, expected);
}

#[test]
fn the_prepay_block_of_the_documents() {
    let mut setup = setup(Model::Ddsy1352, 1);
    setup.energies_centi_kwh = [100_000, 400_000, 434_567, 300_000];
    let mut meter = VirtualMeter::new(&setup, MeterOptions::default()).unwrap();
    ask(&mut meter, &prices(1, [12_000, 10_000, 7_000, 4_000])).unwrap();
    let alarms = bytes(
        "01 20 02 00 00 1E 3C 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
         01 00 00 07 D0 00 00 01 F4 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
         00 00 00 00 CF B2",
    );
    assert_eq!(alarms.len(), 69);
    assert!(meter.serve(NOTED_MS, &alarms).is_some());
    let expected = bytes(
        "01 03 32 00 01 00 0C 00 00 2E E0 00 00 27 10 00 00 1B 58 00 00 0F A0 00 00 07 D0 00 00 01 F4
         00 00 00 00 00 00 00 00 00 12 D6 87 00 00 22 AB 00 00 00 00 00 00 91 58",
    );
    assert_eq!(meter.serve(NOTED_MS, &bytes("01 03 04 00 00 19 85 30")), Some(expected));
}

#[test]
fn short_frames_of_the_documents() {
    let mut meter = ddsy();
    let mut expect = |request: &str, reply: &str| {
        let got = meter.serve(NOTED_MS, &bytes(request));
        assert_eq!(got, Some(bytes(reply)), "{request}");
    };
    expect("01 03 00 43 00 03 F4 1F", "01 03 06 20 26 03 05 00 12 BF 9A");
    for force in ["01 10 00 57 00 02 04 00 01 00 00 E6 B5", "01 10 00 57 00 02 04 00 01 00 01 27 75"] {
        expect(force, "01 10 00 57 00 02 F0 18");
    }
    expect("01 10 00 57 00 02 04 00 00 00 00 B7 75", "01 10 00 57 00 02 F0 18");
    // Exception 02: what the documents expect where a model has no register.
    let nowhere = meter.serve(NOTED_MS, &frame::sealed(vec![1, 3, 0x09, 0, 0, 1]));
    assert_eq!(nowhere, Some(bytes("01 83 02 C0 F1")));
    let version = meter.serve(NOTED_MS, &bytes("01 11 FE DC BA 98 76 54 32 10 06 E5")).unwrap();
    assert_eq!((version.len(), version[1], version[7..9].to_vec()), (15, 0x11, vec![0, 120]));
}

#[test]
fn the_low_prepay_block_shows_what_the_parameter_frame_set() {
    let mut meter = ddsy();
    ask(&mut meter, &prices(1, [12_000, 70_000, 7_000, 4_000])).unwrap();
    ask(&mut meter, &parameters(1, &[(20, &[0, 1, 7, 0xD0, 0, 2, 1, 0xF4]), (46, &[0, 3, 0, 9])])).unwrap();
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 01")).unwrap();
    let reply = meter.serve(NOTED_MS, &bytes("01 03 00 46 00 1C A5 D6")).unwrap();
    let expected = bytes(
        "01 03 38 00 01 07 D0 00 02 01 F4 00 03 00 09 00 00 00 00 00 0C 00 00 22 AB 00 00 00 00 00 00 00 00 01 00
         00 00 00 01 00 01 00 00 2E E0 00 01 11 70 00 00 1B 58 00 00 0F A0 00 00",
    );
    assert_eq!(reply[..59], expected);
}

#[test]
fn a_sale_of_the_documents() {
    let mut meter = VirtualMeter::new(
        &MeterSetup { purchase_count: 0, remaining_cents: 0, ..setup(Model::Ddsy1352, 1) },
        MeterOptions::default(),
    )
    .unwrap();
    assert!(!meter.relay_closed(), "nothing left at a limit of 0");
    let frame = bytes("01 20 01 00 00 04 08 00 00 27 10 00 01 00 00 12 1F");
    let reply = meter.serve(NOTED_MS, &frame).unwrap();
    assert_eq!((reply.len(), &reply[..13]), (15, &frame[..13]));
    assert_eq!((meter.remaining_cents(), meter.purchase_count()), (10_000, 1));
    assert!(meter.relay_closed(), "a sale restores supply");
    meter.serve(NOTED_MS, &frame).unwrap();
    assert_eq!(meter.remaining_cents(), 10_000, "the same count once more adds nothing");
}

#[test]
fn tables_of_the_documents() {
    let day_table = [bytes("15 2A 01 1E 06 03 3B 17"), vec![0; 36]].concat();
    let mut ddsy = meter(Model::Ddsy1352, 7, MeterOptions::default());
    assert_eq!(
        ask(&mut ddsy, &[bytes("07 10 20 06 00"), day_table.clone()].concat()).unwrap(),
        bytes("07 10 20 06 00 15")
    );
    assert_eq!([word(&ddsy, 0x2006), word(&ddsy, 0x2007), word(&ddsy, 0x2008)], [0x011E, 0x0603, 0x3B17]);
    let mut dtsy = meter(Model::Dtsy1352, 9, MeterOptions::default());
    assert!(ask(&mut dtsy, &[bytes("09 10 20 00 00"), day_table.clone()].concat()).is_some());
    assert_eq!(word(&dtsy, 0x2000), 0x011E);
    let other_order = MeterOptions { date_table: DateTableOrder::MonthDayTable, ..MeterOptions::default() };
    let mut dtsy = meter(Model::Dtsy1352, 9, other_order);
    let dates = bytes("09 10 00 28 00 06 0C 0A 0F 01 06 05 04 00 00 00 00 00 00");
    assert_eq!(ask(&mut dtsy, &dates).unwrap()[1], 0x10);
    let tool_order = bytes("01 10 00 28 00 06 0C 00 01 01 01 01 07 00 00 00 00 00 00");
    let mut dtsy = meter(Model::Dtsy1352, 1, MeterOptions::default());
    assert_eq!(ask(&mut dtsy, &tool_order).unwrap()[1], 0x10);
    // The addresses are swapped between the models: the DTSY's date table is no register of a DDSY.
    assert_eq!(ask(&mut self::ddsy(), &tool_order).unwrap(), [1, 0x90, 2]);
    // A part of a table is not taken.
    assert_eq!(ask(&mut dtsy, &bytes("01 10 20 00 00 01 02 01 1E")).unwrap(), [1, 0x90, 2]);
}

#[test]
fn energy_goes_to_the_rate_of_the_table_and_the_table_of_the_date() {
    let mut meter = ddsy();
    // Table 1: flat from 00:00, peak from 14:30, valley from 15:00. Table 2 from 6 March: spike all day.
    let table = |slots: &[[u8; 3]]| {
        let mut data = slots.concat();
        data.resize(42, 0);
        [vec![0x15, 0x2A], data].concat()
    };
    ask(&mut meter, &[vec![1, 0x10, 0x20, 0x06, 0], table(&[[3, 0, 0], [2, 30, 14], [4, 0, 15]])].concat()).unwrap();
    ask(&mut meter, &[vec![1, 0x10, 0x20, 0x1B, 0], table(&[[1, 0, 0]])].concat()).unwrap();
    ask(&mut meter, &[vec![1, 0x10, 0x20, 0x00, 0, 6, 12, 0, 1, 1, 1, 6, 3], vec![0; 6]].concat()).unwrap();
    meter.set_load(Load::new([1_000, 0, 0], 1_000));
    meter.advance(NOTED_MS + 12 * HOUR_MS);
    // 14:07:30 to 14:30, to 15:00, to midnight, and 2:07:30 of the next day, at 1 kW.
    let seconds = [7_650, 1_800, 1_350, 9 * 3_600];
    assert_eq!(meter.energies_mj(), seconds.map(|s| s * 1_000_000));
}

#[test]
fn a_clock_that_was_set_counts_on_from_there() {
    let mut meter = ddsy();
    ask(&mut meter, &bytes("01 20 03 54 00 05 0A 3B 3B 17 04 1F 0C 1A 00 00 00")).unwrap();
    let later_ms = meter.time_ms() + 2_000;
    meter.advance(later_ms);
    // 2026-12-31 23:59:59 + 2 s; a Friday by the calendar, whatever the frame said.
    let shown: Vec<u16> = (0x0228..0x022C).map(|address| word(&meter, address)).collect();
    assert_eq!((shown[0], shown[1], shown[2], shown[3] >> 8), (0x1B01, 0x0105, 0x0000, 1));
    for bad in [
        "3C 00 00 00 01 01 1A",
        "00 3C 00 00 01 01 1A",
        "00 00 18 00 01 01 1A",
        "00 00 00 00 1E 02 1A",
        "00 00 00 07 01 01 1A",
    ] {
        let body = [bytes("01 20 03 54 00 05 0A"), bytes(bad), vec![0; 3]].concat();
        assert_eq!(ask(&mut meter, &body).unwrap(), [1, 0xA0, 3], "{bad}");
    }
}

#[test]
fn arrears_cut_and_a_sale_restores() {
    let mut meter = ddsy();
    ask(&mut meter, &prices(1, [10_000; 4])).unwrap();
    ask(&mut meter, &parameters(1, &[(20, &[0, 0, 0x13, 0x88, 0, 0, 3, 0xE8]), (46, &[0, 0, 1, 0xF4])])).unwrap();
    meter.set_load(Load::new([10_000, 0, 0], 1_000));
    // 10 units an hour: 88.75 left, alarm 1 at 50.00, alarm 2 at 10.00, end at -5.00 after 9.375 hours.
    let status = |meter: &mut VirtualMeter, milli_hours: i64| {
        meter.advance(NOTED_MS + milli_hours * HOUR_MS / 1_000);
        (word(meter, 0x0224), meter.remaining_cents())
    };
    assert_eq!(status(&mut meter, 3_874), (0xE000, 5_001));
    assert_eq!(status(&mut meter, 3_875), (0xE040, 5_000));
    assert_eq!(status(&mut meter, 7_875), (0xE0C0, 1_000));
    assert_eq!(status(&mut meter, 8_876), (0xE0E0, -1));
    assert_eq!(word(&meter, 0x0225), 0x0F00);
    assert_eq!(status(&mut meter, 9_374), (0xE0E0, -499));
    assert_eq!(status(&mut meter, 9_375), (0x00E0, -500));
    assert_eq!(word(&meter, 0x0225), 0x0800);
    let energies = meter.energies_mj();
    assert_eq!(status(&mut meter, 20_000), (0x00E0, -500));
    assert_eq!(meter.energies_mj(), energies, "nothing flows through an open relay");
    assert_eq!([word(&meter, 0x0204), word(&meter, 0x020A)], [0, 0]);
    assert!(word(&meter, 0x0201) > 0, "voltage is measured in front of the relay");

    // Forced on: supply and deduction go on below the limit.
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 00")).unwrap();
    assert_eq!(status(&mut meter, 21_000), (0xE0EF, -1_500));
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 00 00 00")).unwrap();
    assert!(!meter.relay_closed());
    ask(&mut meter, &sale(1, 5_000, 13)).unwrap();
    assert_eq!((word(&meter, 0x0224), meter.remaining_cents()), (0xE040, 3_500));
    // Forced off: no credit brings supply back.
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 01")).unwrap();
    ask(&mut meter, &sale(1, 10_000, 14)).unwrap();
    assert_eq!(word(&meter, 0x0224), 0x0008);
    assert!(!meter.relay_closed());
}

#[test]
fn too_much_load_trips_until_the_allowed_trips_are_used_up() {
    let mut meter = meter(Model::Dtsy1352, 1, MeterOptions::default());
    // The frame of the documents: all lines on, 3000 W, step 800, 3 trips allowed; then 10 minutes of recovery.
    let all_lines = bytes(
        "01 20 04 00 00 0D 1A FF 01 01 0B B8 03 20 00 00 00 00 01 00 03 00 00 00 00 00 00 00 00 00 00 00 00 96 9C",
    );
    assert_eq!(meter.serve(NOTED_MS, &all_lines).unwrap().len(), 15);
    ask(&mut meter, &load_settings(1, &[(0, &[0xFF, 1]), (9, &[1, 10])])).unwrap();
    let shown: Vec<u16> = (0x0480..0x0493).map(|address| word(&meter, address)).collect();
    assert_eq!(shown[..7], [0x000F, 3_000, 800, 0, 0, 3, 0x0A00]);
    assert_eq!(shown[7..13], shown[13..19]);
    assert_eq!(word(&meter, 0x0225) & 0x000F, 0x000F);

    meter.set_load(Load::new([3_000; 3], 1_000));
    assert!(meter.relay_closed(), "the limit itself is allowed");
    meter.set_load(Load::new([2_000, 3_001, 0], 1_000));
    assert!(!meter.relay_closed());
    assert_eq!((word(&meter, 0x0222), word(&meter, 0x0224), word(&meter, 0x0225) & 0x000F), (1, 0x0010, 0x0008));
    // The load stays too high: three more trips at the moments of closing, then the relay stays open.
    for (minutes, trips) in [(9, 1), (10, 2), (20, 3), (30, 4), (600, 4)] {
        meter.advance(NOTED_MS + minutes * 60_000);
        assert_eq!((word(&meter, 0x0222), meter.relay_closed()), (trips, false), "after {minutes} min");
    }
    assert_eq!(meter.energies_mj(), [0; 4]);
    meter.set_load(Load::new([1_000, 0, 0], 1_000));
    assert!(!meter.relay_closed());
    // The documents' frame that sets the common counter back.
    let now_ms = meter.time_ms();
    meter.serve(now_ms, &bytes("01 20 04 10 00 04 08 00 00 00 00 00 00 01 00 48 A1")).unwrap();
    assert_eq!((word(&meter, 0x0222), meter.relay_closed()), (0, true));

    // Forced supply is not limited; leaving force mode is.
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 00")).unwrap();
    meter.set_load(Load::new([9_000; 3], 1_000));
    assert!(meter.relay_closed());
    ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 00 00 00")).unwrap();
    assert!(!meter.relay_closed());
    ask(&mut meter, &load_settings(1, &[(0, &[0xFF, 0])])).unwrap();
    assert!(meter.relay_closed(), "switched off");
}

#[test]
fn load_control_of_one_line_and_its_refusals() {
    let options = MeterOptions { load_enable: EnablePolarity::OneIsOff, ..MeterOptions::default() };
    let mut single = meter(Model::Ddsy1352, 1, options);
    ask(&mut single, &load_settings(1, &[(0, &[1, 1, 1, 0x03, 0xE8])])).unwrap();
    assert_eq!((word(&single, 0x0480), word(&single, 0x0061)), (0, 1_000), "1 reads as off on this meter");
    single.set_load(Load::new([1_001, 0, 0], 1_000));
    assert!(!single.relay_closed());
    single.advance(NOTED_MS + 100 * HOUR_MS);
    assert!(!single.relay_closed(), "no recover time: it stays open");
    let second_line = [&[1, 0x20, 4, 0x0D, 0, 13, 26][..], &[0; 26]].concat();
    assert_eq!(ask(&mut single, &second_line).unwrap(), [1, 0xA0, 2]);
    assert_eq!(ask(&mut single, &load_settings(1, &[(0, &[7])])).unwrap(), [1, 0xA0, 3]);

    let mut three = meter(Model::Dtsy1352, 1, MeterOptions::default());
    let mut third_line = load_settings(1, &[(0, &[1, 1, 1, 0x03, 0xE8])]);
    (third_line[2], third_line[3]) = (4, 0x1A);
    ask(&mut three, &third_line).unwrap();
    assert_eq!((word(&three, 0x0480), word(&three, 0x048D)), (0x0001, 1_000));
    three.set_load(Load::new([5_000, 5_000, 999], 1_000));
    assert!(three.relay_closed());
    three.set_load(Load::new([0, 0, 1_001], 1_000));
    assert!(!three.relay_closed());
}

#[test]
fn an_unused_purse_neither_pays_nor_cuts() {
    let mut setup = setup(Model::Dtsy1352, 1);
    (setup.prepay_enabled, setup.remaining_cents) = (false, 0);
    let mut meter = VirtualMeter::new(&setup, MeterOptions::default()).unwrap();
    ask(&mut meter, &prices(1, [10_000; 4])).unwrap();
    meter.set_load(Load::new([3_000; 3], 950));
    meter.advance(NOTED_MS + 100 * HOUR_MS);
    assert_eq!((meter.remaining_cents(), word(&meter, 0x0224)), (0, 0xE000));
    assert_eq!(double(&meter, 0x0215), 90_000);
    ask(&mut meter, &parameters(1, &[(0, &[1])])).unwrap();
    assert!(!meter.relay_closed(), "switched on, an empty purse cuts at once");
}

#[test]
fn the_base_amount_is_used_first() {
    let mut meter = ddsy();
    ask(&mut meter, &prices(1, [10_000; 4])).unwrap();
    ask(&mut meter, &parameters(1, &[(15, &[0, 0, 0, 250])])).unwrap();
    meter.set_load(Load::new([1_000, 0, 0], 1_000));
    meter.advance(NOTED_MS + 2 * HOUR_MS);
    assert_eq!((double(&meter, 0x0226), meter.remaining_cents()), (50, 8_875));
    meter.advance(NOTED_MS + 4 * HOUR_MS);
    assert_eq!((double(&meter, 0x0226), meter.remaining_cents()), (0, 8_875 - 150));
}

#[test]
fn a_parameter_frame_is_taken_whole_or_not_at_all() {
    let mut meter = ddsy();
    let before = meter;
    // A new balance beside a meter number that is no BCD, and beside a total that has no meaning here.
    for bad in [(53_usize, &[0x1A, 0, 0, 0, 0, 0][..]), (10, &[0, 0, 0, 1][..]), (0, &[2][..])] {
        assert_eq!(ask(&mut meter, &parameters(1, &[(2, &[0, 0, 0, 99]), bad])).unwrap(), [1, 0xA0, 3]);
        assert_eq!(meter, before);
    }
    ask(&mut meter, &parameters(1, &[(2, &[0xFF, 0xFF, 0xFF, 0x9C]), (7, &[0, 77]), (51, &[3]), (53, &[0x99; 6])]))
        .unwrap();
    assert_eq!((meter.remaining_cents(), meter.purchase_count(), word(&meter, 0x0418)), (-100, 77, 3));
    assert_eq!(word(&meter, 0x0045), 0x9999);
    assert!(!meter.relay_closed());
}

#[test]
fn refused_and_silent_replies_are_switches() {
    for vendor_reply in VendorReply::ALL {
        for vendor_refusal in VendorRefusal::ALL {
            let options = MeterOptions {
                vendor_reply: *vendor_reply,
                vendor_refusal: *vendor_refusal,
                ..MeterOptions::default()
            };
            let mut meter = meter(Model::Ddsy1352, 1, options);
            let taken = ask(&mut meter, &sale(1, 100, 13)).map(|reply| reply.len());
            assert_eq!(meter.remaining_cents(), 8_975);
            let refused = ask(&mut meter, &sale(1, 100, 99)).map(|reply| reply.len());
            assert_eq!(meter.remaining_cents(), 8_975);
            let success = match vendor_reply {
                VendorReply::FifteenBytes => Some(13),
                VendorReply::WriteEcho => Some(6),
                VendorReply::Silent => None,
            };
            assert_eq!(taken, success);
            let refusal = match vendor_refusal {
                VendorRefusal::Exception => Some(3),
                VendorRefusal::AsSuccess => success,
                VendorRefusal::Silent => None,
            };
            assert_eq!(refused, refusal);
        }
    }
}

#[test]
fn ratios_ports_and_switches_that_change_registers() {
    let ct_first = MeterOptions {
        ratio_order: RatioOrder::CtFirst,
        energy_values: EnergyValues::Secondary,
        relay_bits: RelayBits::Bit15,
        low_block_on_dtsy: true,
        total: TotalMeaning::Purchased,
        read_max_registers: 10,
        ..MeterOptions::default()
    };
    let mut meter =
        VirtualMeter::new(&MeterSetup { energies_centi_kwh: [1_000; 4], ..setup(Model::Dtsy1352, 1) }, ct_first)
            .unwrap();
    ask(&mut meter, &bytes("01 10 00 37 00 02 04 00 14 00 01")).unwrap();
    assert_eq!([word(&meter, 0x0213), word(&meter, 0x0214)], [1, 20]);
    assert_eq!(double(&meter, 0x0215), 200);
    assert_eq!(word(&meter, 0x0224), 0x8000);
    assert!(meter.register(0x000B).is_some());
    ask(&mut meter, &sale(1, 300, 13)).unwrap();
    assert_eq!(double(&meter, 0x0412), 300);
    assert_eq!(ask(&mut meter, &[1, 3, 2, 0, 0, 11]).unwrap(), [1, 0x83, 3]);
    // A new address: the answer still comes from the old one, then only the new one answers.
    assert_eq!(ask(&mut meter, &bytes("01 10 03 60 00 01 02 21 03")).unwrap()[..2], [1, 0x10]);
    assert_eq!(meter.unit(), 0x21);
    assert_eq!(ask(&mut meter, &[1, 3, 0, 0, 0, 1]), None);
    assert!(ask(&mut meter, &[0x21, 3, 0, 0, 0, 1]).is_some());
    for bad in ["21 10 03 60 00 01 02 F8 03", "21 10 03 60 00 01 02 01 06", "21 10 00 57 00 02 04 00 02 00 00"] {
        assert_eq!(ask(&mut meter, &bytes(bad)).unwrap(), [0x21, 0x90, 3], "{bad}");
    }
}

#[test]
fn factory_functions_and_what_is_not_modelled_are_refused() {
    let mut meter = ddsy();
    let before = meter;
    for function in [0x01, 0x06, 0x98, 0x99, 0xAA, 0xAB] {
        let reply = ask(&mut meter, &[1, function, 0, 0, 0, 0]).unwrap();
        assert_eq!(reply, [1, function | 0x80, 1]);
    }
    let encrypted = ask(&mut meter, &bytes("01 10 00 22 00 01 02 00 61")).unwrap();
    assert_eq!(encrypted, [1, 0x90, 3]);
    let clear_all = ask(&mut meter, &bytes("01 20 09 00 00 01 02 00 00")).unwrap();
    assert_eq!(clear_all, [1, 0xA0, 2]);
    for address in [0x0011, 0x0062, 0x0230, 0x0419, 0x0420, 0x0487, 0x5030] {
        assert_eq!(meter.register(address), None, "{address:04X}H");
    }
    assert_eq!(meter, before);
}

#[test]
fn broadcast_is_a_switch_and_never_answered() {
    let mut quiet = ddsy();
    let before = quiet;
    assert_eq!(ask(&mut quiet, &sale(0, 100, 13)), None);
    assert_eq!(quiet, before);
    let mut applying =
        meter(Model::Ddsy1352, 1, MeterOptions { broadcast: Broadcast::Apply, ..MeterOptions::default() });
    assert_eq!(ask(&mut applying, &sale(0, 100, 13)), None);
    assert_eq!(applying.remaining_cents(), 8_975);
}

#[test]
fn force_mode_and_a_power_cut() {
    for survives in [true, false] {
        let options = MeterOptions { force_survives_power_cut: survives, ..MeterOptions::default() };
        let mut meter = meter(Model::Ddsy1352, 1, options);
        ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 01")).unwrap();
        meter.power_cut(NOTED_MS + HOUR_MS);
        assert_eq!(meter.relay_closed(), !survives);
    }
}

#[test]
fn demand_is_the_highest_quarter_hour() {
    let mut meter = ddsy();
    meter.set_load(Load::new([2_000, 0, 0], 1_000));
    meter.advance(NOTED_MS + HOUR_MS);
    meter.set_load(Load::new([500, 0, 0], 1_000));
    meter.advance(NOTED_MS + 3 * HOUR_MS);
    let bytes: Vec<u8> = (0x022B..0x022F).flat_map(|address| word(&meter, address).to_be_bytes()).collect();
    // The first whole quarter at 2 kW ended at 14:30; the first, partial one was lower.
    assert_eq!(bytes[1..7], [0x07, 0xD0, 30, 14, 5, 3]);
}

#[test]
fn impossible_setups_are_named() {
    let good = setup(Model::Ddsy1352, 1);
    let refused = |setup: MeterSetup| VirtualMeter::new(&setup, MeterOptions::default()).unwrap_err();
    assert_eq!(refused(MeterSetup { unit: 0, ..good }), SetupError::Unit { unit: 0 });
    assert_eq!(refused(MeterSetup { unit: 248, ..good }), SetupError::Unit { unit: 248 });
    let mut number = NUMBER;
    number[4] = 10;
    assert_eq!(refused(MeterSetup { number, ..good }), SetupError::Number { position: 4, value: 10 });
    assert_eq!(refused(MeterSetup { start_ms: -1, ..good }), SetupError::Start { start_ms: -1 });
    assert_eq!(refused(MeterSetup { utc_offset_min: 900, ..good }), SetupError::Offset { minutes: 900 });
}
