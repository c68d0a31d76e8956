//! The blocks of settings: time and load control, ports, force of single lines, the serial number, the wireless blocks,
//! and the search for a meter that was given another place.
//!
//! Input: which block, then its bytes or what is set.
//!
//! It must hold that what is parsed is in its bytes, and written again the same; that a block of another length or
//! address is refused; that what was set stands where the register document says, and is shown by a block that holds
//! it; that secrets are in no text for programmers; that a relocation ends and is judged by what was found.
#![no_main]

use fuzz::{Tape, confirmed};
use libfuzzer_sys::fuzz_target;
use meter_protocol::acrel::{
    AccessPoint, Baud, CloudSettings, EnablePolarity, ForceMode, Line, LineForce, LineForceLength, LineForceSense,
    LoadControl, LoadControlBlock, MeterNumber, Model, Place, Port, PortSettings, PowerLimit, Profile, RadioSettings,
    RadioStatus, Relocation, RelocationAnswer, RelocationStep, RelocationVerdict, SerialNumber, TimeControl,
    TimeControlBlock, TimeSlot, TimeZone, TripCounters, Weekdays, WifiSettings, WirelessWrites,
};
use meter_protocol::wire::{Registers, Reply, Request};

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    match tape.byte() % 10 {
        0 => time_block(tape),
        1 => time_set(tape),
        2 => load_block(tape),
        3 => load_set(tape),
        4 => port(tape),
        5 => line_force(tape),
        6 => serial_number(tape),
        7 | 8 => wireless(tape),
        _ => relocation(tape),
    }
});

const MODELS: [Model; 2] = [Model::Dtsy1352, Model::Ddsy1352];

/// Registers of any address, often the right one.
fn registers<'a>(tape: &mut Tape<'a>, address: u16) -> Option<Registers<'a>> {
    let address = if tape.byte() % 8 == 7 { tape.word() } else { address };
    Registers::holding(address, tape.rest()).ok()
}

fn lines_of(model: Model) -> usize {
    if model == Model::Dtsy1352 { 3 } else { 1 }
}

/// The data of a write in function 20H and its address.
fn vendor<'a>(request: &Request<'a>) -> (u16, &'a [u8]) {
    let Request::Vendor(write) = request else { panic!("a vendor write") };
    (write.address(), write.data())
}

fn time_block(mut tape: Tape<'_>) {
    let model = tape.pick(&MODELS);
    let Some(registers) = registers(&mut tape, 0x0420) else { return };
    let parsed = TimeControlBlock::from_registers(&confirmed(model), &registers);
    let fits = registers.address() == 0x0420 && registers.bytes().len() == 2 + 52 * lines_of(model);
    assert_eq!(parsed.is_ok(), fits);
    let Ok(block) = parsed else { return };
    let mut again = block.flags_raw.to_be_bytes().to_vec();
    for line in block.lines() {
        let days = (0..7)
            .filter(|day| line.rest_days.has(*day))
            .fold(0_u8, |days, day| days | if day == 0 { 0x80 } else { 1 << day });
        let raw = registers.bytes()[again.len() + 1];
        assert_eq!(days, raw & 0xFE, "seven days");
        again.extend([line.unlabelled_high, raw, line.unlabelled[0], line.unlabelled[1]]);
        again.extend(line.rest.iter().chain(&line.working).flatten());
        for rest_day in [false, true] {
            let raw = if rest_day { line.rest } else { line.working };
            assert_eq!(line.slots(rest_day).count(), raw.iter().filter(|slot| **slot != [0; 3]).count());
        }
    }
    assert_eq!(again, registers.bytes());
    let mut profile = Profile::unsettled();
    assert!(block.enabled(&profile).is_err());
    profile.time_polarity = Some(EnablePolarity::OneIsOn);
    assert_eq!(block.enabled(&profile), Ok(block.flags_raw != 0));
}

