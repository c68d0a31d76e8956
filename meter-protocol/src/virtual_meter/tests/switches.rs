//! Time control, 8-rate firmware, force per line and encrypted frames, by raw bytes.

use super::*;

/// 20H at 0300H: all lines, on; Saturday and Sunday rest; rest days on from 08:00, off from 22:00; working days on from
/// 06:30 and off from 23:00.
fn time_settings(unit: u8) -> Vec<u8> {
    let mut body = vec![unit, 0x20, 3, 0, 0, 28, 56];
    body.resize(63, 0);
    body[7..15].clone_from_slice(&[0xFF, 1, 1, 0, 0b1100_0000, 7, 9, 1]);
    body[15..21].clone_from_slice(&[1, 0, 8, 0, 0, 22]);
    body[39..45].clone_from_slice(&[1, 30, 6, 0, 0, 23]);
    body
}

#[test]
fn time_control_opens_and_closes_the_relay_by_the_meters_clock() {
    for model in [Model::Ddsy1352, Model::Dtsy1352] {
        // 14:07:30 on a Thursday.
        let mut meter = meter(model, 1, MeterOptions::default());
        meter.set_load(Load::new([1_000, 0, 0], 1_000));
        assert_eq!(ask(&mut meter, &time_settings(1)).unwrap()[1], 0x20);
        assert!(meter.relay_closed());
        assert_eq!(word(&meter, 0x0225) & 0x00F0, 0x00F0);
        let at = |hour: i64, minute: i64| NOTED_MS - 7 * 60_000 - 30_000 + ((hour - 14) * 60 + minute) * 60_000;
        meter.advance(at(23, 0) - 1);
        assert!(meter.relay_closed());
        let before = meter.energies_mj();
        meter.advance(at(23, 0));
        assert!(!meter.relay_closed());
        assert_eq!(word(&meter, 0x0225) & 0x00F0, 0x0080);
        meter.advance(at(24 + 6, 30) - 1);
        assert_eq!(meter.energies_mj()[2] - before[2], 1_000, "one millisecond of 1 kW, then nothing");
        meter.advance(at(24 + 6, 30));
        assert!(meter.relay_closed());
        // Saturday.
        meter.advance(at(48 + 7, 0));
        assert!(!meter.relay_closed());
        meter.advance(at(48 + 8, 0));
        assert!(meter.relay_closed());
        // Forced supply is not controlled.
        meter.advance(at(48 + 23, 0));
        assert!(!meter.relay_closed());
        ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 00")).unwrap();
        assert!(meter.relay_closed());
    }
}

#[test]
fn time_control_reads_back_and_refuses_what_is_no_time() {
    let mut meter = meter(Model::Dtsy1352, 1, MeterOptions::default());
    ask(&mut meter, &time_settings(1)).unwrap();
    let reply = ask(&mut meter, &bytes("01 03 04 20 00 4F")).unwrap();
    assert_eq!(reply.len(), 3 + 158);
    for line in 0..3 {
        let block = &reply[5 + 52 * line..5 + 52 * (line + 1)];
        assert_eq!(block[..10], [0, 0xC0, 7, 9, 1, 0, 8, 0, 0, 22]);
        assert_eq!(block[28..34], [1, 30, 6, 0, 0, 23]);
    }
    let mut wrong = time_settings(1);
    wrong[16] = 60;
    assert_eq!(ask(&mut meter, &wrong).unwrap(), [1, 0xA0, 3]);
    let mut second = time_settings(1);
    (second[3], second[7]) = (0x1C, 1);
    second[8] = 0;
    assert_eq!(ask(&mut meter, &second).unwrap()[1], 0x20);
    let mut ddsy = ddsy();
    assert_eq!(ask(&mut ddsy, &second).unwrap(), [1, 0xA0, 2]);
}

