//! Documents that break a rule: the error names the path, the value and the rule, word for word.

use std::fmt::Write;

use tariff_engine::{CompileError, Tariff};

const ENERGY: &str = "energy = { rates = [{ name = \"a\", price = \"1\" }] }";

/// What a document says that has `top` beside its head and `version` in its one version. A version without energy gets a flat price.
fn refused(top: &str, version: &str) -> String {
    let energy = if version.contains("energy =") { "" } else { ENERGY };
    let text = format!(
        "schema = 1\nname = \"t\"\nzone = \"+08:00\"\n{top}\n[[versions]]\nfrom = \"2025-01-01\"\n{energy}\n{version}\n"
    );
    let tariff: Tariff = toml::from_str(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let error: CompileError = tariff.compile().expect_err(&text);
    assert_eq!(error.to_string(), format!("{}: {}: {}", error.path, error.value, error.rule));
    error.to_string()
}

/// Each case: a version's lines, and what is said of them after `versions[0].`.
fn all_refused(cases: &[(&str, &str)]) {
    for (version, said) in cases {
        assert_eq!(refused("", version), format!("versions[0].{said}"), "{version}");
    }
}

/// A list of so many entries, made by their number.
fn list(count: usize, entry: impl Fn(usize) -> String) -> String {
    let entries: Vec<String> = (0..count).map(entry).collect();
    format!("[{}]", entries.join(", "))
}

#[test]
fn calendars() {
    for (calendar, said) in [
        ("day_flags = [\"hot\", \"hot\"]", "day_flags[1]: \"hot\": a name that no other entry has"),
        ("day_flags = [\"\"]", "day_flags[0]: \"\": a name of 1 to 120 characters without control characters"),
        ("day_flags = [\"1\", \"2\", \"3\", \"4\", \"5\"]", "day_flags: 5 entries: at most 4 entries"),
        (
            "holidays = [{ name = \"h\", from = \"2025-05-03\", to = \"2025-05-01\" }]",
            "holidays[0].to: Some(\"2025-05-01\"): from \"from\" on, at most 62 days",
        ),
        (
            "holidays = [{ name = \"h\", from = \"2025-05-01\", to = \"2025-07-02\" }]",
            "holidays[0].to: Some(\"2025-07-02\"): from \"from\" on, at most 62 days",
        ),
        (
            "holidays = [{ name = \"h\", from = \"2025-05-01\" }, { name = \"g\", from = \"2025-05-01\" }]",
            "holidays[1]: \"g\": no day may belong to two holidays",
        ),
        (
            "holidays = [{ name = \"h\", from = \"1 May\" }]",
            "holidays[0].from: \"1 May\": a date such as \"2025-01-31\"",
        ),
        ("workdays = [\"2025-13-01\"]", "workdays[0]: \"2025-13-01\": a date such as \"2025-01-31\""),
        (
            "seasons = [{ name = \"s\", from = \"07-01\", to = \"02-30\" }]",
            "seasons[0].to: \"02-30\": a day of the year such as \"07-01\"",
        ),
        (
            "seasons = [{ name = \"s\", from = \"07-01\", to = \"08-01\" }, { name = \"s\", from = \"09-01\", to = \"10-01\" }]",
            "seasons[1].name: \"s\": a name that no other entry has",
        ),
    ] {
        assert_eq!(refused(&format!("[calendar]\n{calendar}"), ""), format!("calendar.{said}"));
    }
    let holidays = list(33, |n| format!("{{ name = \"h{n}\", from = \"2025-{:02}-{:02}\" }}", 1 + n / 28, 1 + n % 28));
    assert_eq!(
        refused(&format!("[calendar]\nholidays = {holidays}"), ""),
        "calendar.holidays: 33 names: at most 32 names"
    );
    assert_eq!(refused("billing = { start_day = 29 }", ""), "billing.start_day: 29: a day from 1 to 28");
    assert_eq!(refused("rounding = { lines = 11 }", ""), "rounding.lines: 11: at most 10 places");
}

#[test]
fn versions() {
    let said = |text: &str| toml::from_str::<Tariff>(text).unwrap().compile().unwrap_err().to_string();
    let head = "schema = 1\nname = \"t\"\nzone = \"+08:00\"\n";
    assert_eq!(said(&format!("{head}versions = []")), "versions: nothing: at least one version");
    let version = |dates: &str| format!("[[versions]]\n{dates}\n{ENERGY}\n");
    for (first, second, wrong) in [
        (
            "from = \"2025-01-01\"\nuntil = \"2025-06-01\"",
            "from = \"2025-06-01\"",
            "versions[0].until: Some(\"2025-06-01\"): only in the last version",
        ),
        (
            "from = \"2025-01-01\"",
            "from = \"2025-06-01\"\nuntil = \"2025-06-01\"",
            "versions[1].until: \"2025-06-01\": after \"from\"",
        ),
        (
            "from = \"2025-01-01\"",
            "from = \"2025-06-01\"\nuntil = \"June\"",
            "versions[1].until: \"June\": a date such as \"2025-01-31\"",
        ),
        (
            "from = \"2025-01-01\"",
            "from = \"2025-01-01\"",
            "versions[1].from: \"2025-01-01\": after the version before",
        ),
    ] {
        assert_eq!(said(&format!("{head}{}{}", version(first), version(second))), wrong);
    }
    let name = "n".repeat(121);
    assert_eq!(
        said(&format!("{}{}", head.replace("\"t\"", &format!("\"{name}\"")), version("from = \"2025-01-01\""))),
        format!("name: \"{name}\": a name of 1 to 120 characters without control characters")
    );
}

#[test]
fn energy_prices() {
    all_refused(&[
        ("energy = { rates = [] }", "energy.rates: nothing: at least one rate"),
        ("energy = { rates = [{ name = \"a\" }] }", "energy.rates[0].price: nothing: a price, or one for each tier"),
        (
            "energy = { rates = [{ name = \"a\", price = \"1\", tiers = [\"1\"] }] }",
            "energy.rates[0].price: 1: either a price or tiers, not both",
        ),
        (
            "energy = { rates = [{ name = \"a\", tiers = [\"1\", \"2\"] }] }",
            "energy.rates[0].tiers: 2 prices: one price for each of the 1 tiers of the ladder",
        ),
        (
            "energy = { rates = [{ name = \"a\", price = \"1\", ratio = \"1.5\" }] }",
            "energy.rates[0].ratio: 1.5: a ratio needs components that it scales",
        ),
        (
            "energy = { rates = [{ name = \"a\", price = \"1\" }, { name = \"a\", price = \"1\" }] }",
            "energy.rates[1].name: \"a\": a name that no other entry has",
        ),
        (
            "energy = { rates = [{ name = \"a\", price = \"1e3\" }] }",
            "energy.rates[0].price: 1e3: a decimal number of at most 28 digits, such as \"0.8331\"",
        ),
        (
            "energy = { rates = [{ name = \"a\", price = 0.5 }] }",
            "energy.rates[0].price: 0.5: a bare float has lost digits; write decimals as strings",
        ),
        (
            "energy = { rates = [{ name = \"a\", price = \"-100000.1\" }] }",
            "energy.rates[0].price: -100000.1: from -100000 to 100000",
        ),
        (
            "energy = { components = [{ name = \"c\", price = \"60000\" }], rates = [{ name = \"a\", price = \"40001\" }] }",
            "energy.rates[0]: \"a\": a price of at most 100000",
        ),
        (
            "energy = { components = [{ name = \"c\", price = \"0.000000000000000001\", scaled = true }], rates = [{ name = \"a\", ratio = \"1.5\" }] }",
            "energy.rates[0].ratio: 1.5: times \"c\" it has at most 18 places",
        ),
        (
            "energy = { components = [{ name = \"c\" }], rates = [{ name = \"a\" }] }",
            "energy.components[0].price: nothing: a price, or one for each tier",
        ),
    ]);
    let limits = list(16, |n| format!("{{ kwh = \"{}\" }}", n + 1));
    assert_eq!(
        refused(
            "",
            &format!("energy = {{ rates = [{{ name = \"a\", price = \"1\" }}], ladder = {{ limits = {limits} }} }}")
        ),
        "versions[0].energy.ladder.limits: 16 limits: at most 15 limits"
    );
    let rates = list(25, |n| format!("{{ name = \"r{n}\", price = \"1\" }}"));
    assert_eq!(
        refused("", &format!("energy = {{ rates = {rates} }}")),
        "versions[0].energy.rates: 25 entries: at most 24 entries"
    );
}

#[test]
fn ladders() {
    for (ladder, said) in [
        ("reset = \"yearly\", year_start = \"13-01\"", "year_start: \"13-01\": a day of the year such as \"07-01\""),
        ("reset = \"monthly\", year_start = \"07-01\"", "year_start: \"07-01\": only with a yearly reset"),
        (
            "reset = \"monthly\", seasonal = [{ months = [7], limits = [{ kwh = \"200\" }] }], scope = \"per_period\"",
            "",
        ),
        (
            "reset = \"yearly\", seasonal = [{ months = [7], limits = [{ kwh = \"200\" }] }]",
            "seasonal: Yearly: seasonal limits need a ladder that is reset with the billing period",
        ),
        (
            "seasonal = [{ months = [7], limits = [] }]",
            "seasonal[0].limits: 0 limits: 1 limits, as many as the ladder has",
        ),
        (
            "seasonal = [{ months = [7, 13], limits = [{ kwh = \"200\" }] }]",
            "seasonal[0].months[1]: 13: a month from 1 to 12",
        ),
        (
            "seasonal = [{ months = [0], limits = [{ kwh = \"200\" }] }]",
            "seasonal[0].months[0]: 0: a month from 1 to 12",
        ),
        (
            "seasonal = [{ months = [7], limits = [{ kwh = \"200\" }] }, { months = [7], limits = [{ kwh = \"300\" }] }]",
            "seasonal[1].months[0]: 7: a month of one season only",
        ),
        ("demand = \"d\"", "demand: \"d\": only with limits per kW"),
        ("allowances = [{ name = \"five\", kwh = [] }]", "allowances[0].kwh: 0 numbers: one for each of the 1 limits"),
        (
            "allowances = [{ name = \"five\", kwh = [\"1\"] }, { name = \"five\", kwh = [\"2\"] }]",
            "allowances[1].name: \"five\": a name that no other entry has",
        ),
    ] {
        let version = format!(
            "energy = {{ rates = [{{ name = \"a\", tiers = [\"1\", \"2\"] }}], ladder = {{ limits = [{{ kwh = \"100\" }}], {ladder} }} }}"
        );
        if said.is_empty() {
            // The calendar month is the billing period here, so this one stands.
            let text =
                format!("schema = 1\nname = \"t\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2025-01-01\"\n{version}");
            toml::from_str::<Tariff>(&text).unwrap().compile().unwrap();
        } else {
            assert_eq!(refused("", &version), format!("versions[0].energy.ladder.{said}"));
        }
    }
    for (limits, said) in [
        ("{}, { kwh = \"1\" }", "limits[0]: nothing: kwh, kwh_per_day or kwh_per_kw"),
        ("{ kwh = \"2\" }, { kwh = \"2\" }", "limits[1].kwh: 2: above the limit before"),
        ("{ kwh_per_day = \"2\" }, { kwh_per_day = \"1\" }", "limits[1].kwh_per_day: 1: above the limit before"),
        ("{ kwh = \"1\" }, { kwh = \"1000000001\" }", "limits[1].kwh: 1000000001: from 0 to 1000000000"),
        ("{ kwh = \"1\" }, { kwh = \"2.0000001\" }", "limits[1].kwh: 2.0000001: at most 6 decimal places"),
    ] {
        let version = format!(
            "energy = {{ rates = [{{ name = \"a\", tiers = [\"1\", \"2\", \"3\"] }}], ladder = {{ limits = [{limits}] }} }}"
        );
        assert_eq!(refused("", &version), format!("versions[0].energy.ladder.{said}"));
    }
    let falling = "energy = { rates = [{ name = \"a\", tiers = [\"1\", \"2\", \"3\"] }], ladder = { limits = [{ kwh = \"1\" }, \
                   { kwh = \"2\" }], allowances = [{ name = \"five\", kwh = [\"5\", \"4\"] }] } }";
    assert_eq!(refused("", falling), "versions[0].energy.ladder.allowances[0].kwh[1]: 4: not below the one before");
    // Hourly changes of a year are more than a ladder of limits per day keeps.
    let hourly = list(24, |hour| {
        format!("{{ rate = \"{}\", from = \"{hour:02}:00\", to = \"{:02}:00\" }}", ["a", "b"][hour % 2], hour + 1)
    });
    let version = format!(
        "energy = {{ rates = [{{ name = \"a\", tiers = [\"1\", \"2\"] }}, {{ name = \"b\", tiers = [\"1\", \"2\"] }}], \
         periods = {hourly}, ladder = {{ limits = [{{ kwh_per_day = \"3\" }}] }} }}"
    );
    assert_eq!(
        refused("billing = { months = 12 }", &version),
        "versions[0].energy.ladder: 8928 changes of rate: at most 4096 changes of rate in a billing period with such a ladder"
    );
}

#[test]
fn periods() {
    let two = "rates = [{ name = \"a\", price = \"1\" }, { name = \"b\", price = \"2\" }]";
    for (periods, said) in [
        ("", ": nothing: periods say when each rate holds, where there are several"),
        (
            "{ rate = \"a\", from = \"24:00\", to = \"06:00\" }",
            "[0].from: \"24:00\": a time from \"00:00\" to \"23:59\"",
        ),
        ("{ rate = \"a\", from = \"00:00\", to = \"24:00\", months = [0] }", "[0].months[0]: 0: a month from 1 to 12"),
        (
            "{ rate = \"a\", from = \"00:00\", to = \"24:00\", seasons = [\"s\"] }",
            "[0].seasons[0]: \"s\": the name of a season",
        ),
        (
            "{ rate = \"a\", from = \"00:00\", to = \"24:00\", holidays = [\"h\"] }",
            "[0].holidays[0]: \"h\": the name of a holiday",
        ),
        (
            "{ rate = \"a\", from = \"00:00\", to = \"24:00\", flags = [\"f\"] }",
            "[0].flags[0]: \"f\": the name of a day flag",
        ),
        (
            "{ rate = \"a\", from = \"00:00\", to = \"24:00\", days = [\"workday\"] }",
            ": nothing at 00:00 on a Saturday, 01-01: a rate at every minute of every day",
        ),
        (
            "{ rate = \"a\", from = \"00:00\", to = \"24:00\" }, { rate = \"b\", from = \"08:30\", to = \"09:00\" }",
            "[1]: precedence 0 at 08:30: no overlap with periods[0] at equal precedence",
        ),
    ] {
        let version = format!("energy = {{ {two}, periods = [{periods}] }}");
        assert_eq!(refused("", &version), format!("versions[0].energy.periods{said}"));
    }
    let uncovered = format!(
        "energy = {{ {two}, periods = [{{ rate = \"a\", from = \"00:00\", to = \"24:00\", days = [\"workday\", \"weekend\"] }}] }}"
    );
    assert_eq!(
        refused("calendar = { holidays = [{ name = \"h\", from = \"2025-10-01\" }] }", &uncovered),
        "versions[0].energy.periods: nothing at 00:00 on a Wednesday, 10-01, a holiday: a rate at every minute of every day"
    );
}

#[test]
fn demand_charges() {
    all_refused(&[
        (
            "demand = [{ name = \"d\", rates = [{ name = \"all\", price = \"1\" }] }]",
            "demand_window_minutes: nothing: demand charges need a demand window, such as 15",
        ),
        ("demand_window_minutes = 0", "demand_window_minutes: 0: a divisor of 60 minutes"),
    ]);
    let rate = "rates = [{ name = \"all\", price = \"1\" }]";
    let two = "rates = [{ name = \"a\", price = \"1\" }, { name = \"b\", price = \"1\" }]";
    for (charge, said) in [
        ("rates = []".to_string(), "rates: nothing: at least one rate"),
        (
            "rates = [{ name = \"a\", price = \"1\", tiers = [{ price = \"1\" }] }]".to_string(),
            "rates[0].price: 1: either a price or tiers, not both",
        ),
        (
            "rates = [{ name = \"a\", tiers = [{ to_kw = \"5\", price = \"1\" }] }]".to_string(),
            "rates[0].tiers[0].to_kw: 5: none: the last tier is open",
        ),
        (
            "rates = [{ name = \"a\", tiers = [{ price = \"1\" }, { price = \"2\" }] }]".to_string(),
            "rates[0].tiers[0].to_kw: nothing: an upper end, except in the last tier",
        ),
        (
            "rates = [{ name = \"a\", tiers = [{ to_kw = \"5\", price = \"1\" }, { to_kw = \"5\", price = \"2\" }, { price = \"3\" }] }]"
                .to_string(),
            "rates[0].tiers[1].to_kw: 5: above the tier before",
        ),
        (
            "rates = [{ name = \"a\", tiers = [{ to_kw = \"10000001\", price = \"1\" }, { price = \"2\" }] }]".to_string(),
            "rates[0].tiers[0].to_kw: 10000001: from 0 to 10000000",
        ),
        (format!("{rate}, months = [1, 13]"), "months[1]: 13: a month from 1 to 12"),
        (format!("{rate}, minimum_kw = \"-1\""), "minimum_kw: -1: from 0 to 10000000"),
        (
            format!("{rate}, ratchet = {{ lookback = 13, share = \"1\" }}"),
            "ratchet.lookback: 13: from 1 to 12 billing periods",
        ),
        (
            format!("{rate}, ratchet = {{ lookback = 1 }}"),
            "ratchet.share: nothing: a share, or one for each month",
        ),
        (
            format!("{rate}, ratchet = {{ lookback = 1, share = \"1\", share_by_month = [\"1\"] }}"),
            "ratchet.share: 1: either share or share_by_month, not both",
        ),
        (
            format!("{rate}, ratchet = {{ lookback = 1, share_by_month = [\"1\"] }}"),
            "ratchet.share_by_month: 1 numbers: 12, January first",
        ),
        (format!("{rate}, ratchet = {{ lookback = 1, share = \"1.1\" }}"), "ratchet.share: 1.1: from 0 to 1"),
        (
            format!("{rate}, ratchet = {{ lookback = 1, share = \"1\", source_rates = [\"b\"] }}"),
            "ratchet.source_rates[0]: \"b\": the name of a rate of this charge",
        ),
        (
            format!("{two}, periods = [{{ rate = \"a\", from = \"00:10\", to = \"12:00\" }}]"),
            "periods[0].from: \"00:10\": a multiple of the demand window, 15 minutes",
        ),
        (
            format!(
                "{two}, periods = [{{ rate = \"a\", from = \"08:00\", to = \"12:00\" }}, {{ rate = \"b\", from = \"11:45\", to = \"13:00\" }}]"
            ),
            "periods[1]: 11:45: no overlap with periods[0] at equal precedence",
        ),
    ] {
        let version = format!("demand_window_minutes = 15\ndemand = [{{ name = \"d\", {charge} }}]");
        assert_eq!(refused("", &version), format!("versions[0].demand[0].{said}"));
    }
    let charges = |first: usize| {
        list(16, |n| format!("{{ name = \"d{}\", rates = [{{ name = \"all\", price = \"1\" }}] }}", first + n))
    };
    let mut two_versions = format!("demand_window_minutes = 15\ndemand = {}\n", charges(0));
    write!(
        two_versions,
        "[[versions]]\nfrom = \"2025-06-01\"\ndemand_window_minutes = 15\n{ENERGY}\ndemand = {}",
        charges(1)
    )
    .unwrap();
    assert_eq!(
        refused("", &format!("{ENERGY}\n{two_versions}")),
        "versions[1].demand[15].name: \"d16\": at most 16 names of demand charges in all versions"
    );
    let rates = list(24, |n| format!("{{ name = \"r{n}\" }}"));
    let all_day = |rate: &str| format!("periods = [{{ rate = \"{rate}\", from = \"00:00\", to = \"24:00\" }}]");
    let three = list(3, |n| format!("{{ name = \"d{n}\", rates = {rates}, {} }}", all_day("r0")));
    assert_eq!(
        refused("", &format!("demand_window_minutes = 15\ndemand = {three}")),
        "versions[0].demand[2].rates[0].name: \"r0\": at most 48 demand rates in all versions"
    );
}

#[test]
fn charges_at_the_end_of_a_period() {
    let demand =
        "demand_window_minutes = 15\ndemand = [{ name = \"d\", rates = [{ name = \"all\", price = \"1\" }] }]\n";
    let contract = |fields: &str| format!("{demand}contract = [{{ name = \"c\", price = \"1\", {fields} }}]");
    let over = "over = [{ above = \"1\", price = \"2\" }]";
    let component =
        "energy = { components = [{ name = \"fund\", price = \"0.1\" }], rates = [{ name = \"a\", price = \"1\" }] }\n";
    let table = "table = [{ at_least = \"0.9\", percent = \"0\" }, { at_least = \"0.00\", percent = \"5\" }]";
    for (version, said) in [
        (
            "fixed = [{ name = \"f\", price = \"1\", per = \"month\", days = \"mean_month_365_12\" }]".to_string(),
            "fixed[0].days: MeanMonth365_12: only with a price per day",
        ),
        (
            "fixed = [{ name = \"f\", price = \"1000000000001\", per = \"month\" }]".to_string(),
            "fixed[0].price: 1000000000001: from -1000000000000 to 1000000000000",
        ),
        (
            contract(&format!("unit = \"kw\", {over}")),
            "contract[0].demand: nothing: prices above a contract in kW need a demand charge",
        ),
        (contract(&format!("unit = \"kw\", demand = \"e\", {over}")), "contract[0].demand: \"e\": the name of a demand charge"),
        (
            contract(&format!("unit = \"kva\", demand = \"d\", {over}")),
            "contract[0].demand: \"d\": only with prices above a contract in kW; the peak in kVA is an input",
        ),
        (
            contract("unit = \"kva\", over = [{ above = \"1\", price = \"2\" }, { above = \"1.0\", price = \"3\" }]"),
            "contract[0].over[1].above: 1.0: above the entry before",
        ),
        (
            "power_factor = { table = [{ at_least = \"0.9\", percent = \"0\" }, { at_least = \"0.9\", percent = \"5\" }] }".to_string(),
            "power_factor.table[1].at_least: 0.9: below the step before",
        ),
        (
            "power_factor = { table = [{ at_least = \"0.9\", percent = \"0\" }] }".to_string(),
            "power_factor.table: 0.9: steps down to 0.00",
        ),
        ("power_factor = { table = [] }".to_string(), "power_factor.table: nothing: steps down to 0.00"),
        (
            format!("power_factor = {{ {table}, without = [\"fund\"] }}"),
            "power_factor.without[0]: \"fund\": the name of a component of the energy price",
        ),
        (
            format!("{component}power_factor = {{ {table}, without = [\"fund\"], base = [\"fixed\"] }}"),
            "power_factor.without: components: only with energy in the base",
        ),
        ("minimum = {}".to_string(), "minimum: nothing: monthly, annual, or both"),
        ("minimum = { monthly = \"1\", base = [] }".to_string(), "minimum.base: nothing: what it is taken of"),
        ("taxes = [{ name = \"x\" }]".to_string(), "taxes[0]: nothing: percent or per_kwh"),
        (
            "taxes = [{ name = \"x\", percent = \"3\", per_kwh = \"1\" }]".to_string(),
            "taxes[0].percent: 3: either percent or per_kwh, not both",
        ),
        (
            "taxes = [{ name = \"x\", per_kwh = \"1\", included = true }]".to_string(),
            "taxes[0].included: given: only with percent",
        ),
        (
            "taxes = [{ name = \"x\", per_kwh = \"1\", base = [\"energy\"] }]".to_string(),
            "taxes[0].base: given: only with percent",
        ),
        (
            "taxes = [{ name = \"x\", percent = \"1000.000001\", base = [\"energy\"] }]".to_string(),
            "taxes[0].percent: 1000.000001: from 0 to 1000",
        ),
        (
            "taxes = [{ name = \"x\", percent = \"1\", base = [\"energy\", \"energy\"] }]".to_string(),
            "taxes[0].base[1]: \"energy\": each charge once",
        ),
        (
            "minimum = { monthly = \"1\", base = [\"minimum\"] }".to_string(),
            "minimum.base[0]: \"minimum\": a charge that comes earlier in the bill",
        ),
    ] {
        assert_eq!(refused("", &version), format!("versions[0].{said}"), "{version}");
    }
}

#[test]
fn too_much_to_remember_is_refused_before_there_is_a_bill() {
    let limits = list(15, |n| format!("{{ kwh = \"{}\" }}", n + 1));
    let rates = list(24, |n| format!("{{ name = \"r{n}\", price = \"1\" }}"));
    let version = format!(
        "energy = {{ rates = {rates}, periods = [{{ rate = \"r0\", from = \"00:00\", to = \"24:00\" }}], ladder = {{ limits = {limits} }} }}"
    );
    assert_eq!(
        refused("", &version),
        "versions[0].energy: 384 rates × tiers: at most 256 rates × tiers in all versions of one billing period"
    );
}
