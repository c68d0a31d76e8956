//! The field constants against what is written about the meters.

mod common;

use meter_protocol::acrel::fields::{self, MeterMap};
use meter_protocol::acrel::{Realtime, RealtimeLayout};
use meter_protocol::map::*;
use meter_protocol::wire::Registers;

const MAPS: [MeterMap; 6] = [
    MeterMap::Dtsy1352(RealtimeLayout::FourRate),
    MeterMap::Dtsy1352(RealtimeLayout::EightRate),
    MeterMap::Ddsy1352(RealtimeLayout::FourRate),
    MeterMap::Ddsy1352(RealtimeLayout::EightRate),
    MeterMap::Adf300,
    MeterMap::Dtsd1352,
];

#[test]
fn no_two_fields_of_a_map_share_a_bit_or_a_name() {
    for map in MAPS {
        let all: Vec<_> = map.fields().collect();
        for (index, field) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert!(!field.overlaps(other), "{map:?}: {} and {}", field.name, other.name);
                assert_ne!(field.name, other.name, "{map:?}");
            }
        }
    }
}

#[test]
fn overlap_is_noticed() {
    let word = Field::u16("word", 10).info();
    let long = Field::u32("long", 9).info();
    let (high, low) = (Field::high_byte("high", 10).info(), Field::low_byte("low", 10).info());
    let input = Field::u16("input", 10).table(Table::Input).info();
    assert!(word.overlaps(&long) && long.overlaps(&word) && word.overlaps(&high));
    assert!(!high.overlaps(&low) && !word.overlaps(&input));
    assert!(!long.overlaps(&Field::u16("after", 11).info()));
}

/// The document is the second statement of each address, scale, sign and unit: a constant that changes must be
/// changed there as well.
#[test]
fn the_document_is_written_from_the_constants() {
    let mut text = String::new();
    fields::write_register_map(&mut text).unwrap();
    let kept = include_str!("../docs/register-map.md");
    for (line, (now, kept)) in text.lines().zip(kept.lines()).enumerate() {
        assert_eq!(now, kept, "line {}", line + 1);
    }
    assert_eq!(text.lines().count(), kept.lines().count());
}

#[test]
fn fields_and_the_typed_block_read_the_same() {
    let frame = common::hex(common::REALTIME_REPLY);
    let registers = Registers::holding(0x0200, &frame[3..99]).unwrap();
    let now = Realtime::from_registers(RealtimeLayout::FourRate, &registers).unwrap();
    use fields::{clock_four_rate as clock, realtime as r};
    assert_eq!(r::ENERGY_TOTAL.value(&registers), Ok(now.energy.total_centikwh));
    assert_eq!(r::ENERGY_FLAT.value(&registers), Ok(now.energy.flat_centikwh));
    assert_eq!(r::REMAINING_AMOUNT.value(&registers), Ok(now.remaining_minor));
    assert_eq!(r::PURCHASE_COUNT.value(&registers), Ok(now.purchase_count));
    assert_eq!(r::STATUS_WORD_1.value(&registers), Ok(now.status_1.0));
    assert_eq!(clock::MINUTE.value(&registers), Ok(now.clock.unwrap().minute()));
    assert_eq!(clock::SECOND.value(&registers), Ok(now.clock.unwrap().second()));
    let text = |number: Result<Number, FieldError>| number.unwrap().to_string();
    assert_eq!(text(r::VOLTAGE_A.number(&registers)), "230.1");
    assert_eq!(text(r::CURRENT_A.number(&registers)), "5.23");
    assert_eq!(text(r::ACTIVE_POWER_TOTAL.number(&registers)), "1.187");
    assert_eq!(text(r::POWER_FACTOR_A.number(&registers)), "0.987");
    assert_eq!(text(r::ENERGY_TOTAL.number(&registers)), "12345.67");
    assert_eq!(text(r::REMAINING_AMOUNT.number(&registers)), "-84.01");
    assert_eq!(r::STATUS_WORD_1.info().value(&registers), Ok(Value::Bits(0xE0EF)));

    let low = fields::low_block::ENERGY_TOTAL;
    assert_eq!(low.value(&registers), Err(FieldError::NotRead { name: "low_energy_total", address: 0 }));
}

