//! The blocks of the meter: what is parsed, written again by the register document, is what was there.
//!
//! Input: which block, then its bytes.
#![no_main]

use fuzz::{Tape, confirmed};
use libfuzzer_sys::fuzz_target;
use meter_protocol::acrel::{
    Clock, DateTable, DateTableOrder, DayTable, DayTableNumber, DayTableReading, EnergySide, EqualCountRule,
    FirmwareVersion, ForceState, Line, MeterNumber, MicroPrices, Model, MoneyOverwrite, PrepayBlock, PriceDecimals,
    Profile, Purchase, RateCodes, Realtime, RealtimeLayout, Settings, StatusWord2,
};
use meter_protocol::wire::{Incoming, MAX_RTU_LEN, Registers, Reply, Request, rtu};

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    match tape.byte() % 10 {
        0 => realtime(RealtimeLayout::FourRate, tape.rest()),
        1 => realtime(RealtimeLayout::EightRate, tape.rest()),
        2 => prepay(tape.rest()),
        3 => day_table(tape),
        4 => date_table(tape),
        5 => meter_number(tape),
        6 => force_state(tape),
        7 => version(tape.rest()),
        8 => purchase(tape),
        _ => parameters(tape),
    }
});

/// Two registers of a reply.
fn long(data: &[u8], register: usize) -> u32 {
    u32::from_be_bytes(data[2 * register..][..4].try_into().unwrap())
}

fn word(data: &[u8], register: usize) -> u16 {
    u16::from_be_bytes(data[2 * register..][..2].try_into().unwrap())
}

fn realtime(layout: RealtimeLayout, data: &[u8]) {
    let length = usize::from(layout.registers()) * 2;
    let parsed = Realtime::parse(layout, data);
    assert_eq!(parsed.is_ok(), data.len() == length);
    let Ok(seen) = parsed else { return };
    assert_eq!(RealtimeLayout::of_upload(data.len()), Some(layout));
    let Request::ReadHolding(span) = layout.request() else { panic!("a read") };
    let registers = Registers::holding(span.address(), data).unwrap();
    assert_eq!(Realtime::from_registers(layout, &registers).as_ref(), Ok(&seen));
    assert!(Realtime::from_registers(layout, &Registers::input(span.address(), data).unwrap()).is_err());
    ratios(&seen);
    let mut again = Vec::with_capacity(96);
    let put = |again: &mut Vec<u8>, words: &[u16]| words.iter().for_each(|word| again.extend(word.to_be_bytes()));
    put(&mut again, &[seen.model.code()]);
    put(&mut again, &seen.voltage_decivolt);
    put(&mut again, &seen.current_centiampere);
    let signed = [seen.active_power_w, seen.reactive_power_var, seen.power_factor_permille];
    let totals = [seen.active_power_total_w, seen.reactive_power_total_var, seen.power_factor_total_permille];
    for (phases, total) in signed.into_iter().zip(totals) {
        phases.into_iter().chain([total]).for_each(|value| again.extend(value.to_be_bytes()));
    }
    put(&mut again, &[seen.pt_ratio, seen.ct_ratio]);
    let energy = &seen.energy;
    let registers = [
        energy.total_centikwh,
        energy.spike_centikwh,
        energy.peak_centikwh,
        energy.flat_centikwh,
        energy.valley_centikwh,
    ];
    registers.into_iter().for_each(|register| again.extend(register.to_be_bytes()));
    again.extend(seen.remaining_minor.to_be_bytes());
    put(&mut again, &[seen.purchase_count, seen.load_trip_count, seen.load_trip_allowed_count]);
    put(&mut again, &[seen.status_1.0, seen.status_2.0]);
    again.extend(seen.base_free_minor.to_be_bytes());
    assert_eq!(again, data[..80]);

    let time = if layout == RealtimeLayout::FourRate {
        assert_eq!(seen.weekday_shown, Some(data[0x53]));
        let demand = seen.demand.unwrap();
        let [high, low] = demand.raw.to_be_bytes();
        assert_eq!([high, low, demand.minute, demand.hour, demand.day, demand.month], data[0x57..0x5D]);
        assert_eq!(energy.deep_valley_centikwh, None);
        [data[80], data[81], data[82], data[84], data[85], data[86]]
    } else {
        assert_eq!((seen.weekday_shown, seen.demand), (None, None));
        assert_eq!(energy.deep_valley_centikwh, Some(long(data, 48)));
        data[80..86].try_into().unwrap()
    };
    if let Ok(clock) = seen.clock {
        assert_eq!(time_of(&clock), time);
        assert!(clock.to_string().starts_with("20"));
        set_clock(&clock);
    }
    assert_eq!(seen.status_1.relay_closed(), data[72] & 0xE0 != 0);
    words_have_their_bits(seen.status_2);
}

