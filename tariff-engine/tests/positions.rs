//! Where an account stands in its ladder, what the next kWh costs, what a position refuses.

use tariff_engine::{
    Amount, Border, Borders, CompiledTariff, DemandSource, Direction, Energy, Gaps, Interval, InverseError,
    LoadProfile, MissingInput, Opening, PastPeak, PeakHistory, PeriodInputs, RateUsage, RunningBill, Tariff,
    UsageError, UsagePolicy,
};

const HOUR: i64 = 3_600;

fn compiled(body: &str) -> CompiledTariff {
    let head = "schema = 1\nname = \"t\"\ncurrency = \"CNY\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2025-01-01\"\n";
    toml::from_str::<Tariff>(&format!("{head}{body}")).unwrap().compile().unwrap()
}

fn kwh(text: &str) -> Energy {
    text.parse().unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn open(tariff: &CompiledTariff, opening: Opening) -> RunningBill<&CompiledTariff> {
    let policy = UsagePolicy { gaps: Gaps::UsedNothing, ..opening.policy };
    let from_utc_s = tariff.day_start_utc_s("2025-02-01").unwrap();
    RunningBill::open(tariff, &Opening { from_utc_s, policy, ..opening }).unwrap()
}

/// Peak from 08:00 to 20:00, valley else, with two tiers each.
fn two_rates(ladder: &str) -> String {
    format!(
        "[versions.energy]\nrates = [{{ name = \"peak\", tiers = [\"1\", \"2\"] }}, {{ name = \"valley\", tiers = [\"0.3\", \"0.4\"] }}]\n\
         periods = [{{ rate = \"peak\", from = \"08:00\", to = \"20:00\" }}, {{ rate = \"valley\", from = \"20:00\", to = \"08:00\" }}]\n\
         ladder = {{ {ladder} }}\n"
    )
}

/// Uses energy in the hour that begins at an hour of the first day.
fn use_at(running: &mut RunningBill<&CompiledTariff>, hour: i64, energy: &str) {
    let from = running.tariff().day_start_utc_s("2025-02-01").unwrap() + hour * HOUR;
    running.push(Interval::new(from, from + HOUR, kwh(energy))).unwrap();
}

/// Price, tier, energy used, energy to the next tier and whether that may change.
fn stand(running: &RunningBill<&CompiledTariff>, rate: &str) -> (String, u16, Energy, Option<Energy>, bool) {
    let marginal = running.marginal_price(rate, &PeriodInputs::default()).unwrap();
    assert_eq!((marginal.rate.as_str(), marginal.position.tiers), (rate, 2));
    let position = marginal.position;
    (marginal.price_per_kwh.to_string(), position.tier, position.used, position.to_next_tier, position.provisional)
}

#[test]
fn each_way_in_which_tiers_and_rates_meet() {
    // 60 kWh in the valley and 90 in the peak; the limit is 100 kWh.
    let of = |ladder: &str| {
        let tariff = compiled(&two_rates(ladder));
        let mut running = open(&tariff, Opening::default());
        use_at(&mut running, 0, "60");
        use_at(&mut running, 8, "90");
        assert_eq!(running.rate_now().unwrap(), "peak");
        (stand(&running, "peak"), stand(&running, "valley"))
    };
    let shared = (("2".to_string(), 2, kwh("150"), None, false), ("0.4".to_string(), 2, kwh("150"), None, false));
    assert_eq!(of("limits = [{ kwh = \"100\" }]"), shared);
    let own = (
        ("1".to_string(), 1, kwh("90"), Some(kwh("10")), false),
        ("0.3".to_string(), 1, kwh("60"), Some(kwh("40")), false),
    );
    assert_eq!(of("scope = \"per_period\", limits = [{ kwh = \"100\" }]"), own);
    // February has 28 days: 112 kWh, known at the end only.
    let own_per_day = (
        ("1".to_string(), 1, kwh("90"), Some(kwh("22")), true),
        ("0.3".to_string(), 1, kwh("60"), Some(kwh("52")), true),
    );
    assert_eq!(of("scope = \"per_period\", limits = [{ kwh_per_day = \"4\" }]"), own_per_day);
    let per_day = (("2".to_string(), 2, kwh("150"), None, true), ("0.4".to_string(), 2, kwh("150"), None, true));
    assert_eq!(of("limits = [{ kwh_per_day = \"4\" }]"), per_day);
    assert_eq!(of("scope = \"shared_proportional\", limits = [{ kwh = \"100\" }]"), per_day);
}

#[test]
fn an_opening_brings_the_position_of_each_rate() {
    let tariff = compiled(&two_rates("scope = \"per_period\", limits = [{ kwh = \"100\" }], reset = \"yearly\""));
    let ladder_used_by_rate = vec![("valley".to_string(), kwh("99.5"))];
    let running = open(&tariff, Opening { ladder_used_by_rate, ..Opening::default() });
    assert_eq!(stand(&running, "valley"), ("0.3".into(), 1, kwh("99.5"), Some(kwh("0.5")), false));
    assert_eq!(stand(&running, "peak"), ("1".into(), 1, Energy::ZERO, Some(kwh("100")), false));
    assert_eq!(running.rate_now().unwrap(), "valley");
    let none = PeriodInputs::default();
    assert_eq!(
        running.marginal_price("flat", &none),
        Err(UsageError::UnknownRate { rate: "flat".into(), at_utc_s: running.next_utc_s() })
    );
    // 0.5 kWh at 0.3 and 2 kWh at 0.4.
    let bought = running.energy_for(&amount("0.95"), "valley", kwh("0.01"), &none).unwrap();
    assert_eq!((bought.energy, bought.cost.clone(), bought.provisional), (kwh("2.5"), amount("0.95"), false));
    let seen = serde_json::to_value(running.marginal_price("valley", &none).unwrap()).unwrap();
    assert_eq!((&seen["rate"], &seen["price_per_kwh"]), (&"valley".into(), &"0.3".into()));
}

#[test]
fn limits_per_kw_stand_on_reported_demand() {
    let tariff = compiled(&format!(
        "demand_window_minutes = 15\ndemand = [{{ name = \"d\", rates = [{{ name = \"all\", price = \"0\" }}] }}]\n{}",
        two_rates("limits = [{ kwh_per_kw = \"2.5\" }], demand = \"d\"")
    ));
    let policy = UsagePolicy { demand: DemandSource::Reported, ..UsagePolicy::default() };
    let mut running = open(&tariff, Opening { policy, ..Opening::default() });
    use_at(&mut running, 0, "30");
    assert!(running.is_energy_provisional());
    let missing = MissingInput::ReportedDemand { charge: "d".into(), rate: "all".into() };
    let none = PeriodInputs::default();
    assert_eq!(running.marginal_price("valley", &none), Err(missing.clone().into()));
    assert_eq!(missing.to_string(), "the reported demand of \"d\", rate \"all\", is needed");
    assert_eq!(
        running.energy_for(&amount("1"), "valley", kwh("1"), &none),
        Err(InverseError::Usage(UsageError::Missing(missing)))
    );
    let inputs = PeriodInputs { demand: vec![("d".into(), "all".into(), "20".parse().unwrap())], ..none };
    let position = running.marginal_price("valley", &inputs).unwrap().position;
    // 20 kW × 2.5 kWh.
    assert_eq!((position.tier, position.to_next_tier, position.provisional), (1, Some(kwh("20")), true));
    let bought = running.energy_for(&amount("10"), "valley", kwh("1"), &inputs).unwrap();
    // 20 kWh at 0.3 are 6; the other 4 buy 10 kWh at 0.4.
    assert_eq!((bought.energy, bought.residue, bought.provisional), (kwh("30"), Amount::ZERO, true));
}

#[test]
fn money_without_an_answer_is_refused() {
    let none = PeriodInputs::default();
    let proportional = compiled(&two_rates("scope = \"shared_proportional\", limits = [{ kwh = \"100\" }]"));
    let running = open(&proportional, Opening::default());
    let not_monotone = |result: Result<_, InverseError>| match result {
        Err(InverseError::NotMonotone { why }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        not_monotone(running.energy_for(&amount("1"), "peak", kwh("1"), &none)),
        "proportional tiers over several rates"
    );
    let negative = compiled(
        "energy = { rates = [{ name = \"a\", price = \"-0.1\" }, { name = \"b\", price = \"0\" }], periods = [{ rate = \"a\", from = \"00:00\", to = \"24:00\" }] }",
    );
    let running = open(&negative, Opening::default());
    assert_eq!(not_monotone(running.energy_for(&amount("1"), "a", kwh("1"), &none)), "a negative price");
    let free = running.energy_for(&amount("1"), "b", kwh("1"), &none).unwrap_err();
    assert_eq!(free.to_string(), "energy at rate \"b\" is free, so money sets no limit");
    assert_eq!(running.energy_for(&amount("-0.01"), "a", kwh("1"), &none), Err(InverseError::NegativeMoney));
    assert_eq!(running.energy_for(&amount("1"), "a", Energy::ZERO, &none), Err(InverseError::ZeroResolution));
    let hours = vec![kwh("1"); 24];
    let load = LoadProfile::daily(&hours).unwrap();
    assert_eq!(running.how_long(&amount("-1"), &load, &none), Err(InverseError::NegativeMoney));
    for wrong in [vec![], vec![kwh("1"); 7], vec![kwh("-1"); 24], vec![kwh("1"); 100_000]] {
        assert_eq!(LoadProfile::daily(&wrong), Err(InverseError::BadProfile), "{} steps", wrong.len());
    }
    assert!(LoadProfile::weekly(&[kwh("1"); 7]).is_ok());
    // A price below zero never uses the money up.
    let lasts = running.how_long(&amount("1"), &load, &none).unwrap();
    assert!(!lasts.used_up && lasts.hours() > 100_000, "{lasts:?}");
}

#[test]
fn an_opening_that_can_not_be_is_refused() {
    let tariff = compiled(&format!(
        "until = \"2026-01-01\"\ndemand_window_minutes = 15\ndemand = [{{ name = \"d\", rates = [{{ name = \"all\", price = \"1\" }}], \
         ratchet = {{ lookback = 3, share = \"0.5\" }} }}, {{ name = \"e\", rates = [{{ name = \"all\", price = \"1\" }}] }}]\n{}",
        two_rates("scope = \"per_period\", limits = [{ kwh = \"100\" }]")
    ));
    let from_utc_s = tariff.day_start_utc_s("2025-07-01").unwrap();
    let opening = || Opening { from_utc_s, ..Opening::default() };
    let refused = |opening: Opening| RunningBill::open(&tariff, &opening).unwrap_err();
    let until = tariff.day_start_utc_s("2026-01-01").unwrap();
    assert_eq!(refused(Opening { from_utc_s: until, ..opening() }), UsageError::OutsideVersions { at_utc_s: until });
    assert!(RunningBill::open(&tariff, &Opening { from_utc_s: until - 1, ..opening() }).is_ok());
    // A year of the largest months, to the last 10⁻⁶ kWh.
    let most = Energy::from_micro_kwh(12_000_000_000_000_000);
    assert!(RunningBill::open(&tariff, &Opening { ladder_used: most, ..opening() }).is_ok());
    for wrong in [most.micro_kwh() + 1, -1] {
        let ladder_used = Energy::from_micro_kwh(wrong);
        assert_eq!(refused(Opening { ladder_used, ..opening() }), UsageError::TooMuchEnergy);
        let ladder_used_by_rate = vec![("peak".into(), ladder_used)];
        assert_eq!(refused(Opening { ladder_used_by_rate, ..opening() }), UsageError::TooMuchEnergy);
    }
    let ladder_used_by_rate = vec![("flat".to_string(), kwh("1"))];
    assert_eq!(
        refused(Opening { ladder_used_by_rate, ..opening() }),
        UsageError::UnknownRate { rate: "flat".into(), at_utc_s: from_utc_s }
    );
    let peak = |charge: &str, date: &str, kw: &str| PastPeak {
        charge: charge.into(),
        date: date.into(),
        power: kw.parse().unwrap(),
    };
    let with = |peaks: Vec<PastPeak>| Opening { history: PeakHistory::Known(peaks), ..opening() };
    assert_eq!(refused(with(vec![peak("d", "June", "1")])), UsageError::BadDate { date: "June".into() });
    assert_eq!(refused(with(vec![peak("d", "2025-06-01", "10000000.000001")])), UsageError::DemandOutOfRange);
    assert_eq!(refused(with(vec![peak("d", "2025-06-01", "-1")])), UsageError::DemandOutOfRange);
    assert_eq!(refused(with(vec![peak("d", "2025-06-01", "1"); 193])), UsageError::DemandOutOfRange);
    // Months of the period itself and later ones are no past; thirteen of them are more than are kept.
    let ahead =
        (0..13).map(|n| peak("d", &format!("{}-{:02}-01", 2025 + (6 + n) / 12, 1 + (6 + n) % 12), "1")).collect();
    assert_eq!(refused(with(ahead)), UsageError::DemandOutOfRange);
}

#[test]
fn of_a_month_told_twice_the_higher_peak_binds() {
    let tariff = compiled(
        "demand_window_minutes = 15\ndemand = [{ name = \"d\", rates = [{ name = \"all\", price = \"10\" }], \
         ratchet = { lookback = 3, share = \"0.5\" } }]\nenergy = { rates = [{ name = \"a\", price = \"0\" }] }\n",
    );
    let peak = |charge: &str, date: &str, kw: &str| PastPeak {
        charge: charge.into(),
        date: date.into(),
        power: kw.parse().unwrap(),
    };
    let total = |peaks: Vec<PastPeak>| {
        let mut running = open(&tariff, Opening { history: PeakHistory::Known(peaks), ..Opening::default() });
        running.settle(&PeriodInputs::default()).unwrap().total
    };
    // Half of 8 kW at 10; the peak of October is out of reach, an unknown charge binds nothing.
    let peaks =
        [("d", "2025-01-03", "8"), ("d", "2025-01-20", "6"), ("d", "2024-10-31", "100"), ("x", "2025-01-01", "50")];
    assert_eq!(total(peaks.map(|(charge, date, kw)| peak(charge, date, kw)).to_vec()), amount("40"));
    // November is the last month in reach.
    assert_eq!(total(vec![peak("d", "2024-11-30", "100")]), amount("500"));
    // Years ago binds nothing, and takes no place either.
    assert_eq!(total((0..30).map(|n| peak("d", &format!("{}-01-01", 1990 + n), "9")).collect()), Amount::ZERO);
}

#[test]
fn peaks_that_nobody_knows_are_asked_for_until_enough_were_billed() {
    let tariff = compiled(
        "demand_window_minutes = 15\ndemand = [{ name = \"d\", rates = [{ name = \"all\", price = \"10\" }], \
         ratchet = { lookback = 2, share = \"0.5\" } }]\nenergy = { rates = [{ name = \"a\", price = \"0\" }] }\n",
    );
    let none = PeriodInputs::default();
    let april = tariff.day_start_utc_s("2025-04-01").unwrap();
    let policy = UsagePolicy { gaps: Gaps::UsedNothing, ..UsagePolicy::default() };
    let late = RunningBill::open(&tariff, &Opening { from_utc_s: april, policy, ..Opening::default() }).unwrap();
    let missing = MissingInput::PeakHistory { charge: "d".into(), lookback: 2 };
    assert_eq!(late.preview(&none).unwrap_err(), UsageError::Missing(missing.clone()));
    assert_eq!(missing.to_string(), "peaks of the 2 billing periods before are needed for \"d\"");
    let history = PeakHistory::NewSupply;
    let new =
        RunningBill::open(&tariff, &Opening { from_utc_s: april, policy, history, ..Opening::default() }).unwrap();
    assert_eq!(new.preview(&none).unwrap().total, Amount::ZERO);
    // Where the ratchet comes with a later version, the periods billed before it are enough.
    let later = compiled(
        "energy = { rates = [{ name = \"a\", price = \"0\" }] }\n[[versions]]\nfrom = \"2025-04-01\"\ndemand_window_minutes = 15\n\
         demand = [{ name = \"d\", rates = [{ name = \"all\", price = \"10\" }], ratchet = { lookback = 2, share = \"0.5\" } }]\n\
         energy = { rates = [{ name = \"a\", price = \"0\" }] }\n",
    );
    let mut running = open(&later, Opening::default());
    for _ in ["February", "March", "April"] {
        assert_eq!(running.settle(&none).unwrap().total, Amount::ZERO);
    }
}

#[test]
fn registers_that_say_too_much_are_refused_and_change_nothing() {
    let refused = |ladder: &str, energies: &[(&str, &str)], hours: i64| {
        let tariff = compiled(&two_rates(ladder));
        let mut running = open(&tariff, Opening::default());
        let before = running.state().clone();
        let energies: Vec<(&str, Energy)> = energies.iter().map(|(rate, energy)| (*rate, kwh(energy))).collect();
        let from_utc_s = running.next_utc_s();
        let to_utc_s = from_utc_s + hours * HOUR;
        let usage = RateUsage { from_utc_s, to_utc_s, energies: &energies, direction: Direction::Import };
        let error = running.push_registers(&usage).unwrap_err();
        assert_eq!(*running.state(), before);
        (error, from_utc_s)
    };
    let plain = "limits = [{ kwh = \"100\" }]";
    let (error, from_utc_s) = refused(plain, &[("peak", "1"), ("valley", "-0.000001")], 1);
    assert_eq!(error, UsageError::Negative { from_utc_s, energy: kwh("-0.000001") });
    let (error, _) = refused(plain, &[("peak", "1"), ("peak", "1")], 1);
    assert_eq!(error, UsageError::RateTwice { rate: "peak".into() });
    assert_eq!(error.to_string(), "rate \"peak\" is given twice");
    let (error, at_utc_s) = refused(plain, &[("flat", "1")], 1);
    assert_eq!(error, UsageError::UnknownRate { rate: "flat".into(), at_utc_s });
    let most = "9223372036854.775807";
    assert_eq!(refused(plain, &[("peak", most), ("valley", "1")], 1).0, UsageError::TooMuchEnergy);
    assert_eq!(refused(plain, &[("peak", "1000000000.000001")], 1).0, UsageError::TooMuchEnergy);
    let per_day = "limits = [{ kwh_per_day = \"4\" }]";
    assert_eq!(refused(per_day, &[("peak", "1"), ("valley", "1")], 1).0, UsageError::OrderUnknown);
    let (error, from_utc_s) = refused(plain, &[("peak", "1")], 24 * 29);
    assert!(matches!(error, UsageError::CrossesBorder { .. }), "{error} {from_utc_s}");
}

#[test]
fn one_register_at_a_time_has_an_order() {
    let tariff = compiled(&two_rates("limits = [{ kwh_per_day = \"4\" }]"));
    let mut running = open(&tariff, Opening::default());
    for (rate, energy) in [("peak", "100"), ("valley", "20")] {
        let from_utc_s = running.next_utc_s();
        let energies = [(rate, kwh(energy))];
        let usage =
            RateUsage { from_utc_s, to_utc_s: from_utc_s + HOUR, energies: &energies, direction: Direction::Import };
        running.push_registers(&usage).unwrap();
    }
    // 112 kWh in 28 days: 100 × 1 + 12 × 0.3 + 8 × 0.4.
    assert_eq!(running.settle(&PeriodInputs::default()).unwrap().total, amount("106.8"));
}

#[test]
fn registers_measure_demand_where_they_are_read_each_window() {
    let tariff = compiled(&format!(
        "demand_window_minutes = 30\ndemand = [{{ name = \"d\", rates = [{{ name = \"all\", price = \"10\" }}] }}]\n{}",
        two_rates("limits = [{ kwh = \"100\" }]")
    ));
    let mut running = open(&tariff, Opening::default());
    let push = |running: &mut RunningBill<&CompiledTariff>, length_s: i64, energy: &str| {
        let from_utc_s = running.next_utc_s();
        let energies = [("valley", kwh(energy))];
        running.push_registers(&RateUsage {
            from_utc_s,
            to_utc_s: from_utc_s + length_s,
            energies: &energies,
            direction: Direction::Import,
        })
    };
    push(&mut running, HOUR / 2, "2.5").unwrap();
    push(&mut running, HOUR / 2, "1").unwrap();
    let from_utc_s = running.next_utc_s();
    assert_eq!(
        push(&mut running, HOUR, "1"),
        Err(UsageError::LongerThanDemandWindow { from_utc_s, length_s: HOUR, window_s: HOUR / 2 })
    );
    // 2.5 kWh in half an hour are 5 kW: 50, and 3.5 kWh at 0.3.
    assert_eq!(running.settle(&PeriodInputs::default()).unwrap().total, amount("51.05"));
}

#[test]
fn spans_split_by_time_only_inside_themselves() {
    let whole = Interval::new(0, 10, kwh("0.000003"));
    let (before, after) = whole.split_pro_rata(5).unwrap();
    // The earlier half takes the odd 10⁻⁶.
    assert_eq!((before, after), (Interval::new(0, 5, kwh("0.000002")), Interval::new(5, 10, kwh("0.000001"))));
    for at in [i64::MIN, 0, 10, i64::MAX] {
        assert_eq!(whole.split_pro_rata(at), None, "{at}");
    }
    assert_eq!(Interval::new(0, 10, kwh("-1")).split_pro_rata(5), None);
    let registers = |energies: &'static [(&'static str, Energy)]| RateUsage {
        from_utc_s: 0,
        to_utc_s: 10,
        energies,
        direction: Direction::Import,
    };
    const TEN: &[(&str, Energy)] = &[("peak", Energy::from_micro_kwh(10)), ("valley", Energy::ZERO)];
    let split = registers(TEN).split_pro_rata(3).unwrap();
    assert_eq!(split.before, [("peak", Energy::from_micro_kwh(3)), ("valley", Energy::ZERO)]);
    assert_eq!(split.after, [("peak", Energy::from_micro_kwh(7)), ("valley", Energy::ZERO)]);
    assert_eq!(registers(TEN).split_pro_rata(10), None);
    assert_eq!((registers(&[]).split_pro_rata(10), registers(&[]).split_pro_rata(0)), (None, None));
    const WRONG: &[(&str, Energy)] = &[("peak", Energy::from_micro_kwh(-1))];
    assert_eq!(registers(WRONG).split_pro_rata(3), None);
}

