//! The people of the demonstration: they look at their shop now and then and buy credit at the till, over HTTP like any
//! other client. Some are careful, some wait for a warning, some wake up in the dark.

use serde::Deserialize;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How often everybody looks, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a till waits for the station.
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the same purchase is asked for again, with the same key, when the station did not answer.
const TRIES: u32 = 3;
/// What people hand over, in whole units of the currency.
const AMOUNTS: [u32; 5] = [30, 50, 50, 100, 150];

#[derive(Debug, Deserialize)]
struct Live {
    shops: Vec<Shop>,
}

#[derive(Debug, Deserialize)]
struct Shop {
    account: i64,
    money: String,
    supply: String,
}

/// When somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Buys a little every few hours.
    Careful,
    /// Buys after the second alarm.
    Warned,
    /// Buys when the light is out.
    Forgetful,
}

impl Habit {
    fn of(account: i64) -> Self {
        match account.rem_euclid(5) {
            0 | 1 => Self::Forgetful,
            2 => Self::Warned,
            _ => Self::Careful,
        }
    }

    /// Mean time until this person buys, in world minutes; none: not now.
    fn mean_wait_min(self, shop: &Shop) -> Option<f64> {
        let dark = shop.supply == "off" || shop.money == "arrears";
        match (self, shop.money.as_str()) {
            (_, "not_opened") => None,
            _ if dark => Some(20.0),
            (Self::Careful, "alarm_1" | "alarm_2") => Some(40.0),
            (Self::Careful, _) => Some(300.0),
            (Self::Warned, "alarm_2") => Some(60.0),
            (Self::Warned, _) => Some(1500.0),
            (Self::Forgetful, _) => None,
        }
    }
}

/// Lets the customers act until `stop` is set. Blocks; run it on a thread of its own.
pub(super) fn run(base: &str, speed: u32, seed: u64, stop: &Arc<AtomicBool>) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(HTTP_TIMEOUT)).http_status_as_error(false).build().into();
    let mut dice = fastrand::Rng::with_seed(seed);
    // Keys must differ between runs on the same books, so they don't come from the seed.
    let mut keys = fastrand::Rng::new();
    let mut busy_until: BTreeMap<i64, Instant> = BTreeMap::new();
    let mut looked = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK_EVERY);
        let passed_min = looked.elapsed().as_secs_f64() * f64::from(speed) / 60.0;
        looked = Instant::now();
        let Some(live) = look(&agent, base) else { continue };
        for shop in live.shops {
            let Some(mean) = Habit::of(shop.account).mean_wait_min(&shop) else { continue };
            let waits = busy_until.get(&shop.account).is_some_and(|until| *until > Instant::now());
            if waits || dice.f64() >= 1.0 - (-passed_min / mean).exp() {
                continue;
            }
            // Whoever has paid waits until the page had time to show it.
            busy_until.insert(shop.account, Instant::now() + LOOK_EVERY * 4);
            let amount = AMOUNTS[dice.usize(..AMOUNTS.len())];
            buy(&agent, base, shop.account, amount, &format!("demo-{:016x}{:016x}", keys.u64(..), keys.u64(..)), stop);
        }
    }
}

fn look(agent: &ureq::Agent, base: &str) -> Option<Live> {
    agent.get(format!("{base}/api/live")).call().ok()?.body_mut().read_json().ok()
}

fn buy(agent: &ureq::Agent, base: &str, account: i64, amount: u32, key: &str, stop: &AtomicBool) {
    let body = serde_json::json!({ "account": account, "amount": format!("{amount}.00"), "channel": "cash" });
    for _ in 0..TRIES {
        let answer = agent.post(format!("{base}/api/sales")).header("Idempotency-Key", key).send_json(&body);
        match answer {
            // The station took it, or refused it for good: both are answers.
            Ok(answer) if answer.status().as_u16() < 500 => return,
            _ if stop.load(Ordering::Relaxed) => return,
            _ => std::thread::sleep(LOOK_EVERY),
        }
    }
}
