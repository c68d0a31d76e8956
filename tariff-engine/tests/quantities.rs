//! Energy, power, amounts and numbers at their doors: text, bounds, stored forms.

use rust_decimal::Decimal;
use tariff_engine::{Amount, AmountError, Energy, EnergyError, Number, Power, PowerError, Rounding, RoundingMode};

fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

#[test]
fn energy_ends_where_64_bits_end() {
    assert_eq!(Energy::from_kwh(9_223_372_036_854).map(|energy| energy.to_string()).as_deref(), Some("9223372036854"));
    assert_eq!(Energy::from_kwh(9_223_372_036_855), None);
    assert_eq!(Energy::from_wh(i64::MAX), None);
    assert_eq!(Energy::from_wh(-1_500).map(Energy::micro_kwh), Some(-1_500_000));
    assert_eq!(Energy::from_centi_kwh(i64::MIN), None);
    assert_eq!("9223372036854.775807".parse(), Ok(Energy::from_micro_kwh(i64::MAX)));
    assert_eq!("-9223372036854.775808".parse(), Ok(Energy::from_micro_kwh(i64::MIN)));
    let beyond = "9223372036854.775808".parse::<Energy>().unwrap_err();
    assert_eq!(beyond, EnergyError::OutOfRange { value: "9223372036854.775808".into(), limit: 9_223_372_036_854 });
    assert_eq!(beyond.to_string(), "energy 9223372036854.775808 kWh is beyond ±9223372036854 kWh");
    assert_eq!(
        "0.1234567".parse::<Energy>().unwrap_err().to_string(),
        "energy 0.1234567 kWh has digits below 0.000001 kWh"
    );
    assert_eq!("1 kWh".parse::<Energy>().unwrap_err().to_string(), "energy \"1 kWh\" is not a decimal number of kWh");
    assert_eq!(Energy::from_decimal(decimal("2.500000000")), Ok(Energy::from_micro_kwh(2_500_000)));
}

#[test]
fn energies_add_and_subtract_or_say_that_they_do_not() {
    let (one, most) = (Energy::from_micro_kwh(1), Energy::from_micro_kwh(i64::MAX));
    assert_eq!(one.checked_add(one), Some(Energy::from_micro_kwh(2)));
    assert_eq!(most.checked_add(one), None);
    assert_eq!(one.checked_sub(most), Some(Energy::from_micro_kwh(1 - i64::MAX)));
    assert_eq!(Energy::from_micro_kwh(-2).checked_sub(most), None);
    assert_eq!(format!("{:?}", Energy::from_micro_kwh(1_250_000)), "1.25 kWh");
    assert_eq!(Energy::from_micro_kwh(1_250_000).to_decimal(), decimal("1.25"));
}