#[test]
fn prices_stay_raw_and_guarded_fields_do_not_write() {
    let frame = common::hex(common::PREPAY_REPLY);
    let registers = Registers::holding(0x0400, &frame[3..53]).unwrap();
    let price = fields::prepay::PRICE_SPIKE;
    assert_eq!(price.info().scale, None);
    assert_eq!(price.number(&registers).unwrap(), Number::new(12000, 0));
    let mut buf = [0; 8];
    let guarded = fields::settings::FORCE_MODE.write(1, &mut buf);
    assert!(matches!(guarded, Err(FieldError::NotWritable { access: Access::Guarded, .. })));
    for field in MAPS.iter().flat_map(|map| map.fields()) {
        let money = [Unit::Account, Unit::AccountPerKilowattHour, Unit::KilowattHour].contains(&field.unit);
        assert!(!money || field.access != Access::ReadWrite, "{}", field.name);
    }
    assert!(fields::settings::RELAY_PULSE_WIDTH.write(500, &mut buf).is_ok());
}

#[test]
fn other_makers_kinds() {
    let bytes = [0x43, 0x66, 0x80, 0x00, 0x00, 0x00, 0x41, 0x42, 0x43, 0x00, 0xFF, 0xFE, 0x12, 0x34];
    let registers = Registers::input(0x10, &bytes).unwrap();
    let single = Field::f32("single", 0x10).table(Table::Input);
    assert_eq!(single.value(&registers).unwrap().to_string(), "230.5");
    let swapped = Field::u32("swapped", 0x10).table(Table::Input).low_word_first();
    assert_eq!(swapped.value(&registers), Ok(0x8000_4366));
    let text = Field::ascii("text", 0x13, 2).table(Table::Input);
    assert_eq!(text.value(&registers), Ok("ABC"));
    let negative = Field::i16("negative", 0x15).table(Table::Input);
    assert_eq!(negative.value(&registers), Ok(-2));
    let digits = Field::bcd("digits", 0x16, 1).table(Table::Input);
    assert_eq!(digits.value(&registers), Ok(1234));
    assert_eq!(digits.info().value(&registers), Ok(Value::Digits(1234)));
    let no_digits = Field::bcd("no_digits", 0x15, 1).table(Table::Input);
    assert_eq!(no_digits.value(&registers), Err(FieldError::Digit { name: "no_digits", value: 0xF }));
    let long = Field::i64("long", 0x13).table(Table::Input);
    assert_eq!(long.value(&registers), Ok(0x4142_4300_FFFE_1234));
    let holding = Field::u16("holding", 0x10);
    assert!(matches!(holding.value(&registers), Err(FieldError::NotRead { .. })));
}

#[test]
fn writes_of_own_fields() {
    let mut buf = [0; 8];
    let field = Field::i32("setpoint", 0x0300).access(Access::ReadWrite);
    let request = field.write(-2, &mut buf).unwrap();
    assert_eq!(request, meter_protocol::wire::Request::write_multiple(0x0300, &[0xFF, 0xFF, 0xFF, 0xFE]).unwrap());
    let request = field.low_word_first().write(0x0001_0002, &mut buf).unwrap();
    assert_eq!(request, meter_protocol::wire::Request::write_multiple(0x0300, &[0, 2, 0, 1]).unwrap());
    let mut small = [0; 3];
    assert!(matches!(field.write(1, &mut small), Err(FieldError::BufferTooSmall { needed: 4, available: 3, .. })));
    let half = Field::high_byte("half", 1).access(Access::ReadWrite);
    assert!(matches!(half.write(1, &mut small), Err(FieldError::HalfRegister { .. })));
}

