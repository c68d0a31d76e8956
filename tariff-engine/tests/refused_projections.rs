//! What a meter can't carry, what an invoice or an allocation can't be made of: each refused by its type and in words.

use rust_decimal::Decimal;
use tariff_engine::allocate::{AllocationError, Difference, MAX_SUB_METERS, Master, allocate, sub_tariff_price};
use tariff_engine::on_meter::{MeterShape, NotCarried, ProjectionError};
use tariff_engine::{
    Amount, AmountError, Bill, CompiledTariff, Energy, Gaps, Interval, LineKind, Opening, PeriodInputs, Rounding,
    RoundingMode, RunningBill, Tariff, UsagePolicy,
};

fn compiled(top: &str, version: &str) -> CompiledTariff {
    let text =
        format!("schema = 1\nname = \"t\"\nzone = \"+08:00\"\n{top}\n[[versions]]\nfrom = \"2025-01-01\"\n{version}\n");
    toml::from_str::<Tariff>(&text).unwrap().compile().unwrap()
}

fn fen() -> Rounding {
    Rounding::new(2, RoundingMode::HalfAwayFromZero).unwrap()
}

fn two_rates(periods: &str) -> String {
    format!(
        "energy = {{ rates = [{{ name = \"peak\", price = \"1\" }}, {{ name = \"valley\", price = \"0.3\" }}], periods = [{periods}] }}"
    )
}

const ALL_DAY: &str = "{ rate = \"valley\", from = \"00:00\", to = \"24:00\" }";

#[test]
fn a_meter_carries_only_what_it_has_places_for() {
    let shape = MeterShape::FOUR_RATES;
    let refused = |tariff: &CompiledTariff, shape: &MeterShape<'_>| {
        tariff.on_meter(tariff.day_start_utc_s("2025-03-01").unwrap(), shape).unwrap_err()
    };
    let plain = compiled(
        "",
        &two_rates(&format!("{ALL_DAY}, {{ rate = \"peak\", from = \"08:00\", to = \"20:00\", precedence = 1 }}")),
    );
    let before = plain.day_start_utc_s("2024-12-31").unwrap();
    assert_eq!(plain.on_meter(before, &shape), Err(ProjectionError::OutsideVersions { at_utc_s: before }));
    assert_eq!(refused(&plain, &MeterShape { price_places: 11, ..shape }), ProjectionError::TooFine { places: 11 });
    let small = refused(&plain, &MeterShape { largest_price_raw: 9_999, price_places: 4, ..shape });
    assert_eq!(small.to_string(), "the price of \"peak\" is 1, in the meter's steps above 9999");
    assert_eq!(
        refused(&plain, &MeterShape { slots: 2, ..shape }),
        ProjectionError::TooManySlots { needed: 3, limit: 2 }
    );
    let summer = compiled(
        "",
        &two_rates(&format!(
            "{ALL_DAY}, {{ rate = \"peak\", from = \"08:00\", to = \"20:00\", months = [7], precedence = 1 }}"
        )),
    );
    assert_eq!(
        refused(&summer, &MeterShape { day_tables: 1, ..shape }),
        ProjectionError::TooManyDayTables { needed: 2, limit: 1 }
    );
    let holiday = compiled(
        "calendar = { holidays = [{ name = \"h\", from = \"2025-10-01\" }] }",
        &two_rates(&format!(
            "{ALL_DAY}, {{ rate = \"peak\", from = \"08:00\", to = \"20:00\", days = [\"holiday\"], precedence = 1 }}"
        )),
    );
    assert_eq!(refused(&holiday, &shape), ProjectionError::SpecialDays);
    let hot = compiled(
        "calendar = { day_flags = [\"hot\"] }",
        &two_rates(&format!(
            "{ALL_DAY}, {{ rate = \"peak\", from = \"08:00\", to = \"20:00\", flags = [\"hot\"], precedence = 1 }}"
        )),
    );
    assert_eq!(refused(&hot, &shape), ProjectionError::DayFlags);
}

#[test]
fn what_a_meter_does_not_deduct_is_listed() {
    let tariff = compiled(
        "",
        "energy = { rates = [{ name = \"a\", price = \"1\" }] }\ndemand_window_minutes = 15\n\
         demand = [{ name = \"d\", rates = [{ name = \"all\", price = \"1\" }] }]\n\
         contract = [{ name = \"c\", unit = \"kva\", price = \"1\" }]\nfixed = [{ name = \"f\", price = \"1\", per = \"month\" }]\n\
         power_factor = { table = [{ at_least = \"0\", percent = \"0\" }] }\nminimum = { monthly = \"1\" }\n\
         taxes = [{ name = \"x\", per_kwh = \"1\" }, { name = \"vat\", percent = \"13\", base = [\"energy\"], included = true }]",
    );
    let held = tariff.on_meter(tariff.day_start_utc_s("2025-03-01").unwrap(), &MeterShape::FOUR_RATES).unwrap();
    use NotCarried::{Contract, Demand, Fixed, Minimum, PowerFactor, Taxes};
    assert_eq!(held.not_carried, [Demand, Contract, Fixed, PowerFactor, Minimum, Taxes]);
}

