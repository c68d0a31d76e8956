//! Stored snapshots that were damaged or forged: refused, or harmless. Never a panic, never money out of nothing unseen.

mod common;

use common::{Desk, METER, OPERATOR, TILL, fen, meter_terms, number, terms, why};
use prepay_core::account::{Account, Command, DebtCharge, Purse, RefundTo, Terms};
use prepay_core::debt::{DebtKind, Debts, Plan};
use prepay_core::id::{DebtId, RefundId, SaleId};
use prepay_core::persist::Persisted;
use prepay_core::reconcile::{with_ledger, with_meter};
use prepay_core::refund::RefundTake;
use prepay_core::series::Series;
use prepay_core::time::Now;
use serde_json::{Value, json};

/// Sales, debts, a deposit, an open refund and readings that can still be corrected.
fn busy(purse: Purse) -> Desk {
    let mut desk = Desk::open_with(Terms { emergency: Some(fen(500)), ..terms(purse) }, meter_terms(METER), 3_000);
    let charge = |debt, kind, minor| Command::ChargeDebt {
        debt: DebtId(debt),
        charge: DebtCharge { kind, amount: fen(minor), tax: fen(0), notice_until_utc_s: i64::MAX },
        by: OPERATOR,
        why: why("as agreed"),
    };
    match purse {
        Purse::InMeter => drop(desk.sell(2_000)),
        Purse::AtStation => drop(desk.request(2_000).unwrap()),
    }
    desk.tell(charge(1, DebtKind::Fee, 200)).unwrap();
    desk.tell(charge(2, DebtKind::Arrears, 900)).unwrap();
    let plan = Plan { agreed: fen(0), part: fen(300), first_due_utc_s: desk.now.utc_s, every_s: 60 };
    desk.tell(Command::AgreeInstalments { debt: DebtId(2), plan, by: OPERATOR, why: why("asked") }).unwrap();
    for _ in 0..3 {
        desk.meter.use_energy(1, 100);
        desk.settle();
    }
    if purse == Purse::InMeter {
        let (refund, to) = (RefundId(1), RefundTo::OriginalChannel);
        let (from, take) = (Some(number(METER)), RefundTake::Exactly(fen(700)));
        desk.tell(Command::RequestRefund { refund, from, take, to, operator: OPERATOR, why: why("moves out") })
            .unwrap();
    }
    desk
}

/// The places of all numbers in a value.
fn numbers(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(path.to_owned()),
        Value::Array(list) => {
            for (place, part) in list.iter().enumerate() {
                numbers(part, &format!("{path}/{place}"), found);
            }
        }
        Value::Object(map) => map.iter().for_each(|(key, part)| numbers(part, &format!("{path}/{key}"), found)),
        _ => {}
    }
}

/// Whatever a snapshot that was taken in is asked to do, it answers.
fn drive(desk: &Desk, account: &Account) {
    let now = Now::new(desk.now.mono_ms + 60_000, desk.now.utc_s + 60);
    let (meter, reading) = (number(METER), desk.meter.reading(now));
    let in_meter = account.terms().is_some_and(|terms| terms.purse == Purse::InMeter);
    let (sale, amount) = (SaleId(99), fen(1_500));
    let commands = [
        Command::Tick,
        Command::Observe { meter, reading },
        Command::SettleNow { meter, reading },
        Command::RequestSale { sale, meter: in_meter.then_some(meter), amount, payment: TILL, operator: OPERATOR },
        Command::BeginRefund { refund: RefundId(1), evidence: reading },
        Command::RequestRefund {
            refund: RefundId(99),
            from: None,
            take: RefundTake::Everything,
            to: RefundTo::OriginalChannel,
            operator: OPERATOR,
            why: why("moves out"),
        },
        Command::LateReading { meter, energy: reading.energy, taken_utc_s: desk.now.utc_s },
        Command::PlanFriendlyHours { meter, from_utc_s: now.utc_s, to_utc_s: now.utc_s + 60 },
        Command::LinkLost { meter },
    ];
    for command in commands {
        let Ok(decision) = account.decide(&command, now, &desk.pricer) else { continue };
        let mut after = account.clone();
        decision.events.iter().for_each(|event| after.apply(event).unwrap());
        if let Ok(transfers) = decision.transfers() {
            // The books have limits of their own; what they refuse does not happen.
            let _ = desk.ledger.decide(&transfers, now.utc_s);
        }
    }
    let resumed = account.resume(now).release(&Persisted::attest(account.id(), account.seq()));
    assert!(resumed.is_ok());
    let _ = account.exposure(meter, i64::MAX);
    let _ = with_meter(account, meter, &reading, &desk.pricer);
}