fn slots(tape: &mut Tape<'_>) -> Vec<TimeSlot> {
    let count = tape.byte() % 10;
    (0..count).map(|_| TimeSlot { hour: tape.byte() % 25, minute: tape.byte() % 61, on: tape.flag() }).collect()
}

fn line(tape: &mut Tape<'_>) -> Line {
    tape.pick(&Line::ALL)
}

fn time_set(mut tape: Tape<'_>) {
    let (model, line) = (tape.pick(&MODELS), line(&mut tape));
    let (all, on, days) = (tape.flag(), tape.flag(), tape.byte());
    let mut set = if all { TimeControl::all_lines(on) } else { TimeControl::line(line).enable(on) };
    let days = (0..7).filter(|day| days >> day & 1 == 1).fold(Weekdays::NONE, Weekdays::with);
    set = set.rest_days(days, tape.array());
    let (rest, working) = (slots(&mut tape), slots(&mut tape));
    let in_order =
        |slots: &[TimeSlot]| slots.windows(2).all(|two| (two[0].hour, two[0].minute) < (two[1].hour, two[1].minute));
    let fit = |slots: &[TimeSlot]| {
        let is_slot =
            |slot: &TimeSlot| slot.hour < 24 && slot.minute < 60 && (slot.on || (slot.hour, slot.minute) != (0, 0));
        (1..=8).contains(&slots.len()) && in_order(slots) && slots.iter().all(is_slot)
    };
    let taken = set.slots(&rest, &working);
    assert_eq!(taken.is_ok(), fit(&rest) && fit(&working), "{taken:?}");
    let set = taken.unwrap_or(set);
    let known = confirmed(model);
    let request = set.request(&known);
    assert_eq!(request.is_ok(), all || line == Line::L1 || model == Model::Dtsy1352);
    let Ok(request) = request else { return };
    let (address, data) = vendor(&request);
    let place = if all { 0 } else { line as usize };
    assert_eq!((address, data.len()), ([0x0300, 0x031C, 0x0338][place], 56));
    // A block that holds what was sent shows it.
    let mut bytes = vec![0, 7];
    for index in 0..lines_of(model) {
        let is_meant = all || index == place;
        let mut line = vec![0; 52];
        if is_meant {
            line[1..4].copy_from_slice(&data[4..7]);
            line[4..].copy_from_slice(&data[8..]);
        }
        bytes.extend(line);
    }
    let shown = |bytes: &[u8]| {
        let registers = Registers::holding(0x0420, bytes).expect("an even length");
        set.shown_by(&TimeControlBlock::from_registers(&known, &registers).expect("its length"))
    };
    assert!(shown(&bytes));
    let changed = 2 + 52 * place + 1;
    bytes[changed] ^= 2;
    assert!(!shown(&bytes), "other rest days");
}

fn load_block(mut tape: Tape<'_>) {
    let model = tape.pick(&MODELS);
    let Some(registers) = registers(&mut tape, 0x0480) else { return };
    let parsed = LoadControlBlock::from_registers(&confirmed(model), &registers);
    let fits = registers.address() == 0x0480 && registers.bytes().len() == 2 + 12 * lines_of(model);
    assert_eq!(parsed.is_ok(), fits);
    let Ok(block) = parsed else { return };
    let mut again = block.flags_raw.to_be_bytes().to_vec();
    for line in block.lines() {
        let words =
            [line.max_power_raw, line.step_raw, line.step_power_factor_raw, line.unlabelled_0484, line.allowed_trips];
        words.into_iter().for_each(|word| again.extend(word.to_be_bytes()));
        again.extend([line.recover_time_raw, line.unlabelled_0486]);
    }
    assert_eq!(again, registers.bytes());
    let mut profile = Profile::unsettled();
    assert!(block.enabled(&profile, Line::L1).is_err());
    for polarity in [EnablePolarity::OneIsOn, EnablePolarity::OneIsOff] {
        profile.enable_polarity = Some(polarity);
        for (line, bit) in Line::ALL.into_iter().zip([4_u16, 2, 1]) {
            let set = block.flags_raw & if model == Model::Dtsy1352 { bit } else { 0xFFFF } != 0;
            assert_eq!(block.enabled(&profile, line), Ok(set == (polarity == EnablePolarity::OneIsOn)));
        }
    }
}