#[test]
fn power_keeps_the_rules_of_energy_and_says_kw() {
    let power = Power::from_micro_kw(373_865_232);
    assert_eq!(power.to_string(), "373.865232");
    assert_eq!(format!("{power:?}"), "373.865232 kW");
    assert_eq!(Power::from_decimal(decimal("373.865232")), Ok(power));
    assert_eq!(power.to_decimal(), decimal("373.865232"));
    assert_eq!((Power::ZERO.micro_kw(), Power::default()), (0, Power::ZERO));
    let fine: PowerError = "0.0000001".parse::<Power>().unwrap_err();
    assert_eq!(fine.to_string(), "as kW: energy 0.0000001 kWh has digits below 0.000001 kWh");
    assert!(Power::from_decimal(decimal("9300000000000")).is_err());
    assert_eq!(serde_json::to_string(&power).unwrap(), "\"373.865232\"");
    assert_eq!(serde_json::from_str::<Power>("\"373.865232\"").unwrap(), power);
    assert_eq!(serde_json::from_str::<Energy>("\"1.25\"").unwrap(), Energy::from_micro_kwh(1_250_000));
    for wrong in ["373.865232", "\"\"", "\"1e3\"", "\"0.0000001\"", "null"] {
        assert!(serde_json::from_str::<Power>(wrong).is_err(), "{wrong}");
        assert!(serde_json::from_str::<Energy>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn amounts_end_where_128_bits_end() {
    assert_eq!(Amount::from_minor_units(-1_234, 2).unwrap().to_string(), "-12.34");
    assert_eq!(Amount::from_minor_units(1, 24).unwrap().to_string(), "0.000000000000000000000001");
    assert_eq!(Amount::from_minor_units(1, 25), Err(AmountError::OutOfRange));
    assert_eq!(Amount::from_minor_units(i64::MAX, 0), Err(AmountError::OutOfRange));
    assert_eq!(Amount::from_decimal(decimal("0.0000000000000000000000001")), Err(AmountError::OutOfRange));
    assert_eq!(Amount::from_decimal(decimal("200000000000000")), Err(AmountError::OutOfRange));
    assert_eq!(Amount::from_decimal(decimal("-0.50")).unwrap().to_string(), "-0.5");
    let most: Amount = "170141183460469.231731687303715884105727".parse().unwrap();
    let least_step: Amount = "0.000000000000000000000001".parse().unwrap();
    assert_eq!(most.plus(&least_step), Err(AmountError::OutOfRange));
    assert_eq!(most.minus(&most).unwrap(), Amount::ZERO);
    assert_eq!(Amount::sum([&most, &least_step]), Err(AmountError::OutOfRange));
    assert_eq!(AmountError::OutOfRange.to_string(), "an amount is beyond ±1.7e14");
}

#[test]
fn an_amount_is_a_decimal_where_28_digits_hold_it() {
    let exact = |text: &str| text.parse::<Amount>().unwrap().to_decimal();
    assert_eq!(exact("12.340"), Some(decimal("12.34")));
    assert_eq!(exact("-0.000000000000000000000001"), Some(decimal("-0.000000000000000000000001")));
    assert_eq!(exact("100000000000000.000000000000000000000001"), None, "39 digits");
    // 30 digits with all 24 places, 7 without the zeros behind.
    assert_eq!(exact("100000.5"), Some(decimal("100000.5")));
    assert_eq!(exact("0+1/3"), None);
    assert_eq!(exact("0"), Some(Decimal::ZERO));
    let fen = Rounding::new(2, RoundingMode::HalfAwayFromZero).unwrap();
    assert_eq!("0.005".parse::<Amount>().unwrap().round(fen).to_string(), "0.01");
    assert_eq!("-0.005".parse::<Amount>().unwrap().rounded(fen).to_string(), "-0.01");
}

#[test]
fn amounts_compare_by_value_whatever_their_fractions() {
    let amount = |text: &str| text.parse::<Amount>().unwrap();
    assert_eq!(amount("0+1/3+2/3"), amount("0.000000000000000000000001"));
    assert!(amount("0+1/3") > Amount::ZERO && amount("-1+1/3") < Amount::ZERO);
    assert!(amount("0+1/3") < amount("0+1/2") && amount("0+1/2") > amount("0+1/3"));
    assert_eq!(amount("0+2/6").to_string(), "0+1/3", "in lowest terms");
    assert_ne!(amount("1"), amount("2"));
    assert_ne!(amount("0+1/3"), amount("0+1/2"));
    assert!(!amount("0+1/3").is_negative() && !Amount::ZERO.is_negative() && Amount::ZERO.is_zero());
    assert!(amount("-1+2/3").is_negative() && !amount("-1+2/3").is_zero());
    assert_eq!(format!("{:?}", amount("-1.5")), "-1.5");
}

#[test]
fn an_amount_takes_64_large_denominators_and_no_more() {
    // Primes above 2³² share no factor, so no two of them come together in one fraction of 128 bits.
    let primes: Vec<u128> = (4_294_967_296_u128..).filter(|n| is_prime(*n)).take(65).collect();
    let text =
        |count: usize| primes.iter().take(count).fold("0".to_string(), |text, p| text + &format!("+1/{}", p * p));
    assert!(text(64).parse::<Amount>().is_ok());
    assert_eq!(text(65).parse::<Amount>(), Err(AmountError::TooManyFractions));
    assert_eq!(AmountError::TooManyFractions.to_string(), "a sum has more than 64 different large denominators");
}

fn is_prime(n: u128) -> bool {
    (2_u128..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

#[test]
fn what_is_no_amount_is_refused() {
    for wrong in [
        "", "-", ".", "1.", ".5", "1e3", "--1", "1.2.3", "0+", "0+1", "0+1/", "0+/3", "0+3/3", "0+4/3", "0+-1/3",
        "0+1/0",
    ] {
        let error = wrong.parse::<Amount>().unwrap_err();
        assert_eq!(error, AmountError::NotDecimal { value: wrong.into() }, "{wrong}");
        assert_eq!(
            error.to_string(),
            format!("amount {wrong:?} is not a decimal number (with fractions behind it)")
                .replace(" (with fractions behind it)", "")
        );
    }
    assert_eq!(serde_json::to_string(&"0.5".parse::<Amount>().unwrap()).unwrap(), "\"0.5\"");
    assert!(serde_json::from_str::<Amount>("\"x\"").is_err() && serde_json::from_str::<Amount>("0.5").is_err());
}

#[test]
fn numbers_of_documents_are_kept_as_written() {
    let read = |json: &str| serde_json::from_str::<Number>(json);
    assert_eq!(read("\"0.8300\"").unwrap().as_str(), "0.8300");
    assert_eq!(read("7").unwrap(), Number::from(7));
    assert_eq!(read("-7").unwrap(), Number::from("-7"));
    assert_eq!(read("18446744073709551615").unwrap().to_string(), "18446744073709551615");
    assert_eq!(format!("{:?}", read("0.5").unwrap()), "0.5 (bare float)");
    assert_eq!(format!("{:?}", Number::from(decimal("0.5"))), "\"0.5\"");
    assert_eq!(serde_json::to_string(&Number::from(String::from("1.50"))).unwrap(), "\"1.50\"");
    let error = read("true").unwrap_err().to_string();
    assert!(error.contains("a decimal number as a string, or a whole number"), "{error}");
}
