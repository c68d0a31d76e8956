#![no_main]
use libfuzzer_sys::fuzz_target;
fuzz_target!(|bytes: &[u8]| {
    let _ = vending_station::site::from_toml("x", core::str::from_utf8(bytes).unwrap_or_default());
});