/// Energies are multiplied by the ratios exactly when the registers are behind the transformers.
fn ratios(seen: &Realtime) {
    let mut profile = Profile::unsettled();
    let ratio = u32::from(seen.pt_ratio.max(1)) * u32::from(seen.ct_ratio.max(1));
    assert_eq!(seen.energy_factor(&profile).is_ok(), ratio == 1);
    for (side, factor) in [(EnergySide::Primary, 1), (EnergySide::Secondary, ratio)] {
        profile.energy_side = Some(side);
        assert_eq!(seen.energy_factor(&profile).ok(), Some(factor));
    }
}

fn time_of(clock: &Clock) -> [u8; 6] {
    let year = u8::try_from(clock.year() - 2000).unwrap();
    [year, clock.month(), clock.day(), clock.hour(), clock.minute(), clock.second()]
}

/// The setting frame carries the same time; its weekday fits the date.
fn set_clock(clock: &Clock) {
    let frame = clock.frame();
    let Request::Vendor(write) = frame.request() else { panic!("a vendor write") };
    let &[second, minute, hour, weekday, day, month, year, 0, 0, 0] = write.data() else { panic!("ten bytes") };
    assert_eq!([year, month, day, hour, minute, second], time_of(clock));
    // Days since Saturday 1 January 2000, counted month by month.
    let leap = |year: u16| year % 4 == 0;
    let months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: u32 = (2000..clock.year()).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let before: u32 = months.iter().take(usize::from(clock.month() - 1)).sum();
    let leap_day = u32::from(clock.month() > 2 && leap(clock.year()));
    assert_eq!(u32::from(weekday), (6 + years + before + leap_day + u32::from(clock.day()) - 1) % 7);
}

fn words_have_their_bits(status: StatusWord2) {
    let lines = Line::ALL.into_iter().enumerate();
    let bits = lines.fold(0, |bits, (index, line)| {
        let of = |flag: bool, bit: usize| u16::from(flag) << (bit + index);
        bits | of(status.load_closed(line), 0) | of(status.time_closed(line), 4) | of(status.prepaid_closed(line), 8)
    });
    let enabled = [(status.load_enabled(), 3), (status.time_enabled(), 7), (status.prepaid_enabled(), 11)];
    let bits = enabled.into_iter().fold(bits, |bits, (flag, bit)| bits | u16::from(flag) << bit);
    assert_eq!(bits, status.0 & 0x0FFF);
}

fn prepay(data: &[u8]) {
    let parsed = PrepayBlock::parse(data);
    assert_eq!(parsed.is_ok(), data.len() == 50);
    let Ok(seen) = parsed else { return };
    let prices = [seen.prices.spike_raw, seen.prices.peak_raw, seen.prices.flat_raw, seen.prices.valley_raw];
    let amounts = [seen.alarm_1_minor, seen.alarm_2_minor, seen.overdraft_minor];
    let mut again = [seen.enable_raw.to_be_bytes(), seen.purchase_count.to_be_bytes()].concat();
    prices.into_iter().chain(amounts).for_each(|value| again.extend(value.to_be_bytes()));
    again.extend(seen.unknown_0410);
    again.extend(seen.total_raw.to_be_bytes());
    again.extend(seen.remaining_minor.to_be_bytes());
    again.extend(seen.base_free_minor.to_be_bytes());
    again.extend(seen.unlabelled_0418.to_be_bytes());
    assert_eq!(again, data);
    assert_eq!(seen.enabled(), data[..2] != [0, 0]);
    let Request::ReadHolding(span) = PrepayBlock::READ else { panic!("a read") };
    assert_eq!(PrepayBlock::from_registers(&Registers::holding(span.address(), data).unwrap()).as_ref(), Ok(&seen));
    assert!(PrepayBlock::from_registers(&Registers::input(span.address(), data).unwrap()).is_err());
    assert!(seen.prices.micro(&Profile::unsettled()).is_err());
    let mut profile = Profile::unsettled();
    profile.price_decimals = PriceDecimals::new(4);
    assert_eq!(seen.prices.micro(&profile).unwrap(), prices.map(|raw| u64::from(raw) * 100));
}

