//! Arbitrary tariffs and loads, priced by the crate and by the slow reference in fractions of the tests of
//! `tariff-engine`; every amount must agree exactly.
//!
//! Input: a tape of choices, in the order in which the random tariff and its load are made; see [`random::tariff`].
#![no_main]

#[path = "../../tariff-engine/tests/agreement/mod.rs"]
mod agreement;
#[path = "../../tariff-engine/tests/random/mod.rs"]
mod random;
#[path = "../../tariff-engine/tests/reference/mod.rs"]
mod reference;

use libfuzzer_sys::fuzz_target;
use random::Random;

fuzz_target!(|bytes: &[u8]| agreement::agree(&mut Random::from(bytes), "this input"));
