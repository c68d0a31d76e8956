//! Money and currency at their edges, with exact results.

use prepay_core::money::{Currency, Money, MoneyError};
use rust_decimal::Decimal;

fn fen(minor: i64) -> Money {
    Money::from_minor(minor)
}

#[test]
fn signs_and_sizes() {
    for (minor, positive, negative, zero) in
        [(1, true, false, false), (0, false, false, true), (-1, false, true, false)]
    {
        let money = fen(minor);
        assert_eq!((money.is_positive(), money.is_negative(), money.is_zero()), (positive, negative, zero), "{minor}");
        assert_eq!((money.minor(), money.magnitude()), (minor, minor.unsigned_abs()));
    }
    assert_eq!((Money::ZERO, Money::default()), (fen(0), fen(0)));
    assert_eq!((Money::MAX.minor(), Money::MIN.minor()), (i64::MAX, i64::MIN));
}

#[test]
fn sums_and_differences() {
    assert_eq!(fen(70).plus(fen(-100)), Ok(fen(-30)));
    assert_eq!(fen(70).minus(fen(-100)), Ok(fen(170)));
    assert_eq!(fen(-70).negated(), Ok(fen(70)));
    assert_eq!(Money::sum([fen(1), fen(20), fen(300)]), Ok(fen(321)));
    assert_eq!(Money::sum([]), Ok(Money::ZERO));
    assert_eq!(Money::MAX.plus(fen(1)), Err(MoneyError::Overflow { left: i64::MAX, operation: "plus", right: 1 }));
    let error = Money::MIN.negated().unwrap_err();
    assert_eq!(error.to_string(), "0 minus -9223372036854775808 minor units is out of range");
}

#[test]
fn a_decimal_beyond_64_bits_is_out_of_range() {
    let decimal = |text: &str| Decimal::from_str_exact(text).unwrap();
    assert_eq!(Money::from_decimal(decimal("92233720368547758.07"), Currency::CNY), Ok(Money::MAX));
    assert_eq!(Money::from_decimal(decimal("-92233720368547758.08"), Currency::CNY), Ok(Money::MIN));
    let beyond = decimal("92233720368547758.08");
    assert_eq!(Money::from_decimal(beyond, Currency::CNY), Err(MoneyError::Range { value: beyond }));
    // Rounded to the nearest before it is looked at.
    assert_eq!(Money::quantise(decimal("92233720368547758.074"), Currency::CNY).unwrap().amount, Money::MAX);
    assert!(Money::quantise(decimal("92233720368547758.075"), Currency::CNY).is_err());
    assert_eq!(
        Money::from_decimal(decimal("0.001"), Currency::CNY).unwrap_err().to_string(),
        "0.001 has digits below the minor unit (2 digits)"
    );
}

#[test]
fn currencies_show_their_code_and_digits() {
    for (currency, code, digits, shown) in [
        (Currency::CNY, "CNY", 2, "-12.30"),
        (Currency::EUR, "EUR", 2, "-12.30"),
        (Currency::ZAR, "ZAR", 2, "-12.30"),
        (Currency::JPY, "JPY", 0, "-1230"),
        (Currency::new("TND", 3).unwrap(), "TND", 3, "-1.230"),
        (Currency::new("CLF", 4).unwrap(), "CLF", 4, "-0.1230"),
    ] {
        assert_eq!((currency.code(), currency.minor_digits()), (code, digits));
        assert_eq!(currency.to_string(), code);
        assert_eq!(fen(-1230).display(currency).to_string(), shown);
        assert_eq!(fen(-1230).to_decimal(currency).to_string(), shown);
    }
    assert_eq!(
        Currency::new("yuan renminbi", 2),
        Err(MoneyError::CurrencyCode { code: "yuan ren".into() }),
        "what is shown is cut to eight characters"
    );
    assert_eq!(Currency::new("CNY", 5), Err(MoneyError::MinorDigits { digits: 5, max: 4 }));
    let wrong = serde_json::from_str::<Currency>(r#"{"code":"cny","minor_digits":2}"#).unwrap_err();
    assert!(wrong.to_string().contains("currency code \"cny\" is not three capital letters"), "{wrong}");
}