/// The collected register list, row by row. It is not part of this crate; the document above stands for it.
#[test]
fn collected_registers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/reference/acrel-registers.csv");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let mut rows = 0;
    for line in text.lines().skip(1) {
        let cells = split_csv(line);
        let [models, address, registers, kind, scale, unit, access, name, source, confidence] = &cells[..] else {
            panic!("{line}")
        };
        for model in models.split('+') {
            rows += 1;
            let maps: &[MeterMap] = match model {
                "DTSY1352" => &MAPS[..2],
                "DDSY1352" => &MAPS[2..4],
                "ADF300" => &MAPS[4..5],
                "DTSD1352" => &MAPS[5..],
                other => panic!("{other}"),
            };
            let first = u16::from_str_radix(address, 16).unwrap();
            let count: u16 = registers.parse().unwrap();
            let vendor = access == "W20";
            // The first layout that has the row; a clock row stands for the 48-register layout.
            let found: Vec<FieldInfo> = maps
                .iter()
                .map(|map| {
                    let here = map.fields().filter(|f| (f.table == Table::Vendor) == vendor);
                    let inside = |f: &&FieldInfo| {
                        if vendor { f.address == first } else { f.address >= first && f.last() < first + count }
                    };
                    here.filter(inside).copied().collect::<Vec<_>>()
                })
                .find(|found| !found.is_empty())
                .unwrap_or_else(|| panic!("{line}"));
            let mut bits = vec![0_u16; count.into()];
            for field in &found {
                for register in field.address..=field.last() {
                    bits[usize::from(register - first)] |= field.kind.mask();
                }
                check(field, kind, scale, unit, access, line);
            }
            // Of a shared register the row names the better known half.
            let same = |f: &FieldInfo| f.source == source && f.confidence.to_string().replace(' ', "-") == *confidence;
            let known = if kind == "u8,u8" { found.iter().any(same) } else { found.iter().all(same) };
            assert!(known, "{line}: {found:?}");
            let only_low = kind == "u8,u8" && name.ends_with("(lo)") && !name.contains("(hi");
            let whole = if only_low { 0x00FF } else { 0xFFFF };
            assert!(bits.iter().all(|mask| *mask == whole), "not all of {name}: {found:?}");
        }
    }
    assert!(rows > 150, "{rows}");
}

fn check(field: &FieldInfo, kind: &str, scale: &str, unit: &str, access: &str, line: &str) {
    let kinds: &[&str] = match kind {
        "u16" | "u32" | "i16" | "i32" => &[kind],
        "bits16" => &["bits"],
        "u8,u8" => &["high byte", "low byte"],
        "u16,u16" => &["u16"],
        "u16[3]" => &["u16"],
        "i16[3]" => &["i16"],
        "bcd6" => &["BCD"],
        _ if kind.starts_with("ascii") => &["ASCII"],
        _ => &["bytes"],
    };
    assert!(kinds.contains(&field.kind.name()), "{line}: {field:?}");
    if field.kind.name() != "bytes" && !kind.starts_with("u8") {
        let expected = match scale {
            "0.1" => Some(-1),
            "0.01" => Some(-2),
            "0.001" => Some(-3),
            "1" => Some(0),
            "" if ["bits", "BCD", "ASCII"].contains(&field.kind.name()) => Some(0),
            _ => None,
        };
        let unlabelled = scale == "1" && field.name.starts_with("unlabelled");
        assert!(field.scale == expected || unlabelled, "{line}: {field:?}");
        let symbol = match unit {
            "currency/kWh" => "account unit/kWh",
            "W?" | "min?" | "kWh or account unit" => "",
            other => other,
        };
        assert_eq!(field.unit.to_string(), symbol, "{line}");
    }
    match access {
        "R" => assert_eq!(field.access, Access::Read, "{line}"),
        "RW" => assert!(field.access != Access::Read, "{line}"),
        "W20" => assert_eq!((field.table, field.access), (Table::Vendor, Access::Guarded), "{line}"),
        other => panic!("{other}"),
    }
}

fn split_csv(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}