fn load_set(mut tape: Tape<'_>) {
    let (model, line) = (tape.pick(&MODELS), line(&mut tape));
    let mut set = if tape.flag() { LoadControl::all_lines(true) } else { LoadControl::line(line) };
    let limit = PowerLimit { max_power_raw: tape.word(), step_raw: tape.word(), step_power_factor_raw: tape.word() };
    let (recover, trips) = (tape.byte(), tape.word());
    set = set.limit(limit).recover_time(recover).allowed_trips(trips).enable(tape.flag());
    let known = confirmed(model);
    if let Ok(request) = set.request(&known) {
        let (_, data) = vendor(&request);
        let word = |at: usize| u16::from_be_bytes([data[at], data[at + 1]]);
        let shown = PowerLimit { max_power_raw: word(3), step_raw: word(5), step_power_factor_raw: word(7) };
        assert_eq!((shown, data[10], word(12)), (limit, recover, trips));
        assert_eq!([data[2], data[9], data[11]], [1; 3]);
    }
    let counters = TripCounters::new().line(line, tape.byte()).all(tape.byte());
    if let Ok(request) = counters.request() {
        assert_eq!(vendor(&request).1.len(), 8);
    }
}

fn port(mut tape: Tape<'_>) {
    let (port, address) = tape.pick(&[(Port::First, 0x0360), (Port::Second, 0x0365)]);
    let Some(registers) = registers(&mut tape, address) else { return };
    let Ok(settings) = PortSettings::from_registers(port, &registers) else {
        return assert!(registers.slice(address, 5).is_none());
    };
    let PortSettings { unit, baud_index, parity_raw, stop_raw, number_bcd, .. } = settings;
    let again = [&[unit, baud_index, parity_raw, stop_raw][..], &number_bcd].concat();
    assert_eq!(Some(&again[..]), registers.slice(address, 5));
    assert!(settings.baud().is_none_or(|baud| baud.index() == baud_index && baud.get() >= 1_200));
    assert!(settings.number().is_none_or(|number| number.to_bcd() == number_bcd));
}

fn line_force(mut tape: Tape<'_>) {
    let model = tape.pick(&MODELS);
    let modes = [None, Some(ForceMode::Prepaid), Some(ForceMode::SupplyOn), Some(ForceMode::SupplyOff)];
    let lines = [tape.pick(&modes), tape.pick(&modes), tape.pick(&modes)];
    let mut force = LineForce::new();
    for (line, mode) in Line::ALL.into_iter().zip(lines) {
        force = mode.map_or(force, |mode| force.line(line, mode));
    }
    let mut profile = Profile::unsettled();
    let known = confirmed(model);
    assert!(force.frame(&profile, &known).is_err(), "nothing is settled");
    let sense = tape.pick(&[LineForceSense::OneIsOn, LineForceSense::OneIsOff]);
    profile.line_force_sense = Some(sense);
    profile.line_force_length = Some(LineForceLength::Ten);
    let frame = force.frame(&profile, &known);
    let fits = lines != [None; 3] && (model == Model::Dtsy1352 || lines[1..] == [None; 2]);
    assert_eq!(frame.is_ok(), fits);
    if let Ok(frame) = frame {
        let request = frame.request();
        let (address, data) = vendor(&request);
        assert_eq!((address, data.len()), (0x0500, 10));
        for (mode, bytes) in lines.into_iter().zip(data.as_chunks::<3>().0) {
            let state = |on: bool| u8::from(on == (sense == LineForceSense::OneIsOn));
            assert_eq!(
                *bytes,
                match mode {
                    None => [0, 0, 0],
                    Some(ForceMode::Prepaid) => [1, 0, 0],
                    Some(mode) => [1, 1, state(mode == ForceMode::SupplyOn)],
                }
            );
        }
    }
    profile.line_force_length = Some(LineForceLength::Eleven);
    assert!(force.frame(&profile, &known).is_err(), "a length that the frame itself contradicts");
}