#[test]
fn eight_rate_firmware_has_a_fifth_rate_and_a_longer_block() {
    let options = MeterOptions { firmware: Firmware::EightRate, ..MeterOptions::default() };
    let mut meter = meter(Model::Ddsy1352, 1, options);
    assert_eq!(ask(&mut ddsy(), &bytes("01 03 02 00 00 48")).unwrap(), [1, 0x83, 2]);
    // Deep valley all day.
    let table = [bytes("01 10 20 06 00 15 2A 05 00 00"), vec![0; 39]].concat();
    assert_eq!(ask(&mut ddsy(), &table).unwrap(), [1, 0x90, 3]);
    assert_eq!(ask(&mut meter, &table).unwrap()[1], 0x10);
    meter.set_load(Load::new([2_000, 0, 0], 1_000));
    meter.advance(NOTED_MS + HOUR_MS);
    assert_eq!(meter.deep_valley_mj(), 2_000 * 3_600_000);
    assert_eq!((double(&meter, 0x0230), double(&meter, 0x5030), double(&meter, 0x0215)), (200, 200, 200));
    assert_eq!(double(&meter, 0x021D), 0);
    let reply = ask(&mut meter, &bytes("01 03 02 00 00 48")).unwrap();
    assert_eq!(reply.len(), 3 + 144);
    assert_eq!(reply[3 + 80..3 + 86], [26, 3, 5, 15, 7, 30], "no weekday");
}

#[test]
fn force_per_line_is_a_switch_in_sense_and_length() {
    let ten = bytes("01 20 05 00 00 05 0A 01 01 01 00 00 00 00 00 00 00");
    let eleven = bytes("01 20 05 00 00 05 0A 01 01 01 00 00 00 00 00 00 00 00");
    assert_eq!(ask(&mut ddsy(), &ten).unwrap(), [1, 0xA0, 2]);
    for (force_per_line, closed) in [(ForcePerLine::OneIsOn, true), (ForcePerLine::OneIsOff, false)] {
        for (force_frame, right, wrong) in
            [(ForceFrame::TenBytes, &ten, &eleven), (ForceFrame::ElevenBytes, &eleven, &ten)]
        {
            let options = MeterOptions { force_per_line, force_frame, ..MeterOptions::default() };
            let mut meter = meter(Model::Dtsy1352, 1, options);
            let before = meter;
            assert!(ask(&mut meter, wrong).is_none_or(|reply| reply == [1, 0xA0, 2]));
            assert_eq!(meter, before);
            assert_eq!(ask(&mut meter, right).unwrap()[1], 0x20);
            assert_eq!(meter.relay_closed(), closed);
            assert_eq!(word(&meter, 0x0057), 1);
        }
    }
}

#[test]
fn an_encrypted_meter_takes_the_published_frame_and_clear_ones_by_its_switch() {
    let frame = bytes("E0 95 D3 88 D7 54 BE C9 06 FF C5 83 8F C9 5C 03 DB 0B 33 68");
    let key = [0x1111, 0x2222, 0x3333, 0x4444];
    for (clear_frames, takes_clear) in [(ClearFrames::Take, true), (ClearFrames::Ignore, false)] {
        for given in [Some(key), Some([0x1111, 0x2222, 0x3333, 0x4445]), None] {
            let options = MeterOptions { clear_frames, ..MeterOptions::default() };
            let setup = MeterSetup { purchase_count: 0, cipher_key: given, ..setup(Model::Ddsy1352, 1) };
            let mut meter = VirtualMeter::new(&setup, options).unwrap();
            assert_eq!(word(&meter, 0x0022) & 0x20 != 0, given.is_some());
            let reply = meter.serve(NOTED_MS, &frame);
            assert_eq!(reply.is_some(), given == Some(key));
            assert_eq!(meter.purchase_count(), u16::from(given == Some(key)));
            let count = meter.purchase_count() + 1;
            let clear = ask(&mut meter, &sale(1, 100, count));
            assert_eq!(clear.is_some(), takes_clear || given.is_none());
            // Everything else stays clear.
            assert!(ask(&mut meter, &bytes("01 10 00 57 00 02 04 00 01 00 00")).is_some());
        }
    }
}
