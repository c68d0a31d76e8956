//! A profile is configuration: it is read from a file and never guesses.
#![cfg(feature = "serde")]

use meter_protocol::acrel::fields::eight_rate as realtime;
use meter_protocol::acrel::{EqualCountRule, PriceDecimals, Profile, RateCodes};
use meter_protocol::map::Table;
use meter_protocol::plan::{Limits, LineTiming, PlanError, RegisterRange, Scratch, plan};
use meter_protocol::session::Pace;

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

/// Forbidden ranges are learned once and kept beside the profile.
#[test]
fn forbidden_ranges_are_stored_and_read_again() {
    let learned = [RegisterRange { table: Table::Holding, first: 0x0231, last: 0x0233 }];
    let text = serde_json::to_string(&learned).unwrap();
    assert_eq!(text, r#"[{"table":"holding","first":561,"last":563}]"#);
    let stored: Vec<RegisterRange> = serde_json::from_str(&text).unwrap();
    assert_eq!(stored, learned);
    let limits = Limits::new(123, &[]).with_forbidden(&stored);
    let due = [realtime::ENERGY_DEEP_VALLEY.info()];
    let line = LineTiming::new(Pace::UNPACED, 1_000);
    let refused = plan(&due, &line, &limits, &mut Scratch::new()).map(|_| ());
    assert!(matches!(refused, Err(PlanError::Forbidden { .. })), "{refused:?}");
    assert!(serde_json::from_str::<RegisterRange>(r#"{"table":"coils","first":1,"last":2}"#).is_err());
}