#[test]
fn a_compiled_tariff_tells_its_name_and_rates() {
    let tariff = compiled(&two_rates("limits = [{ kwh = \"100\" }]"));
    assert_eq!((tariff.name(), tariff.currency()), ("t", "CNY"));
    let start = tariff.day_start_utc_s("2025-01-01").unwrap();
    assert_eq!(tariff.rate_names(start), ["peak", "valley"]);
    assert!(tariff.rate_names(start - 1).is_empty());
    assert_eq!(tariff.date_of_utc_s(start - 1).map(|date| date.to_string()).as_deref(), Some("2024-12-31"));
    assert_eq!((tariff.day_start_utc_s("2025-02-29"), tariff.date_of_utc_s(i64::MAX)), (None, None));
    let mut running = open(&tariff, Opening::default());
    assert!(format!("{running:?}").starts_with("RunningBill { tariff: \"t\", state: RunningState {"));
    // A day flag of a tariff without any is an unknown one, a day without flags is fine.
    assert_eq!(running.set_day_flags("2025-02-02", &[]), Ok(()));
    assert_eq!(running.set_day_flags("2025-02-02", &["hot"]), Err(UsageError::UnknownDayFlag { name: "hot".into() }));
    for date in ["2025-01-31", "tomorrow"] {
        assert_eq!(running.set_day_flags(date, &[]), Err(UsageError::BadDate { date: date.into() }));
    }
    let state = running.state().clone();
    assert_eq!(running.into_state(), state);
}