#[test]
fn every_number_of_a_snapshot_can_be_forged_and_nothing_is_free_unseen() {
    const FORGED: [i64; 8] = [0, 1, -1, 5_000, 65_535, 4_294_967_295, i64::MAX, i64::MIN];
    let (mut refused, mut seen, mut harmless) = (0, 0, 0);
    for purse in [Purse::InMeter, Purse::AtStation] {
        let desk = busy(purse);
        let stored = serde_json::to_value(&desk.account).unwrap();
        let mut places = Vec::new();
        numbers(&stored, "", &mut places);
        assert!(places.len() > 100, "{}", places.len());
        for place in &places {
            for value in FORGED {
                let mut forged = stored.clone();
                *forged.pointer_mut(place).unwrap() = json!(value);
                let Ok(account) = serde_json::from_value::<Account>(forged) else {
                    refused += 1;
                    continue;
                };
                drive(&desk, &account);
                let money = |account: &Account| {
                    let meters: Vec<_> = account.meters().iter().map(|state| state.purse()).collect();
                    (account.purse(), meters, account.debts().total(), account.deposit())
                };
                let agrees = with_ledger(&account, &desk.ledger) == Ok(vec![]);
                assert!(!agrees || money(&account) == money(&desk.account), "{place} = {value}");
                if agrees { harmless += 1 } else { seen += 1 }
            }
        }
    }
    println!("forged numbers: {refused} refused, {seen} seen by the books, {harmless} harmless");
    assert!(refused > 300 && seen > 50, "{refused} {seen} {harmless}");
}

#[test]
fn what_no_events_lead_to_is_refused() {
    let refused = |purse, place: &str, value: Value, text: &str| {
        let mut stored = serde_json::to_value(&busy(purse).account).unwrap();
        *stored.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value;
        let error = serde_json::from_value::<Account>(stored).unwrap_err().to_string();
        assert!(error.contains(text), "{place}: {error}");
    };
    let (meter, station) = (Purse::InMeter, Purse::AtStation);
    refused(meter, "/held", json!(5), "held is 5 minor units, its parts are 0");
    refused(meter, "/held", json!(-5), "held is -5 minor units");
    refused(meter, "/deposit", json!(-1), "deposit is -1 minor units");
    refused(meter, "/emergency", json!(0), "emergency is 0 minor units");
    refused(meter, "/service", json!("not_opened"), "service: does not go with the terms");
    refused(meter, "/terms", Value::Null, "service: does not go with the terms");
    refused(meter, "/terms/max_sale", json!(0), "max_sale is 0 minor units");
    refused(meter, "/meters", json!([]), "meters: an account that was opened has one");
    refused(meter, "/latest_refund", Value::Null, "latest_refund: is behind an open refund");
    refused(meter, "/meters/0/refund/held", json!(-1), "held of a refund is -1 minor units");
    refused(meter, "/meters/0/refund/phase", json!("writing"), "refund: its intent does not go with its phase");
    refused(meter, "/meters/0/replaced_by", json!(5), "replaced_by: no meter is taking over");
    refused(meter, "/meters/0/terms/ratio", json!(2), "ratio needs the purse at the station");
    refused(meter, "/receipts/0/set_aside", json!(0), "set_aside is 0 minor units, its parts are 700");
    refused(meter, "/receipts/0/refunded", json!(1_301), "receipts is -1 minor units");
    refused(meter, "/receipts/0/recovered", json!(-1), "receipts is -1 minor units");
    refused(station, "/meters/0/purse", json!(1), "purse of a meter is 1 minor units");
    refused(station, "/debts/0/rest", json!(0), "stored debt 2 of 0 minor units");
    refused(station, "/debts/0/plan/every_s", json!(0), "0 seconds from part to part");
    refused(station, "/debts/0/rest", json!(901), "stored debt 2 of 901 minor units");
    refused(station, "/debts/0/kind", json!("fee"), "stored debt 1");
    refused(station, "/meters/0/series/points/1/taken_utc_s", json!(0), "a reading of 0 after one of");
}

#[test]
fn meters_receipts_debts_and_readings_stand_there_once() {
    let doubled = |place: &str| {
        let mut stored = serde_json::to_value(&busy(Purse::AtStation).account).unwrap();
        let list = stored.pointer_mut(place).unwrap().as_array_mut().unwrap();
        list.push(list[0].clone());
        serde_json::from_value::<Account>(stored).unwrap_err().to_string()
    };
    assert!(doubled("/meters").contains("meters: one stands there twice"));
    assert!(doubled("/receipts").contains("receipts: one stands there twice"));
    assert!(doubled("/debts").contains("stored debt 2"));
    assert!(doubled("/meters/0/series/points").contains("a reading of"));
    let debt = |id: u64| json!({ "id": id, "kind": "fee", "rest": 1, "notice_until_utc_s": 0, "plan": null });
    let debts = |count: u64| serde_json::from_value::<Debts>((1..=count).map(debt).collect());
    assert!(debts(64).is_ok());
    assert!(debts(65).unwrap_err().to_string().contains("at most 64 debts"));
    let series = serde_json::to_value(busy(Purse::AtStation).state().series()).unwrap();
    let long = |count: i64| {
        let mut series = series.clone();
        let point = series["points"][0].clone();
        let at = |n: i64| {
            let mut point = point.clone();
            point["taken_utc_s"] = json!(i64::MAX - count + n);
            point
        };
        series["points"] = (0..count).map(at).collect();
        serde_json::from_value::<Series>(series)
    };
    assert!(long(64).is_ok());
    assert!(long(65).unwrap_err().to_string().contains("65 readings, at most 64"));
}
