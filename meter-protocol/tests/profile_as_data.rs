//! A profile is configuration: it is read from a file and never guesses.
#![cfg(feature = "serde")]

use meter_protocol::acrel::{EqualCountRule, PriceDecimals, Profile, RateCodes};

#[test]
fn what_is_not_named_stays_unsettled() {
    let profile: Profile = serde_json::from_str(r#"{"price_decimals": 4, "equal_count": "refuses"}"#).unwrap();
    let mut expected = Profile::unsettled();
    expected.price_decimals = PriceDecimals::new(4);
    expected.equal_count = Some(EqualCountRule::Refuses);
    assert_eq!(profile, expected);
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
}

#[test]
fn unknown_names_and_impossible_values_are_refused() {
    assert!(serde_json::from_str::<Profile>(r#"{"price_decimal": 4}"#).is_err());
    let error = serde_json::from_str::<Profile>(r#"{"price_decimals": 7}"#).unwrap_err().to_string();
    assert!(error.contains("0 to 6"), "{error}");
    assert!(serde_json::from_str::<Profile>(r#"{"rate_codes": "from_two"}"#).is_err());
    let codes = serde_json::from_str::<Profile>(r#"{"rate_codes": "from_one"}"#).unwrap().rate_codes;
    assert_eq!(codes, Some(RateCodes::FromOne));
}