#[test]
fn registers_over_a_border_are_refused_or_split_by_time() {
    let version = "energy = { rates = [{ name = \"a\", price = \"1\" }] }\n[[versions]]\nfrom = \"2025-02-11\"\n\
                   energy = { rates = [{ name = \"a\", price = \"2\" }] }\n";
    let ladder = "energy = { rates = [{ name = \"a\", tiers = [\"1\", \"2\"] }], \
                  ladder = { reset = \"yearly\", year_start = \"02-11\", limits = [{ kwh = \"15\" }] } }\n";
    // 20 kWh in 20 days: ten of them at each price; or ten in the first tier of each year of the ladder.
    for (body, border, total) in [(version, Border::Version, "30"), (ladder, Border::LadderReset, "20")] {
        let tariff = compiled(body);
        let read = |borders: Borders| {
            let policy = UsagePolicy { borders, ..UsagePolicy::default() };
            let mut running = open(&tariff, Opening { policy, ..Opening::default() });
            let energies = [("a", kwh("20"))];
            let from_utc_s = running.next_utc_s();
            let to_utc_s = from_utc_s + 20 * 24 * HOUR;
            running.push_registers(&RateUsage {
                from_utc_s,
                to_utc_s,
                energies: &energies,
                direction: Direction::Import,
            })?;
            running.energy_amount(&PeriodInputs::default())
        };
        let from_utc_s = tariff.day_start_utc_s("2025-02-01").unwrap();
        let (to_utc_s, at_utc_s) = (from_utc_s + 20 * 24 * HOUR, from_utc_s + 10 * 24 * HOUR);
        let crosses = UsageError::CrossesBorder { from_utc_s, to_utc_s, border, at_utc_s };
        assert_eq!(read(Borders::Refuse), Err(crosses));
        assert_eq!(read(Borders::SplitProRata), Ok(amount(total)));
    }
}