fn serial_number(mut tape: Tape<'_>) {
    let text = String::from_utf8_lossy(tape.counted()).into_owned();
    let made = SerialNumber::new(&text);
    let fits = (1..=14).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert_eq!(made.is_ok(), fits);
    if let Ok(serial) = made {
        let request = serial.request();
        let Request::WriteMultiple(write) = request else { panic!("a write") };
        let shown = Registers::holding(write.address(), write.data()).expect("seven registers");
        assert_eq!(SerialNumber::from_registers(&shown), Ok(serial));
        assert_eq!((serial.as_str(), serial.to_string()), (&*text, text.clone()));
    }
    let Some(registers) = registers(&mut tape, 0x03A0) else { return };
    if let Ok(serial) = SerialNumber::from_registers(&registers) {
        let bytes = registers.slice(0x03A0, 7).expect("it was read");
        assert!(bytes.starts_with(serial.as_str().as_bytes()));
        assert!(format!("{serial:?}").contains(serial.as_str()));
    }
}

/// Parsed and written again the same; another length is refused.
macro_rules! round_trip {
    ($block:ty, $registers:expr) => {{
        let registers = $registers;
        let parsed = <$block>::from_registers(&registers);
        if let Ok(block) = &parsed {
            let Request::ReadHolding(span) = <$block>::READ else { panic!("a read") };
            assert_eq!(Some(&block.to_bytes()[..]), registers.slice(span.address(), span.count()));
            assert!(!format!("{block:?}").is_empty());
            assert!(!serde_json::to_string(block).expect("it is data").is_empty());
        }
        parsed
    }};
}

fn wireless(mut tape: Tape<'_>) {
    let (kind, how) = (tape.byte() % 7, tape.pick(&[WirelessWrites::WholeBlock, WirelessWrites::PartByPart]));
    let address = [0x1338, 0x1950, 0x19CB, 0x1300, 0x1700, 0x1910, 0x1300][usize::from(kind)];
    let change = tape.byte();
    let Some(registers) = registers(&mut tape, address) else { return };
    let mut profile = Profile::unsettled();
    profile.wireless_writes = Some(how);
    match kind {
        0 => {
            let Ok(shown) = round_trip!(AccessPoint, registers) else { return };
            let mut wanted = shown.clone();
            wanted.enable_raw ^= u16::from(change);
            written(wanted.change_from(&shown).requests(&profile), registers.bytes(), &wanted.to_bytes()[..], 0x1338);
        }
        1 => {
            let Ok(shown) = round_trip!(CloudSettings, registers) else { return };
            let mut wanted = shown.clone();
            wanted.port ^= u16::from(change);
            wanted.report_period_raw ^= u16::from(change) << 8;
            written(wanted.change_from(&shown).requests(&profile), registers.bytes(), &wanted.to_bytes()[..], 0x1950);
            assert_eq!(format!("{:?}", shown.sites()), "CloudSites(hidden)");
        }
        2 => {
            let Ok(shown) = round_trip!(TimeZone, registers) else { return };
            let mut wanted = shown.clone();
            wanted.minute ^= change;
            written(wanted.change_from(&shown).requests(&profile), registers.bytes(), &wanted.to_bytes()[..], 0x19CB);
        }
        3 | 6 => {
            let Ok(shown) = round_trip!(RadioSettings, registers) else { return };
            let mut wanted = shown.clone();
            wanted.server_port ^= u16::from(change);
            if change & 1 == 1 {
                wanted.set_server_domain(&"a".repeat(usize::from(change % 24))).expect("short");
                assert_eq!(usize::from(wanted.domain_length), wanted.server_domain.len());
            }
            written(wanted.change_from(&shown).requests(&profile), registers.bytes(), &wanted.to_bytes()[..], 0x1300);
        }
        4 => drop(round_trip!(RadioStatus, registers)),
        _ => drop(round_trip!(WifiSettings, registers)),
    }
}

