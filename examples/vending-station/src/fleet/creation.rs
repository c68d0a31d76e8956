//! How meters come into the world: with a past, and with a balance that makes an interesting day.

use meter_protocol::virtual_meter::{MeterSetup, VirtualMeter};

use super::FleetError;
use super::plan::{FleetPlan, MeterPlan};
use super::trade::{Noise, SLOT_MS, Shop};

/// Of a hundred prepaid meters so many run out within [`WATCH_MS`] of the first start.
const RUN_OUT_PERCENT: usize = 6;
/// So many more fall below alarm 1 in that time, but last longer.
const RUN_LOW_PERCENT: usize = 8;
/// The span that the two above are about: ten hours.
const WATCH_MS: i64 = 36_000_000;

/// Separates the uses of a meter's seed.
const PAST: i64 = -1;
const RANK: i64 = -2;
const FIRST_BALANCE: i64 = -3;

/// What a prepaid meter's first balance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    RunsOut,
    RunsLow,
    Lasts,
}

/// The seed of one meter: it depends on the number, not on the place in the list.
pub(super) fn meter_seed(world_seed: u64, digits: [u8; 12]) -> u64 {
    let number = digits.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(*digit));
    Noise::of(world_seed, number).next()
}

/// The shop behind a planned meter.
pub(super) fn shop(plan: &FleetPlan, world_seed: u64, meter: &MeterPlan) -> Result<Shop, FleetError> {
    Ok(Shop {
        seed: meter_seed(world_seed, meter.digits()?),
        trade: meter.trade,
        model: meter.model,
        rated_w: meter.rated_w,
        utc_offset_min: plan.utc_offset_min,
    })
}

/// Makes those meters of the plan that `is_new` picks, at `now_ms`, in the order of the plan.
pub(super) fn create(
    plan: &FleetPlan,
    world_seed: u64,
    now_ms: i64,
    is_new: impl Fn(&MeterPlan) -> bool,
) -> Result<Vec<(usize, VirtualMeter)>, FleetError> {
    let new: Vec<usize> = (0..plan.meters.len()).filter(|position| is_new(&plan.meters[*position])).collect();
    let fates = fates(plan, world_seed, &new)?;
    let mut made = Vec::with_capacity(new.len());
    for (position, fate) in new.into_iter().zip(fates) {
        let meter = &plan.meters[position];
        let shop = shop(plan, world_seed, meter)?;
        let setup = setup(plan, meter, &shop, fate, now_ms)?;
        let mut virtual_meter = VirtualMeter::new(&setup, plan.meter_options)
            .map_err(|source| FleetError::Setup { number: meter.number.clone(), source })?;
        virtual_meter.set_load(shop.load_in(now_ms.div_euclid(SLOT_MS)));
        made.push((position, virtual_meter));
    }
    Ok(made)
}

/// Deals the fates out over the new prepaid meters by a shuffled rank, so that their numbers are what was promised.
fn fates(plan: &FleetPlan, world_seed: u64, new: &[usize]) -> Result<Vec<Fate>, FleetError> {
    let mut ranked = Vec::new();
    for (place, position) in new.iter().enumerate() {
        let meter = &plan.meters[*position];
        if meter.prepaid {
            ranked.push((Noise::of(meter_seed(world_seed, meter.digits()?), RANK).next(), place));
        }
    }
    ranked.sort_unstable();
    let run_out = (ranked.len() * RUN_OUT_PERCENT).div_ceil(100);
    let run_low = (ranked.len() * RUN_LOW_PERCENT).div_ceil(100);
    let mut fates = vec![Fate::Lasts; new.len()];
    for (rank, (_, place)) in ranked.into_iter().enumerate() {
        fates[place] = match rank {
            _ if rank < run_out => Fate::RunsOut,
            _ if rank < run_out + run_low => Fate::RunsLow,
            _ => Fate::Lasts,
        };
    }
    Ok(fates)
}

fn setup(plan: &FleetPlan, meter: &MeterPlan, shop: &Shop, fate: Fate, now_ms: i64) -> Result<MeterSetup, FleetError> {
    let mut past = Noise::of(shop.seed, PAST);
    // Half a year to four years of a third of the rated power.
    let hours = past.within(4_000, 35_000);
    let centi_kwh = i64::from(meter.rated_w) * hours / 30;
    let shares = [past.within(60, 120), past.within(250, 330), past.within(300, 380)];
    let register = |units: i64| u32::try_from(units).unwrap_or(u32::MAX);
    let [spike, peak, flat] = shares.map(|per_mille| centi_kwh * per_mille / 1_000);
    let mut setup = MeterSetup::new(meter.model, meter.unit, meter.digits()?, now_ms);
    setup.utc_offset_min = plan.utc_offset_min;
    setup.drift_ppm = i32::try_from(past.within(-20, 20)).unwrap_or(0);
    setup.energies_centi_kwh = [spike, peak, flat, centi_kwh - spike - peak - flat].map(register);
    setup.prepay_enabled = meter.prepaid;
    if meter.prepaid {
        setup.purchase_count = u16::try_from(past.within(3, 90)).unwrap_or(0);
        setup.remaining_cents = i32::try_from(first_balance_cents(meter, shop, fate, now_ms)).unwrap_or(i32::MAX);
    }
    Ok(setup)
}

/// The balance in 0.01 that leads to this fate if power costs what the hint says.
fn first_balance_cents(meter: &MeterPlan, shop: &Shop, fate: Fate, now_ms: i64) -> i64 {
    let mut noise = Noise::of(shop.seed, FIRST_BALANCE);
    let cost_until_cents = |wait_ms: i64| {
        let energy_mj = u128::from(shop.energy_mj(now_ms, now_ms + wait_ms));
        // 1 kWh is 3.6e9 mJ, 0.01 units are a hundred of 0.0001.
        i64::try_from(energy_mj * u128::from(meter.price_hint_per_kwh) / 360_000_000_000).unwrap_or(i64::MAX)
    };
    let alarm_cents = i64::from(meter.alarm_1_hint_cents);
    match fate {
        Fate::RunsOut => cost_until_cents(noise.within(WATCH_MS / 5, WATCH_MS * 4 / 5)).max(1),
        Fate::RunsLow => {
            // At the end of the watch a part of the alarm amount is left: some are below alarm 2 as well.
            cost_until_cents(WATCH_MS) + 1 + alarm_cents * noise.within(100, 800) / 1_000
        }
        Fate::Lasts => cost_until_cents(noise.within(3, 20) * 86_400_000) + 2 * alarm_cents,
    }
}
