//! The kit against this crate's ledger: whole it keeps every property, and each fault breaks exactly what it declares.
#![cfg(feature = "conformance")]

use prepay_core::conformance::{Fault, Property, Reference, check};

#[test]
fn the_ledger_keeps_every_property() {
    for seed in 0..20 {
        assert_eq!(check(seed, || Reference::new(None)), vec![], "seed {seed}");
    }
}

#[test]
fn every_fault_breaks_exactly_what_it_declares_and_the_table_is_printed() {
    println!("{:<20} breaks", "fault");
    for fault in Fault::ALL {
        for seed in 0..4 {
            let found = check(seed, || Reference::new(Some(*fault)));
            let mut broken: Vec<_> = found.iter().map(|finding| finding.property).collect();
            let mut declared = fault.breaks().to_vec();
            broken.sort_unstable();
            declared.sort_unstable();
            assert_eq!(broken, declared, "{fault:?}, seed {seed}: {found:?}");
        }
        println!("{:<20} {:?}", format!("{fault:?}"), fault.breaks());
    }
}

#[test]
fn every_property_is_broken_by_a_fault() {
    for property in Property::ALL {
        assert!(Fault::ALL.iter().any(|fault| fault.breaks().contains(&property)), "{property:?}");
    }
}
