//! Each field constant against what the documents say about its register, typed apart in `data/registers.txt`.
//!
//! A field is judged by what it reads: registers with known contents stand around it, and the expected value is worked
//! out here from address, kind and scale as they are written down, with arithmetic of its own. Each verdict looks at
//! one constant alone, so that a script may change many constants at once and still ask whether each was noticed.

use meter_protocol::acrel::fields;
use meter_protocol::map::{FieldInfo, Table, Value};
use meter_protocol::wire::Registers;

const DOCUMENTED: &str = include_str!("data/registers.txt");

/// Registers read in front of the documented ones and behind them, so that a shifted field reads something.
const MARGIN: u16 = 4;

/// One line of the data.
#[derive(Clone, Copy, Debug)]
struct Fact {
    table: &'static str,
    vendor: bool,
    address: u16,
    registers: u16,
    kind: &'static str,
    power: Option<i8>,
    name: &'static str,
}

fn facts() -> Vec<Fact> {
    let mut table = "";
    let mut facts = Vec::new();
    for line in DOCUMENTED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']');
            continue;
        }
        let cells: Vec<_> = line.split_whitespace().collect();
        let [function, address, registers, kind, power, name] = cells[..] else { panic!("{line}") };
        facts.push(Fact {
            table,
            vendor: function == "20H",
            address: u16::from_str_radix(address, 16).unwrap(),
            registers: registers.parse().unwrap(),
            kind,
            power: (power != "?").then(|| power.parse().unwrap()),
            name,
        });
    }
    facts
}

const TABLES: [(&str, &[FieldInfo]); 13] = [
    ("low_block", fields::low_block::ALL),
    ("realtime", fields::realtime::ALL),
    ("clock_four_rate", fields::clock_four_rate::ALL),
    ("clock_eight_rate", fields::clock_eight_rate::ALL),
    ("eight_rate", fields::eight_rate::ALL),
    ("settings", fields::settings::ALL),
    ("prepay", fields::prepay::ALL),
    ("wireless", fields::wireless::ALL),
    ("vendor", fields::vendor::ALL),
    ("ddsy1352", fields::ddsy1352::ALL),
    ("dtsy1352", fields::dtsy1352::ALL),
    ("adf300", fields::adf300::ALL),
    ("dtsd1352", fields::dtsd1352::ALL),
];

/// Contents of a register that differ from those of its neighbours: negative as a number; digits and letters where the
/// kind asks for them.
fn contents(address: u16, kind: &str) -> u16 {
    let mixed = address.wrapping_mul(0x9E37) ^ 0x5BD1;
    match kind {
        "bcd" => (0..4).map(|digit| ((mixed >> (3 * digit)) % 8) << (4 * digit)).sum(),
        "ascii" => u16::from_be_bytes([b'A' + (mixed % 26) as u8, b'a' + (mixed / 26 % 26) as u8]),
        _ => mixed | 0x8080,
    }
}

/// What the value reads as, in words: steps of the register and the power of ten of one step, or what else it is.
fn expected(fact: &Fact) -> String {
    let words: Vec<u16> = (0..fact.registers).map(|offset| contents(fact.address + offset, fact.kind)).collect();
    // Of the kinds that are joined none has more than three registers.
    let joined = words.iter().take(3).fold(0_i64, |sum, word| sum * 65_536 + i64::from(*word));
    let power = fact.power.unwrap_or(0);
    let number = |steps: i64| format!("{steps} steps of 10^{power}");
    match fact.kind {
        "u16" | "u32" => number(joined),
        "i16" => number(joined - 0x1_0000),
        "i32" => number(joined - 0x1_0000_0000),
        "high" => number(joined / 256),
        "low" => number(joined % 256),
        "bits" => format!("flags {joined:04X}"),
        "bcd" => format!("digits {joined:X}"),
        "ascii" => {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            format!("text {}", String::from_utf8(bytes).unwrap())
        }
        "raw" => format!("bytes {words:04X?}"),
        other => panic!("{other}"),
    }
}

/// What the constant reads from the same registers.
fn read(field: &FieldInfo, fact: &Fact) -> String {
    let first = fact.address.saturating_sub(MARGIN);
    let data: Vec<u8> = (first..fact.address + fact.registers + MARGIN)
        .flat_map(|address| contents(address, fact.kind).to_be_bytes())
        .collect();
    let registers = Registers::holding(first, &data).unwrap();
    match field.reveal(&registers) {
        // The constant keeps its scale apart from the steps, so both are compared.
        Ok(Value::Number(number)) => format!("{} steps of 10^{}", number.mantissa(), number.exponent()),
        Ok(Value::Bits(bits)) => format!("flags {bits:04X}"),
        Ok(Value::Digits(digits)) => format!("digits {digits}"),
        Ok(Value::Text(text)) => format!("text {text}"),
        Ok(Value::Raw(bytes)) => {
            let words: Vec<_> = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            format!("bytes {words:04X?}")
        }
        other => format!("{other:?}"),
    }
}

/// What is wrong with a constant, if anything is.
fn fault(field: &FieldInfo, fact: &Fact) -> Option<String> {
    if field.scale != fact.power {
        return Some(format!("one step is 10^{:?}, documented is 10^{:?}", field.scale, fact.power));
    }
    if (field.table == Table::Vendor) != fact.vendor {
        return Some(format!("stands in {:?}", field.table));
    }
    if fact.vendor {
        // A window of function 20H can't be read: its first register and its length are all there is to it.
        let (here, documented) = ((field.address, field.kind.registers()), (fact.address, fact.registers));
        let whole = here == documented && field.kind.name() == "bytes";
        return (!whole).then(|| format!("{here:04X?} of {}, documented is {documented:04X?}", field.kind.name()));
    }
    let (read, expected) = (read(field, fact), expected(fact));
    (read != expected).then(|| format!("reads {read}, documented is {expected}"))
}

#[test]
fn each_field_reads_what_the_documents_say() {
    let facts = facts();
    let mut faults = Vec::new();
    for (table, all) in TABLES {
        let documented: Vec<_> = facts.iter().filter(|fact| fact.table == table).collect();
        assert_eq!(all.len(), documented.len(), "fields of {table}");
        for field in all {
            let of_name: Vec<_> = documented.iter().filter(|fact| fact.name == field.name).collect();
            let [fact] = of_name[..] else { panic!("{table}: {} lines for {}", of_name.len(), field.name) };
            // One line each: `scripts/mutate-fields` reads them.
            faults.extend(fault(field, fact).map(|fault| format!("wrong: {table} {}: {fault}", field.name)));
        }
    }
    assert!(faults.is_empty(), "{} wrong\n{}", faults.len(), faults.join("\n"));
}

/// Without this a check that never looks would pass: each kind of change must be seen on a constant of each kind.
#[test]
fn a_changed_fact_is_noticed() {
    for fact in facts() {
        let (_, all) = TABLES.into_iter().find(|(table, _)| *table == fact.table).unwrap();
        let field = all.iter().find(|field| field.name == fact.name).unwrap();
        assert_eq!(fault(field, &fact), None);
        let shifted = Fact { address: fact.address + 1, ..fact };
        let scaled = Fact { power: Some(fact.power.unwrap_or(5) + 1), ..fact };
        let turned = Fact { kind: if fact.kind == "i16" { "u16" } else { "i16" }, registers: 1, ..fact };
        for changed in [shifted, scaled, turned] {
            let unreadable = fact.vendor && changed.kind != fact.kind && fact.registers == 1;
            assert!(unreadable || fault(field, &changed).is_some(), "{changed:?}");
        }
    }
}