fn day_table(mut tape: Tape<'_>) {
    let mut profile = Profile::unsettled();
    let codes = tape.pick(&[RateCodes::FromOne, RateCodes::FromZero]);
    let Ok(registers) = Registers::holding(0x2000, tape.rest()) else { return };
    let parsed = DayTableReading::from_registers(&registers);
    assert_eq!(parsed.is_ok(), registers.bytes().len() == 42);
    let Ok(table) = parsed else { return };
    assert_eq!(table.raw().as_flattened(), registers.bytes());
    let Ok(slots) = table.slots(codes).collect::<Result<Vec<_>, _>>() else { return };
    assert!(DayTable::new(&profile, &slots).is_err(), "the codes are not settled");
    profile.rate_codes = Some(codes);
    let Ok(written) = DayTable::new(&profile, &slots) else { return };
    for model in [Model::Dtsy1352, Model::Ddsy1352].map(confirmed) {
        for number in [DayTableNumber::First, DayTableNumber::Second] {
            let Ok(Request::WriteMultiple(write)) = written.request(&model, number) else { panic!("a write") };
            let Ok(Request::ReadHolding(read)) = DayTableReading::read(&model, number) else { panic!("a read") };
            assert_eq!((write.address(), write.data().len()), (read.address(), usize::from(read.count()) * 2));
            assert_eq!(write.data(), written.bytes());
        }
    }
    let model = confirmed(Model::Dtsy1352);
    let Ok(Request::WriteMultiple(write)) = written.request(&model, DayTableNumber::First) else { panic!("a write") };
    assert_eq!(write.address(), 0x2000);
    let read_back = DayTableReading::from_registers(&Registers::holding(0x2000, write.data()).unwrap()).unwrap();
    assert_eq!(read_back.slots(codes).collect::<Result<Vec<_>, _>>().unwrap(), slots);
}

fn date_table(mut tape: Tape<'_>) {
    let mut profile = Profile::unsettled();
    let order = tape.pick(&[DateTableOrder::MonthDayTable, DateTableOrder::TableDayMonth]);
    let Ok(registers) = Registers::holding(0x0028, tape.rest()) else { return };
    let parsed = DateTable::from_registers(&registers);
    assert_eq!(parsed.is_ok(), registers.bytes().len() == 12);
    let Ok(table) = parsed else { return };
    assert_eq!(table.bytes()[..], *registers.bytes());
    let entries: Vec<_> = table.entries(order).collect();
    assert!(DateTable::new(&profile, &entries).is_err(), "the order is not settled");
    profile.date_table_order = Some(order);
    let Ok(written) = DateTable::new(&profile, &entries) else { return };
    assert_eq!(written.entries(order).collect::<Vec<_>>(), entries);
    for model in [Model::Dtsy1352, Model::Ddsy1352].map(confirmed) {
        let Ok(Request::WriteMultiple(write)) = written.request(&model) else { panic!("a write") };
        let Ok(Request::ReadHolding(read)) = DateTable::read(&model) else { panic!("a read") };
        assert_eq!((write.address(), write.data()), (read.address(), &written.bytes()[..]));
    }
}

fn meter_number(mut tape: Tape<'_>) {
    let bcd = tape.array::<6>();
    let decimal = bcd.iter().all(|byte| byte >> 4 < 10 && byte & 15 < 10);
    let parsed = MeterNumber::from_registers(&Registers::holding(0x0043, &bcd).unwrap());
    assert_eq!(parsed.is_ok(), decimal);
    if let Ok(number) = parsed {
        assert_eq!(number.to_bcd(), bcd);
        assert_eq!(number.to_string().parse(), Ok(number));
    }
    if let Ok(text) = core::str::from_utf8(tape.rest())
        && let Ok(number) = text.parse::<MeterNumber>()
    {
        assert_eq!(number.to_string(), text);
    }
}

fn force_state(mut tape: Tape<'_>) {
    let address = tape.word();
    let Ok(registers) = Registers::holding(address, tape.rest()) else { return };
    let parsed = ForceState::from_registers(&registers);
    let at = |wanted: u16| wanted.checked_sub(address).map(usize::from).filter(|place| *place < registers.count());
    match (at(0x57), at(0x58)) {
        (Some(mode), Some(state)) => {
            let seen = parsed.unwrap();
            assert_eq!(
                (seen.mode_raw, seen.state_raw),
                (word(registers.bytes(), mode), word(registers.bytes(), state))
            );
            if let Some(mode) = seen.mode() {
                let words = mode.words();
                assert!(words.0 == seen.mode_raw && (words.0 == 0 || words.1 == seen.state_raw));
                let Request::WriteMultiple(write) = mode.request() else { panic!("a write") };
                assert_eq!((long(write.data(), 0) >> 16, write.data()[3]), (words.0.into(), u8::from(words.1 == 1)));
            }
        }
        _ => assert!(parsed.is_err()),
    }
}

