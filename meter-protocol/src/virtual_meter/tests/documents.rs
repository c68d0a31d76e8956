//! Frames of the published documents.

use super::*;

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

/// First register and count of every block that a model answers, as the documents list them. 022FH has no meaning on
/// these models, but is part of the 48 registers that are read at once.
const COMMON_BLOCKS: [(u16, u16); 11] = [
    (0x0000, 10),
    (0x0022, 1),
    (0x0037, 2),
    (0x0043, 3),
    (0x0046, 28),
    (0x0063, 1),
    (0x0200, 48),
    (0x0360, 10),
    (0x0399, 2),
    (0x03A0, 7),
    (0x0400, 25),
];
const DDSY_BLOCKS: [(u16, u16); 6] = [(0x000A, 7), (0x0420, 27), (0x0480, 7), (0x2000, 6), (0x2006, 21), (0x201B, 21)];
const DTSY_BLOCKS: [(u16, u16); 5] = [(0x0028, 6), (0x0420, 79), (0x0480, 19), (0x2000, 21), (0x2015, 21)];

#[test]
fn the_registers_of_the_documents_and_no_others_are_there() {
    for (model, own) in [(Model::Ddsy1352, &DDSY_BLOCKS[..]), (Model::Dtsy1352, &DTSY_BLOCKS[..])] {
        let mut meter = meter(model, 1, MeterOptions::default());
        let mut documented: Vec<u16> =
            COMMON_BLOCKS.iter().chain(own).flat_map(|(start, count)| *start..start + count).collect();
        documented.sort_unstable();
        let answered: Vec<u16> = (0..=u16::MAX).filter(|address| meter.register(*address).is_some()).collect();
        assert_eq!(answered, documented, "{model:?}");
        // Each block in one read; one register more is an illegal address.
        for (start, count) in COMMON_BLOCKS.iter().chain(own) {
            let [high, low] = start.to_be_bytes();
            let count = u8::try_from(*count).unwrap();
            assert_eq!(ask(&mut meter, &[1, 3, high, low, 0, count]).unwrap()[2], 2 * count, "{start:04X}H");
            if !documented.contains(&(start + u16::from(count))) {
                assert_eq!(ask(&mut meter, &[1, 3, high, low, 0, count + 1]).unwrap(), [1, 0x83, 2]);
            }
        }
    }
}