fn bill(prices: [&str; 2]) -> Bill {
    let [energy, fixed] = prices;
    let tariff = compiled(
        "",
        &format!(
            "energy = {{ rates = [{{ name = \"a\", price = \"{energy}\" }}] }}\nfixed = [{{ name = \"f\", price = \"{fixed}\", per = \"month\" }}]"
        ),
    );
    let from_utc_s = tariff.day_start_utc_s("2025-03-01").unwrap();
    let policy = UsagePolicy { gaps: Gaps::UsedNothing, ..UsagePolicy::default() };
    let mut running = RunningBill::open(&tariff, &Opening { from_utc_s, policy, ..Opening::default() }).unwrap();
    running.push(Interval::new(from_utc_s, from_utc_s + 3_600, Energy::from_kwh(1).unwrap())).unwrap();
    running.settle(&PeriodInputs::default()).unwrap()
}

#[test]
fn an_invoice_shows_what_rounding_its_lines_leaves_over() {
    // Two lines of 0.004 round to nothing each; the bill of 0.008 rounds to 0.01.
    let invoice = bill(["0.004", "0.004"]).invoice(Decimal::ZERO, fen()).unwrap();
    let gross: Vec<_> = invoice.lines.iter().map(|line| (line.kind, line.gross.to_string())).collect();
    let expected = [(LineKind::Energy, "0.00"), (LineKind::Fixed, "0.00"), (LineKind::Rounding, "0.01")];
    assert_eq!(gross, expected.map(|(kind, gross)| (kind, gross.to_string())));
    assert_eq!((invoice.gross.to_string(), invoice.tax.to_string()), ("0.01".into(), "0.00".into()));
    let bill = bill(["1", "1"]);
    for percent in ["-0.000001", "1000.000001", "0.0000001"] {
        let percent = Decimal::from_str_exact(percent).unwrap();
        assert_eq!(bill.invoice(percent, fen()), Err(AmountError::OutOfRange), "{percent}");
    }
    // 1000 % in it: ten elevenths of 2.
    assert_eq!(bill.invoice(1_000.into(), fen()).unwrap().tax.to_string(), "1.82");
}

#[test]
fn an_allocation_beyond_its_limits_is_refused() {
    let one = Energy::from_kwh(1).unwrap();
    let of = |amount: &Amount, sub_meters: &[(&str, Energy)]| {
        let energy = Energy::from_kwh(20_000).unwrap();
        allocate(&Master { amount, energy, sub_meters, common: &[], difference: Difference::Shared }, fen())
            .unwrap_err()
    };
    let names: Vec<String> = (0..=MAX_SUB_METERS).map(|n| n.to_string()).collect();
    let many: Vec<(&str, Energy)> = names.iter().map(|name| (name.as_str(), one)).collect();
    let amount: Amount = "10".parse().unwrap();
    assert_eq!(of(&amount, &many), AllocationError::TooMany { count: MAX_SUB_METERS + 1 });
    // At ten places 64 bits end before amounts do.
    let vast: Amount = "160000000000000".parse().unwrap();
    let fine = Rounding::new(10, RoundingMode::HalfEven).unwrap();
    let meters = [("A", one)];
    let master =
        Master { amount: &vast, energy: one, sub_meters: &meters, common: &[], difference: Difference::Shared };
    assert_eq!(allocate(&master, fine), Err(AllocationError::OutOfRange));
    assert_eq!(sub_tariff_price(&amount, Energy::ZERO, 4, None), Err(AllocationError::NobodyUsed));
    assert_eq!(sub_tariff_price(&amount, one, 11, None), Err(AllocationError::OutOfRange));
    let tiny = Energy::from_micro_kwh(1);
    assert_eq!(sub_tariff_price(&vast, tiny, 4, None), Err(AllocationError::OutOfRange));
    let above = sub_tariff_price(&amount, one, 2, Some(Decimal::new(999, 2))).unwrap_err();
    assert_eq!(above.to_string(), "the price of 10.00 per kWh is above the ceiling of 9.99");
}