fn version(data: &[u8]) {
    let parsed = FirmwareVersion::from_reply(&Reply::Id(data));
    assert!(parsed.as_ref().map_or_else(ToString::to_string, ToString::to_string).len() > 4);
    assert_eq!(parsed.is_ok(), data.len() == 11);
    match parsed {
        Ok(FirmwareVersion::Release(number)) => assert_eq!(number.to_be_bytes(), data[5..7]),
        Ok(FirmwareVersion::TestBuild(number)) => assert_eq!((number + 0x8000).to_be_bytes(), data[5..7]),
        _ => {}
    }
}

/// The frame of a write as a slave reads it: window and data.
fn vendor_frame(request: &Request<'_>) -> (u16, Vec<u8>) {
    let mut buf = [0; MAX_RTU_LEN];
    let frame = rtu::encode_request(1, request, &mut buf).unwrap();
    let Ok((1, Incoming::Request(Request::Vendor(write)))) = rtu::decode_request(frame) else { panic!("{frame:02X?}") };
    (write.address(), write.data().to_vec())
}

fn purchase(mut tape: Tape<'_>) {
    let (amount_minor, count_before, read_back) = (tape.long(), tape.word(), tape.word());
    let built = Purchase::new(amount_minor, count_before);
    assert_eq!(built.is_ok(), (1..=0x7FFF_FFFF).contains(&amount_minor));
    let Ok(sale) = built else { return };
    let (address, data) = vendor_frame(&sale.request());
    let expected = [&amount_minor.to_be_bytes()[..], &count_before.wrapping_add(1).to_be_bytes(), &[0, 0]].concat();
    assert_eq!((address, data), (0x0100, expected));
    assert_eq!((sale.amount_minor(), sale.count_before()), (amount_minor, count_before));
    assert_eq!(sale.count(), count_before.wrapping_add(1));
    assert!(sale.repeat(&Profile::unsettled(), read_back).is_err(), "the rule is not settled");
    let mut profile = Profile::unsettled();
    for rule in [EqualCountRule::Acknowledges, EqualCountRule::Refuses, EqualCountRule::AddsAgain] {
        profile.equal_count = Some(rule);
        let same = sale.repeat(&profile, count_before);
        assert_eq!(same.is_ok(), rule != EqualCountRule::AddsAgain);
        assert!(same.is_err() || same == Ok(sale.request()));
        assert!(sale.repeat(&profile, read_back).is_err() || read_back == count_before);
    }
}

/// Settings never reach money, and money never reaches settings.
fn parameters(mut tape: Tape<'_>) {
    let mut profile = Profile::unsettled();
    profile.price_decimals = PriceDecimals::new(tape.byte());
    let mut settings = Settings::new();
    for _ in 0..4 {
        settings = match tape.byte() % 6 {
            0 => settings.enable(tape.flag()),
            1 => settings.base_free(tape.long()),
            2 => settings.alarms(tape.long(), tape.long()),
            3 => settings.overdraft(tape.long()),
            4 => MeterNumber::from_bcd(tape.array()).map_or(settings, |number| settings.meter_number(number)),
            _ => {
                let [spike, peak, flat, valley] = [(); 4].map(|()| u64::from(tape.long()));
                settings.prices(&profile, MicroPrices { spike, peak, flat, valley }).unwrap_or(settings)
            }
        };
    }
    let money = MoneyOverwrite::new().remaining(tape.long().cast_signed()).purchase_count(tape.word());
    let money_flags = [2, 7, 10];
    let settings_flags = [0, 15, 20, 29, 46, 53];
    if let Ok(request) = settings.request() {
        let (address, data) = vendor_frame(&request);
        assert_eq!((address, data.len()), (0x0200, 60));
        assert!(money_flags.iter().all(|flag| data[*flag] == 0));
        assert!(settings_flags.iter().any(|flag| data[*flag] == 1));
        assert_eq!(data[3..7], [0; 4]);
    }
    let (address, data) = vendor_frame(&money.request().unwrap());
    assert_eq!((address, data.len()), (0x0200, 60));
    assert!(settings_flags.iter().all(|flag| data[*flag] == 0));
}