/// The writes of a change, done on what was shown, give what is wanted; nothing is written where nothing changed.
fn written<'a>(
    requests: Result<impl Iterator<Item = Request<'a>>, meter_protocol::acrel::BuildError>,
    shown: &[u8],
    wanted: &[u8],
    address: u16,
) {
    // Registers that came with others around them are not followed.
    if shown.len() != wanted.len() {
        return;
    }
    assert_eq!(requests.is_ok(), shown != wanted);
    let Ok(requests) = requests else { return };
    let mut meter = shown.to_vec();
    for request in requests {
        let Request::WriteMultiple(write) = request else { panic!("a write") };
        let at = 2 * usize::from(write.address() - address);
        meter[at..at + write.data().len()].copy_from_slice(write.data());
    }
    assert_eq!(meter, wanted);
}

fn relocation(mut tape: Tape<'_>) {
    let number = MeterNumber::from_bcd([0x20, 0x26, 0x03, 0x05, 0, 0x12]).expect("digits");
    let mut place = || Place { unit: tape.byte(), baud: tape.pick(&Baud::ALL) };
    let (from, to) = (place(), place());
    let port = tape.pick(&[Port::First, Port::Second]);
    let made = Relocation::new(number, port, from, to);
    let is_unit = |place: Place| (1..=247).contains(&place.unit);
    assert_eq!(made.is_ok(), is_unit(from) && is_unit(to) && from != to);
    let Ok(mut relocation) = made else { return };
    let (mut writes, mut found) = (0, None);
    for _ in 0..20 {
        let (at, request) = match relocation.next() {
            RelocationStep::Ask { at, request } => (at, request),
            RelocationStep::Done(verdict) => {
                match verdict {
                    RelocationVerdict::Untouched(_) => assert!(writes <= 1),
                    RelocationVerdict::Moved => assert_eq!((found, writes), (Some(to), 1)),
                    RelocationVerdict::Stayed => assert_eq!((found, writes), (Some(from), 1)),
                    RelocationVerdict::Halfway(at) => assert!(found == Some(at) && at != from && at != to),
                    RelocationVerdict::Lost => assert_eq!((found, writes), (None, 1)),
                    other => panic!("{other:?}"),
                }
                relocation.answered(&RelocationAnswer::Nothing);
                return assert_eq!(relocation.next(), RelocationStep::Done(verdict));
            }
        };
        let is_write = matches!(request, Request::WriteMultiple(_));
        writes += u32::from(is_write);
        if let Request::WriteMultiple(write) = request {
            assert_eq!((at, write.data()[0], write.data()[1]), (from, to.unit, to.baud.index()));
        }
        let (address, count) = match request {
            Request::ReadHolding(span) => (span.address(), span.count()),
            _ => (0x0043, 3),
        };
        let settings = [&[from.unit, from.baud.index(), 0, 0][..], &number.to_bcd()].concat();
        let other = tape.array::<10>();
        let data: &[u8] = match (tape.byte() % 8, count) {
            (0..=3, 3) => &number.to_bcd(),
            (0..=3, _) => &settings,
            (_, count) => &other[..2 * usize::from(count).min(5)],
        };
        let registers = Registers::holding(address, data).expect("an even length");
        let answer = match tape.byte() % 8 {
            0..=2 => RelocationAnswer::Reply(Reply::Registers(registers)),
            3 => RelocationAnswer::Refused,
            4 => RelocationAnswer::NotTransmitted,
            _ => RelocationAnswer::Nothing,
        };
        let is_ours =
            matches!(answer, RelocationAnswer::Reply(_)) && MeterNumber::from_registers(&registers) == Ok(number);
        // Before the write it says where the meter was, after it where it is.
        if is_ours && writes == 1 && !is_write {
            found = Some(at);
        }
        relocation.answered(&answer);
    }
    panic!("the relocation does not end");
}
