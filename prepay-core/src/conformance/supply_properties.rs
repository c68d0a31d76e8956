//! Properties of the relay: every combination of rules.

use alloc::format;
use alloc::string::String;

use super::{PrepayLedger, Property, Rules, Told};

fn all_rules() -> impl Iterator<Item = Rules> {
    (0_u16..256).map(|bits| Rules {
        lock_out: bits & 1 != 0,
        keep_power: bits & 2 != 0,
        forced_off: bits & 4 != 0,
        load_limit: bits & 8 != 0,
        friendly_hours: bits & 16 != 0,
        arrears: bits & 32 != 0,
        never_cut: bits & 64 != 0,
        in_meter: bits & 128 != 0,
    })
}

/// Which combinations a property is about.
type About = fn(&Rules) -> bool;
/// What it allows there.
type Allows = fn(&Rules, Told) -> bool;

/// What speaks against a property of the relay.
pub(super) fn check(property: Property, ledger: &dyn PrepayLedger) -> Option<String> {
    let (about, allows): (About, Allows) = match property {
        Property::LockOutDominates => (|rules| rules.lock_out, |_, told| told == Told::Off),
        Property::KeepPowerDominates => (|rules| rules.keep_power && !rules.lock_out, |_, told| told == Told::On),
        Property::NoCutInFriendlyHours => (
            // Only lack of credit could cut here.
            |rules| {
                let orders = rules.lock_out || rules.keep_power || rules.forced_off || rules.load_limit;
                rules.friendly_hours && rules.arrears && !orders && !rules.never_cut
            },
            // A meter that cuts by itself has to be held on.
            |rules, told| told == Told::On || (told == Told::Automatic && !rules.in_meter),
        ),
        Property::NeverCutIsKept => (
            |rules| rules.never_cut && !rules.lock_out && !rules.keep_power,
            |rules, told| told != Told::Off && !(told == Told::Automatic && rules.in_meter && rules.arrears),
        ),
        _ => return None,
    };
    let broken = all_rules().filter(about).map(|rules| (rules, ledger.relay(rules)));
    let mut broken = broken.filter(|(rules, told)| !allows(rules, *told));
    broken.next().map(|(rules, told)| format!("told {told:?} under {rules:?}"))
}
